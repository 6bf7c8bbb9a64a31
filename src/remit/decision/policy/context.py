"""The question that Cedar is asked: principal, action, resource and context of one request."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache

import msgspec
from cedarpy import Entities

from remit.decision.answer.assessment import known
from remit.decision.call.actions import METHODS
from remit.decision.call.request import ActionRequest, Resource
from remit.decision.policy.bundle import Bundle
from remit.decision.policy.schema import DISCOVERY, NAMESPACE, tool_shape
from remit.decision.policy.shapes import project
from remit.decision.policy.zones import instant, local_time
from remit.decision.sources.known import UNKNOWN, Known
from remit.identity.principals import Kind, Principal
from remit.identity.tools import Sensitivity, Tool
from remit.kernel.canonical import Json, JsonObject

_TYPES: Mapping[Kind, str] = {Kind.AGENT: "Agent", Kind.HUMAN: "Human"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One request in Cedar's words; attributes are data, so nothing in them can become policy (PD-01)."""

    principal: dict[str, str]
    action: dict[str, str]
    resource: dict[str, str]
    context: JsonObject
    entities: Entities

    def wire(self) -> dict[str, object]:
        """As `cedarpy` takes it."""
        return {
            "principal": self.principal,
            "action": self.action,
            "resource": self.resource,
            "context": msgspec.json.encode(self.context).decode(),
        }

    def at(self, moment: datetime, zones: tuple[str, ...]) -> "Question":
        """The same question at another time."""
        return replace(self, context={**self.context, **_clock(moment, zones)})


def ask(request: ActionRequest, bundle: Bundle) -> Question:
    """Put a request into Cedar's words; raises `shapes.Misfit` for an argument of the wrong type."""
    call = request.call
    return Question(
        principal={"type": principal_type(request.principal), "id": request.principal.name},
        action={"type": f"{NAMESPACE}::Action", "id": call.action},
        resource={"type": f"{NAMESPACE}::{call.resource.type}", "id": call.resource.id},
        context=_context(request, bundle),
        entities=_entities(
            request.principal, request.blueprint, call.action, request.server.name, call.resource
        ),
    )


def arguments_of(request: ActionRequest, named: frozenset[str] | None) -> JsonObject:
    """The arguments that some policy looks at, in Cedar's JSON form."""
    tool = request.tool
    if tool is None:
        return {
            name: value
            for name, value in request.call.arguments.items()
            if name in {"uri", "name"} and isinstance(value, str)
        }
    return project(tool_shape(tool.digest, tool.definition), request.call.arguments, named=named)


def _context(request: ActionRequest, bundle: Bundle) -> JsonObject:
    call = request.call
    optional: JsonObject = {
        "money": {"currency": call.money.currency, "minor": call.money.minor} if call.money else None,
        "user": _person(request.user),
        "task": _task(request),
        "plugin": {**request.facts.known} if request.facts is not None and request.facts.known else None,
    }
    return {
        "arguments": arguments_of(request, bundle.named),
        "tool": _tool(request.tool, request.server.name, consequential=call.consequential),
        "lineage": _lineage(request.known or UNKNOWN),
        "resource": {
            "type": call.resource.type,
            "id": call.resource.id,
            "sensitivity": sensitivity_of(request.tool),
        },
        "purpose": request.purpose,
        "depth": len(call.subject.chain) - 1,
        "bound": bool(call.subject.key),
        "risk": _risk(request),
        **_clock(call.at, bundle.zones),
        **{name: value for name, value in optional.items() if value is not None},
    }


def _clock(at: datetime, zones: tuple[str, ...]) -> JsonObject:
    clock: JsonObject = {"time": instant(at)}
    if zones:
        clock["local"] = {name: local_time(name, at) for name in zones}
    return clock


def _tool(tool: Tool | None, server: str, *, consequential: bool) -> JsonObject:
    return {
        "name": tool.name if tool else "",
        "server": server,
        "consequential": consequential or (tool.consequential if tool else False),
        "reversible": tool.reversible if tool else True,
        "money": bool(tool and tool.mapping and tool.mapping.money),
    }


def _lineage(known: Known) -> Json:
    return {"labels": [*sorted(known.labels)], "outward": [*sorted(set(known.destinations))]}


def sensitivity_of(tool: Tool | None) -> str:
    """The label of what a tool touches, as its mapping says."""
    mapping = tool.mapping if tool is not None else None
    return (mapping.resource.sensitivity if mapping is not None else Sensitivity.UNLABELLED).value


def _risk(request: ActionRequest) -> JsonObject:
    found = known(request.risk)
    return {"score": found.score, "contributions": {**found.table()}}


def _person(user: Principal | None) -> Json:
    if user is None:
        return None
    return {"id": user.id, "name": user.name, "segments": sorted(user.segments)}  # type: ignore[dict-item]  # a list of str is a list of Json


def _task(request: ActionRequest) -> Json:
    task = request.task
    if task is None:
        return None
    return {
        "id": task.id,
        "purpose": task.purpose,
        "mode": task.mode,
        "initiative": task.initiative,
        "segment": task.segment,
    }


def principal_type(principal: Principal) -> str:
    """The entity type that policies know a principal by."""
    return f"{NAMESPACE}::{_TYPES.get(principal.kind, 'Workload')}"


@lru_cache(maxsize=4096)
def _entities(
    principal: Principal, blueprint: Principal | None, action: str, server: str, resource: Resource
) -> Entities:
    """The principal and the action with the groups that they are in, and a document with its tags.

    The whole values are the key, so nothing stale can be found (PD-05).
    """
    groups = [f"server:{server}", *([DISCOVERY] if METHODS.get(action.removeprefix(f"{server}/")) else [])]
    documents = [
        {
            "uid": {"type": principal_type(principal), "id": principal.name},
            "attrs": {
                "id": principal.id,
                "name": principal.name,
                "environment": principal.environment or "",
                "owner": principal.owner or "",
                "blueprint": blueprint.name if blueprint else "",
                "segments": sorted(principal.segments),
            },
            "tags": dict(principal.attributes),
            "parents": [
                *([{"type": f"{NAMESPACE}::Blueprint", "id": blueprint.name}] if blueprint else []),
                *({"type": f"{NAMESPACE}::Segment", "id": name} for name in sorted(principal.segments)),
            ],
        },
        {
            "uid": {"type": f"{NAMESPACE}::Action", "id": action},
            "attrs": {},
            "parents": [{"type": f"{NAMESPACE}::Action", "id": group} for group in groups],
        },
    ]
    if resource.tags is not None:
        uid = {"type": f"{NAMESPACE}::{resource.type}", "id": resource.id}
        documents.append({"uid": uid, "attrs": {}, "tags": dict(resource.tags), "parents": []})
    return Entities.from_json_str(msgspec.json.encode(documents).decode())
