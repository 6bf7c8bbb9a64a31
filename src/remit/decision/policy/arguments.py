"""A tool's arguments as the compiled policies see them; `shapes.project` is the same in Cedar's JSON form."""

from collections.abc import Mapping
from functools import lru_cache

from remit.decision.policy.extensions import decimal
from remit.decision.policy.schema import tool_shape
from remit.decision.policy.shapes import (
    Fields,
    Flag,
    Fraction,
    Member,
    SetOf,
    Shape,
    Text,
    Whole,
    decimal_text,
    is_whole,
    misfit,
    step,
)
from remit.decision.policy.values import Value, key
from remit.identity.tools import Tool
from remit.kernel.canonical import Digest, Json

_OF_ITEMS = ("uri", "name")


def argument_values(
    tool: Tool | None, given: Mapping[str, Json], named: frozenset[str] | None
) -> dict[str, Value]:
    """The declared arguments that some policy names; raises `shapes.Misfit` for a value of another type."""
    if tool is None:
        return {name: spoken(value) for name in _OF_ITEMS if isinstance(value := given.get(name), str)}
    members = _shown(tool.digest, tool.definition, named)
    return _record(members, given, named, "") if members else {}


def spoken(text: str) -> str:
    """The text, if UTF-8 can write it: half a surrogate pair raises `UnicodeEncodeError`."""
    if not text.isascii():
        text.encode()
    return text


@lru_cache(maxsize=4096)
def _shown(digest: Digest, definition: str, named: frozenset[str] | None) -> tuple[Member, ...]:
    members = tool_shape(digest, definition).members
    return tuple(member for member in members if named is None or member.name in named)


def _record(
    members: tuple[Member, ...], given: Mapping[str, Json], named: frozenset[str] | None, at: str
) -> dict[str, Value]:
    shown: dict[str, Value] = {}
    for member in members:
        value = given.get(member.name)
        if value is not None and (named is None or member.name in named):
            shown[member.name] = _value(member.shape, value, named, f"{at}/{step(member.name)}")
    return shown


def _value(shape: Shape, value: Json, named: frozenset[str] | None, at: str) -> Value:
    match shape:
        case Text() if isinstance(value, str):
            return spoken(value)
        case Flag() if isinstance(value, bool):
            return value
        case Whole() if isinstance(value, int | float) and is_whole(value):
            return int(value)
        case Fraction() if (text := decimal_text(value)) is not None:
            return decimal(text)
        case SetOf(member=member) if isinstance(value, list):
            each = [_value(member, inner, named, f"{at}/{index}") for index, inner in enumerate(value)]
            return frozenset([key(inner) for inner in each])
        case Fields(members=members) if isinstance(value, dict):
            return _record(members, value, named, at)
        case _:
            raise misfit(shape, at)
