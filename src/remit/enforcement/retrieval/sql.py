"""A condition as a `WHERE` of SQL, every value a bound parameter.

For a table of documents with a column of ids, and a table of tags with one row per document, name and value.
A pattern with something in its middle is left wider, as `LIKE` forgets case in some stores; the answer says
so. Either side of a negation keeps to that: what is found is never less than the condition.
"""

from dataclasses import dataclass, field
from typing import assert_never

from remit.decision.answer.condition import All, Always, Condition, IdIn, Not, Some, TagIs, TagLike, TagThere


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Names of columns as the store has them; they are the operator's, never a caller's."""

    ident: str = "document.id"
    tags: str = "document_tag"
    owner: str = "document"
    name: str = "name"
    value: str = "value"


@dataclass(slots=True)
class Where:
    """A condition for `WHERE`, with named parameters `:p0`, `:p1`, …; `exact` is false where it is wider."""

    text: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
    exact: bool = True

    def bind(self, value: str) -> str:
        """The place of a value."""
        name = f"p{len(self.parameters)}"
        self.parameters[name] = value
        return f":{name}"


def where(condition: Condition, layout: Layout | None = None) -> Where:
    """Translate a condition; never narrower than it."""
    found = Where()
    found.text = _text(condition, found, layout or Layout(), wanted=True)
    return found


def _text(condition: Condition, found: Where, layout: Layout, *, wanted: bool) -> str:  # noqa: PLR0911 — one per kind
    match condition:
        case Always(value):
            return "1 = 1" if value is wanted else "1 = 0"
        case Not(part):
            return _text(part, found, layout, wanted=not wanted)
        case All(parts) | Some(parts):
            word = " AND " if isinstance(condition, All) is wanted else " OR "
            return word.join(f"({_text(part, found, layout, wanted=wanted)})" for part in parts)
        case TagIs(tag, value):
            return _tag(tag, found, layout, f" AND t.{layout.value} = {found.bind(value)}", wanted=wanted)
        case TagThere(tag):
            return _tag(tag, found, layout, "", wanted=wanted)
        case TagLike(tag, pieces):
            if any(pieces[1:-1]):
                found.exact = False
                if not wanted:
                    return "1 = 1"
            return _tag(tag, found, layout, _ends(pieces, found, layout), wanted=wanted)
        case IdIn(ids):
            places = ", ".join(found.bind(each) for each in sorted(ids))
            return f"{layout.ident} {'IN' if wanted else 'NOT IN'} ({places})"
        case unreachable:
            assert_never(unreachable)


def _ends(pieces: tuple[str, ...], found: Where, layout: Layout) -> str:
    """What the value begins and ends with, exactly."""
    column, first, last = f"t.{layout.value}", found.bind(pieces[0]), found.bind(pieces[-1])
    return (
        f" AND length({column}) >= length({first}) + length({last})"
        f" AND substr({column}, 1, length({first})) = {first}"
        f" AND substr({column}, length({column}) - length({last}) + 1) = {last}"
    )


def _tag(tag: str, found: Where, layout: Layout, more: str, *, wanted: bool) -> str:
    name = found.bind(tag)
    # SAFETY: every name is the operator's layout; whatever a policy or a document says is bound.
    rows = f"SELECT 1 FROM {layout.tags} t WHERE t.{layout.owner} = {layout.ident}"  # noqa: S608 — as said
    return f"{'' if wanted else 'NOT '}EXISTS ({rows} AND t.{layout.name} = {name}{more})"
