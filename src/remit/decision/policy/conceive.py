"""Could some arguments be permitted? Judged by the parts of policies that no argument can change.

Sound, not complete: what is found inconceivable is denied for whatever arguments; what is found
conceivable may still be denied for all of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from cedarpy import pst

from remit.decision.answer.response import Mode
from remit.decision.policy.bundle import Bundle
from remit.decision.policy.compile import Env
from remit.decision.policy.parts import RESOURCE, Part, parts_of, probe_of
from remit.decision.policy.program import Program, compile_policy
from remit.decision.policy.tree import path_of, walk


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What of a bundle is the same for every question: its parts, and those that no argument can change."""

    effects: Mapping[str, str]
    """Effect of every policy in force, by place."""
    settled: tuple[str, ...]
    """Place of each part, by its number."""
    open: frozenset[str]
    """Places with a part that arguments can change."""
    probes: tuple[pst.Template, ...]
    """A permit for each part, by its number: it holds exactly if the part does."""
    program: Program
    """The probes, compiled."""
    timed: bool
    """Some part looks at the clock, so that the answer may be another one a moment later."""


def conceivable(env: Env, bundle: Bundle, *, fixed: bool) -> bool:
    """Whether some permit may hold and no forbid is certain, over all arguments.

    `env` has no arguments; the id of its resource means something only if it is `fixed`.
    """
    plan = plan_of(bundle, fixed=fixed)
    return conceived(plan, frozenset(plan.program.held(env)))


def conceived(plan: Plan, held: frozenset[int]) -> bool:
    """What follows from the parts that hold; one that can't be evaluated does not, and would deny."""
    failed = {place for number, place in enumerate(plan.settled) if number not in held}
    standing = {place: effect for place, effect in plan.effects.items() if place not in failed}
    certain = any(effect == "forbid" and place not in plan.open for place, effect in standing.items())
    return not certain and "permit" in standing.values()


@lru_cache(maxsize=16)
def plan_of(bundle: Bundle, *, fixed: bool) -> Plan:
    """Taken apart once per bundle: the syntax trees are long, and every listing and call asks."""
    parts = [
        part
        for place, rule in bundle.rules.items()
        if rule.mode is Mode.ENFORCE
        for part in parts_of(place, bundle.nodes[place])
    ]
    settled = [part for part in parts if _is_settled(part, bundle, fixed=fixed)]
    probes = [probe_of(str(number), part, bundle.nodes[part.place]) for number, part in enumerate(settled)]
    compiled = [
        compile_policy(number, bundle.rules[part.place], probe)
        for number, (part, probe) in enumerate(zip(settled, probes, strict=True))
    ]
    return Plan(
        effects={part.place: bundle.rules[part.place].effect for part in parts},
        settled=tuple(part.place for part in settled),
        open=frozenset(part.place for part in parts if part not in settled),
        probes=tuple(probes),
        program=Program(zip(compiled, probes, strict=True)),
        timed=any(_looks_at_clock(part) for part in settled),
    )


def _looks_at_clock(part: Part) -> bool:
    """Whether any attribute of these names is read, whosever it is."""
    for node in walk(part.expression) if part.expression is not None else ():
        named: tuple[str, ...] = node.attrs if isinstance(node, pst.HasAttr) else ()
        if isinstance(node, pst.GetAttr):
            named = (node.attr,)
        if not {"time", "local"}.isdisjoint(named):
            return True
    return False


def _is_settled(part: Part, bundle: Bundle, *, fixed: bool) -> bool:
    """Whether no argument can change the part."""
    if part.expression is None:
        scope = bundle.nodes[part.place].resource
        return part.name != RESOURCE or fixed or isinstance(scope, pst.ScopeAny | pst.ScopeIs)
    return not any(_is_open(node, fixed=fixed) for node in walk(part.expression)) and not _is_bare(
        part.expression
    )


def _is_open(node: object, *, fixed: bool) -> bool:
    """Whether a part of an expression looks at what the arguments say."""
    match node:
        case pst.Var(name="resource"):
            return not fixed
        case pst.GetAttr(attr=attr) if path_of(node):
            path = path_of(node) or (attr,)
            if path[0] == "resource":
                return not fixed and path[1:] != ("type",) and len(path) > 1
            return path[0] in _ARGUED
        case pst.HasAttr(base=base, attrs=attrs):
            path = (*(path_of(base) or ()), *attrs) if path_of(base) is not None else ()
            return bool(path) and path[0] in _ARGUED
        case _:
            return False


_ARGUED: Final = frozenset({"arguments", "money", "lineage", "risk", "plugin"})
"""What of the context hangs on what a call says."""


def _is_bare(expression: pst.Expr) -> bool:
    """Whether the context, or its resource, is used as a whole."""
    bare = {pst.Var("context"), pst.GetAttr(base=pst.Var("context"), attr="resource")}
    for node in walk(expression):
        inner = [getattr(node, name) for name in getattr(node, "__dataclass_fields__", ())]
        parts = [part for value in inner for part in (value if isinstance(value, tuple) else (value,))]
        if not isinstance(node, pst.GetAttr | pst.HasAttr) and any(
            part in bare for part in parts if _is_node(part)
        ):
            return True
    return expression in bare


def _is_node(value: object) -> bool:
    return isinstance(value, pst.Var | pst.GetAttr)
