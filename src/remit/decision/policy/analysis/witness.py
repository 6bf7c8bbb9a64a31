"""A request that the solver found, as the real evaluator takes it, so that it can confirm what is claimed."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import z3

from remit.decision.policy.analysis.stages import Scene
from remit.decision.policy.analysis.symbols import (
    Many,
    Members,
    Nothing,
    Scalar,
    Someone,
    Symbol,
    Term,
    Unanalyzable,
    read_text,
    text,
)
from remit.decision.policy.compile import Env
from remit.decision.policy.given import Supposed
from remit.decision.policy.schema import NAMESPACE
from remit.decision.policy.values import Entity, Fixed, Moment, Shape, Span, Truth, Uid, Value, key
from remit.kernel.canonical import Json, JsonObject

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MONDAY: Final = 1_767_614_400_000
"""Milliseconds: noon of 2026-01-05, UTC."""
_MADE: Final[Mapping[str, Callable[[int], Fixed | Moment | Span]]] = {
    "decimal": Fixed,
    "datetime": Moment,
    "duration": Span,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """One request."""

    env: Env
    action: str
    like: tuple[str, ...]

    def told(self) -> JsonObject:
        """As JSON that a person can read."""
        principal, resource = self.env.principal, self.env.resource
        known = self.env.entities[principal]
        return {
            "principal": _spelled(principal),
            "attributes": {name: _json(value) for name, value in known.attributes.items()},
            "tags": {name: _json(value) for name, value in known.tags.items()},
            "action": self.action,
            "resource": _spelled(resource),
            "context": _json(self.env.context.whole()),
        }


def witness_of(scene: Scene, solver: z3.Solver) -> Witness:
    """The plainest request that satisfies what was asked; `solver` MUST have found one."""
    wishes = {f"wish {number}": wish for number, wish in enumerate(_wishes(scene))}
    solver.add(*(z3.Implies(z3.Bool(name), wish) for name, wish in wishes.items()))
    kept = [z3.Bool(name) for name in wishes]
    while (said := solver.check(*kept)) != z3.sat:
        if not kept:
            raise Unanalyzable("a request that was seen, and could not be found again,")
        against = {str(name) for name in solver.unsat_core()} if said == z3.unsat else set[str]()
        kept = [name for name in kept if str(name) not in against] if against else kept[: len(kept) // 2]
    return Witness(env=_env(scene, solver.model()), action=scene.kind.action, like=scene.kind.like)


def _wishes(scene: Scene) -> Iterator[Term]:
    """What makes a request easy to read, kept as far as it can be so."""
    stage, context = scene.stage, scene.stage.context
    yield stage.principal.type == stage.names.type_of(f"{NAMESPACE}::Agent")
    yield stage.principal.id == text("some-agent")
    yield stage.resource.id == text("some-resource")
    yield from (z3.Not(there) for there, _ in scene.tags.values())
    for there, value in (*stage.attributes.each.values(), *context.each.values()):
        yield from _plain(there, value)
    yield stage.context.each["time"][1].term == _MONDAY  # type: ignore[union-attr]  # a plain value


def _plain(there: Term, value: Symbol) -> Iterator[Term]:
    if not z3.is_true(there):
        yield z3.Not(there)
    match value:
        case Scalar(kind="string", term=term):
            yield term == text("x")
        case Scalar(kind="long" | "decimal" | "duration", term=term):
            yield term == 0
        case Many(places=places):
            yield z3.Not(z3.Or([taken for taken, _ in places]))
        case Members(each=each):
            for inner, member in each.values():
                yield from _plain(inner, member)
        case _:
            pass


def _env(scene: Scene, model: z3.ModelRef) -> Env:
    stage = scene.stage
    names = {number: name for name, number in stage.names.types.items()}
    principal = Uid(names[_number(model, stage.principal.type)], _text(model, stage.principal.id))
    attributes = _value(stage.attributes, model)
    context = _value(stage.context, model)
    if not isinstance(attributes, dict) or not isinstance(context, dict):
        raise TypeError("a record is a record")
    segments = attributes["segments"]
    named = segments if isinstance(segments, frozenset) else frozenset()
    above = {Uid(f"{NAMESPACE}::Segment", str(name)) for name in named}
    if attributes["blueprint"]:
        above.add(Uid(f"{NAMESPACE}::Blueprint", str(attributes["blueprint"])))
    tags = {name: _value(value, model) for name, (there, value) in scene.tags.items() if _is(model, there)}
    entities = {
        principal: Entity(uid=principal, attributes=attributes, tags=tags, ancestors=frozenset(above)),
        stage.action: Entity(uid=stage.action, ancestors=stage.groups),
    }
    resource = Uid(f"{NAMESPACE}::{scene.kind.resource}", _text(model, stage.resource.id))
    return Env(principal, stage.action, resource, Supposed(context), entities)


def _value(symbol: Symbol, model: z3.ModelRef) -> Value:
    match symbol:
        case Scalar(kind="bool", term=term):
            return _is(model, term)
        case Scalar(kind="string", term=term):
            return _text(model, term)
        case Scalar(kind="long", term=term):
            return _number(model, term)
        case Scalar(kind=kind, term=term):
            return _MADE[kind](_number(model, term))
        case Many(places=places):
            return frozenset([key(_value(each, model)) for taken, each in places if _is(model, taken)])
        case Members(each=each):
            return {name: _value(value, model) for name, (there, value) in each.items() if _is(model, there)}
        case Someone() | Nothing():
            raise TypeError("no member of a request is an entity, and none is nothing")


def _is(model: z3.ModelRef, term: Term) -> bool:
    return bool(z3.is_true(model.eval(term, model_completion=True)))


def _number(model: z3.ModelRef, term: Term) -> int:
    return int(model.eval(term, model_completion=True).as_long())


def _text(model: z3.ModelRef, term: Term) -> str:
    return read_text(model.eval(term, model_completion=True))


def _spelled(uid: Uid) -> str:
    return f"{uid.type.removeprefix(f'{NAMESPACE}::')}:{uid.id}"


def _json(value: Any) -> Json:  # noqa: PLR0911 — one per type
    match value:
        case Truth(value=flag):
            return flag
        case Fixed(units=units):
            return f"{Decimal(units).scaleb(-4):.4f}"
        case Moment(millis=millis):
            return (_EPOCH + timedelta(milliseconds=millis)).isoformat().replace("+00:00", "Z")
        case Span(millis=millis):
            return f"{millis}ms"
        case frozenset():
            return sorted((_json(each) for each in value), key=str)
        case Shape(members=members):
            return {name: _json(each) for name, each in members}
        case dict():
            return {name: _json(each) for name, each in value.items()}
        case _:
            return value  # type: ignore[no-any-return]  # a boolean, a whole number or a text
