"""A condition as a filter on metadata, as vector stores take it: `$and`, `$or`, `$eq`, `$ne`, `$in`.

What such a filter can't say (a pattern) is left wider; the answer tells whether it is still the condition.
"""

from dataclasses import dataclass

from remit.decision.answer.condition import All, Always, Condition, IdIn, Not, Some, TagIs, TagLike, TagThere
from remit.kernel.canonical import Json, JsonObject

IDENT = "_id"
"""The member that stands for the document's id."""


@dataclass(slots=True)
class Metadata:
    """The filter; empty for every document, None for none. `exact` is false where it is wider."""

    filter: JsonObject | None
    exact: bool = True


def metadata(condition: Condition) -> Metadata:
    """Translate a condition; never narrower than it."""
    found = Metadata(filter={})
    said = _said(condition, found, wanted=True)
    found.filter = {} if said is True else None if said is False else said
    return found


def _said(condition: Condition, found: Metadata, *, wanted: bool) -> JsonObject | bool:  # noqa: PLR0911 — one per kind
    """The filter for a condition or for its opposite; True for every document, False for none."""
    match condition:
        case Always(value):
            return value is wanted
        case Not(part):
            return _said(part, found, wanted=not wanted)
        case All(parts) | Some(parts):
            both = isinstance(condition, All) is wanted
            return _joined([_said(part, found, wanted=wanted) for part in parts], both=both)
        case TagIs(tag, value):
            if wanted:
                return {tag: {"$eq": value}}
            return {"$or": [{tag: {"$exists": False}}, {tag: {"$ne": value}}]}
        case TagThere(tag):
            return {tag: {"$exists": wanted}}
        case TagLike(tag, _):
            found.exact = False
            return {tag: {"$exists": True}} if wanted else True
        case IdIn(ids):
            named: list[Json] = [*sorted(ids)]
            return {IDENT: {"$in" if wanted else "$nin": named}}


def _joined(parts: list[JsonObject | bool], *, both: bool) -> JsonObject | bool:
    if any(part is (not both) for part in parts):
        return not both
    left: list[Json] = [part for part in parts if not isinstance(part, bool)]
    if not left:
        return both
    if len(left) == 1 and isinstance(left[0], dict):
        return left[0]
    return {"$and" if both else "$or": left}
