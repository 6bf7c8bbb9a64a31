"""What arguments look like to a policy: JSON Schema in, Cedar types out, values projected between them.

Only what has one meaning in both worlds is shown to policies: strings, integers, booleans, decimals of at
most four places, sets and records of these. Everything else is left out, so a policy that names it fails
validation when it is published. A value that does not fit its declared type is an error, never a guess:
`True` is no number, `"1"` is no `1` (PD-02).
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, TypeAlias

from remit.kernel.canonical import Json, JsonObject

_LONG: Final = (1 << 63) - 1
_PLACES: Final = 4
_DECIMAL_BOUND: Final = Decimal("922337203685477.5807")
_DEPTH: Final = 6
_MEMBERS: Final = 200
_REFERENCE: Final = "#/$defs/"


class Misfit(Exception):
    """A value is not of the type that the tool declares."""

    def __init__(self, pointer: str, expected: str) -> None:
        super().__init__(pointer)
        self.pointer = pointer
        self.expected = expected


@dataclass(frozen=True, slots=True)
class Text:
    """Cedar `String`."""


@dataclass(frozen=True, slots=True)
class Whole:
    """Cedar `Long`."""


@dataclass(frozen=True, slots=True)
class Flag:
    """Cedar `Bool`."""


@dataclass(frozen=True, slots=True)
class Fraction:
    """Cedar `decimal`: at most four places after the point."""


@dataclass(frozen=True, slots=True)
class SetOf:
    """Cedar `Set`; the order and the number of equal members are not seen."""

    member: "Shape"


@dataclass(frozen=True, slots=True)
class Member:
    """One attribute of a record; an optional one must be guarded by `has` in policies."""

    name: str
    shape: "Shape"
    required: bool


@dataclass(frozen=True, slots=True)
class Fields:
    """Cedar record, closed."""

    members: tuple[Member, ...] = ()


Shape: TypeAlias = Text | Whole | Flag | Fraction | SetOf | Fields
NOTHING: Final = Fields()


def shape_of(schema: Mapping[str, Json]) -> Fields:
    """Read a tool's input schema (JSON Schema); what has no safe type is left out."""
    definitions = schema.get("$defs")
    shape = _shape(schema, definitions if isinstance(definitions, dict) else {}, _DEPTH)
    return shape if isinstance(shape, Fields) else NOTHING


def common(one: Fields, other: Fields) -> Fields:
    """What two tools with the same action have in common; an attribute of only one is optional."""
    left = {member.name: member for member in one.members}
    right = {member.name: member for member in other.members}
    found = []
    for name in sorted(left.keys() | right.keys()):
        known = [side[name] for side in (left, right) if name in side]
        if len({member.shape for member in known}) == 1:
            required = len(known) > 1 and all(member.required for member in known)
            found.append(Member(name=name, shape=known[0].shape, required=required))
    return Fields(members=tuple(found))


def cedar_type(shape: Shape) -> JsonObject:
    """The type in Cedar's JSON schema format."""
    match shape:
        case Text():
            return {"type": "String"}
        case Whole():
            return {"type": "Long"}
        case Flag():
            return {"type": "Boolean"}
        case Fraction():
            return {"type": "Extension", "name": "decimal"}
        case SetOf(member=member):
            return {"type": "Set", "element": cedar_type(member)}
        case Fields(members=members):
            attributes: JsonObject = {
                member.name: {**cedar_type(member.shape), "required": member.required} for member in members
            }
            return {"type": "Record", "attributes": attributes}


def project(
    shape: Fields, value: Mapping[str, Json], *, named: frozenset[str] | None, at: str = ""
) -> JsonObject:
    """Show the declared members that some policy names, in Cedar's JSON form; raises `Misfit`.

    What no policy names can't change any answer: it is left out, whatever its value. None shows all.
    """
    shown: JsonObject = {}
    for member in shape.members:
        given = value.get(member.name)
        if given is not None and (named is None or member.name in named):
            shown[member.name] = _cast(member.shape, given, named, f"{at}/{step(member.name)}")
    return shown


def paths(shape: Fields, at: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Shape]]:
    """Every attribute path with its shape, records before their members."""
    for member in shape.members:
        here = (*at, member.name)
        yield here, member.shape
        if isinstance(member.shape, Fields):
            yield from paths(member.shape, here)


