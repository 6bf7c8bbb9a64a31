"""How near a refused request came: which conditions of which policy failed, and what would have met them.

Each policy is taken apart into its scope and the conjuncts of its conditions, and Cedar itself judges each
part. A change is only named after the whole policy set was asked again with that change: what is said to
help, helps.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

import cedarpy
from cedarpy import pst

from remit.decision.currency import amount_text
from remit.decision.policy.admission import policy_set
from remit.decision.policy.bundle import Bundle
from remit.decision.policy.context import Question
from remit.decision.policy.evaluate import evaluate
from remit.decision.policy.parts import RESOURCE, SCOPE, Part, clauses_of, parts_of, probe_of
from remit.decision.policy.rules import Rule
from remit.decision.policy.tree import path_of, walk
from remit.decision.policy.zones import zone
from remit.decision.request import ActionRequest
from remit.decision.response import Mode, NearestMiss
from remit.identity.tools import ToolMapping
from remit.kernel.canonical import Json, JsonObject

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


def nearest_permit(
    question: Question, bundle: Bundle, request: ActionRequest, *, plain: bool = False
) -> Near | None:
    """The permit in force that came closest, or None if none is about this principal and action.

    `plain` looks only at permits that need no approval.
    """
    rules = {
        place: rule
        for place, rule in bundle.rules.items()
        if rule.effect == "permit" and rule.mode is Mode.ENFORCE and not (plain and rule.approval)
    }
    failing = _failing(question, bundle, rules)
    ranked = sorted(failing.items(), key=lambda item: (len(item[1]), len(item[0]), item[0]))
    described = [
        Near(rule=rules[place], misses=_confirmed(parts, question, bundle, request, rules[place]))
        for place, parts in ranked[:3]
    ]
    helped = [near for near in described if near.misses]
    return helped[0] if helped else (described[0] if described else None)


def escape(question: Question, bundle: Bundle, request: ActionRequest, rule: Rule) -> tuple[NearestMiss, ...]:
    """What about the call would have to differ for a forbid not to apply; empty if nothing would help."""
    place = next(place for place, known in bundle.rules.items() if known.id == rule.id)
    for part in parts_of(place, bundle.nodes[place]):
        if part.expression is None:
            continue
        opposite = replace(part, wanted=not part.wanted)
        found = _confirmed([opposite], question, bundle, request, rule)
        if found:
            return found
    return ()


def _failing(question: Question, bundle: Bundle, rules: Mapping[str, Rule]) -> dict[str, list[Part]]:
    """The parts that do not hold, of each policy whose principal and action fit."""
    parts = {f"{place}:{part.name}": part for place in rules for part in parts_of(place, bundle.nodes[place])}
    if not parts:
        return {}
    probes = policy_set(
        {name: probe_of(name, part, bundle.nodes[part.place]) for name, part in parts.items()}
    )
    said = cedarpy.is_authorized(question.wire(), probes, question.entities)
    held = set(said.diagnostics.reasons)
    return {
        place: [part for name, part in parts.items() if part.place == place and name not in held]
        for place in rules
        if f"{place}:{SCOPE}" in held
    }


def _confirmed(
    parts: list[Part], question: Question, bundle: Bundle, request: ActionRequest, rule: Rule
) -> tuple[NearestMiss, ...]:
    """The changes that would meet all the parts, if the policy set then agrees; else nothing."""
    misses: list[NearestMiss] = []
    changed = question
    for part in parts:
        if any(miss.at is not None for miss in misses) and _tells_time(part.expression):
            continue  # one moment was found for all conditions on time
        step = _change(part, changed, bundle, request, rule)
        if step is None:
            return ()
        miss, changed = step
        misses.append(miss)
    if bundle.enforced is None or not misses:
        return ()
    return tuple(misses) if evaluate(changed, bundle.enforced, bundle).allowed else ()


def _change(
    part: Part, question: Question, bundle: Bundle, request: ActionRequest, rule: Rule
) -> tuple[NearestMiss, Question] | None:
    mapping = request.tool.mapping if request.tool else None
    if part.name == RESOURCE:
        return _other_resource(bundle.nodes[part.place].resource, question, mapping, rule)
    if part.expression is None:
        return None
    if _tells_time(part.expression):
        return _other_time(part, question, bundle, request.call.at, rule)
    bound = _bound(part.expression, wanted=part.wanted)
    return None if bound is None else _other_argument(bound, question, request, mapping, rule)


def _other_resource(
    scope: pst.PrincipalOrResourceConstraint, question: Question, mapping: ToolMapping | None, rule: Rule
) -> tuple[NearestMiss, Question] | None:
    if not (mapping and mapping.resource.pointer and isinstance(scope, pst.ScopeEq)):
        return None
    entity = scope.entity
    if not isinstance(entity, pst.EntityUid) or str(entity.type) != question.resource["type"]:
        return None
    context = _put(question.context, ("resource", "id"), entity.id)
    changed = replace(question, resource={**question.resource, "id": entity.id}, context=context)
    miss = NearestMiss(argument=mapping.resource.pointer, one_of=(entity.id,), rule=rule.id)
    return miss, changed


def _tells_time(expression: pst.Expr | None) -> bool:
    return any(
        isinstance(part, pst.GetAttr) and part.base == pst.Var("context") and part.attr in {"time", "local"}
        for part in walk(expression)
    )


def _other_time(
    part: Part, question: Question, bundle: Bundle, at: datetime, rule: Rule
) -> tuple[NearestMiss, Question] | None:
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
    probe = policy_set({"probe": replace(blank, clauses=clauses)})
    asked = [question.at(moment, bundle.zones) for moment in moments]
    said = cedarpy.is_authorized_batch([one.wire() for one in asked], probe, question.entities)
    for moment, changed, answer in zip(moments, asked, said, strict=True):
        if answer.allowed:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bound:
    """A comparison of one path in the context with literals."""

    path: tuple[str, ...]
    one_of: tuple[str | int | bool, ...] = ()
    at_least: Decimal | None = None
    at_most: Decimal | None = None
    decimal: bool = False


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
    bound: _Bound, question: Question, request: ActionRequest, mapping: ToolMapping | None, rule: Rule
) -> tuple[NearestMiss, Question] | None:
    """Name the argument that a path stands for, and put a value there that would do."""
    limit = bound.at_most if bound.at_most is not None else bound.at_least
    value: Json = bound.one_of[0] if bound.one_of else _shown(limit, decimal=bound.decimal)
    changed = replace(question, context=_put(question.context, bound.path, value))
    miss = NearestMiss(
        one_of=tuple(_spelled(choice) for choice in bound.one_of),
        at_least="" if bound.at_least is None else f"{bound.at_least.normalize():f}",
        at_most="" if bound.at_most is None else f"{bound.at_most.normalize():f}",
        rule=rule.id,
    )
    match bound.path:
        case ("arguments", *steps) if steps:
            return replace(miss, argument="".join("/" + _escaped(step) for step in steps)), changed
        case ("resource", "id") if mapping and mapping.resource.pointer and bound.one_of:
            named = {**question.resource, "id": str(value)}
            return replace(miss, argument=mapping.resource.pointer), replace(changed, resource=named)
        case ("money", "minor") if mapping and mapping.money and request.call.money:
            currency = request.call.money.currency
            return replace(
                miss,
                argument=mapping.money.amount,
                at_least=_amount(bound.at_least, currency),
                at_most=_amount(bound.at_most, currency),
            ), changed
        case ("money", "currency") if mapping and mapping.money and mapping.money.currency:
            return replace(miss, argument=mapping.money.currency), changed
        case _:
            return None


def _amount(minor: Decimal | None, currency: str) -> str:
    return "" if minor is None else amount_text(int(minor), currency)


def _shown(limit: Decimal | None, *, decimal: bool) -> Json:
    if limit is None:
        return None
    return {"__extn": {"fn": "decimal", "arg": f"{limit:.4f}"}} if decimal else int(limit)


def _spelled(value: str | int | bool) -> str:  # noqa: FBT001 — a literal of the policy, not a switch
    return str(value).lower() if isinstance(value, bool) else str(value)


def _put(context: JsonObject, path: tuple[str, ...], value: Json) -> JsonObject:
    name, *rest = path
    inner = context.get(name)
    if not rest:
        return {**context, name: value}
    return {**context, name: _put(inner if isinstance(inner, dict) else {}, tuple(rest), value)}


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
