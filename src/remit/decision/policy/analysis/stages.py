"""Every kind of request that a schema allows: one stage for each action that policies tell apart.

Actions that no policy tells apart, with the same arguments on the same server, are one: what holds of one
holds of the others. On each stage everything that the product itself makes sure of is given.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import z3
from cedarpy import pst

from remit.authority.tasks import Initiative, Mode
from remit.decision.call.actions import METHODS
from remit.decision.policy.analysis.symbols import (
    Many,
    Members,
    Names,
    Scalar,
    Someone,
    Term,
    Unanalyzable,
    holds,
    text,
    words,
)
from remit.decision.policy.analysis.translate import Stage
from remit.decision.policy.schema import NAMESPACE
from remit.decision.policy.tree import walk
from remit.decision.policy.values import Uid
from remit.identity.principals import Environment
from remit.kernel.canonical import JsonObject, canonical_json

MOST_PLACES: Final = 8
"""Members of a set at most; a text that says more of sets than so many could show is not decided."""
_DEPTH: Final = 10
_WEEK: Final = 7
_LAST: Final = 4_102_444_800_000
"""Milliseconds: the year 2100."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of request, before anything of it is a term."""

    action: str
    like: tuple[str, ...]
    """The other actions that policies do not tell from it."""
    resource: str
    groups: tuple[str, ...]
    principals: tuple[str, ...]
    context: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A stage, and what is so on it."""

    kind: Kind
    stage: Stage
    tags: dict[str, tuple[Term, Scalar]]

    @property
    def limits(self) -> list[Term]:
        """What every request of this kind satisfies."""
        return self.stage.names.limits


def kinds_of(schema: JsonObject, nodes: Iterable[pst.Template]) -> list[Kind]:
    """Every kind of request, actions that the policies do not tell apart taken together."""
    told = _named_actions(nodes)
    found: dict[tuple[object, ...], list[str]] = {}
    actions: Mapping[str, Any] = schema[NAMESPACE]["actions"]  # type: ignore[index,call-overload,assignment]  # the schema that we built
    for name, action in actions.items():
        if "appliesTo" in action:
            groups = tuple(sorted(group["id"] for group in action.get("memberOf", ())))
            alone = name if name in told else ""
            known = groups if told & set(groups) else ()
            key = (alone, known, _server(groups), _method(name, groups), canonical_json(action["appliesTo"]))
            found.setdefault(key, []).append(name)
    return [
        Kind(
            action=first,
            like=tuple(others),
            resource=resource,
            groups=tuple(sorted(group["id"] for group in actions[first].get("memberOf", ()))),
            principals=tuple(actions[first]["appliesTo"]["principalTypes"]),
            context=actions[first]["appliesTo"]["context"],
        )
        for first, *others in found.values()
        for resource in actions[first]["appliesTo"]["resourceTypes"]
    ]


def _named_actions(nodes: Iterable[pst.Template]) -> set[str]:
    return {
        part.id
        for part in walk(tuple(nodes))
        if isinstance(part, pst.EntityUid) and str(part.type) == f"{NAMESPACE}::Action"
    }


def _server(groups: Iterable[str]) -> str:
    return next((group.removeprefix("server:") for group in groups if group.startswith("server:")), "")


def _method(action: str, groups: Iterable[str]) -> bool:
    return action.removeprefix(f"{_server(groups)}/") in METHODS


def places_for(nodes: Iterable[pst.Template]) -> int:
    """How many members a set needs, so that everything that the policies say of sets could be so."""
    return min(MOST_PLACES, 1 + max((members_of(node) for node in nodes), default=0))


def members_of(node: pst.Template) -> int:
    """How many members of sets a policy speaks of."""
    ops = {"contains", "contains_all", "contains_any", "in"}
    count = 0
    for part in walk((node.clauses, node.principal)):
        match part:
            case pst.BinaryOp(op=op) if op in ops:
                count += 1
            case pst.Set(elements=elements):
                count += len(elements)
            case pst.ScopeIn() | pst.ScopeIsIn():
                count += 1
            case _:
                pass
    return count


def scene_of(kind: Kind, places: int) -> Scene:
    """A kind of request as terms; raises `Unanalyzable` for arguments of a type that has no form here."""
    names = Names()
    context = names.of_type(kind.context, "context", places)
    attributes = names.of_type(_PRINCIPAL, "principal", places)
    if not isinstance(context, Members) or not isinstance(attributes, Members):
        raise Unanalyzable("a context that is no record")
    principal = Someone(z3.Int("principal:type"), z3.String("principal:id"))
    resource = Someone(names.type_of(f"{NAMESPACE}::{kind.resource}"), z3.String("resource:id"))
    tags: dict[str, tuple[Term, Scalar]] = {}

    def tag(name: str) -> tuple[Term, Scalar]:
        return tags.setdefault(name, (z3.Bool(f"tag:{name}?"), names.unknown("string", f"tag:{name}")))

    def ancestors(above: Someone) -> Term:
        segment, blueprint = (names.type_of(f"{NAMESPACE}::{each}") for each in ("Segment", "Blueprint"))
        own = _scalar(attributes, "blueprint")
        return z3.Or(
            z3.And(above.type == segment, holds(_many(attributes, "segments"), Scalar("string", above.id))),
            z3.And(above.type == blueprint, above.id == own, own != text("")),
        )

    deed = f"{NAMESPACE}::Action"
    stage = Stage(
        names=names,
        action=Uid(deed, kind.action),
        groups=frozenset(Uid(deed, group) for group in kind.groups),
        principal=principal,
        attributes=attributes,
        tags=tag,
        ancestors=ancestors,
        resource=resource,
        context=context,
    )
    types = [principal.type == names.type_of(f"{NAMESPACE}::{each}") for each in kind.principals]
    names.limits += [z3.Or(types), *_known_of_principal(stage), *_known_of_context(kind, stage)]
    return Scene(kind=kind, stage=stage, tags=tags)


_TEXT: Final = {"type": "String"}
_PRINCIPAL: Final[Mapping[str, Any]] = {
    "type": "Record",
    "attributes": {
        **dict.fromkeys(("id", "name", "environment", "owner", "blueprint"), _TEXT),
        "segments": {"type": "Set", "element": _TEXT},
    },
}


def _known_of_principal(stage: Stage) -> Iterator[Term]:
    person = stage.principal.type == stage.names.type_of(f"{NAMESPACE}::Human")
    environment = _scalar(stage.attributes, "environment")
    yield _scalar(stage.attributes, "name") == stage.principal.id
    yield stage.principal.id != text("")
    yield stage.resource.id != text("")
    yield z3.If(person, environment == text(""), words(Environment, environment))
    yield z3.Implies(person, _scalar(stage.attributes, "owner") == text(""))
    yield z3.Implies(person, _scalar(stage.attributes, "blueprint") == text(""))


def _known_of_context(kind: Kind, stage: Stage) -> Iterator[Term]:
    """What the product makes sure of, whatever is asked."""
    context = stage.context
    tool, resource = _members(context, "tool"), _members(context, "resource")
    yield _scalar(tool, "server") == text(_server(kind.groups))
    yield _scalar(resource, "type") == text(kind.resource)
    yield _scalar(resource, "id") == stage.resource.id
    depth, time = _scalar(context, "depth"), _scalar(context, "time")
    yield from (depth >= 0, depth <= _DEPTH, time >= 0, time <= _LAST)
    yield z3.Implies(context.each["money"][0], _scalar(tool, "money"))
    if _method(kind.action, kind.groups):
        yield from (_scalar(tool, "name") == text(""), _scalar(tool, "reversible"))
        yield from (z3.Not(_scalar(tool, "consequential")), z3.Not(_scalar(tool, "money")))
    else:
        yield _scalar(tool, "name") != text("")
    there, task = context.each["task"]
    if isinstance(task, Members):
        yield words(Mode, _scalar(task, "mode"))
        yield words(Initiative, _scalar(task, "initiative"))
        yield z3.Implies(there, _scalar(task, "purpose") == _scalar(context, "purpose"))
    if "past" in context.each:
        yield from _known_of_marks(_members(context, "past"))
    if "local" in context.each:
        yield from _known_of_clocks(_members(context, "local"))


def _known_of_marks(past: Members) -> Iterator[Term]:
    for mark in past.each:
        for whose in _members(past, mark).each:
            memory = _members(_members(past, mark), whose)
            count = _scalar(memory, "count")
            yield count >= 0
            yield z3.Implies(
                count == 0, z3.Not(z3.Or([taken for taken, _ in _many(memory, "values").places]))
            )


def _known_of_clocks(local: Members) -> Iterator[Term]:
    digit = z3.Range("0", "9")
    day = z3.Concat(*(digit if sign == "0" else z3.Re("-") for sign in "0000-00-00"))
    for zone in local.each:
        clock = _members(local, zone)
        minute, weekday = _scalar(clock, "minute"), _scalar(clock, "weekday")
        yield from (minute >= 0, minute < 24 * 60, weekday >= 1, weekday <= _WEEK)
        yield z3.InRe(_scalar(clock, "date"), day)


def _members(owner: Members, name: str) -> Members:
    found = owner.each[name][1]
    if not isinstance(found, Members):
        raise Unanalyzable(f"`{name}` that is no record")
    return found


def _many(owner: Members, name: str) -> Many:
    found = owner.each[name][1]
    if not isinstance(found, Many):
        raise Unanalyzable(f"`{name}` that is no set")
    return found


def _scalar(owner: Members, name: str) -> Term:
    found = owner.each[name][1]
    if not isinstance(found, Scalar):
        raise Unanalyzable(f"`{name}` that is no plain value")
    return found.term
