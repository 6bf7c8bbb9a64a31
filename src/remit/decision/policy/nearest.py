"""How near a refused request came: which conditions of which policy failed, and what would have met them.

Each policy is taken apart into its scope and the conjuncts of its conditions, and each part is judged by
itself. A change is only named after the whole policy set was asked again with that change: what is said to
help, helps.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Final, TypeAlias

from cedarpy import pst
from msgspec import structs

from remit.decision.answer.response import Mode, NearestMiss
from remit.decision.budget.currency import amount_text
from remit.decision.call.request import ActionRequest
from remit.decision.policy.bundle import Bundle
from remit.decision.policy.compile import Env
from remit.decision.policy.evaluate import settle
from remit.decision.policy.extensions import bounded
from remit.decision.policy.extensions import decimal as decimal_value
from remit.decision.policy.given import suppose, suppose_time
from remit.decision.policy.parts import RESOURCE, SCOPE, Part, clauses_of, parts_of, probe_of
from remit.decision.policy.program import Compiled, Program, compile_policy
from remit.decision.policy.rules import Rule
from remit.decision.policy.tree import path_of, walk
from remit.decision.policy.values import EvaluationFailed, Uid, Value
from remit.decision.policy.zones import zone
from remit.identity.tools import ToolMapping

_DAYS: Final = 8
_MOMENTS: Final = 256
_TICK: Final = timedelta(milliseconds=1)
_LEAST_DECIMAL: Final = Decimal("0.0001")
_DAY_MINUTES: Final = 1440


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """The nearest policy and what it would need; no misses means that nothing about the call would help."""

    rule: Rule
    misses: tuple[NearestMiss, ...]


def nearest_permit(env: Env, bundle: Bundle, request: ActionRequest, *, plain: bool = False) -> Near | None:
    """The permit in force that came closest, or None if none is about this principal and action.

    `plain` looks only at permits that need no approval.
    """
    rules, failing = bundle.rules, failing_parts(env, bundle, plain=plain)
    ranked = sorted(failing.items(), key=lambda item: (len(item[1]), len(item[0]), item[0]))
    described = [
        Near(rule=rules[place], misses=_confirmed(probes, env, bundle, request, rules[place]))
        for place, probes in ranked[:3]
    ]
    helped = [near for near in described if near.misses]
    return helped[0] if helped else (described[0] if described else None)


def escape(env: Env, bundle: Bundle, request: ActionRequest, rule: Rule) -> tuple[NearestMiss, ...]:
    """What about the call would have to differ for a forbid not to apply; empty if nothing would help."""
    place = next(place for place, known in bundle.rules.items() if known.id == rule.id)
    for opposite in _anatomy(bundle).opposites(place):
        found = _confirmed([opposite], env, bundle, request, rule)
        if found:
            return found
    return ()


def failing_parts(env: Env, bundle: Bundle, *, plain: bool = False) -> "dict[str, list[_Probe]]":
    """The parts that do not hold, by place, of each permit in force whose principal and action fit."""
    anatomy = _anatomy(bundle)
    return {
        place: [probe for probe, test in anatomy.tests(place) if not _holds(test, env)]
        for place in anatomy.fitting(env)
        if not (plain and bundle.rules[place].approval)
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bound:
    """A comparison of one path in the context with literals."""

    path: tuple[str, ...]
    one_of: tuple[str | int | bool, ...] = ()
    at_least: Decimal | None = None
    at_most: Decimal | None = None
    decimal: bool = False


@dataclass(frozen=True, slots=True)
class _Probe:
    """One part of a policy, and what its text alone says of how it could be met."""

    part: Part
    timed: bool
    """Whether it looks at the clock."""
    bound: _Bound | None


def _read(part: Part) -> _Probe:
    timed = _tells_time(part.expression)
    known = part.expression is not None and not timed
    bound = _bound(part.expression, wanted=part.wanted) if known and part.expression is not None else None
    return _Probe(part, timed, bound)


_Tests: TypeAlias = tuple[tuple[_Probe, Program], ...]


class _Anatomy:
    """The policies of one version, taken apart; each of them when it is first looked at."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._places = tuple(
            place
            for place, rule in bundle.rules.items()
            if rule.effect == "permit" and rule.mode is Mode.ENFORCE
        )
        self._scopes = Program(self._scope(order) for order in range(len(self._places)))
        self._tests: dict[str, _Tests] = {}
        self._opposites: dict[str, tuple[_Probe, ...]] = {}

    def _scope(self, order: int) -> tuple[Compiled, pst.Template]:
        place = self._places[order]
        node = probe_of(place, Part(place=place, name=SCOPE, expression=None), self._bundle.nodes[place])
        return compile_policy(order, self._bundle.rules[place], node), node

    def fitting(self, env: Env) -> list[str]:
        """Places of the permits whose principal and action fit."""
        return [self._places[order] for order in self._scopes.held(env)]

    def tests(self, place: str) -> _Tests:
        """Each other part of a permit, with what judges it."""
        found = self._tests.get(place)
        if found is None:
            node, rule = self._bundle.nodes[place], self._bundle.rules[place]
            parts = [part for part in parts_of(place, node) if part.name != SCOPE]
            found = tuple((_read(part), _test(probe_of(part.name, part, node), rule)) for part in parts)
            self._tests[place] = found
        return found

    def opposites(self, place: str) -> tuple[_Probe, ...]:
        """Each condition of a forbid turned round: what would have to hold for it not to apply."""
        found = self._opposites.get(place)
        if found is None:
            parts = parts_of(place, self._bundle.nodes[place])
            found = tuple(
                _read(replace(part, wanted=not part.wanted)) for part in parts if part.expression is not None
            )
            self._opposites[place] = found
        return found


