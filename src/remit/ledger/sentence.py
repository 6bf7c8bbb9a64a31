"""The sentence that any reader of an action gets back (R39), inert whatever stands in it."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from remit.kernel.canonical import Json, JsonObject
from remit.ledger.record import Record

MAX_VALUE: Final = 200
"""Characters of one value that a sentence shows; the rest is counted."""
_PLACE = re.compile(r"\{(/[^{}]*)\}")
_SPAN = re.compile(r"\{(/[^{}]*)\}[-\u2013]\{(/[^{}]*)\}")
_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9]{2}:[0-9]{2})")
_HIDDEN_CATEGORIES: Final = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_FORMULA: Final = ("=", "+", "-", "@")
_SAFE_MARKS: Final = {"`": "'"}
_ENDS: Final = {
    "done": "",
    "": "not finished yet: ",
    "failed": "without success: ",
    "unknown": "with unknown outcome: ",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What ids are called, for people: agent by name, user by address, approver by address."""

    agent: str
    user: str = ""
    approver: str = ""
    company: tuple[str, ...] = ()
    """Who else it was for, by address."""


def action_sentence(
    record: Record,
    *,
    names: Names,
    template: str,
    arguments: JsonObject,
    risk: str = "low",
    outcome: str = "done",
) -> str:
    """Say who did what for whom, under which rule, and who approved it.

    `record` is the decision; `template` the tool mapping's past-tense phrase with `{/pointer}` places
    (RFC 6901) into `arguments`. Values from outside are shown, never obeyed: control, format and direction
    characters become visible escapes, quotes can't end a quotation, and long ones are cut with their length.
    What is not known to be done is not told as done: `outcome` is that of the call, empty while it runs.
    """
    people = " and ".join(visible(name) for name in (names.user, *names.company) if name)
    behalf = f"acting on behalf of {people}" if people else "acting on its own behalf"
    phrase = fill(template, arguments) if template else _plain_phrase(record)
    rules = ", ".join(f"`{visible(rule)}`" for rule in record.rules)
    authority = f"authorized by {'policies' if len(record.rules) > 1 else 'policy'} {rules} " if rules else ""
    approval = (
        f"by {visible(names.approver)}"
        if names.approver
        else f"by nobody because its risk is {visible(risk)}"
    )
    verb = _ENDS.get(outcome, f"{visible(outcome)}: ")
    if record.effect != "permit":
        verb = f"{visible(record.effect)}: "
    return (
        f"Agent {visible(names.agent)}, {behalf}, {verb}{phrase}; "
        f"{authority}(decision {visible(record.decision)}), approved {approval}."
    )


def fill(template: str, arguments: JsonObject) -> str:
    """Put arguments into a phrase. A place whose argument is absent reads `(absent)`, never nothing.

    Two places joined by a dash that both hold instants (RFC 3339) read as one span in UTC.
    """
    spanned = _SPAN.split(template)
    # `split` gives text, first pointer, second pointer, text, …: only our own text is searched for places.
    parts = [_fill_places(spanned[0], arguments)]
    for place in range(1, len(spanned), 3):
        parts += [
            _span(_follow(arguments, spanned[place]), _follow(arguments, spanned[place + 1])),
            _fill_places(spanned[place + 2], arguments),
        ]
    return "".join(parts)


def visible(text: str) -> str:
    """Text on one line, in which nothing is hidden: what a terminal, a page or a sheet would obey is shown
    by its code point in hexadecimal.
    """
    shown = "".join(map(_show, text[:MAX_VALUE]))
    if shown.startswith(_FORMULA):
        shown = f"'{shown}"  # a sheet takes a leading sign for a formula
    return shown if len(text) <= MAX_VALUE else f"{shown}… ({len(text)} characters)"


def _fill_places(template: str, arguments: JsonObject) -> str:
    return _PLACE.sub(lambda place: visible(_text(_follow(arguments, place[1]))), template)


def _span(start: Json, end: Json) -> str:
    first, last = _instant(start), _instant(end)
    if first is None or last is None:
        return f"{visible(_text(start))}\u2013{visible(_text(end))}"
    until = f"{last:%H:%M}" if last.date() == first.date() else f"{last:%Y-%m-%d %H:%M}"
    return f"{first:%Y-%m-%d %H:%M}\u2013{until} UTC"


def _instant(value: Json) -> datetime | None:
    if not isinstance(value, str) or not _INSTANT.fullmatch(value):
        return None
    try:
        return datetime.fromisoformat(value).astimezone(UTC)
    except (ValueError, OverflowError):
        return None  # shaped like an instant, but none, as the 31st of June: shown as it is


def _show(char: str) -> str:
    if char in _SAFE_MARKS:
        return _SAFE_MARKS[char]
    if unicodedata.category(char) in _HIDDEN_CATEGORIES:
        return f"\\u{{{ord(char):x}}}"
    return char


def _follow(arguments: JsonObject, pointer: str) -> Json:
    """The value at a JSON pointer (RFC 6901 §4); None where there is none."""
    here: Json = arguments
    for token in pointer.split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        if isinstance(here, dict):
            here = here.get(name)
        elif isinstance(here, list) and re.fullmatch(r"0|[1-9][0-9]{0,8}", name) and int(name) < len(here):
            here = here[int(name)]
        else:
            return None
    return here


def _text(value: Json) -> str:
    match value:
        case None:
            return "(absent)"
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case list():
            return ", ".join(map(_text, value))
        case dict():
            return ", ".join(f"{name}: {_text(member)}" for name, member in value.items())


def _plain_phrase(record: Record) -> str:
    return f"did `{visible(record.action)}` on `{visible(record.resource)}`"
