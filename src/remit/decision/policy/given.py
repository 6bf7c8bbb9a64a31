"""What one request gives the compiled policies to look at: the question of `context.py` in native values.

An attribute of the context is made when a policy looks at it. Arguments are the exception: a value of the
wrong type is an error also if no policy that applies would look at it.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, TypeAlias

import cedarpy

from remit.decision.answer.assessment import known
from remit.decision.call.actions import METHODS
from remit.decision.call.request import ActionRequest
from remit.decision.policy.arguments import argument_values, spoken
from remit.decision.policy.bundle import Bundle
from remit.decision.policy.compile import Context, Env
from remit.decision.policy.context import principal_type, sensitivity_of
from remit.decision.policy.outside import value_of
from remit.decision.policy.schema import DISCOVERY, NAMESPACE
from remit.decision.policy.values import Entity, Moment, Uid, Value
from remit.decision.policy.zones import local_time
from remit.decision.sources.known import UNKNOWN
from remit.identity.principals import Principal

_ACTION: Final = f"{NAMESPACE}::Action"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_KNOWN_LIMIT: Final = 4096
_Maker: TypeAlias = Callable[[ActionRequest, tuple[str, ...]], Value | None]


class Unaskable(Exception):
    """Cedar has no words for this request: the type of its resource is no name. It is denied."""


def pose(request: ActionRequest, bundle: Bundle) -> Env:
    """Put a request before the compiled policies; raises `shapes.Misfit` or `Unaskable`."""
    call = request.call
    arguments = argument_values(request.tool, call.arguments, bundle.named)
    principal = _principal(request.principal, request.blueprint)
    action = _action(call.action, request.server.name)
    resource = Uid(_resource_type(call.resource.type), spoken(call.resource.id))
    entities = {principal.uid: principal, action.uid: action}
    if call.resource.tags is not None:
        tags: dict[str, Value] = {spoken(name): spoken(value) for name, value in call.resource.tags}
        entities[resource] = Entity(uid=resource, tags=tags)
    return Env(principal.uid, action.uid, resource, Given(request, bundle.zones, arguments), entities)


class Given:
    """The context of one request; each attribute is made at most once."""

    __slots__ = ("_made", "_request", "_zones")

    def __init__(self, request: ActionRequest, zones: tuple[str, ...], arguments: dict[str, Value]) -> None:
        self._request = request
        self._zones = zones
        self._made: dict[str, Value] = {"arguments": arguments}

    def at(self, name: str) -> Value | None:
        """One attribute, None if there is none."""
        value = self._made.get(name)
        if value is None and (make := _MAKERS.get(name)) is not None:
            value = make(self._request, self._zones)
            if value is not None:
                self._made[name] = value
        return value

    def whole(self) -> dict[str, Value]:
        """All of it, for a policy that takes it as a value."""
        found = {name: self.at(name) for name in ("arguments", *_MAKERS)}
        return {name: value for name, value in found.items() if value is not None}


class Supposed:
    """The context of a question that nobody put: all of it is there."""

    __slots__ = ("_members",)

    def __init__(self, members: dict[str, Value]) -> None:
        self._members = members

    def at(self, name: str) -> Value | None:
        """One attribute, None if there is none."""
        return self._members.get(name)

    def whole(self) -> dict[str, Value]:
        """All of it."""
        return self._members


class Altered:
    """A context with some attributes exchanged; the others are still made when they are looked at."""

    __slots__ = ("_changes", "_rest")

    def __init__(self, rest: Context, changes: dict[str, Value]) -> None:
        self._rest = rest
        self._changes = changes

    def at(self, name: str) -> Value | None:
        """One attribute, None if there is none."""
        found = self._changes.get(name)
        return self._rest.at(name) if found is None else found

    def whole(self) -> dict[str, Value]:
        """All of it."""
        return {**self._rest.whole(), **self._changes}


def suppose(env: Env, **changes: Value) -> Env:
    """The same question with other attributes in its context."""
    return Env(env.principal, env.action, env.resource, Altered(env.context, changes), env.entities)


def suppose_time(env: Env, at: datetime, zones: tuple[str, ...]) -> Env:
    """The same question at another time."""
    local: dict[str, Value] = {"local": {name: _clock(name, at) for name in zones}} if zones else {}
    return suppose(env, time=_moment(at), **local)


def _tool(request: ActionRequest, _zones: tuple[str, ...]) -> Value:
    tool = request.tool
    return {
        "name": tool.name if tool else "",
        "server": request.server.name,
        "consequential": request.call.consequential or (tool.consequential if tool else False),
        "reversible": tool.reversible if tool else True,
        "money": bool(tool and tool.mapping and tool.mapping.money),
    }


def _money(request: ActionRequest, _zones: tuple[str, ...]) -> Value | None:
    money = request.call.money
    return {"currency": money.currency, "minor": money.minor} if money else None


def _user(request: ActionRequest, _zones: tuple[str, ...]) -> Value | None:
    user = request.user
    return None if user is None else {"id": user.id, "name": user.name, "segments": frozenset(user.segments)}


def _task(request: ActionRequest, _zones: tuple[str, ...]) -> Value | None:
    task = request.task
    if task is None:
        return None
    return {
        "id": task.id,
        "purpose": task.purpose,
        "mode": task.mode.value,
        "initiative": task.initiative.value,
        "segment": task.segment,
    }


def _resource(request: ActionRequest, _zones: tuple[str, ...]) -> Value:
    resource = request.call.resource
    return {"type": resource.type, "id": resource.id, "sensitivity": sensitivity_of(request.tool)}


def _lineage(request: ActionRequest, _zones: tuple[str, ...]) -> Value:
    known = request.known or UNKNOWN
    return {"labels": known.spoken, "outward": frozenset(map(spoken, known.destinations))}


def _time(request: ActionRequest, _zones: tuple[str, ...]) -> Value:
    return _moment(request.call.at)


def _moment(at: datetime) -> Moment:
    """Whole milliseconds, rounded down."""
    return Moment((at - _EPOCH) // _MILLISECOND)


def _local(request: ActionRequest, zones: tuple[str, ...]) -> Value | None:
    return {name: _clock(name, request.call.at) for name in zones} or None


def _clock(zone: str, at: datetime) -> Value:
    return dict(local_time(zone, at))  # type: ignore[arg-type]  # a text and two whole numbers


def _risk(request: ActionRequest, _zones: tuple[str, ...]) -> Value:
    found = known(request.risk)
    return {"score": found.score, "contributions": {**found.table()}}


def _plugin(request: ActionRequest, _zones: tuple[str, ...]) -> Value | None:
    facts = request.facts
    if facts is None or not facts.known:
        return None
    return {name: value_of(fact) for name, fact in facts.known.items()}


_MAKERS: Final[Mapping[str, _Maker]] = {
    "tool": _tool,
    "resource": _resource,
    "lineage": _lineage,
    "purpose": lambda request, _zones: request.purpose,
    "depth": lambda request, _zones: len(request.call.subject.chain) - 1,
    "bound": lambda request, _zones: bool(request.call.subject.key),
    "time": _time,
    "local": _local,
    "money": _money,
    "user": _user,
    "task": _task,
    "risk": _risk,
    "plugin": _plugin,
}

_known: dict[tuple[int, int], tuple[Principal, Principal | None, Entity]] = {}


def _principal(principal: Principal, blueprint: Principal | None) -> Entity:
    """The entity of a principal, kept as long as the very same objects are asked about.

    INVARIANT: an entry holds the two objects whose addresses are its key, so no other object can have them;
    both are immutable, so what was made of them stays true (PD-05).
    """
    place = (id(principal), id(blueprint))
    known = _known.get(place)
    if known is not None:
        return known[2]
    if len(_known) >= _KNOWN_LIMIT:
        _known.clear()
    made = _entity_of(principal, blueprint)
    _known[place] = (principal, blueprint, made)
    return made


def _entity_of(principal: Principal, blueprint: Principal | None) -> Entity:
    above = {Uid(f"{NAMESPACE}::Segment", name) for name in principal.segments}
    if blueprint:
        above.add(Uid(f"{NAMESPACE}::Blueprint", blueprint.name))
    return Entity(
        uid=Uid(principal_type(principal), principal.name),
        attributes={
            "id": principal.id,
            "name": principal.name,
            "environment": principal.environment.value if principal.environment else "",
            "owner": principal.owner or "",
            "blueprint": blueprint.name if blueprint else "",
            "segments": frozenset(principal.segments),
        },
        tags=dict(principal.attributes),
        ancestors=frozenset(above),
    )


@lru_cache(maxsize=4096)
def _action(action: str, server: str) -> Entity:
    """The action with the groups that it is in."""
    groups = [f"server:{server}", *([DISCOVERY] if METHODS.get(action.removeprefix(f"{server}/")) else [])]
    if action in groups:
        raise ValueError("an action is no group of its own")
    return Entity(uid=Uid(_ACTION, action), ancestors=frozenset(Uid(_ACTION, group) for group in groups))


@lru_cache(maxsize=4096)
def _resource_type(name: str) -> str:
    """The name of a resource's type; Cedar itself says whether it is one. Raises `Unaskable`."""
    kind = f"{NAMESPACE}::{name}"
    uid = {"type": kind, "id": ""}
    said = cedarpy.is_authorized(
        {"principal": uid, "action": {"type": _ACTION, "id": ""}, "resource": uid, "context": "{}"}, "", "[]"
    )
    if said.diagnostics.errors:
        raise Unaskable
    return kind
