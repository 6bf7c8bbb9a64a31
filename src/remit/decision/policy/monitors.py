"""Monitors: the rules of a policy text that leave marks, and those that look at them, compiled.

A rule with `@remember` decides nothing: it says which calls leave a mark if they are permitted. A forbid that
looks at `context.past` is judged inside the transaction that would permit the call, on marks that nobody can
change meanwhile. Marks are known by name: a new version of the text finds what older ones have left.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from cedarpy import pst

from remit.decision.answer.response import Mode
from remit.decision.policy.marks import Mark, Reading, Whose
from remit.decision.policy.program import Compiled, Program
from remit.decision.policy.rules import Rule
from remit.decision.policy.tree import walk
from remit.kernel.canonical import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Monitors:
    """What one version remembers and forbids over time."""

    marks: Mapping[str, Mark]
    remembering: Program | None
    forbidding: Program | None
    rehearsal: Program | None
    """All that look back, in force or not; None unless some are in observe or warn mode."""
    made: Mapping[str, Mark]
    """The mark that each remembering rule leaves, by the rule's id."""
    reads: Mapping[str, frozenset[Reading]]
    """What each forbid looks at, by its id."""


def looks_back(node: pst.Template) -> bool:
    """Whether a policy looks at the past at all."""
    return any(_is_past(part) for part in walk(node.clauses))


def readings(node: pst.Template) -> frozenset[Reading] | None:
    """The marks that a policy looks at, `context.past.<mark>.<whose>`; None where it takes more at once."""
    found: set[Reading] = set()
    whole = taken = 0
    for part in walk(node.clauses):
        whole += _is_past(part)
        if isinstance(part, pst.GetAttr) and isinstance(part.base, pst.GetAttr) and _is_past(part.base.base):
            if part.attr not in set(Whose):
                return None
            found.add((part.base.attr, Whose(part.attr)))
            taken += 1
    return frozenset(found) if whole == taken else None


def faults_of(
    rules: Mapping[str, Rule], nodes: Mapping[str, pst.Template], marks: Mapping[str, Mark]
) -> Iterator[tuple[str, str]]:
    """What is wrong with the rules of a text about the past: the place of the rule, and a sentence."""
    for place, rule in rules.items():
        node = nodes[place]
        if rule.remember is not None and marks[rule.remember.name] != rule.remember:
            yield place, f"mark `{rule.remember.name}` is declared twice, not alike"
        if not looks_back(node):
            continue
        if rule.effect == "permit":
            yield place, "`context.past` belongs to a forbid; a permit that hangs on it would open by doing"
        found = readings(node)
        if found is None:
            yield place, "the past is looked at as `context.past.<mark>.<whose>.count` or `.values`"
            continue
        yield from ((place, said) for mark, whose in sorted(found) if (said := _unknown(mark, whose, marks)))


def marks_of(rules: Iterable[Rule]) -> dict[str, Mark]:
    """Every mark that a text declares, by name."""
    return {rule.remember.name: rule.remember for rule in rules if rule.remember is not None}


def monitors(
    rules: Mapping[str, Rule], nodes: Mapping[str, pst.Template], compiled: Mapping[str, Compiled]
) -> Monitors | None:
    """Compile the rules about the past; None where a text has none."""
    remembering = {place: rule for place, rule in rules.items() if rule.remember is not None}
    looking = {
        place: rule for place, rule in rules.items() if rule.remember is None and looks_back(nodes[place])
    }
    if not remembering and not looking:
        return None
    in_force = {place for place, rule in looking.items() if rule.mode is Mode.ENFORCE}
    return Monitors(
        marks=marks_of(remembering.values()),
        remembering=_program(remembering, nodes, compiled),
        forbidding=_program(in_force, nodes, compiled),
        rehearsal=None if len(in_force) == len(looking) else _program(looking, nodes, compiled),
        made={rule.id: rule.remember for rule in remembering.values() if rule.remember is not None},
        reads={rule.id: readings(nodes[place]) or frozenset() for place, rule in looking.items()},
    )


def past_type(marks: Iterable[Mark]) -> JsonObject:
    """The type of `context.past` in Cedar's JSON schema: who names another mark is told at publication."""
    memory: JsonObject = {
        "type": "Record",
        "attributes": {
            "count": {"type": "Long"},
            "values": {"type": "Set", "element": {"type": "String"}},
        },
    }
    return {
        "type": "Record",
        "attributes": {
            mark.name: {"type": "Record", "attributes": {str(whose): memory for whose in sorted(mark.whose)}}
            for mark in marks
        },
    }


def _program(
    places: Iterable[str], nodes: Mapping[str, pst.Template], compiled: Mapping[str, Compiled]
) -> Program | None:
    chosen = tuple((compiled[place], nodes[place]) for place in places)
    return Program(chosen) if chosen else None


def _is_past(node: object) -> bool:
    return isinstance(node, pst.GetAttr) and node.attr == "past" and node.base == pst.Var("context")


def _unknown(mark: str, whose: Whose, marks: Mapping[str, Mark]) -> str:
    known = marks.get(mark)
    if known is None:
        return f"no rule remembers `{mark}`; known are {', '.join(sorted(marks)) or 'none'}"
    if whose not in known.whose:
        return f"`{mark}` is remembered by {', '.join(sorted(known.whose))}, not by {whose}"
    return ""
