"""Places in status lists over SQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import bindparam, delete, select
from sqlalchemy.dialects.postgresql import insert as upsert

from remit.authority.oauth.tokens.status_list import StatusEntry
from remit.kernel.ids import TenantId
from remit.platform.storage.instants import micros
from remit.platform.storage.sql import Scalar, Sql
from remit.platform.storage.tables.clients import status as t

_BODY: Final = msgspec.json.Decoder(StatusEntry)
_TAKE = upsert(t).on_conflict_do_nothing()
_OF = (
    select(t.c.body).where(t.c.tenant == bindparam("tenant"), t.c.list == bindparam("this")).order_by(t.c.idx)
)
_OVER = (
    select(t.c.list, t.c.idx)
    .where(t.c.tenant == bindparam("tenant"), t.c.expires_at < bindparam("before"))
    .order_by(t.c.expires_at)
    .limit(bindparam("count"))
)
_DROP = delete(t).where(
    t.c.tenant == bindparam("tenant"), t.c.list == bindparam("this"), t.c.idx == bindparam("place")
)


class StatusRepository:
    """Places of one tenant's tokens."""

    def __init__(self, sql: Sql, tenant: TenantId) -> None:
        self._sql = sql
        self._tenant = tenant

    def take(self, entry: StatusEntry) -> bool:
        """Take a place; False if it is another's."""
        values: dict[str, Scalar] = {
            "tenant": self._tenant,
            "list": entry.list,
            "idx": entry.idx,
            "expires_at": micros(entry.expires_at),
            "body": msgspec.json.encode(entry).decode(),
        }
        return self._sql.run(_TAKE, values) == 1

    def of(self, name: str) -> Sequence[StatusEntry]:
        """All places of a list that are taken."""
        rows = self._sql.rows(_OF, {"tenant": self._tenant, "this": name})
        return [_BODY.decode(row[0]) for row in rows]

    def forget(self, before: datetime, limit: int) -> int:
        """Drop places of tokens that ended before that moment; how many."""
        values: dict[str, Scalar] = {"tenant": self._tenant, "before": micros(before), "count": limit}
        rows = self._sql.rows(_OVER, values)
        gone: list[dict[str, Scalar]] = [
            {"tenant": self._tenant, "this": row[0], "place": row[1]} for row in rows
        ]
        self._sql.run_many(_DROP, gone)
        return len(gone)
