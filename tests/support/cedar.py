"""Policies, entities and requests in random abundance, judged by Cedar and by the compiled form.

`Writer` writes Cedar text from a stream of random choices: mostly well typed, so that it is not all errors,
and often enough not.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import cedarpy
from cedarpy import pst

from remit.decision.answer.response import Mode
from remit.decision.policy import extensions
from remit.decision.policy.compile import Env
from remit.decision.policy.program import Program, compile_policy
from remit.decision.policy.rules import Rule
from remit.decision.policy.values import Entity, Uid, Value, key

PEOPLE = [("T::A", f"a{number}") for number in range(3)]
GROUPS = [("T::G", f"g{number}") for number in range(4)]
THINGS = [("T::X", f"x{number}") for number in range(3)]
ACTIONS = [("T::Action", f"do{number}") for number in range(3)]
DEEDS = [("T::Action", f"all{number}") for number in range(2)]
NAMES = ["n", "m", "s", "t", "b", "c", "l", "q", "r", "e", "d", "w", "zz"]
TEXTS = ["", "a", "b", "ab", "ba", "aab", "a*b", "é", "😀", '"', "\\", "a\nb", "1", "true", "x0"]
LONGS = [0, 1, 2, -1, -2, 7, 1 << 31, 1 << 62, (1 << 63) - 1, -(1 << 63), 4611686018427387904]
DECIMALS = ["0.0", "1.0", "1.0000", "-0.5", "12.34", "922337203685477.5807", "-922337203685477.5808"]
DATETIMES = ["1970-01-01", "2024-02-29", "1969-12-31T23:59:59.999Z", "2026-11-22T10:00:00+0130", "0000-01-01"]
DURATIONS = ["0ms", "1d", "-1d2h", "90m", "1500ms", "-1ms", "9223372036854775807ms"]
NETS = [
    "127.0.0.1",
    "10.0.0.0/8",
    "10.1.2.3",
    "10.0.0.0/16",
    "::1",
    "ff00::1/8",
    "::ffff:7f00:1",
    "0.0.0.0/0",
]
BROKEN = {
    "decimal": ["1", "1.", ".5", "1.00000", "+1.0", "922337203685477.5808", "x"],
    "datetime": ["2024-02-30", "2024-01-01T24:00:00Z", "2024-01-01T00:00:00", "20240101", "x"],
    "duration": ["", "-", "1h1d", "1D", "9223372036854775808ms", "x"],
    "ip": ["1.2.3", "1.2.3.4/33", "1.2.3.4/08", "::ffff:1.2.3.4", "::1%eth0", "1::2:3:4:5:6:7:8", "x"],
}
KINDS = ["bool", "long", "string", "set", "record", "entity", "decimal", "ip", "datetime", "duration"]
OF_NAME = {
    "n": "long", "m": "long", "s": "string", "t": "string", "b": "bool", "c": "bool", "l": "set", "q": "set",
    "r": "record", "e": "entity", "d": "decimal", "w": "datetime",
}  # fmt: skip


def native(value: Any) -> Value:
    """Cedar's JSON form as the compiled policies hold it."""
    match value:
        case {"__extn": {"fn": name, "arg": text}}:
            made: Value = getattr(extensions, name)(text)
            return made
        case {"__entity": {"type": kind, "id": ident}}:
            return Uid(kind, ident)
        case dict():
            return {name: native(inner) for name, inner in value.items()}
        case list():
            return frozenset(key(native(inner)) for inner in value)
        case _:
            return value  # type: ignore[no-any-return]  # a boolean, a whole number or a text


class Plain(dict[str, Value]):
    """A context with everything in it."""

    def at(self, name: str) -> Value | None:
        return self.get(name)

    def whole(self) -> dict[str, Value]:
        return dict(self)


@dataclass(frozen=True, kw_only=True)
class World:
    """Entities and one request about them, in Cedar's JSON."""

    documents: list[dict[str, Any]]
    principal: tuple[str, str]
    action: tuple[str, str]
    resource: tuple[str, str]
    context: dict[str, Any]

    def wire(self) -> dict[str, Any]:
        asked = {"principal": self.principal, "action": self.action, "resource": self.resource}
        named = {name: {"type": kind, "id": ident} for name, (kind, ident) in asked.items()}
        return {**named, "context": json.dumps(self.context)}

    def env(self) -> Env:
        return Env(
            principal=Uid(*self.principal),
            action=Uid(*self.action),
            resource=Uid(*self.resource),
            context=Plain({name: native(value) for name, value in self.context.items()}),
            entities=native_entities(self.documents),
        )


