"""Relation tuples: who stands in which relation to what.

Identifiers are compared as they are written, code point by code point, which is byte by byte in UTF-8: no
case folding, no normalization. The rules of form are OpenFGA's (`pkg/tuple`, and the patterns of its API).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from remit.decision.relations.errors import TupleInvalid
from remit.kernel.canonical import Json

WILDCARD: Final = "*"
OBJECT_BYTES: Final = 256
USER_BYTES: Final = 512
RELATION_LENGTH: Final = 50
CONTEXT_BYTES: Final = 32_768

_CONTROL: Final = "\x00-\x1f\x7f-\x9f"
_OBJECT: Final = re.compile(rf"[^:#\s{_CONTROL}]+:[^:#\s{_CONTROL}]+")
_RELATION: Final = re.compile(rf"[^:#@\s{_CONTROL}]+")
_USERSET: Final = re.compile(rf"[^:#\s{_CONTROL}]+:[^:#*\s{_CONTROL}]+#[^:#@*\s{_CONTROL}]+")


class User(NamedTuple):
    """A user taken apart: `user:ana`, `user:*` or `group:eng#member`."""

    type: str
    id: str
    relation: str

    @property
    def wildcard(self) -> bool:
        """Whether it is everyone of its type."""
        return self.id == WILDCARD and not self.relation


@dataclass(frozen=True, slots=True, kw_only=True)
class TupleCondition:
    """The condition that a tuple holds under, with what is already known of its parameters."""

    name: str
    context: Mapping[str, Json] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RelationTuple:
    """`user` is related to `object` by `relation`, if `condition` holds. The first three are its key."""

    user: str
    relation: str
    object: str
    condition: TupleCondition | None = None

    def __str__(self) -> str:
        return f"{self.object}#{self.relation}@{self.user}"

    @property
    def key(self) -> tuple[str, str, str]:
        """Object, relation and user: what is unique in a store."""
        return (self.object, self.relation, self.user)


def split_object(text: str) -> tuple[str, str]:
    """Type and id of a well-formed object."""
    kind, _, ident = text.partition(":")
    return kind, ident


def split_user(text: str) -> User:
    """A well-formed user taken apart."""
    whole, _, relation = text.partition("#")
    kind, ident = split_object(whole)
    return User(kind, ident, relation)


def is_object(text: str) -> bool:
    """Whether it has the form `type:id`; `type:*` has it too."""
    return _OBJECT.fullmatch(text) is not None


def is_userset(text: str) -> bool:
    """Whether it has the form `type:id#relation`."""
    return _USERSET.fullmatch(text) is not None


def is_relation(text: str) -> bool:
    """Whether it can be the name of a relation."""
    return len(text) <= RELATION_LENGTH and _RELATION.fullmatch(text) is not None


def is_user(text: str) -> bool:
    """Whether it has the form of a user: an object, everyone of a type, or a userset."""
    return is_object(text) or is_userset(text)


def parse_tuple(text: str) -> RelationTuple:
    """`order:8812#owner@user:ana` as a tuple; raises `TupleInvalid`."""
    thing, hash_, rest = text.partition("#")
    relation, at, user = rest.partition("@")
    if not hash_ or not at:
        raise TupleInvalid(f"tuple `{text}` has not the form `type:id#relation@user`")
    found = RelationTuple(user=user, relation=relation, object=thing)
    if fault := malformed(found):
        raise TupleInvalid(f"tuple `{text}`: {fault}")
    return found


def malformed(found: RelationTuple) -> str:
    """What is wrong with the form of a tuple, whatever the model; empty if nothing is."""
    if not is_user(found.user) or len(found.user.encode()) > USER_BYTES:
        return (
            f"user `{found.user[:80]}` is no object, userset or typed wildcard of at most {USER_BYTES} bytes"
        )
    if not is_object(found.object) or len(found.object.encode()) > OBJECT_BYTES:
        return f"object `{found.object[:80]}` has not the form `type:id`, of at most {OBJECT_BYTES} bytes"
    if split_object(found.object)[1] == WILDCARD:
        return f"object `{found.object}` is a wildcard; a tuple is about one object"
    if not is_relation(found.relation):
        return f"relation `{found.relation[:80]}` is not a name of at most {RELATION_LENGTH} characters"
    return ""
