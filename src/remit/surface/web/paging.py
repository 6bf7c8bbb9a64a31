"""Lists by key: a page names the last thing seen, so that no list skips, repeats or scans (DS-09)."""

from collections.abc import Callable, Sequence
from typing import Annotated, Final, Generic, TypeVar

import msgspec

T = TypeVar("T")
S = TypeVar("S")

MAX_PAGE: Final = 200
DEFAULT_PAGE: Final = 50
IDENT: Final = r"^[A-Za-z0-9][A-Za-z0-9._:@-]{0,127}$"

Limit = Annotated[int, msgspec.Meta(ge=1, le=MAX_PAGE, description="items per page")]
Cursor = Annotated[
    str,
    msgspec.Meta(
        max_length=128,
        pattern=r"^([A-Za-z0-9][A-Za-z0-9._:@-]{0,127})?$",
        description="`next` of the last page",
    ),
]


class PageQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which page of a list."""

    limit: Limit = DEFAULT_PAGE
    cursor: Cursor = ""


class Page(msgspec.Struct, Generic[T], frozen=True, kw_only=True, omit_defaults=True):
    """One page; `next` is absent on the last one."""

    items: list[T]
    next: str = ""


def page_of(
    found: Sequence[S],
    *,
    limit: int,
    key: Callable[[S], str],
    view: Callable[[S], T],
    full_is_more: bool = False,
) -> Page[T]:
    """Make a page out of `limit + 1` items that were asked for.

    With `full_is_more`, `limit` were asked for (more than 200 can't be) and a full page has a next one.
    """
    shown = found[:limit]
    more = len(found) > limit or (full_is_more and len(found) == limit)
    return Page(items=[view(each) for each in shown], next=key(shown[-1]) if more and shown else "")
