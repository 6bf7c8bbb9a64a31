"""What may be asked about relations, and how answers look."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, TypeAlias

from remit.decision.relations.errors import RelationError
from remit.decision.relations.tuples import RelationTuple
from remit.kernel.canonical import Json

DEPTH: Final = 24
"""Hops: OpenFGA's limit of 25 counts the object that is asked about, too."""
STEPS: Final = 8_000
LISTED: Final = 1_000
CONTEXTUAL: Final = 100
BATCH: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How far one question is followed. No clock: a deadline is turned into steps by whoever has one.

    `depth` counts hops from tuple to tuple that a yes may need; `steps` counts tuples looked at, or nodes
    visited; `listed` is the length of a list.
    """

    depth: int = DEPTH
    steps: int = STEPS
    listed: int = LISTED


LIST_BOUNDS: Final = Bounds(steps=500_000)
"""What a list may cost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a request brings along: tuples that hold for it alone, and values for the conditions."""

    contextual: tuple[RelationTuple, ...] = ()
    context: Mapping[str, Json] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRequest:
    """Is `user` (an object, a userset or everyone of a type) related to `object` by `relation`?"""

    user: str
    relation: str
    object: str
    given: Given = field(default_factory=Given)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpandRequest:
    """Through what does a relation of an object come about?"""

    relation: str
    object: str
    given: Given = field(default_factory=Given)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListObjectsRequest:
    """To which objects of a type is the user related?"""

    user: str
    relation: str
    type: str
    given: Given = field(default_factory=Given)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListUsersRequest:
    """Which users of a type, or usersets `type#user_relation`, are related to the object?"""

    object: str
    relation: str
    user_type: str
    user_relation: str = ""
    given: Given = field(default_factory=Given)


class Cause(StrEnum):
    """Why an answer is incomplete."""

    DEPTH = "depth"
    STEPS = "steps"
    CONDITION = "condition"
    NEGATION = "negation"
    """The relation depends on its own absence: no answer is right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One link of the chain that makes a yes: `user` has `relation` to `object`, by a tuple or implied."""

    user: str
    relation: str
    object: str
    tuple: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Whether the relation holds.

    INVARIANT: `allowed` is false whenever `complete` is: what could not be followed to the end is denied.
    `failure` says what a caller may be told of an incomplete answer; `resolution` is filled by `trace` alone.
    """

    allowed: bool
    complete: bool = True
    cause: Cause | None = None
    failure: RelationError | None = field(default=None, compare=False)
    resolution: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Objects or users, sorted; `check` says yes to each. `complete` is false if some may lack."""

    items: tuple[str, ...]
    complete: bool = True
    more: bool = False
    """Whether a page is followed by another; of a list that is asked for whole, never."""
    failure: RelationError | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Users:
    """A leaf of an expansion: those that tuples name."""

    name: str
    users: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Computed:
    """A leaf of an expansion: whoever has another relation, as `object#relation`."""

    name: str
    userset: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Through:
    """A leaf of an expansion: whoever has a relation to the objects that `tupleset` names."""

    name: str
    tupleset: str
    computed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyOf:
    """A union in an expansion."""

    name: str
    nodes: "tuple[Expansion, ...]"


@dataclass(frozen=True, slots=True, kw_only=True)
class AllOf:
    """An intersection in an expansion."""

    name: str
    nodes: "tuple[Expansion, ...]"


@dataclass(frozen=True, slots=True, kw_only=True)
class ButNot:
    """A difference in an expansion."""

    name: str
    base: "Expansion"
    subtract: "Expansion"


Expansion: TypeAlias = Users | Computed | Through | AnyOf | AllOf | ButNot
"""The tree that Expand answers with: one relation, taken apart once; `name` is `object#relation`."""
