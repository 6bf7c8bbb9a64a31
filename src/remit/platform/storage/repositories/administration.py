"""The administrative policy over SQL: versions are only ever added."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import bindparam, select
from sqlalchemy.dialects.postgresql import insert as upsert

from remit.decision.administration.repository import PublishedRoles
from remit.kernel.canonical import Digest
from remit.kernel.ids import PrincipalId, TenantId
from remit.platform.storage.instants import micros, moment
from remit.platform.storage.sql import Sql
from remit.platform.storage.tables.decision import admin_policy as t

_OURS: Final = t.c.tenant == bindparam("tenant")
_ADD = upsert(t).on_conflict_do_nothing()
_HEAD = select(t.c.number, t.c.digest).where(_OURS).order_by(t.c.number.desc()).limit(1)
_WHOLE = select(t.c.number, t.c.digest, t.c.text, t.c.published_by, t.c.published_at).where(_OURS)
_GET = _WHOLE.where(t.c.number == bindparam("this"))
_PAGE = _WHOLE.where(t.c.number < bindparam("before")).order_by(t.c.number.desc()).limit(bindparam("count"))


class RoleTextRepository:
    """Versions of one tenant's administrative policy."""

    def __init__(self, sql: Sql, tenant: TenantId) -> None:
        self._sql = sql
        self._tenant = tenant

    def head(self) -> tuple[int, Digest] | None:
        """Number and digest of what is in force; None where nobody has published."""
        row = self._sql.row(_HEAD, {"tenant": self._tenant})
        return None if row is None else (row[0], row[1])

    def get(self, number: int) -> PublishedRoles | None:
        """One version."""
        row = self._sql.row(_GET, {"tenant": self._tenant, "this": number})
        return None if row is None else _version(row)

    def add(self, version: PublishedRoles) -> bool:
        """Store a version; False if its number is taken."""
        values: dict[str, str | int | bytes | None] = {
            "tenant": self._tenant,
            "number": version.number,
            "digest": version.digest,
            "text": version.text,
            "published_by": version.published_by,
            "published_at": micros(version.published_at),
        }
        return self._sql.run(_ADD, values) == 1

    def page(self, *, before: int, limit: int) -> Sequence[PublishedRoles]:
        """Versions, newest first."""
        rows = self._sql.rows(_PAGE, {"tenant": self._tenant, "before": before, "count": limit})
        return [_version(row) for row in rows]


def _version(row: Any) -> PublishedRoles:
    return PublishedRoles(
        number=row[0],
        digest=row[1],
        text=row[2],
        published_by=PrincipalId(row[3]),
        published_at=moment(row[4]),
    )
