"""The Cedar schema of an installation: its agents, resource types, actions, and each tool's arguments (N7).

A policy is validated against it before it is published, so a typing error in an argument's name, a value
of the wrong type or an action that does not exist is found then, not at three in the morning.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from cedarpy import Schema

from remit.decision.answer.assessment import OPTIONAL, Part
from remit.decision.call.actions import (
    DOCUMENT_TYPE,
    METHODS,
    ON_ITEMS,
    RETRIEVE,
    SERVER_TYPE,
    action_of,
)
from remit.decision.policy.shapes import NOTHING, Fields, Member, Text, cedar_type, common, shape_of
from remit.decision.policy.zones import LOCAL_TYPE
from remit.identity.tools import Server, Tool
from remit.kernel.canonical import Digest, JsonObject, canonical_json, parse_object
from remit.kernel.ids import ServerId

NAMESPACE: Final = "Remit"
DISCOVERY: Final = "discovery"
"""Group of the methods that only tell what is there; a policy says `action in Remit::Action::"discovery"`."""
_TYPE_NAME = re.compile(r"[A-Z][A-Za-z0-9]{0,63}")
_ITEM_ARGUMENTS: Final = Fields(
    members=(
        Member(name="uri", shape=Text(), required=False),
        Member(name="name", shape=Text(), required=False),
    )
)
_STRING: Final[JsonObject] = {"type": "String"}
_STRINGS: Final[JsonObject] = {"type": "Set", "element": {"type": "String"}}
_PRINCIPALS: Final = ("Agent", "Human", "Workload")


@lru_cache(maxsize=4096)
def tool_shape(digest: Digest, definition: str) -> Fields:  # noqa: ARG001 — the digest is the cheap part of the key
    """The arguments of a pinned tool, as policies see them."""
    schema = parse_object(definition.encode()).get("inputSchema")
    return shape_of(schema) if isinstance(schema, dict) else NOTHING


@dataclass(slots=True)
class _Action:
    """What is collected for one action name."""

    group: str
    types: set[str] = field(default_factory=set)
    arguments: Fields | None = None
    discovery: bool = False


def build_schema(
    servers: Iterable[Server],
    tools: Iterable[Tool],
    zones: Iterable[str],
    past: JsonObject | None = None,
    facts: Mapping[str, JsonObject] | None = None,
) -> JsonObject:
    """Lay out the schema, in Cedar's JSON format, for a directory and the zones that policies name.

    `past` is the type of what is remembered, `facts` those of what plugins say; without them there is none.
    """
    actions = _collect({server.id: server for server in servers}, tools)
    types = {name for action in actions.values() for name in action.types}
    context = _context(sorted(set(zones))) | ({"past": past} if past else {}) | _plugin(facts or {})
    principals: JsonObject = {name: _principal() for name in _PRINCIPALS}
    others: JsonObject = {name: {} for name in sorted(types | {"Blueprint", "Segment"})}
    if DOCUMENT_TYPE in others:
        others[DOCUMENT_TYPE] = {"tags": _STRING}
    groups: JsonObject = {f"server:{action.group}": {} for action in actions.values()}
    return {
        NAMESPACE: {
            "entityTypes": {**others, **principals},
            "actions": {
                DISCOVERY: {},
                **groups,
                **{name: _action(action, context) for name, action in sorted(actions.items())},
            },
        }
    }


def compile_schema(schema: JsonObject) -> Schema:
    """Let Cedar read it; a `ValueError` here is a mistake of ours."""
    return Schema.from_json_str(canonical_json(schema).decode())


def _collect(servers: Mapping[ServerId, Server], tools: Iterable[Tool]) -> dict[str, _Action]:
    found: dict[str, _Action] = {}
    for server in servers.values():
        for method, discovery in METHODS.items():
            found[f"{server.name}/{method}"] = _Action(
                group=server.name,
                types=set(ON_ITEMS.get(method, {SERVER_TYPE})),
                arguments=NOTHING if discovery or method == RETRIEVE else _ITEM_ARGUMENTS,
                discovery=discovery,
            )
    for tool in tools:
        if tool.server in servers:
            _add(found, servers[tool.server], tool)
    return found


def _add(found: dict[str, _Action], server: Server, tool: Tool) -> None:
    kind = tool.mapping.resource.type if tool.mapping else SERVER_TYPE
    if not _TYPE_NAME.fullmatch(kind):
        return
    action = found.setdefault(action_of(server, tool), _Action(group=server.name))
    shape = tool_shape(tool.digest, tool.definition)
    action.types.add(kind)
    action.arguments = shape if action.arguments is None else common(action.arguments, shape)


def _principal() -> JsonObject:
    names = ("id", "name", "environment", "owner", "blueprint")
    attributes: JsonObject = {**dict.fromkeys(names, _STRING), "segments": _STRINGS}
    return {
        "memberOfTypes": ["Blueprint", "Segment"],
        "shape": {"type": "Record", "attributes": attributes},
        "tags": _STRING,
    }


def _action(action: _Action, context: JsonObject) -> JsonObject:
    groups = [f"server:{action.group}", *([DISCOVERY] if action.discovery else [])]
    return {
        "memberOf": [{"id": group} for group in groups],
        "appliesTo": {
            "principalTypes": list(_PRINCIPALS),
            "resourceTypes": sorted(action.types),  # type: ignore[dict-item]  # a list of str is a list of Json
            "context": {
                "type": "Record",
                "attributes": {**context, "arguments": cedar_type(action.arguments or NOTHING)},
            },
        },
    }


def _plugin(facts: Mapping[str, JsonObject]) -> JsonObject:
    return {"plugin": {"type": "Record", "attributes": {**facts}}} if facts else {}


def _record(*, required: bool = True, **attributes: JsonObject) -> JsonObject:
    return {"type": "Record", "attributes": {**attributes}, "required": required}


def _context(zones: list[str]) -> JsonObject:
    flag: JsonObject = {"type": "Boolean"}
    long: JsonObject = {"type": "Long"}
    kinds: JsonObject = {part.value: {**long, "required": part not in OPTIONAL} for part in Part}
    parts: JsonObject = {"type": "Record", "attributes": kinds}
    context: JsonObject = {
        "tool": _record(name=_STRING, server=_STRING, consequential=flag, reversible=flag, money=flag),
        "resource": _record(type=_STRING, id=_STRING, sensitivity=_STRING),
        "risk": _record(score=long, contributions=parts),
        "money": _record(required=False, currency=_STRING, minor=long),
        "user": _record(required=False, id=_STRING, name=_STRING, segments=_STRINGS),
        "task": _record(
            required=False,
            id=_STRING,
            purpose=_STRING,
            mode=_STRING,
            initiative=_STRING,
            segment=_STRING,
        ),
        "lineage": _record(labels=_STRINGS, outward=_STRINGS),
        "purpose": _STRING,
        "depth": long,
        "bound": flag,
        "time": {"type": "Extension", "name": "datetime"},
    }
    if zones:
        context["local"] = {"type": "Record", "attributes": dict.fromkeys(zones, LOCAL_TYPE)}
    return context
