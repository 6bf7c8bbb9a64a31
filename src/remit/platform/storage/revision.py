"""What decisions can see has changed: numbered in commit order, read on from any number (P9)."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import bindparam, delete, select, update

from remit.kernel.errors import Unavailable
from remit.kernel.ids import TenantId
from remit.platform.storage.sql import Sql
from remit.platform.storage.tables import core

CHANGES_KEPT: Final = 100_000
"""Numbers that can still be read on from; a reader further behind loads everything anew."""

_LAST = select(core.counter.c.value).where(core.counter.c.name == "change")
_OWN = select(core.tenant_revision.c.revision).where(
    core.tenant_revision.c.tenant == bindparam("this_tenant")
)
_SINCE = (
    select(core.change.c.kind, core.change.c.ident)
    .where(core.change.c.revision > bindparam("known"), core.change.c.tenant == bindparam("this_tenant"))
    .order_by(core.change.c.revision)
)
_FORGOTTEN = select(core.counter.c.value).where(core.counter.c.name == "forgotten")
_HAVE_FORGOTTEN = (
    update(core.counter)
    .where(core.counter.c.name == "forgotten", core.counter.c.value < bindparam("last"))
    .values(value=bindparam("last"))
)
_FORGET = delete(core.change).where(
    core.change.c.tenant == bindparam("this_tenant"), core.change.c.revision <= bindparam("last")
)


class ChangesForgotten(Unavailable):
    """The changes since that revision are no longer kept: load the whole state instead."""

    code = "changes_forgotten"


@dataclass(frozen=True, slots=True)
class Changes:
    """The state that this view shows, and which things differ from the known revision."""

    revision: int
    things: tuple[tuple[str, str], ...]
    """(kind, id), each once, in the order of their first change."""


class ChangeLog:
    """Changes of one tenant, as one open transaction sees them."""

    def __init__(self, sql: Sql, tenant: TenantId) -> None:
        self._sql = sql
        self._tenant = tenant

    def revision(self) -> int:
        """Number of the last change of any tenant that this view shows: to read on from, never to show."""
        row = self._sql.row(_LAST)
        if row is None:
            raise RuntimeError("the counter `change` has no row; the migrations put it there")
        return int(row[0])

    def own(self) -> int:
        """How many changes the tenant has had, as this view shows; 0 if none."""
        row = self._sql.row(_OWN, {"this_tenant": self._tenant})
        return 0 if row is None else int(row[0])

    def since(self, known: int) -> Changes:
        """What changed after `known`; raises `ChangesForgotten` if that is too long ago."""
        last = self.revision()
        if known < last:
            forgotten = self._sql.row(_FORGOTTEN)
            if forgotten is None or forgotten[0] > known:
                raise ChangesForgotten(f"revision {known} is too old; the last is {last}")
        rows = self._sql.rows(_SINCE, {"known": known, "this_tenant": self._tenant})
        return Changes(revision=last, things=tuple(dict.fromkeys((str(row[0]), str(row[1])) for row in rows)))

    def forget(self, *, keep: int = CHANGES_KEPT) -> int:
        """Drop the tenant's among all but the last `keep` changes; returns how many went.

        Up to where any tenant forgot, every reader loads anew: none can see what the others still have.
        """
        last = self.revision() - keep
        self._sql.run(_HAVE_FORGOTTEN, {"last": last})
        return self._sql.run(_FORGET, {"this_tenant": self._tenant, "last": last})
