"""Cedar by its book: every policy looked at, every expression walked, nothing remembered.

It reads Cedar's JSON form, not the syntax tree that the compiler reads, and has its own values: pairs of a
type and what Python holds, so that no two types are ever equal.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from oracle.values import DAY, Value, Wrong, boolean, bounded, long, read, want

Uid = tuple[str, str]


@dataclass(frozen=True)
class Thing:
    """One entity as its document tells it."""

    attributes: dict[str, Value]
    tags: dict[str, Value]
    parents: frozenset[Uid]


@dataclass(frozen=True)
class Request:
    """What is asked."""

    principal: Uid
    action: Uid
    resource: Uid
    context: Value
    things: Mapping[Uid, Thing]

    def variable(self, name: str) -> Value:
        return self.context if name == "context" else ("entity", getattr(self, name))


@dataclass(frozen=True)
class Verdict:
    """Default deny, forbid wins; the deciding policies, and those that are in error."""

    allowed: bool
    reasons: tuple[str, ...]
    failed: tuple[str, ...]


def judge(policies: Mapping[str, Any], request: Request) -> Verdict:
    """Every policy in Cedar's JSON form, by name."""
    held: dict[str, list[str]] = {"permit": [], "forbid": []}
    failed = []
    for name, policy in policies.items():
        try:
            if in_scope(policy, request) and all(clause(each, request) for each in policy["conditions"]):
                held[policy["effect"]].append(name)
        except Wrong:
            failed.append(name)
    allowed = bool(held["permit"]) and not held["forbid"]
    return Verdict(allowed, tuple(sorted(held["forbid"] or held["permit"])), tuple(sorted(failed)))


def in_scope(policy: Mapping[str, Any], request: Request) -> bool:
    return all(
        fits(policy[name], getattr(request, name), request) for name in ("principal", "action", "resource")
    )


def fits(limit: Mapping[str, Any], uid: Uid, request: Request) -> bool:
    match limit["op"]:
        case "All":
            return True
        case "==":
            return uid == uid_of(limit["entity"])
        case "in":
            every = limit["entities"] if "entities" in limit else [limit["entity"]]
            return any(below(uid, uid_of(one), request) for one in every)
        case "is":
            within = limit.get("in")
            inside = within is None or below(uid, uid_of(within["entity"]), request)
            return uid[0] == limit["entity_type"] and inside
        case other:
            raise AssertionError(other)


def clause(part: Mapping[str, Any], request: Request) -> bool:
    return boolean(value_of(part["body"], request)) is (part["kind"] == "when")


def below(uid: Uid, above: Uid, request: Request) -> bool:
    """Itself, or over any number of parents."""
    seen, open_ = set(), [uid]
    while open_:
        one = open_.pop()
        if one == above:
            return True
        if one not in seen:
            seen.add(one)
            open_ += request.things[one].parents if one in request.things else ()
    return False


def value_of(node: Any, request: Request) -> Value:  # noqa: C901, PLR0911, PLR0912 — one arm per construct
    def at(inner: Any) -> Value:
        return value_of(inner, request)

    ((name, body),) = node.items()
    match name:
        case "Value":
            return from_json(body)
        case "Var":
            return request.variable(body)
        case "&&":
            return ("bool", boolean(at(body["left"])) and boolean(at(body["right"])))
        case "||":
            return ("bool", boolean(at(body["left"])) or boolean(at(body["right"])))
        case "!":
            return ("bool", not boolean(at(body["arg"])))
        case "if-then-else":
            return at(body["then"] if boolean(at(body["if"])) else body["else"])
        case "Set":
            return ("set", frozenset([at(each) for each in body]))
        case "Record":
            return ("record", frozenset([(key, at(each)) for key, each in body.items()]))
        case "." | "has":
            return member(name, at(body["left"]), body["attr"], request)
        case "like":
            return ("bool", like(want("string", at(body["left"])), body["pattern"]))
        case "is":
            uid = want("entity", at(body["left"]))
            same = uid[0] == body["entity_type"]
            return ("bool", same and ("in" not in body or is_in(uid, at(body["in"]), request)))
        case "in":
            uid = want("entity", at(body["left"]))
            return ("bool", is_in(uid, at(body["right"]), request))
        case "hasTag" | "getTag":
            return tag(name, at(body["left"]), at(body["right"]), request)
        case _:
            parts = (
                body
                if isinstance(body, list)
                else [body[key] for key in ("left", "right", "arg") if key in body]
            )
            return apply(name, [at(each) for each in parts])


def member(name: str, owner: Value, attr: str, request: Request) -> Value:
    if owner[0] == "record":
        members = dict(owner[1])
    elif owner[0] == "entity":
        known = request.things.get(owner[1])
        members = known.attributes if known else {}
        if name == "." and known is None:
            raise Wrong
    else:
        raise Wrong
    if name == "has":
        return ("bool", attr in members)
    if attr not in members:
        raise Wrong
    found: Value = members[attr]
    return found