def _shape(  # noqa: PLR0911 — one per type
    schema: Mapping[str, Json], definitions: Mapping[str, Json], depth: int
) -> Shape | None:
    if depth == 0:
        return None
    resolved = _resolved(schema, definitions)
    match _type_of(resolved):
        case "string":
            return Text()
        case "integer":
            return Whole()
        case "boolean":
            return Flag()
        case "number":
            return Fraction()
        case "array":
            items = resolved.get("items")
            member = _shape(items, definitions, depth - 1) if isinstance(items, dict) else None
            return SetOf(member) if member is not None else None
        case "object":
            return _fields(resolved, definitions, depth - 1)
        case _:
            return None


def _resolved(schema: Mapping[str, Json], definitions: Mapping[str, Json]) -> Mapping[str, Json]:
    """Follow one local reference, and look through `X or null`, which means an optional X."""
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference.startswith(_REFERENCE):
        found = definitions.get(reference.removeprefix(_REFERENCE))
        return found if isinstance(found, dict) else {}
    for word in ("anyOf", "oneOf"):
        choices = schema.get(word)
        if isinstance(choices, list):
            real = [choice for choice in choices if choice != {"type": "null"}]
            return _resolved(real[0], definitions) if len(real) == 1 and isinstance(real[0], dict) else {}
    return schema


def _type_of(schema: Mapping[str, Json]) -> str:
    named = schema.get("type")
    if isinstance(named, list):
        real = [name for name in named if name != "null"]
        named = real[0] if len(real) == 1 else None
    if named is None:
        allowed = schema.get("enum", [schema["const"]] if "const" in schema else None)
        if isinstance(allowed, list) and allowed and all(isinstance(value, str) for value in allowed):
            return "string"
    return named if isinstance(named, str) else ""


def _nullable(schema: Mapping[str, Json]) -> bool:
    named = schema.get("type")
    if isinstance(named, list) and "null" in named:
        return True
    choices = schema.get("anyOf", schema.get("oneOf"))
    return isinstance(choices, list) and {"type": "null"} in choices


def _fields(schema: Mapping[str, Json], definitions: Mapping[str, Json], depth: int) -> Fields:
    properties, required = schema.get("properties"), schema.get("required")
    if not isinstance(properties, dict):
        return NOTHING
    needed = set(required) if isinstance(required, list) else set()
    found = []
    for name, inner in list(properties.items())[:_MEMBERS]:
        # SAFETY: `__entity` and `__extn` are escapes in Cedar's JSON; no argument may be named like one.
        if not isinstance(inner, dict) or name.startswith("__") or not name.isprintable():
            continue
        shape = _shape(inner, definitions, depth)
        if shape is not None:
            found.append(
                Member(name=name, shape=shape, required=name in needed and not _nullable(inner)),
            )
    return Fields(members=tuple(found))


def _cast(shape: Shape, value: Json, named: frozenset[str] | None, at: str) -> Json:
    match shape:
        case Text() if isinstance(value, str):
            return value
        case Flag() if isinstance(value, bool):
            return value
        case Whole() if isinstance(value, int | float) and is_whole(value):
            return int(value)
        case Fraction() if (text := decimal_text(value)) is not None:
            return {"__extn": {"fn": "decimal", "arg": text}}
        case SetOf(member=member) if isinstance(value, list):
            return [_cast(member, inner, named, f"{at}/{index}") for index, inner in enumerate(value)]
        case Fields() if isinstance(value, dict):
            return project(shape, value, named=named, at=at)
        case _:
            raise misfit(shape, at)


def misfit(shape: Shape, at: str) -> Misfit:
    """The error for a value that is not of the declared type."""
    return Misfit(at, _WORDS[type(shape)])


_WORDS: Final[dict[type[Shape], str]] = {
    Text: "a string",
    Whole: "an integer",
    Flag: "true or false",
    Fraction: f"a number with at most {_PLACES} decimals",
    SetOf: "a list",
    Fields: "an object",
}


def is_whole(value: float) -> bool:
    """Whether JSON Schema would call it an integer that Cedar can hold; `5.0` is one, `true` is not."""
    if isinstance(value, bool):
        return False
    return math.isfinite(value) and value == int(value) and abs(value) <= _LONG


def decimal_text(value: Json) -> str | None:
    """Spell a JSON number as a Cedar decimal, or None if it would lose anything."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    exact = Decimal(repr(value))
    scaled = exact.scaleb(_PLACES)
    if abs(exact) > _DECIMAL_BOUND or scaled != scaled.to_integral_value():
        return None
    return f"{exact:.{_PLACES}f}"


def step(name: str) -> str:
    """One step of a JSON pointer (RFC 6901 §3)."""
    return name.replace("~", "~0").replace("/", "~1")
