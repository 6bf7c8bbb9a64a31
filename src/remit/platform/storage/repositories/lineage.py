"""Tombstones and states over SQL: what `alive` reads inside a transaction."""

from datetime import datetime

from sqlalchemy import bindparam, select
from sqlalchemy.dialects.postgresql import insert as upsert

from remit.authority.alive import TaskLife, Tombstone
from remit.authority.consent import GrantState
from remit.authority.tasks import TaskState
from remit.identity.lifecycle import State
from remit.kernel.ids import (
    GrantId,
    PrincipalId,
    TaskId,
    TenantId,
)
from remit.platform.storage.instants import micros, moment
from remit.platform.storage.sql import Scalar, Sql
from remit.platform.storage.tables.authority import consent, task
from remit.platform.storage.tables.core import tombstone
from remit.platform.storage.tables.identity import principal

_TOMBSTONE = (
    select(tombstone.c.kind, tombstone.c.ident, tombstone.c.epoch, tombstone.c.cause)
    .where(tombstone.c.tenant == bindparam("tenant"), tombstone.c.ident == bindparam("this"))
    .order_by(tombstone.c.epoch)
    .limit(1)
)
_BURY = upsert(tombstone).on_conflict_do_nothing()
_STATE = select(principal.c.state).where(
    principal.c.tenant == bindparam("tenant"), principal.c.id == bindparam("this")
)
_LIFE = select(task.c.state, task.c.deadline).where(
    task.c.tenant == bindparam("tenant"), task.c.id == bindparam("this")
)
_CONSENT_STATE = select(consent.c.state).where(
    consent.c.tenant == bindparam("tenant"), consent.c.id == bindparam("this")
)


class LineageRepository:
    """Tombstones and states as this transaction sees them: what `alive` reads."""

    def __init__(self, sql: Sql, tenant: TenantId) -> None:
        self._sql = sql
        self._tenant = tenant

    def tombstone(self, ident: str) -> Tombstone | None:
        """The first tombstone of this id, whatever its kind."""
        row = self._sql.row(_TOMBSTONE, {"tenant": self._tenant, "this": ident})
        return None if row is None else Tombstone(kind=row[0], ident=row[1], epoch=row[2], cause=row[3])

    def buried(self, ident: str) -> bool:
        """Whether this id is dead for good."""
        return self.tombstone(ident) is not None

    def state_of(self, ident: PrincipalId) -> State | None:
        """Where in its life a principal is; None if there is none."""
        row = self._sql.row(_STATE, {"tenant": self._tenant, "this": ident})
        return None if row is None else State(row[0])

    def life_of(self, ident: TaskId) -> TaskLife | None:
        """State and deadline of a task; None if there is none."""
        row = self._sql.row(_LIFE, {"tenant": self._tenant, "this": ident})
        return None if row is None else TaskLife(state=TaskState(row[0]), deadline=moment(row[1]))

    def standing_of(self, ident: GrantId) -> GrantState | None:
        """Whether a consent stands; None if there is none."""
        row = self._sql.row(_CONSENT_STATE, {"tenant": self._tenant, "this": ident})
        return None if row is None else GrantState(row[0])

    def bury(self, kind: str, ident: str, *, cause: str, epoch: int, at: datetime) -> None:
        """Append a tombstone; no statement here changes or removes one (P12)."""
        values: dict[str, Scalar] = {
            "tenant": self._tenant,
            "kind": kind,
            "ident": ident,
            "epoch": epoch,
            "cause": cause,
            "at": micros(at),
        }
        self._sql.run(_BURY, values)