def tag(name: str, owner: Value, key: Value, request: Request) -> Value:
    uid, text = want("entity", owner), want("string", key)
    tags = request.things[uid].tags if uid in request.things else {}
    if name == "hasTag":
        return ("bool", text in tags)
    if text not in tags:
        raise Wrong
    return tags[text]


def is_in(uid: Uid, right: Value, request: Request) -> bool:
    every = [want("entity", one) for one in right[1]] if right[0] == "set" else [want("entity", right)]
    return any(below(uid, one, request) for one in every)


def like(text: str, pattern: list[Any]) -> bool:
    """Where each prefix of the pattern can end, character by character."""
    ends = {0}
    for part in pattern:
        if part == "Wildcard":
            ends = set(range(min(ends), len(text) + 1)) if ends else set()
        else:
            ends = {end + 1 for end in ends if text[end : end + 1] == part["Literal"]}
    return len(text) in ends


ORDERED = {"<": int.__lt__, "<=": int.__le__, ">": int.__gt__, ">=": int.__ge__}
SUMS = {"+": int.__add__, "-": int.__sub__, "*": int.__mul__}
DECIMALS = {
    "lessThan": int.__lt__, "lessThanOrEqual": int.__le__, "greaterThan": int.__gt__,
    "greaterThanOrEqual": int.__ge__,
}  # fmt: skip
UNITS = {"toMilliseconds": 1, "toSeconds": 1_000, "toMinutes": 60_000, "toHours": 3_600_000, "toDays": DAY}


def apply(name: str, args: list[Value]) -> Value:  # noqa: C901, PLR0911, PLR0912 — one arm per operator
    one, two = args[0], args[-1]
    if name in ORDERED:
        if one[0] not in {"long", "datetime", "duration"}:
            raise Wrong
        return ("bool", ORDERED[name](one[1], want(one[0], two)))
    if name in SUMS:
        return long(SUMS[name](want("long", one), want("long", two)))
    if name in DECIMALS:
        return ("bool", DECIMALS[name](want("decimal", one), want("decimal", two)))
    if name in UNITS:
        span = want("duration", one)
        return long(span // UNITS[name] if span >= 0 else -(-span // UNITS[name]))
    match name:
        case "==":
            return ("bool", one == two)
        case "!=":
            return ("bool", one != two)
        case "neg":
            return long(-want("long", one))
        case "contains":
            return ("bool", two in want("set", one))
        case "containsAll":
            return ("bool", want("set", one) >= want("set", two))
        case "containsAny":
            return ("bool", bool(want("set", one) & want("set", two)))
        case "isEmpty":
            return ("bool", not want("set", one))
        case "offset":
            return bounded("datetime", want("datetime", one) + want("duration", two))
        case "durationSince":
            return bounded("duration", want("datetime", one) - want("datetime", two))
        case "toDate":
            return bounded("datetime", want("datetime", one) // DAY * DAY)
        case "toTime":
            return ("duration", want("datetime", one) % DAY)
        case "decimal" | "ip" | "datetime" | "duration":
            return read(name, want("string", one))
        case _:
            return network(name, args)


def network(name: str, args: list[Value]) -> Value:
    net = want("ip", args[0])
    wide = net.version == 4
    match name:
        case "isIpv4" | "isIpv6":
            return ("bool", wide is (name == "isIpv4"))
        case "isLoopback":
            return ("bool", net.ip.is_loopback and net.network.prefixlen >= (8 if wide else 128))
        case "isMulticast":
            return ("bool", net.ip.is_multicast and net.network.prefixlen >= (4 if wide else 8))
        case "isInRange":
            other = want("ip", args[1])
            return ("bool", net.version == other.version and net.network.subnet_of(other.network))
        case _:
            raise AssertionError(name)


def uid_of(document: Mapping[str, str]) -> Uid:
    return document["type"], document["id"]


def from_json(value: Any) -> Value:  # noqa: PLR0911 — one per type
    match value:
        case bool():
            return ("bool", value)
        case int():
            return ("long", value)
        case str():
            return ("string", value)
        case list():
            return ("set", frozenset([from_json(each) for each in value]))
        case {"__entity": uid}:
            return ("entity", uid_of(uid))
        case {"__extn": {"fn": name, "arg": text}}:
            return read(name, text)
        case _:
            return ("record", frozenset([(name, from_json(each)) for name, each in value.items()]))


def world(documents: list[dict[str, Any]], asked: Mapping[str, Uid], context: dict[str, Any]) -> Request:
    """A request and the entities that it is about, from Cedar's JSON."""
    things = {
        uid_of(entry["uid"]): Thing(
            {name: from_json(value) for name, value in entry["attrs"].items()},
            {name: from_json(value) for name, value in entry.get("tags", {}).items()},
            frozenset(uid_of(above) for above in entry["parents"]),
        )
        for entry in documents
    }
    return Request(context=from_json(context), things=things, **asked)
