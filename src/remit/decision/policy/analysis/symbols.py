"""Values that are not known yet: what one request could be, as terms of the solver.

Every value of Cedar's that the schema has is there; sets have as many places as the policies could tell
apart. What has no form here raises `Unanalyzable`, so that nothing is claimed about it.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import z3

from remit.decision.policy.extensions import GREATEST_LONG, LEAST_LONG
from remit.decision.policy.values import Fixed, Moment, Shape, Span, Truth, Uid, Value

Term: TypeAlias = Any
"""A term of the solver, whose own types say no more."""


class Unanalyzable(Exception):
    """A construct about which the analysis makes no claim."""


@dataclass(frozen=True, slots=True)
class Scalar:
    """A value of a plain type: `bool`, `long`, `string`, `decimal`, `datetime`, `duration`."""

    kind: str
    term: Term


@dataclass(frozen=True, slots=True)
class Many:
    """A set: places that may be taken."""

    places: tuple[tuple[Term, "Symbol"], ...]


@dataclass(frozen=True, slots=True)
class Members:
    """A record: members that may be there."""

    each: Mapping[str, tuple[Term, "Symbol"]]


@dataclass(frozen=True, slots=True)
class Someone:
    """An entity: a type, by number, and an id."""

    type: Term
    id: Term


@dataclass(frozen=True, slots=True)
class Nothing:
    """What an expression that always fails would be."""


Symbol: TypeAlias = Scalar | Many | Members | Someone | Nothing
TRUE, FALSE = z3.BoolVal(True), z3.BoolVal(False)  # noqa: FBT003 — the solver's constants
NUMBERS: Final = frozenset({"long", "decimal", "datetime", "duration"})
_EXTENSIONS: Final = {"decimal": "decimal", "datetime": "datetime", "duration": "duration"}


@dataclass(slots=True)
class Names:
    """Numbers for the names of entity types, and what each unknown must satisfy."""

    types: dict[str, int] = field(default_factory=dict)
    limits: list[Term] = field(default_factory=list)

    def type_of(self, name: str) -> Term:
        """The number of a type."""
        return z3.IntVal(self.types.setdefault(name, len(self.types)))

    def unknown(self, kind: str, name: str) -> Scalar:
        """A value that is not known, within the bounds of its type."""
        match kind:
            case "bool":
                return Scalar(kind, z3.Bool(name))
            case "string":
                return Scalar(kind, z3.String(name))
            case _:
                number = z3.Int(name)
                self.limits += [number >= LEAST_LONG, number <= GREATEST_LONG]
                return Scalar(kind, number)

    def of_type(self, shape: Mapping[str, Any], name: str, places: int) -> Symbol:
        """A value that is not known, of a type of the schema's; raises `Unanalyzable`."""
        match shape["type"]:
            case "String":
                return self.unknown("string", name)
            case "Long":
                return self.unknown("long", name)
            case "Boolean":
                return self.unknown("bool", name)
            case "Extension" if shape["name"] in _EXTENSIONS:
                return self.unknown(shape["name"], name)
            case "Set":
                return Many(
                    tuple(
                        (
                            z3.Bool(f"{name}#{place}"),
                            self.of_type(shape["element"], f"{name}[{place}]", places),
                        )
                        for place in range(places)
                    )
                )
            case "Record":
                return Members(
                    {
                        member: (
                            TRUE if inner.get("required", True) else z3.Bool(f"{name}.{member}?"),
                            self.of_type(inner, f"{name}.{member}", places),
                        )
                        for member, inner in shape["attributes"].items()
                    }
                )
            case other:
                raise Unanalyzable(f"a value of type `{other}`")


def words(texts: Iterable[str], of: Term) -> Term:
    """One of these texts."""
    return z3.Or([of == text(each) for each in texts])


def text(value: str) -> Term:
    """A text as the solver takes it, which reads escapes in what it is given."""
    plain = "".join(char if char.isascii() and char.isalnum() else f"\\u{{{ord(char):x}}}" for char in value)
    return z3.StringVal(plain)


_ESCAPE: Final = re.compile(r"\\u\{([0-9a-fA-F]+)\}|\\u([0-9a-fA-F]{4})|\\x([0-9a-fA-F]{2})")


def read_text(term: Term) -> str:
    """The text that the solver found."""
    return _ESCAPE.sub(lambda found: chr(int(found[1] or found[2] or found[3], 16)), term.as_string())


def lift(value: Value | Any) -> Symbol:  # noqa: PLR0911 — one per type
    """A value that is known; raises `Unanalyzable`."""
    match value:
        case Truth(value=flag) | (bool() as flag):
            return Scalar("bool", z3.BoolVal(flag))
        case int():
            return Scalar("long", z3.IntVal(value))
        case str():
            return Scalar("string", text(value))
        case Fixed(units=number):
            return Scalar("decimal", z3.IntVal(number))
        case Moment(millis=number):
            return Scalar("datetime", z3.IntVal(number))
        case Span(millis=number):
            return Scalar("duration", z3.IntVal(number))
        case frozenset():
            return Many(tuple((TRUE, lift(each)) for each in value))
        case dict():
            return Members({name: (TRUE, lift(each)) for name, each in value.items()})
        case Shape(members=members):
            return Members({name: (TRUE, lift(each)) for name, each in members})
        case _:
            raise Unanalyzable(f"a value of type `{type(value).__name__}`")


def same(one: Symbol, other: Symbol) -> Term:
    """Whether two values are equal; those of different types never are."""
    match one, other:
        case Scalar(), Scalar():
            return one.term == other.term if one.kind == other.kind else FALSE
        case Someone(), Someone():
            return z3.And(one.type == other.type, one.id == other.id)
        case Many(), Many():
            return z3.And(includes(one, other), includes(other, one))
        case Members(), Members():
            return z3.And([_same_member(one, other, name) for name in {**one.each, **other.each}])
        case _:
            return FALSE


def _same_member(one: Members, other: Members, name: str) -> Term:
    here, there = one.each.get(name), other.each.get(name)
    if here is None or there is None:
        known = here or there
        return z3.Not(known[0]) if known else TRUE
    return z3.And(here[0] == there[0], z3.Implies(here[0], same(here[1], there[1])))


def holds(many: Many, value: Symbol) -> Term:
    """Whether the set has the value."""
    return z3.Or([z3.And(taken, same(each, value)) for taken, each in many.places])


def includes(many: Many, others: Many) -> Term:
    """Whether the set has every one of the others."""
    return z3.And([z3.Implies(taken, holds(many, each)) for taken, each in others.places])


def meets(many: Many, others: Many) -> Term:
    """Whether the set has any of the others."""
    return z3.Or([z3.And(taken, holds(many, each)) for taken, each in others.places])


def spelled(uid: Uid, names: Names) -> Someone:
    """An entity that is known."""
    return Someone(names.type_of(uid.type), text(uid.id))
