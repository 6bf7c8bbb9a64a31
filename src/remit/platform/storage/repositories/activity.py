"""What happens now, in numbers: the newest decisions by minute and by agent, from the end of the key."""

from datetime import datetime
from typing import Final

from sqlalchemy import Text, bindparam, func, select

from remit.kernel.ids import TenantId, mint_id
from remit.platform.storage.instants import moment
from remit.platform.storage.sql import Scalar, Sql
from remit.platform.storage.tables.decision import decision as d
from remit.platform.storage.tables.oversight import approval as a

_MINUTE: Final = 60_000_000
"""Microseconds."""
_NEWEST = (
    select(d.c.at, d.c.effect, d.c.agent)
    .where(d.c.tenant == bindparam("tenant"), d.c.id >= bindparam("first"))
    .order_by(d.c.id.desc())
    .limit(bindparam("count"))
    .subquery()
)
_BY_MINUTE = (
    select((_NEWEST.c.at - _NEWEST.c.at % _MINUTE).label("minute"), _NEWEST.c.effect, func.count())
    .group_by("minute", _NEWEST.c.effect)
    .order_by("minute", _NEWEST.c.effect)
)
_BY_AGENT = (
    select(_NEWEST.c.agent, func.count().label("times"))
    .where(_NEWEST.c.effect == bindparam("this_effect", type_=Text))
    .group_by(_NEWEST.c.agent)
    .order_by(func.count().desc(), _NEWEST.c.agent)
    .limit(20)
)
_EXPIRY = select(func.min(a.c.expires_at)).where(a.c.tenant == bindparam("tenant"), a.c.state == "pending")


class ActivityRepository:
    """The last minutes of one tenant."""

    def __init__(self, sql: Sql, tenant: TenantId) -> None:
        self._sql = sql
        self._tenant = tenant

    def minutes(self, *, since: datetime, limit: int) -> list[tuple[datetime, str, int]]:
        """Decisions by minute and effect, the newest `limit` since a moment."""
        rows = self._sql.rows(_BY_MINUTE, self._since(since, limit))
        return [(moment(int(row[0])), str(row[1]), int(row[2])) for row in rows]

    def loudest(self, effect: str, *, since: datetime, limit: int) -> list[tuple[str, int]]:
        """Agents by how often they were answered so, most first; of the newest `limit` decisions."""
        rows = self._sql.rows(_BY_AGENT, {**self._since(since, limit), "this_effect": effect})
        return [(str(row[0]), int(row[1])) for row in rows]

    def next_expiry(self) -> datetime | None:
        """When the first ask that waits will be over."""
        row = self._sql.row(_EXPIRY, {"tenant": self._tenant})
        return None if row is None or row[0] is None else moment(int(row[0]))

    def _since(self, since: datetime, limit: int) -> dict[str, Scalar]:
        # Ids are ordered by time: the least of a moment is where the moment begins in the key.
        first = mint_id("dec", at=since, entropy=bytes)
        return {"tenant": self._tenant, "first": first, "count": limit}