_anatomy = lru_cache(maxsize=16)(_Anatomy)
"""Bundles are compared by identity, so a version is never taken for another."""


def _test(node: pst.Template, rule: Rule) -> Program:
    """What judges one probe."""
    return Program([(compile_policy(0, rule, node), node)])


def _holds(test: Program, env: Env) -> bool:
    """Whether a probe applies and holds; one that can't be evaluated does not."""
    return any(True for _ in test.held(env))


def _confirmed(
    probes: list[_Probe], env: Env, bundle: Bundle, request: ActionRequest, rule: Rule
) -> tuple[NearestMiss, ...]:
    """The changes that would meet all the parts, if the policy set then agrees; else nothing."""
    misses: list[NearestMiss] = []
    changed = env
    for probe in probes:
        if probe.timed and any(miss.at is not None for miss in misses):
            continue  # one moment was found for all conditions on time
        step = _change(probe, changed, bundle, request, rule)
        if step is None:
            return ()
        miss, changed = step
        misses.append(miss)
    if bundle.program is None or not misses:
        return ()
    return tuple(misses) if settle(changed, bundle.program).allowed else ()


def _change(
    probe: _Probe, env: Env, bundle: Bundle, request: ActionRequest, rule: Rule
) -> tuple[NearestMiss, Env] | None:
    mapping, part = request.tool.mapping if request.tool else None, probe.part
    if part.name == RESOURCE:
        return _other_resource(bundle.nodes[part.place].resource, env, mapping, rule)
    if probe.timed:
        return _other_time(part, env, bundle, request.call.at, rule)
    return None if probe.bound is None else _other_argument(probe.bound, env, request, mapping, rule)


def _other_resource(
    scope: pst.PrincipalOrResourceConstraint, env: Env, mapping: ToolMapping | None, rule: Rule
) -> tuple[NearestMiss, Env] | None:
    if not (mapping and mapping.resource.pointer and isinstance(scope, pst.ScopeEq)):
        return None
    entity = scope.entity
    if not isinstance(entity, pst.EntityUid) or str(entity.type) != env.resource.type:
        return None
    changed = replace(_put(env, ("resource", "id"), entity.id), resource=Uid(env.resource.type, entity.id))
    miss = NearestMiss(argument=mapping.resource.pointer, one_of=(entity.id,), rule=rule.id)
    return miss, changed


def _tells_time(expression: pst.Expr | None) -> bool:
    return any(
        isinstance(part, pst.GetAttr) and part.base == pst.Var("context") and part.attr in {"time", "local"}
        for part in walk(expression)
    )


