"""Two policy texts compared rule by rule: what a reader of the new one has to look at."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cedarpy import pst

from remit.decision.policy.admission import read
from remit.decision.policy.bundle import policy_set


class Change(StrEnum):
    """What became of a rule."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleChange:
    """One rule that is not as it was. `parts` are annotations (`@mode`) and pieces of the policy."""

    rule: str
    change: Change
    parts: tuple[str, ...] = ()
    before: str = ""
    """As Cedar prints it, empty for a rule that is new."""
    after: str = ""


_PIECES: Final = ("effect", "principal", "action", "resource")


def compare(before: str, after: str) -> tuple[RuleChange, ...]:
    """What publishing `after` over `before` would change, in the order of the new text, removed rules last.

    Space, comments and the order of rules mean nothing. Raises `PolicyRefused` for a text that is no policy.
    """
    old, new = _rules(before), _rules(after)
    found = [
        _changed(name, old.get(name), node) for name, node in new.items() if not _same(old.get(name), node)
    ]
    gone = [
        RuleChange(rule=name, change=Change.REMOVED, before=_printed(node))
        for name, node in old.items()
        if name not in new
    ]
    return (*found, *gone)


def _rules(text: str) -> dict[str, pst.Template]:
    parsed = read(text)
    return {parsed.rules[place].id: node for place, node in parsed.nodes.items()}


def _same(one: pst.Template | None, other: pst.Template) -> bool:
    return one is not None and not _parts(one, other)


def _changed(name: str, one: pst.Template | None, other: pst.Template) -> RuleChange:
    if one is None:
        return RuleChange(rule=name, change=Change.ADDED, after=_printed(other))
    return RuleChange(
        rule=name,
        change=Change.CHANGED,
        parts=_parts(one, other),
        before=_printed(one),
        after=_printed(other),
    )


def _parts(one: pst.Template, other: pst.Template) -> tuple[str, ...]:
    notes = sorted(
        name for name in {**one.annotations, **other.annotations} if _note(one, name) != _note(other, name)
    )
    pieces = [name for name in _PIECES if getattr(one, name) != getattr(other, name)]
    conditions = ["conditions"] if one.clauses != other.clauses else []
    return (*(f"@{name}" for name in notes), *pieces, *conditions)


def _note(node: pst.Template, name: str) -> str | None:
    notes: Mapping[str, str] = node.annotations
    return notes.get(name)


def _printed(node: pst.Template) -> str:
    return str(policy_set({node.id: node})).strip()
