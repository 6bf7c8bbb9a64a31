"""An authorization model: types, their relations, and how each relation comes about.

OpenFGA's modelling language, schema version 1.1. These are the words of the model as written; whether they
make sense together is judged by `typesystem`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

SCHEMA_VERSION: Final = "1.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class This:
    """Related directly, by a tuple: `[user, group#member]` in the DSL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ComputedUserset:
    """Related because related by another relation of the same object: `editor`."""

    relation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TupleToUserset:
    """Related through another object: `viewer from parent` (`computed` from `tupleset`)."""

    tupleset: str
    computed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Union:
    """Related if any child says so: `a or b`."""

    children: "tuple[Rewrite, ...]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Intersection:
    """Related if every child says so: `a and b`."""

    children: "tuple[Rewrite, ...]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Related if the base says so and the subtrahend does not: `a but not b`."""

    base: "Rewrite"
    subtract: "Rewrite"


Rewrite: TypeAlias = This | ComputedUserset | TupleToUserset | Union | Intersection | Difference


@dataclass(frozen=True, slots=True, kw_only=True)
class UserType:
    """What a tuple of a relation may name as its user.

    `user` is an object, `group#member` (`relation`) a userset, `user:*` (`wildcard`) everyone of the type;
    `condition`, if not empty, is one that the tuple must carry.
    """

    type: str
    relation: str = ""
    wildcard: bool = False
    condition: str = ""

    def __str__(self) -> str:
        shape = (
            f"{self.type}:*"
            if self.wildcard
            else f"{self.type}#{self.relation}"
            if self.relation
            else self.type
        )
        return f"{shape} with {self.condition}" if self.condition else shape


@dataclass(frozen=True, slots=True, kw_only=True)
class RelationDefinition:
    """One relation of a type; `user_types` restricts its direct tuples."""

    name: str
    rewrite: Rewrite
    user_types: tuple[UserType, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TypeDefinition:
    """One type of object, with its relations in the order of the text."""

    name: str
    relations: tuple[RelationDefinition, ...] = ()


class ParameterKind(StrEnum):
    """The types of condition parameters; OpenFGA's JSON calls them `TYPE_NAME_INT` and so on."""

    ANY = "any"
    BOOL = "bool"
    STRING = "string"
    INT = "int"
    UINT = "uint"
    DOUBLE = "double"
    DURATION = "duration"
    TIMESTAMP = "timestamp"
    MAP = "map"
    LIST = "list"
    IPADDRESS = "ipaddress"

    @property
    def generic(self) -> bool:
        """Whether it holds values of another type: `list<string>`, `map<int>`."""
        return self in {ParameterKind.LIST, ParameterKind.MAP}


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterType:
    """The type of a parameter; `of` is what a list or a map holds."""

    kind: ParameterKind
    of: "ParameterType | None" = None

    def __str__(self) -> str:
        return f"{self.kind}<{self.of}>" if self.of else str(self.kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A named parameter of a condition."""

    name: str
    type: ParameterType


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionDefinition:
    """A named CEL expression over its parameters; its result is a bool."""

    name: str
    parameters: tuple[Parameter, ...]
    expression: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationModel:
    """A whole model as written; its id and its store are known to whoever keeps it."""

    types: tuple[TypeDefinition, ...]
    conditions: tuple[ConditionDefinition, ...] = ()
    schema_version: str = SCHEMA_VERSION


def parts(rewrite: Rewrite) -> Iterator[Rewrite]:
    """A rewrite and all that it is made of; iterative, so its nesting is no limit."""
    stack: list[Rewrite] = [rewrite]
    while stack:
        part = stack.pop()
        yield part
        if isinstance(part, Union | Intersection):
            stack.extend(reversed(part.children))
        elif isinstance(part, Difference):
            stack.extend((part.subtract, part.base))