def _other_time(
    part: Part, env: Env, bundle: Bundle, at: datetime, rule: Rule
) -> tuple[NearestMiss, Env] | None:
    """The first moment within eight days at which every condition on time holds, among their own edges."""
    node = bundle.nodes[part.place]
    # A forbid is escaped by one condition; a permit needs all of those that look at the clock.
    clocks = (
        [part]
        if node.effect == "forbid"
        else [known for known in parts_of(part.place, node) if _timed(known)]
    )
    moments = sorted({moment for moment in _edges(clocks, bundle.zones, at) if moment > at})[:_MOMENTS]
    if not moments:
        return None
    clauses = tuple(clause for clock in clocks for clause in clauses_of(clock))
    blank = probe_of("probe", replace(part, expression=None, name=""), node)
    test = _test(replace(blank, clauses=clauses), rule)
    for moment in moments:
        changed = suppose_time(env, moment, bundle.zones)
        if _holds(test, changed):
            return NearestMiss(at=moment, rule=rule.id), changed
    return None


def _timed(part: Part) -> bool:
    return part.expression is not None and _tells_time(part.expression)


def _edges(parts: Iterable[Part], zones: tuple[str, ...], at: datetime) -> Iterator[datetime]:
    """Every moment at which a comparison in the condition may turn: minutes of days, instants, midnights."""
    minutes = {0}
    for node in walk(tuple(part.expression for part in parts)):
        match node:
            case pst.LongLit(value=value) if 0 <= value < _DAY_MINUTES:
                minutes |= {value, min(value + 1, _DAY_MINUTES - 1)}
            case pst.UnaryOp(op="datetime", arg=pst.StringLit(value=text)):
                instant = _instant(text)
                yield from () if instant is None else (instant, instant + _TICK)
            case _:
                pass
    for name in zones or ("UTC",):
        there = zone(name)
        today = at.astimezone(there).date()
        for day in range(_DAYS):
            date = today + timedelta(days=day)
            for minute in minutes:
                local = datetime(date.year, date.month, date.day, minute // 60, minute % 60, tzinfo=there)
                yield local.astimezone(UTC)


def _instant(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _bound(expression: pst.Expr, *, wanted: bool) -> _Bound | None:  # noqa: PLR0911 — one per operator
    match expression:
        case pst.UnaryOp(op="not", arg=inner):
            return _bound(inner, wanted=not wanted)
        case pst.BinaryOp(op="or", left=left, right=right) if wanted:
            return _either(_bound(left, wanted=True), _bound(right, wanted=True))
        case pst.BinaryOp(op="and", left=left, right=right) if not wanted:
            return _bound(right, wanted=False) or _bound(left, wanted=False)
        case pst.BinaryOp(op="contains", left=pst.Set(elements=elements), right=right) if wanted:
            path, values = _path(right), [_plain(element) for element in elements]
            if path and values and None not in values:
                return _Bound(path=path, one_of=tuple(value for value in values if value is not None))
            return None
        case pst.BinaryOp(op=op, left=left, right=right):
            return _compared(op, left, right, wanted=wanted)
        case pst.GetAttr() if path := _path(expression):
            return _Bound(path=path, one_of=(wanted,))
        case _:
            return None


def _either(left: _Bound | None, right: _Bound | None) -> _Bound | None:
    if left and right and left.path == right.path and left.one_of and right.one_of:
        return replace(left, one_of=(*left.one_of, *right.one_of))
    return left or right


_TURNED: Final = {"less": "greater_eq", "less_eq": "greater", "greater": "less_eq", "greater_eq": "less"}
_MIRRORED: Final = {"less": "greater", "less_eq": "greater_eq", "greater": "less", "greater_eq": "less_eq"}
_DECIMALS: Final = {
    "decimal_less_than": "less",
    "decimal_less_eq": "less_eq",
    "decimal_greater": "greater",
    "decimal_greater_eq": "greater_eq",
}


def _compared(op: str, left: pst.Expr, right: pst.Expr, *, wanted: bool) -> _Bound | None:  # noqa: PLR0911 — one per operator
    path, literal = _path(left), _literal(right)
    mirrored = path is None
    if mirrored:
        path, literal = _path(right), _literal(left)
    if path is None or literal is None:
        return None
    if op in {"eq", "not_eq"}:
        same = (op == "eq") == wanted
        return _Bound(path=path, one_of=(literal,)) if same and not isinstance(literal, Decimal) else None
    decimal = op in _DECIMALS
    op = _DECIMALS.get(op, op)
    if op not in _TURNED or isinstance(literal, str | bool):
        return None
    op = _MIRRORED[op] if mirrored else op
    op = op if wanted else _TURNED[op]
    step = _LEAST_DECIMAL if decimal else Decimal(1)
    limit = Decimal(literal)
    match op:
        case "less":
            return _Bound(path=path, at_most=limit - step, decimal=decimal)
        case "less_eq":
            return _Bound(path=path, at_most=limit, decimal=decimal)
        case "greater":
            return _Bound(path=path, at_least=limit + step, decimal=decimal)
        case _:
            return _Bound(path=path, at_least=limit, decimal=decimal)


def _path(expression: pst.Expr) -> tuple[str, ...] | None:
    """The names after `context`, if there is at least one and nothing else."""
    return path_of(expression) or None


def _plain(expression: pst.Expr) -> str | int | bool | None:
    match expression:
        case pst.StringLit(value=text):
            return text
        case pst.LongLit(value=number):
            return number
        case pst.BoolLit(value=flag):
            return flag
        case _:
            return None


def _literal(expression: pst.Expr) -> str | int | bool | Decimal | None:
    match expression:
        case pst.UnaryOp(op="decimal", arg=pst.StringLit(value=text)):
            return Decimal(text)
        case pst.UnaryOp(op="neg", arg=pst.LongLit(value=number)):
            return -number
        case _:
            return _plain(expression)


def _other_argument(
    bound: _Bound, env: Env, request: ActionRequest, mapping: ToolMapping | None, rule: Rule
) -> tuple[NearestMiss, Env] | None:
    """Name the argument that a path stands for, and put a value there that would do."""
    limit = bound.at_most if bound.at_most is not None else bound.at_least
    value = bound.one_of[0] if bound.one_of else _shown(limit, decimal=bound.decimal)
    if value is None:
        return None
    changed = _put(env, bound.path, value)
    miss = NearestMiss(
        one_of=tuple(_spelled(choice) for choice in bound.one_of),
        at_least="" if bound.at_least is None else f"{bound.at_least.normalize():f}",
        at_most="" if bound.at_most is None else f"{bound.at_most.normalize():f}",
        rule=rule.id,
    )
    match bound.path:
        case ("arguments", *steps) if steps:
            return structs.replace(miss, argument="".join("/" + _escaped(step) for step in steps)), changed
        case ("resource", "id") if mapping and mapping.resource.pointer and bound.one_of:
            named = Uid(env.resource.type, str(value))
            return structs.replace(miss, argument=mapping.resource.pointer), replace(changed, resource=named)
        case ("money", "minor") if mapping and mapping.money and request.call.money:
            currency = request.call.money.currency
            return structs.replace(
                miss,
                argument=mapping.money.amount,
                at_least=_amount(bound.at_least, currency),
                at_most=_amount(bound.at_most, currency),
            ), changed
        case ("money", "currency") if mapping and mapping.money and mapping.money.currency:
            return structs.replace(miss, argument=mapping.money.currency), changed
        case _:
            return None


def _amount(minor: Decimal | None, currency: str) -> str:
    return "" if minor is None else amount_text(int(minor), currency)


def _shown(limit: Decimal | None, *, decimal: bool) -> Value | None:
    """The limit as a value; None if there is none, or if Cedar can't hold it."""
    if limit is None:
        return None
    try:
        return decimal_value(f"{limit:.4f}") if decimal else bounded(int(limit))
    except EvaluationFailed:
        return None


def _spelled(value: str | int | bool) -> str:  # noqa: FBT001 — a literal of the policy, not a switch
    return str(value).lower() if isinstance(value, bool) else str(value)


def _put(env: Env, path: tuple[str, ...], value: Value) -> Env:
    """The same question with another value at a path of its context."""
    name, *rest = path
    return suppose(env, **{name: _placed(env.context.at(name), tuple(rest), value)})


def _placed(owner: Value | None, path: tuple[str, ...], value: Value) -> Value:
    if not path:
        return value
    name, *rest = path
    members = owner if isinstance(owner, dict) else {}
    return {**members, name: _placed(members.get(name), tuple(rest), value)}


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
