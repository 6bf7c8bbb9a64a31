"""Cedar's values as the compiled policies hold them: typed, immutable by use, comparable without surprises.

Cedar has no conversions: `true` is not `1`, and a set of `1` is not a set of `true`. Python thinks otherwise,
so equality goes through `equal`, and members of sets through `key`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias


class EvaluationFailed(Exception):
    """An expression has no value; the policy that holds it is in error, and an error denies (PD-03)."""


class Uid(NamedTuple):
    """Type and id of an entity. No other value is a tuple, so equality can't confuse it with one."""

    type: str
    id: str


@dataclass(frozen=True, slots=True)
class Fixed:
    """Cedar `decimal`: ten-thousandths."""

    units: int


@dataclass(frozen=True, slots=True)
class Moment:
    """Cedar `datetime`: milliseconds since 1970-01-01T00:00:00Z."""

    millis: int


@dataclass(frozen=True, slots=True)
class Span:
    """Cedar `duration`: milliseconds."""

    millis: int


@dataclass(frozen=True, slots=True)
class Net:
    """Cedar `ipaddr`: an address, with the length of its prefix. The bits behind the prefix are kept."""

    bits: int
    prefix: int
    width: int
    """32 or 128."""


@dataclass(frozen=True, slots=True)
class Truth:
    """A boolean as a member of a set: Python would take it for a number."""

    value: bool


@dataclass(frozen=True, slots=True)
class Shape:
    """A record as a member of a set."""

    members: frozenset[tuple[str, "Key"]]


Key: TypeAlias = int | str | Uid | Fixed | Moment | Span | Net | Truth | Shape | frozenset["Key"]
"""A value in the form in which Python's equality is Cedar's."""
Value: TypeAlias = (
    bool | int | str | Uid | Fixed | Moment | Span | Net | frozenset["Key"] | dict[str, "Value"]
)
"""A set is a `frozenset` of keys; a record is a `dict`, which nobody writes to."""

TRUE: Final = Truth(value=True)
FALSE: Final = Truth(value=False)


def key(value: Value) -> Key:
    """The form of a value in which Python's equality is Cedar's."""
    if value is True:
        return TRUE
    if value is False:
        return FALSE
    if isinstance(value, dict):
        return Shape(frozenset([(name, key(member)) for name, member in value.items()]))
    return value


def equal(one: Value, other: Value) -> bool:
    """Cedar's `==`: never an error, and false between types."""
    if type(one) is not type(other):
        return False
    return key(one) == key(other) if type(one) is dict else one == other


NOTHING: Final[dict[str, Value]] = {}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Entity:
    """What is known of an entity; one that is not known has no attributes, no tags and no ancestors."""

    uid: Uid
    attributes: dict[str, Value] = field(default_factory=dict)
    tags: dict[str, Value] = field(default_factory=dict)
    ancestors: frozenset[Uid] = frozenset()
    """All of them, not only the parents; without the entity itself."""


Entities: TypeAlias = Mapping[Uid, Entity]
