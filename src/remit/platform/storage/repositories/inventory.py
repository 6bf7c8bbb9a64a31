"""The directory as a shelf over SQL: lists come out of covering indexes, and bodies of one page are read."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import BigInteger, ColumnElement, Select, Text, and_, bindparam, func, or_, select

from remit.identity.inventory import FACETS, Facet, Place, Shelved, Sort, Tally, Wanted
from remit.identity.principals import Kind, Principal
from remit.kernel.ids import PrincipalId, TenantId
from remit.platform.storage.instants import moment
from remit.platform.storage.sql import Row, Scalar, Sql
from remit.platform.storage.tables.decision import decision as d
from remit.platform.storage.tables.identity import principal as p

_PRINCIPAL: Final = msgspec.json.Decoder(Principal)
_owner = p.alias("owner")
_blueprint = p.alias("made_from")
_inner = p.alias("shelf")


def _any(name: str, column: ColumnElement[Any]) -> ColumnElement[bool]:
    return or_(bindparam(f"any_{name}", type_=BigInteger) == 1, column == bindparam(f"this_{name}"))


def _wanted(table: Any) -> list[ColumnElement[bool]]:
    """What narrows; all of it stands in the index, so that what is left out costs no row."""
    return [
        table.c.tenant == bindparam("tenant"),
        table.c.kind == bindparam("this_kind"),
        _any("state", table.c.state),
        _any("owner", table.c.owner),
        _any("blueprint", table.c.blueprint),
        _any("environment", table.c.environment),
        or_(
            bindparam("any_text", type_=BigInteger) == 1,
            func.lower(table.c.name).like(bindparam("pattern"), escape="\\"),
            table.c.id == bindparam("this_text"),
        ),
    ]


def _behind(column: ColumnElement[Any], ident: ColumnElement[Any], *, backwards: bool) -> ColumnElement[bool]:
    """What comes behind a place; the first condition is the one that an index seeks by."""
    value, last = bindparam("value", type_=column.type), bindparam("last", type_=Text)
    if backwards:
        return and_(column <= value, or_(column < value, ident < last))
    return and_(column >= value, or_(column > value, ident > last))


_LAST = (
    select(d.c.at)
    .where(d.c.tenant == p.c.tenant, d.c.agent == p.c.id)
    .order_by(d.c.id.desc())
    .limit(1)
    .scalar_subquery()
)
_COLUMNS: Final = {Sort.NAME: "name", Sort.CHANGED: "changed_at", Sort.ENTERED: "id"}


def _page(sort: Sort, *, backwards: bool, first: bool) -> Select[Any]:
    column, ident = _inner.c[_COLUMNS[sort]], _inner.c.id
    order = [each.desc() if backwards else each for each in (column, ident)]
    conditions = _wanted(_inner) + ([] if first else [_behind(column, ident, backwards=backwards)])
    ids = select(ident).where(*conditions).order_by(*order).limit(bindparam("count")).subquery()
    named = p.c[_COLUMNS[sort]]
    return (
        select(p.c.body, _owner.c.name, _blueprint.c.name, _LAST)
        .select_from(
            p.join(ids, p.c.id == ids.c.id)
            .outerjoin(_owner, and_(_owner.c.tenant == p.c.tenant, _owner.c.id == p.c.owner))
            .outerjoin(_blueprint, and_(_blueprint.c.tenant == p.c.tenant, _blueprint.c.id == p.c.blueprint))
        )
        .where(p.c.tenant == bindparam("tenant"))
        .order_by(*[each.desc() if backwards else each for each in (named, p.c.id)])
    )


_PAGES: Final = {
    (sort, backwards, first): _page(sort, backwards=backwards, first=first)
    for sort in Sort
    for backwards in (False, True)
    for first in (False, True)
}
_FIELDS: Final = ("state", "environment", "owner", "blueprint")
_TALLY = (
    select(*[_inner.c[field] for field in _FIELDS], func.count())
    .where(*_wanted(_inner))
    .group_by(*[_inner.c[field] for field in _FIELDS])
)
_NAME = select(p.c.name).where(p.c.tenant == bindparam("tenant"), p.c.id == bindparam("this"))
_BEGINNING = {
    kind: select(p.c.body)
    .where(
        p.c.tenant == bindparam("tenant"),
        p.c.kind == kind.value,
        p.c.name >= bindparam("least"),
        p.c.name < bindparam("beyond"),
        p.c.state != "retired",
        _any("owner", p.c.owner),
    )
    .order_by(p.c.name)
    .limit(bindparam("count"))
    for kind in Kind
}


class ShelfRepository:
    """The directory of one tenant as a shelf."""

    def __init__(self, sql: Sql, tenant: TenantId) -> None:
        self._sql = sql
        self._tenant = tenant

    def page(
        self, wanted: Wanted, *, sort: Sort, backwards: bool, after: Place | None, limit: int
    ) -> Sequence[Shelved]:
        """Entries in order, from behind a place on."""
        values = {**self._values(wanted), "count": limit}
        if after is not None:
            values |= {
                "value": int(after.value) if sort is Sort.CHANGED else after.value,
                "last": after.ident,
            }
        rows = self._sql.rows(_PAGES[(sort, backwards, after is None)], values)
        return [_shelved(row) for row in rows]

    def tally(self, wanted: Wanted) -> Tally:
        """How many there are, and of which values: one walk over the index."""
        rows = self._sql.rows(_TALLY, self._values(wanted))
        counters: tuple[Counter[str], ...] = tuple(Counter() for _ in _FIELDS)
        for row in rows:
            for counter, value in zip(counters, row[:-1], strict=True):
                counter[value] += int(row[-1])
        return Tally(
            count=sum(int(row[-1]) for row in rows),
            facets=tuple(
                Facet(field=field, value=value, name=self._name(field, value), count=count)
                for field, counter in zip(_FIELDS, counters, strict=True)
                for value, count in counter.most_common(FACETS)
                if value
            ),
        )

    def beginning(self, text: str, *, owner: PrincipalId | None, limit: int) -> Sequence[Principal]:
        """Living entries of any kind whose name begins so: one seek in the index of names for each kind."""
        values: dict[str, Scalar] = {
            "tenant": self._tenant,
            "least": text,
            "beyond": text + "\U0010ffff",
            "any_owner": int(owner is None),
            "this_owner": owner or "",
            "count": limit,
        }
        return [
            _PRINCIPAL.decode(row[0]) for kind in Kind for row in self._sql.rows(_BEGINNING[kind], values)
        ]

    def _name(self, field: str, value: str) -> str:
        if field not in {"owner", "blueprint"}:
            return value
        row = self._sql.row(_NAME, {"tenant": self._tenant, "this": value})
        return value if row is None else str(row[0])

    def _values(self, wanted: Wanted) -> dict[str, Scalar]:
        narrowing = {
            "state": wanted.state,
            "owner": wanted.owner,
            "blueprint": wanted.blueprint,
            "environment": wanted.environment,
        }
        values: dict[str, Scalar] = {
            "tenant": self._tenant,
            "this_kind": wanted.kind,
            "any_text": int(not wanted.text),
            "this_text": wanted.text,
            "pattern": f"%{_escaped(wanted.text.lower())}%",
        }
        for name, chosen in narrowing.items():
            values |= {f"any_{name}": int(not chosen), f"this_{name}": chosen or ""}
        return values


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _shelved(row: Row) -> Shelved:
    return Shelved(
        entry=_PRINCIPAL.decode(row[0]),
        owner_name=row[1] or "",
        blueprint_name=row[2] or "",
        last_decided=None if row[3] is None else moment(row[3]),
    )
