"""Notices that are sent until they arrive or are given up: one shape, over each table of them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Generic, Protocol, TypeVar

import msgspec
from sqlalchemy import Table, bindparam, delete, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from remit.authority.oauth.asking.backchannel_notices import Notice
from remit.authority.oidc.logout import LogoutNotice
from remit.kernel.ids import TenantId
from remit.platform.storage.instants import micros
from remit.platform.storage.sql import Scalar, Sql
from remit.platform.storage.tables.backchannel import notice
from remit.platform.storage.tables.sign_ons import logout


class Noticed(Protocol):
    """What a row says beside its body."""

    @property
    def id(self) -> str:
        """Its name within the tenant."""

    @property
    def outcome(self) -> str:
        """`open` until it is settled."""

    @property
    def tries(self) -> int:
        """How often it was sent; what a node saves is told apart by it."""

    @property
    def due(self) -> datetime:
        """When it is sent next."""


N = TypeVar("N", bound=Noticed)


class NoticeTable(Generic[N]):
    """One table of notices, and the statements over it.

    `repeated`: a notice that is there already stays as it is, instead of being an error.
    """

    def __init__(self, table: Table, kind: type[N], *, repeated: bool = False) -> None:
        n, ours, this = table, table.c.tenant == bindparam("ours"), table.c.id == bindparam("this")
        self.decoder = msgspec.json.Decoder(kind)
        self.add = upsert(n).on_conflict_do_nothing() if repeated else upsert(n)
        self.due = (
            select(n.c.body)
            .where(ours, n.c.outcome == "open", n.c.due <= bindparam("now"))
            .order_by(n.c.due)
            .limit(bindparam("count"))
        )
        self.save = (
            update(n)
            .where(ours, this, n.c.tries == bindparam("was"))
            .values({name: bindparam(f"new_{name}") for name in ("outcome", "tries", "due", "body")})
        )
        self.old = (
            select(n.c.id)
            .where(ours, n.c.outcome != "open", n.c.due < bindparam("before"))
            .limit(bindparam("count"))
        )
        self.drop = delete(n).where(ours, this)


ANSWERS: Final = NoticeTable(notice, Notice)
"""Clients to be told that a person has answered."""

LOGOUTS: Final = NoticeTable(logout, LogoutNotice, repeated=True)
"""Clients to be told that a session has ended, each of them once of each end."""


class NoticeRepository(Generic[N]):
    """Notices to one tenant's clients."""

    def __init__(self, table: NoticeTable[N], sql: Sql, tenant: TenantId) -> None:
        self._table = table
        self._sql = sql
        self._tenant = tenant

    def add(self, new: N) -> None:
        """Store a new one."""
        self._sql.run(self._table.add, {"tenant": self._tenant, "id": new.id, **_columns(new)})

    def due(self, at: datetime, limit: int) -> Sequence[N]:
        """Open ones whose time has come, oldest first."""
        rows = self._sql.rows(self._table.due, {"ours": self._tenant, "now": micros(at), "count": limit})
        return [self._table.decoder.decode(row[0]) for row in rows]

    def save(self, tried: N, *, was: int) -> bool:
        """Store what became of a try; False if another node has tried meanwhile. One conditional update."""
        new = {f"new_{name}": value for name, value in _columns(tried).items()}
        values: dict[str, Scalar] = {"ours": self._tenant, "this": tried.id, "was": was, **new}
        return self._sql.run(self._table.save, values) == 1

    def forget(self, before: datetime, limit: int) -> int:
        """Drop what was settled before that moment; how many."""
        asked: dict[str, Scalar] = {"ours": self._tenant, "before": micros(before), "count": limit}
        rows = self._sql.rows(self._table.old, asked)
        self._sql.run_many(self._table.drop, [{"ours": self._tenant, "this": row[0]} for row in rows])
        return len(rows)


def _columns(told: Noticed) -> dict[str, Scalar]:
    return {
        "outcome": told.outcome,
        "tries": told.tries,
        "due": micros(told.due),
        "body": msgspec.json.encode(told).decode(),
    }
