"""The card: every argument of what would run, in our words; the agent's words never form the headline."""

import re
from dataclasses import dataclass
from typing import Final

from remit.kernel.canonical import Json, JsonObject, canonical_json, parse_object
from remit.ledger.sentence import fill
from remit.oversight.approvals.approval import Approval
from remit.oversight.approvals.visible import Shown, show

_WORD: Final = re.compile(r"[A-Za-z0-9._:@/+-]{1,64}")
"""A value that is one word, and can be read as nothing else."""
_MARKS: Final = str.maketrans("\u201c\u201d\u201e\u201f", '""""')
"""A value closes no quotation of ours; as it was sent it stands among the arguments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One argument: its JSON pointer and its value, whole."""

    pointer: str
    value: Shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What an approver sees; built from the stored bytes alone."""

    approval: Approval
    headline: Shown
    effect: Shown
    arguments: tuple[Line, ...]
    size: int
    inspectable: bool


def draw(approval: Approval) -> Card:
    """Lay out an ask, whole: nothing is shortened, what can't be read is marked."""
    arguments = tuple(_lines(parse_object(approval.arguments.encode()), ""))
    headline = show(title_of(approval))
    undo = "can be undone" if approval.reversible else "cannot be undone"
    effect = show(f"{approval.effect or 'changes ' + approval.resource}; {undo}")
    return Card(
        approval=approval,
        headline=headline,
        effect=effect,
        arguments=arguments,
        size=len(approval.arguments.encode()),
        inspectable=not any("cannot be inspected" in w for line in arguments for w in line.value.warnings),
    )


def title_of(approval: Approval) -> str:
    """What it would do, in a line: never in words that its agent chose."""
    if not approval.imperative:
        return f"{approval.action} on {approval.resource}"
    return headline_of(approval.imperative, parse_object(approval.arguments.encode()))


def headline_of(imperative: str, arguments: JsonObject) -> str:
    """The mapping's own phrase with a call's values in it.

    SAFETY: a value that could go on with our sentence, for it is no single word, stands in quotes.
    """
    return fill(imperative, {name: _quoted(value) for name, value in arguments.items()})


def _quoted(value: Json) -> Json:
    if isinstance(value, dict):
        return {name: _quoted(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_quoted(each) for each in value]
    if not isinstance(value, str) or _WORD.fullmatch(value):
        return value
    return f"\u201c{value.translate(_MARKS)}\u201d"


def _lines(value: Json, pointer: str) -> list[Line]:
    if isinstance(value, dict) and value:
        steps = [(name.replace("~", "~0").replace("/", "~1"), member) for name, member in value.items()]
    elif isinstance(value, list) and value:
        steps = [(str(index), member) for index, member in enumerate(value)]
    else:
        text = value if isinstance(value, str) else canonical_json(value).decode()
        return [Line(pointer=pointer or "/", value=show(text))]
    return [line for step, member in steps for line in _lines(member, f"{pointer}/{step}")]
