"""A policy text as Cedar's own JSON tells it, and a call in the words that such policies know."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import cedarpy

from oracle.values import Wrong
from remit.decision.call.actions import METHODS
from remit.decision.call.request import ProposedCall
from remit.identity.principals import Kind, Principal
from remit.identity.tools import Tool

Rule = Mapping[str, Any]
_TYPES = {Kind.AGENT: "Agent", Kind.HUMAN: "Human"}
_COMPARES = {"==", "!=", "contains", "containsAll", "containsAny"}


def rules_of(text: str) -> tuple[Rule, ...]:
    """Every policy in the order of the text, in JSON form with its annotations. Templates are not read."""
    read = json.loads(cedarpy.policies_to_json_str(text))["staticPolicies"]
    rules = [read[f"policy{place}"] for place in range(len(read))]
    return tuple({**rule, "looks back": looks_back(rule)} for rule in rules)


def note(rule: Rule, name: str) -> str:
    return str((rule.get("annotations") or {}).get(name) or "")


def parts(node: Any) -> Iterator[Any]:
    """Every object in a JSON document."""
    if isinstance(node, dict):
        yield node
        node = list(node.values())
    for inner in node if isinstance(node, list) else ():
        yield from parts(inner)


def looks_back(rule: Rule) -> bool:
    past = {".": {"left": {"Var": "context"}, "attr": "past"}}
    return any(part == past for part in parts(rule["conditions"]))


def is_seen(rules: tuple[Rule, ...]) -> Callable[[str], bool]:
    """Whether policies could look at an argument: only then is its type of any consequence."""
    names, all_of_it = set(), False
    for part in parts([rule["conditions"] for rule in rules]):
        for op, body in part.items():
            if op in {".", "has"}:
                names.add(body["attr"])
            if op == "Record" or (op in _COMPARES and not _with_literal(body)):
                all_of_it = True
    return lambda name: all_of_it or name in names


def _with_literal(body: Any) -> bool:
    left, right = body["left"], body["right"]
    listed = "Set" in left and all("Value" in each for each in left["Set"])
    return "Value" in left or "Value" in right or listed


def cast(schema: Mapping[str, Any], value: Any) -> Any:
    """A value as its tool declares it; another type is an error, never a guess."""
    kind, number = schema["type"], isinstance(value, int | float) and not isinstance(value, bool)
    if (kind == "string" and isinstance(value, str)) or (kind == "boolean" and isinstance(value, bool)):
        return value
    if kind == "integer" and number and value == int(value) and abs(value) < 1 << 63:
        return int(value)
    if kind == "number" and number and Decimal(repr(value)) % Decimal("0.0001") == 0:
        return {"__extn": {"fn": "decimal", "arg": f"{Decimal(repr(value)):.4f}"}}
    if kind == "array" and isinstance(value, list):
        return [cast(schema["items"], each) for each in value]
    raise Wrong


def arguments(tool: Tool | None, given: Mapping[str, Any], seen: Callable[[str], bool]) -> dict[str, Any]:
    if tool is None:
        return {name: given[name] for name in ("uri", "name") if isinstance(given.get(name), str)}
    declared = json.loads(tool.definition)["inputSchema"]["properties"]
    return {
        name: cast(schema, given[name])
        for name, schema in declared.items()
        if given.get(name) is not None and seen(name)
    }


def documents(who: Principal, blueprint: Principal | None, action: str, server: str) -> list[dict[str, Any]]:
    """The principal and the action, as entities."""
    attributes = {
        "id": who.id, "name": who.name, "environment": who.environment or "", "owner": who.owner or "",
        "blueprint": blueprint.name if blueprint else "", "segments": sorted(who.segments),
    }  # fmt: skip
    above = [uid("Segment", name) for name in who.segments]
    above += [uid("Blueprint", blueprint.name)] if blueprint else []
    groups = [f"server:{server}"] + ["discovery"] * METHODS.get(action.removeprefix(f"{server}/"), False)
    return [
        {"uid": kind_of(who), "attrs": attributes, "tags": dict(who.attributes), "parents": above},
        {"uid": uid("Action", action), "attrs": {}, "parents": [uid("Action", each) for each in groups]},
    ]


def kind_of(who: Principal) -> dict[str, str]:
    return uid(_TYPES.get(who.kind, "Workload"), who.name)


def uid(kind: str, ident: str) -> dict[str, str]:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*(::[A-Za-z_][A-Za-z0-9_]*)*", kind):
        raise Wrong
    return {"type": f"Remit::{kind}", "id": ident}


def clock(call: ProposedCall, zones: str) -> dict[str, Any]:
    text = call.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    found: dict[str, Any] = {"time": {"__extn": {"fn": "datetime", "arg": text}}}
    for name in zones.split():
        there = call.at.astimezone(ZoneInfo(name))
        wall = {"date": f"{there:%Y-%m-%d}", "minute": there.hour * 60 + there.minute}
        found.setdefault("local", {})[name] = {**wall, "weekday": there.isoweekday()}
    return found