def native_entities(documents: Sequence[Mapping[str, Any]]) -> dict[Uid, Entity]:
    """Entities from Cedar's JSON, with the ancestors that follow from their parents."""
    parents = {_uid(entry["uid"]): {_uid(above) for above in entry["parents"]} for entry in documents}

    def above(uid: Uid) -> set[Uid]:
        return parents.get(uid, set()).union(*(above(parent) for parent in parents.get(uid, ())))

    return {
        uid: Entity(
            uid=uid,
            attributes={name: native(value) for name, value in entry["attrs"].items()},
            tags={name: native(value) for name, value in entry.get("tags", {}).items()},
            ancestors=frozenset(above(uid)),
        )
        for entry in documents
        for uid in [_uid(entry["uid"])]
    }


def _uid(document: Mapping[str, str]) -> Uid:
    return Uid(document["type"], document["id"])


@dataclass(frozen=True)
class Said:
    """The answer to one request: places of the policies that hold, by effect, and of those in error."""

    allowed: bool
    reasons: tuple[str, ...]
    failed: tuple[str, ...]


Nodes = Mapping[str, pst.Template]


def nodes_of(texts: Sequence[str]) -> dict[str, pst.Template]:
    """Policies by place; what Cedar can't parse is left out."""
    found: dict[str, pst.Template] = {}
    for place, text in enumerate(texts):
        try:
            (node,) = cedarpy.policies_to_pst(text).static_policies.values()
        except ValueError:
            continue
        found[f"policy{place}"] = replace(node, id=f"policy{place}")
    return found


def cedar_set(nodes: Nodes) -> cedarpy.PolicySet:
    return cedarpy.PolicySet.from_pst(
        pst.PolicySet(templates=pst.FrozenMap(), static_policies=pst.FrozenMap(nodes), template_links=())
    )


def program_of(nodes: Nodes) -> Program:
    """The same policies compiled; each rule is named after its place."""
    return Program(
        (
            compile_policy(order, Rule(id=place, effect=node.effect, mode=Mode.ENFORCE), node),
            node,
        )
        for order, (place, node) in enumerate(nodes.items())
    )


def by_cedar(policies: cedarpy.PolicySet, world: World) -> Said:
    entities = cedarpy.Entities.from_json_str(json.dumps(world.documents))
    said = cedarpy.is_authorized(world.wire(), policies, entities)
    failed = [error.split("`")[1] for error in said.diagnostics.errors]
    assert all(place.startswith("policy") for place in failed), said.diagnostics.errors
    return Said(said.allowed, tuple(sorted(said.diagnostics.reasons)), tuple(sorted(failed)))


def by_program(program: Program, world: World) -> Said:
    permits, forbids, failed = program.run(world.env())
    deciding = forbids or permits
    return Said(
        bool(permits) and not forbids,
        tuple(sorted(rule.id for rule in deciding)),
        tuple(sorted(rule.id for rule, _ in failed)),
    )


def seeded(seed: int) -> Random:
    """The same choices for the same seed."""
    return Random(seed)  # noqa: S311 — tests that can be repeated, nothing secret


