"""Clients to be told that a person has answered, over SQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from remit.authority.oauth.backchannel_notices import Notice
from remit.kernel.ids import TenantId
from remit.platform.storage.instants import micros
from remit.platform.storage.sql import Scalar, Sql
from remit.platform.storage.tables.backchannel import notice as n

_NOTICE: Final = msgspec.json.Decoder(Notice)
_ADD = upsert(n)
_DUE = (
    select(n.c.body)
    .where(n.c.tenant == bindparam("ours"), n.c.outcome == "open", n.c.due <= bindparam("now"))
    .order_by(n.c.due)
    .limit(bindparam("count"))
)
_SAVE = (
    update(n)
    .where(n.c.tenant == bindparam("ours"), n.c.id == bindparam("this"), n.c.tries == bindparam("was"))
    .values(
        outcome=bindparam("new_outcome"),
        tries=bindparam("new_tries"),
        due=bindparam("new_due"),
        body=bindparam("new_body"),
    )
)
_OLD = (
    select(n.c.id)
    .where(n.c.tenant == bindparam("ours"), n.c.outcome != "open", n.c.due < bindparam("before"))
    .limit(bindparam("count"))
)
_DROP = delete(n).where(n.c.tenant == bindparam("ours"), n.c.id == bindparam("this"))


class NoticeRepository:
    """Notices to one tenant's clients."""

    def __init__(self, sql: Sql, tenant: TenantId) -> None:
        self._sql = sql
        self._tenant = tenant

    def add(self, notice: Notice) -> None:
        """Store a new one."""
        values: dict[str, Scalar] = {
            "tenant": self._tenant,
            "id": notice.id,
            "outcome": notice.outcome,
            "tries": notice.tries,
            "due": micros(notice.due),
            "body": _text(notice),
        }
        self._sql.run(_ADD, values)

    def due(self, at: datetime, limit: int) -> Sequence[Notice]:
        """Open ones whose time has come, oldest first."""
        rows = self._sql.rows(_DUE, {"ours": self._tenant, "now": micros(at), "count": limit})
        return [_NOTICE.decode(row[0]) for row in rows]

    def save(self, notice: Notice, *, was: int) -> bool:
        """Store what became of a try; False if another node has tried meanwhile. One conditional update."""
        values: dict[str, Scalar] = {
            "ours": self._tenant,
            "this": notice.id,
            "was": was,
            "new_outcome": notice.outcome,
            "new_tries": notice.tries,
            "new_due": micros(notice.due),
            "new_body": _text(notice),
        }
        return self._sql.run(_SAVE, values) == 1

    def forget(self, before: datetime, limit: int) -> int:
        """Drop what ended before that moment; how many."""
        rows = self._sql.rows(_OLD, {"ours": self._tenant, "before": micros(before), "count": limit})
        self._sql.run_many(_DROP, [{"ours": self._tenant, "this": row[0]} for row in rows])
        return len(rows)


def _text(body: Notice) -> str:
    return msgspec.json.encode(body).decode()
