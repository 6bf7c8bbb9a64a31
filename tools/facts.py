"""Pages that the source tells: error codes, reason codes, kinds of records and events."""

import ast
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tools.markdown import SOURCE, first_paragraph, page, table

from remit.decision.codes.catalogue import TABLE
from remit.kernel.errors import RemitError

_NAME: Final = re.compile(
    r"(?:identity|authority|decision|enforcement|oversight|ledger|platform)(?:\.[a-z_]+){2}"
)


def errors_page() -> str:
    """Every error with its code: what a message's code means."""
    found: dict[tuple[str, str], tuple[str, ...]] = {}
    waiting: list[type[RemitError]] = [RemitError]
    while waiting:
        error = waiting.pop()
        waiting += error.__subclasses__()
        if error.__module__.startswith("remit."):
            name = f"{error.__module__}.{error.__name__}"
            found[error.code, name] = (f"`{error.code}`", error.kind, first_paragraph(error), f"`{name}`")
    intro = """What an error's `code` means in a problem document (RFC 9457), on the command line, in logs.
The address `/errors/<code>` of an installation tells the same. Codes of *decisions* are on the page
[reasons](reasons.md)."""
    return page(
        "Errors", intro, table(("code", "kind", "meaning", "raised as"), [found[k] for k in sorted(found)])
    )


def reasons_page() -> str:
    """Every code that a decision can carry."""
    intro = """What a decision's reason means: its code, the stage that gave it, its kind (member `kind` of
`_meta["dev.remit/denial"]`), the sentence with places for the caller's values, what may be done about it.
`remit why <decision>` shows them for one decision. A remedy never permits: after it the call is decided
again."""
    rows = [
        (
            f"`{code}`",
            entry.stage,
            entry.effect,
            f"`{entry.kind}`" if entry.kind else "",
            entry.sentence,
            f"`{entry.remedy}`",
            entry.help_,
        )
        for code, entry in TABLE.items()
    ]
    head = ("code", "stage", "effect", "kind", "sentence", "remedy", "meaning")
    return page("Reasons of decisions", intro, table(head, rows))


@dataclass(slots=True)
class _Fact:
    record: set[str] = field(default_factory=set)
    event: set[str] = field(default_factory=set)
    heard: set[str] = field(default_factory=set)


def events_page() -> str:
    """Every kind of ledger record and every event, with the modules that state and hear it."""
    facts: dict[str, _Fact] = defaultdict(_Fact)
    for path in sorted(SOURCE.rglob("*.py")):
        _read(path, facts)
    rows = [
        (f"`{name}`", _places(fact.record), _places(fact.event), _places(fact.heard))
        for name, fact in sorted(facts.items())
        if fact.record or fact.event
    ]
    intro = """A *record* is a leaf of the ledger, written in the transaction of the change that it tells.
An *event* leaves through the outbox of that same transaction, at least once and in the order of commits."""
    head = ("name", "record stated by", "event stated by", "event heard by")
    return page("Events and kinds of records", intro, table(head, rows))


def _read(path: Path, facts: dict[str, _Fact]) -> None:
    """Sort one module's names: given to `Event(name=…)`, listed in `hears=`, or else kinds of records.

    A module that builds records or events from a variable states every name that stands in it.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    place = path.relative_to(SOURCE).as_posix()
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    told = _given(calls, "Event", "name")
    kinds = _given(calls, "Record", "kind")
    heard = [key.value for call in calls for key in call.keywords if key.arg == "hears"]
    if not all(isinstance(kind, ast.Constant) for kind in kinds):
        elsewhere = {id(node) for value in (*told, *heard) for node in ast.walk(value)}
        kinds += [
            node for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in elsewhere
        ]
    if any(isinstance(name, ast.Name) for name in told):
        told += kinds
    for name in _names(kinds):
        facts[name].record.add(place)
    for name in _names(told):
        facts[name].event.add(place)
    for name in _names(heard):
        facts[name].heard.add(place)


def _given(calls: list[ast.Call], called: str, argument: str) -> list[ast.expr]:
    return [
        key.value
        for call in calls
        if isinstance(call.func, ast.Name) and call.func.id == called
        for key in call.keywords
        if key.arg == argument
    ]


def _names(values: Sequence[ast.expr]) -> set[str]:
    return {
        node.value
        for value in values
        for node in ast.walk(value)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _NAME.fullmatch(node.value)
    }


def _places(modules: set[str]) -> str:
    return ", ".join(f"`{module}`" for module in sorted(modules))