class Writer:
    """Random policies and worlds."""

    def __init__(self, random: Random) -> None:
        self.random = random

    def pick(self, choices: Sequence[Any]) -> Any:
        return self.random.choice(choices)

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    # -- worlds

    def world(self) -> World:
        documents = [self._document(PEOPLE + THINGS, GROUPS, place) for place in PEOPLE + THINGS]
        documents += [self._document([], GROUPS[number + 1 :], place) for number, place in enumerate(GROUPS)]
        deeds = [(place, DEEDS) for place in ACTIONS] + [(DEEDS[0], DEEDS[1:])]
        documents += [self._action(place, above) for place, above in deeds]
        return World(
            documents=[entry for entry in documents if self.chance(0.85)],
            principal=self.pick(PEOPLE),
            action=self.pick(ACTIONS),
            resource=self.pick(THINGS),
            context=self._members(0),
        )

    def _document(
        self, _known: Any, above: Sequence[tuple[str, str]], place: tuple[str, str]
    ) -> dict[str, Any]:
        return {
            "uid": _json_uid(place),
            "attrs": self._members(1),
            "tags": {name: self.pick(TEXTS) for name in ("a", "b", "") if self.chance(0.5)},
            "parents": [_json_uid(one) for one in above if self.chance(0.4)],
        }

    def _action(self, place: tuple[str, str], above: Sequence[tuple[str, str]]) -> dict[str, Any]:
        parents = [_json_uid(one) for one in above if self.chance(0.5)]
        return {"uid": _json_uid(place), "attrs": {}, "parents": parents}

    def _members(self, depth: int) -> dict[str, Any]:
        return {
            name: self._value(kind if self.chance(0.9) else self.pick(KINDS), depth)
            for name, kind in OF_NAME.items()
            if self.chance(0.8)
        }

    def _value(self, kind: str, depth: int) -> Any:  # noqa: PLR0911 — one per type
        match kind:
            case "bool":
                return self.chance(0.5)
            case "long":
                return self.pick(LONGS)
            case "string":
                return self.pick(TEXTS)
            case "entity":
                return {"__entity": _json_uid(self.pick(PEOPLE + GROUPS + THINGS))}
            case "set":
                inner = self.pick(["long", "string", "bool", "entity", "decimal", "record"])
                return [self._value(inner, depth + 1) for _ in range(self.random.randrange(4))]
            case "record":
                return self._members(depth + 1) if depth < 2 else {}
            case _:
                texts = {"decimal": DECIMALS, "ip": NETS, "datetime": DATETIMES, "duration": DURATIONS}[kind]
                return {"__extn": {"fn": kind, "arg": self.pick(texts)}}

    # -- policies

    def policy(self) -> str:
        effect = self.pick(["permit", "permit", "forbid"])
        clauses = [self._clause() for _ in range(self.pick([0, 1, 1, 1, 2, 3]))]
        scope = ", ".join([self._who("principal", PEOPLE), self._deed(), self._who("resource", THINGS)])
        return f"{effect} ({scope}) {' '.join(clauses)};"

    def _clause(self) -> str:
        return f"{self.pick(['when', 'when', 'unless'])} {{ {self.expression('bool', 4)} }}"

    def _who(self, name: str, own: Sequence[tuple[str, str]]) -> str:
        one, kind = _spelled(self.pick([*own, *GROUPS])), self.pick(["T::A", "T::X", "T::G"])
        forms = ["", "", "", f" == {one}", f" in {one}", f" is {kind}", f" is {kind} in {one}"]
        return name + str(self.pick(forms))

    def _deed(self) -> str:
        one, other = (_spelled(self.pick(ACTIONS + DEEDS)) for _ in range(2))
        return "action" + str(
            self.pick(["", "", f" == {one}", f" in {one}", f" in [{one}, {other}]", " in []"])
        )

    def expression(self, kind: str, depth: int) -> str:
        """An expression that has this type if all goes well."""
        if self.chance(0.03):
            kind = self.pick(KINDS)
        if depth == 0 or self.chance(0.15):
            return self._leaf(kind)
        if self.chance(0.12):
            arms = ", ".join([])
            cond, then, other = (self.expression(k, depth - 1) for k in ("bool", kind, kind))
            return f"(if {cond} then {then} else {other}){arms}"
        return str(getattr(self, f"_{kind}")(depth - 1))

    def _leaf(self, kind: str) -> str:
        names = [name for name, known in OF_NAME.items() if known == kind]
        if names and self.chance(0.55):
            base = self.pick(
                ["context", "context", "principal", "resource", "context.r", "context.e", "action"]
            )
            name = self.pick(names) if self.chance(0.95) else self.pick(NAMES)
            return f'{base}["{name}"]' if self.chance(0.1) else f"{base}.{name}"
        return self._literal(kind)

    def _literal(self, kind: str) -> str:  # noqa: PLR0911 — one per type
        match kind:
            case "bool":
                return str(self.pick(["true", "false"]))
            case "long":
                return str(self.pick(LONGS))
            case "string":
                return _quoted(self.pick(TEXTS))
            case "entity":
                named = _spelled(self.pick(PEOPLE + GROUPS + THINGS + ACTIONS))
                return str(self.pick(["principal", "resource", "action", named]))
            case "set":
                inner = self.pick(["long", "string", "bool", "entity", "decimal"])
                return f"[{', '.join(self._literal(inner) for _ in range(self.random.randrange(4)))}]"
            case "record":
                return "{" + ", ".join(f"{name}: {self._literal(OF_NAME[name])}" for name in "nsb") + "}"
            case _:
                texts = {"decimal": DECIMALS, "ip": NETS, "datetime": DATETIMES, "duration": DURATIONS}[kind]
                return f'{kind}("{self.pick(BROKEN[kind] if self.chance(0.05) else texts)}")'

    def _bool(self, depth: int) -> str:
        def sub(kind: str) -> str:
            return self.expression(kind, depth)

        same, few = self.pick(KINDS), self.pick(["long", "datetime", "duration"])
        name, other = self.pick(NAMES), self.pick(NAMES)
        record = self.pick(["context", "principal", "resource", sub("record"), sub("entity")])
        forms: list[Any] = [
            lambda: f"({sub('bool')} && {sub('bool')})",
            lambda: f"({sub('bool')} && {sub('bool')} && {sub('bool')})",
            lambda: f"({sub('bool')} || {sub('bool')})",
            lambda: f"!({sub('bool')})",
            lambda: f"({sub(same)} {self.pick(['==', '!='])} {sub(same)})",
            lambda: f"({sub(few)} {self.pick(['<', '<=', '>', '>='])} {sub(few)})",
            lambda: f"({sub('entity')} in {sub(self.pick(['entity', 'entity', 'set']))})",
            lambda: f"({sub('entity')} in [{sub('entity')}, {sub('entity')}])",
            lambda: f"({sub('entity')} is {self.pick(['T::A', 'T::X', 'T::G', 'T::Action'])})",
            lambda: f"({sub('entity')} is {self.pick(['T::A', 'T::G'])} in {sub('entity')})",
            lambda: f"({record} has {name})",
            lambda: f"({record} has {name} && {record}.{name} == {self._leaf(OF_NAME.get(name, 'long'))})",
            lambda: f"({record} has {name}.{other})",
            lambda: f'({record} has "{name}")',
            lambda: f"({sub('string')} like {self._pattern()})",
            lambda: f"({sub('set')}.contains({sub(self.pick(KINDS))}))",
            lambda: f"({sub('set')}.{self.pick(['containsAll', 'containsAny'])}({sub('set')}))",
            lambda: f"({sub('set')}.isEmpty())",
            lambda: f"({sub('entity')}.hasTag({sub('string')}))",
            lambda: f"({sub('decimal')}.{self.pick(_DECIMAL_METHODS)}({sub('decimal')}))",
            lambda: f"({sub('ip')}.{self.pick(['isIpv4', 'isIpv6', 'isLoopback', 'isMulticast'])}())",
            lambda: f"({sub('ip')}.isInRange({sub('ip')}))",
        ]
        return str(self.pick(forms)())

    def _pattern(self) -> str:
        return (
            '"'
            + "".join(
                self.pick(["a", "b", "*", "*", "\\*", "é", "\\u{1F600}"])
                for _ in range(self.random.randrange(5))
            )
            + '"'
        )

    def _long(self, depth: int) -> str:
        def sub(kind: str) -> str:
            return self.expression(kind, depth)

        units = ["Milliseconds", "Seconds", "Minutes", "Hours", "Days"]
        forms: list[Any] = [
            lambda: f"({sub('long')} {self.pick(['+', '-', '*'])} {sub('long')})",
            lambda: f"-({sub('long')})",
            lambda: f"({sub('duration')}.to{self.pick(units)}())",
        ]
        return str(self.pick(forms)())

    def _string(self, depth: int) -> str:
        return f"({self.expression('entity', depth)}.getTag({self.expression('string', depth)}))"

    def _set(self, depth: int) -> str:
        inner = self.pick(KINDS)
        return f"[{', '.join(self.expression(inner, depth) for _ in range(self.random.randrange(4)))}]"

    def _record(self, depth: int) -> str:
        names = [name for name in OF_NAME if self.chance(0.2)]
        inner = ", ".join(f"{name}: {self.expression(OF_NAME[name], min(depth, 1))}" for name in names)
        return str(self.pick(["context", "{" + inner + "}"]))

    def _entity(self, _depth: int) -> str:
        return self._leaf("entity")

    def _decimal(self, depth: int) -> str:
        return (
            f"decimal({self.expression('string', 0)})"
            if depth and self.chance(0.1)
            else self._leaf("decimal")
        )

    def _ip(self, depth: int) -> str:
        return f"ip({self.expression('string', 0)})" if depth and self.chance(0.1) else self._leaf("ip")

    def _datetime(self, depth: int) -> str:
        moment = self.expression("datetime", depth)
        span = self.expression("duration", depth)
        return str(self.pick([f"({moment}.offset({span}))", f"({moment}.toDate())", self._leaf("datetime")]))

    def _duration(self, depth: int) -> str:
        one, other = (self.expression("datetime", depth) for _ in range(2))
        return str(
            self.pick([f"({one}.durationSince({other}))", f"({one}.toTime())", self._leaf("duration")])
        )


_DECIMAL_METHODS = ["lessThan", "lessThanOrEqual", "greaterThan", "greaterThanOrEqual"]


def _json_uid(place: tuple[str, str]) -> dict[str, str]:
    return {"type": place[0], "id": place[1]}


def _spelled(place: tuple[str, str]) -> str:
    return f'{place[0]}::"{place[1]}"'


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
