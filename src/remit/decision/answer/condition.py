"""A condition on documents: what a store can search by, so that it need not fetch what nobody may read.

Two-valued: a tag that is not there equals nothing and is like nothing. A condition gives nobody anything;
what is found by it is filtered before it is given.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias, assert_never

from remit.kernel.canonical import Json, JsonObject


@dataclass(frozen=True, slots=True)
class Always:
    """Every document, or none."""

    value: bool


@dataclass(frozen=True, slots=True)
class All:
    """What meets every part."""

    parts: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True)
class Some:
    """What meets at least one part."""

    parts: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True)
class Not:
    """What does not meet the part."""

    part: "Condition"


@dataclass(frozen=True, slots=True)
class TagIs:
    """A tag with exactly this value."""

    tag: str
    value: str


@dataclass(frozen=True, slots=True)
class TagThere:
    """A tag with any value."""

    tag: str


@dataclass(frozen=True, slots=True)
class TagLike:
    """A tag whose value is these pieces, in this order, with any text between them."""

    tag: str
    pieces: tuple[str, ...]
    """The first begins the value and the last ends it; two at least."""


@dataclass(frozen=True, slots=True)
class IdIn:
    """One of these documents."""

    ids: frozenset[str]


Condition: TypeAlias = Always | All | Some | Not | TagIs | TagThere | TagLike | IdIn
EVERY: Final = Always(value=True)
NONE: Final = Always(value=False)


def all_of(parts: Iterable[Condition]) -> Condition:
    """Every part, in the plainest form."""
    found: dict[Condition, None] = {}
    for part in parts:
        if part == NONE:
            return NONE
        inner = part.parts if isinstance(part, All) else () if part == EVERY else (part,)
        found |= dict.fromkeys(inner)
    kept = tuple(found)
    if any(Not(part) in found for part in kept):
        return NONE
    return EVERY if not kept else kept[0] if len(kept) == 1 else All(kept)


def some_of(parts: Iterable[Condition]) -> Condition:
    """At least one part, in the plainest form."""
    found: dict[Condition, None] = {}
    for part in parts:
        if part == EVERY:
            return EVERY
        inner = part.parts if isinstance(part, Some) else () if part == NONE else (part,)
        found |= dict.fromkeys(inner)
    kept = tuple(found)
    if any(Not(part) in found for part in kept):
        return EVERY
    return NONE if not kept else kept[0] if len(kept) == 1 else Some(kept)


def negation(part: Condition) -> Condition:
    """The opposite, in the plainest form."""
    if isinstance(part, Always):
        return Always(value=not part.value)
    return part.part if isinstance(part, Not) else Not(part)


def meets(condition: Condition, ident: str, tags: Mapping[str, str]) -> bool:  # noqa: PLR0911 — one per kind
    """Whether a document meets a condition: the measure that every translation is held to."""
    match condition:
        case Always(value):
            return value
        case All(parts):
            return all(meets(part, ident, tags) for part in parts)
        case Some(parts):
            return any(meets(part, ident, tags) for part in parts)
        case Not(part):
            return not meets(part, ident, tags)
        case TagIs(tag, value):
            return tags.get(tag) == value
        case TagThere(tag):
            return tag in tags
        case TagLike(tag, pieces):
            return tag in tags and _like(tags[tag], pieces)
        case IdIn(ids):
            return ident in ids
        case unreachable:
            assert_never(unreachable)


def size(condition: Condition) -> int:
    """How many parts it has, ids counted."""
    match condition:
        case All(parts) | Some(parts):
            return 1 + sum(map(size, parts))
        case Not(part):
            return 1 + size(part)
        case IdIn(ids):
            return 1 + len(ids)
        case _:
            return 1


def to_json(condition: Condition) -> Json:  # noqa: PLR0911 — one per kind
    """As the API tells it: `true`, `{"all": […]}`, `{"tag": "project", "is": "Phoenix"}`, …"""
    match condition:
        case Always(value):
            return value
        case All(parts):
            return {"all": [to_json(part) for part in parts]}
        case Some(parts):
            return {"any": [to_json(part) for part in parts]}
        case Not(part):
            return {"not": to_json(part)}
        case TagIs(tag, value):
            return {"tag": tag, "is": value}
        case TagThere(tag):
            return {"tag": tag, "there": True}
        case TagLike(tag, pieces):
            between: JsonObject = {"tag": tag, "like": [*pieces]}
            return between
        case IdIn(ids):
            return {"id": [*sorted(ids)]}
        case unreachable:
            assert_never(unreachable)


def _like(text: str, pieces: tuple[str, ...]) -> bool:
    first, *middle, last = pieces
    if len(text) < len(first) + len(last) or not (text.startswith(first) and text.endswith(last)):
        return False
    at, end = len(first), len(text) - len(last)
    for piece in middle:
        place = text.find(piece, at, end)
        if place < 0:
            return False
        at = place + len(piece)
    return True
