"""What one durable commit carries besides the rows of its works: changes, events, epochs, ledger records."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec
from sqlalchemy import Executable, bindparam, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from remit.kernel.events import Event
from remit.kernel.ids import TenantId
from remit.ledger.repository import LedgerFenced
from remit.platform.storage.errors import StorageFenced
from remit.platform.storage.sql import Scalar, Sql
from remit.platform.storage.tables import core

_READ_EPOCH = select(core.tenant_epoch.c.epoch).where(core.tenant_epoch.c.tenant == bindparam("tenant"))
_first_epoch = upsert(core.tenant_epoch).values(tenant=bindparam("tenant"), epoch=1)
_ADVANCE_EPOCH = _first_epoch.on_conflict_do_update(
    index_elements=[core.tenant_epoch.c.tenant], set_={"epoch": core.tenant_epoch.c.epoch + 1}
).returning(core.tenant_epoch.c.epoch)
_own = upsert(core.tenant_revision).values(tenant=bindparam("tenant"), revision=bindparam("many"))
_COUNT_OWN = _own.on_conflict_do_update(
    index_elements=[core.tenant_revision.c.tenant],
    set_={"revision": core.tenant_revision.c.revision + _own.excluded.revision},
)
_TAKE_NUMBERS = (
    update(core.counter)
    .where(core.counter.c.name == bindparam("sequence"))
    .values(value=core.counter.c.value + bindparam("many"))
    .returning(core.counter.c.value)
)
_ADD_CHANGE = insert(core.change)
_ADD_EVENT = insert(core.outbox)


class TenantNotLocked(BaseException):
    """The work shrinks authority but its batch holds the tenant's lock shared: run it again on the kill lane.

    A BaseException, because a work that catches `Exception` must not swallow it.
    """


class Savepoints(Sql, Protocol):
    """A transaction that can take back a part of itself."""

    def enter(self, tenant: TenantId) -> None:
        """Have the rows of a tenant in sight from now on, where the engine keeps them apart.

        Rows that wait are another's: they are written first. Raises `BatchSpoiled` if one is refused.
        """

    def savepoint(self) -> None:
        """Open the one savepoint of a work."""

    def release(self) -> None:
        """Keep what was done since."""

    def rollback(self) -> None:
        """Undo what was done since, and close the savepoint. Raises `BatchSpoiled` where haste can't."""

    def flush(self) -> None:
        """Write the rows that wait."""


class Journal(Protocol):
    """What keeps records in memory over a batch and writes them as its last act: the ledger's appender."""

    def begin_batch(self, sql: Sql) -> None:
        """After BEGIN."""

    def savepoint(self) -> int:
        """Before a work; the mark to roll back to."""

    def rollback_to(self, mark: int) -> None:
        """Forget the records since."""

    def flush(self, sql: Sql) -> None:
        """Write the batch's records; the commit follows."""

    def committed(self) -> None:
        """The commit is durable."""

    def aborted(self) -> None:
        """The batch is gone, or its commit's outcome is unknown: believe only what SQL says."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Where the batch stood before a work."""

    records: int
    touches: int
    events: int
    advances: int


class Batch:
    """The open transaction of a group commit. OWNED BY: the one writer of its engine."""

    def __init__(
        self,
        sql: Savepoints,
        *,
        exclusive: bool,
        journal: Journal | None = None,
        epochs: dict[TenantId, int] | None = None,
    ) -> None:
        self.sql = sql
        self.enter = sql.enter
        self.journal = journal
        self.exclusive = exclusive
        """Whether this transaction alone may advance epochs of the tenants it locked."""
        self.revision = 0
        """Number of the last change of this batch, once sealed; 0 if it changed nothing."""
        self._touches: list[tuple[TenantId, str, str]] = []
        self._events: list[Event] = []
        self._epochs = {} if epochs is None else epochs
        """Epochs as far as they are known; whoever lent them forgets them if the commit fails."""
        self._advances: list[tuple[TenantId, int | None]] = []
        """Tenants whose epoch was advanced, with what was known before."""

    def begin(self) -> None:
        """Just after BEGIN and the locks."""
        if self.journal is not None:
            self.journal.begin_batch(self.sql)

    def committed(self) -> None:
        """The commit is durable."""
        if self.journal is not None:
            self.journal.committed()

    def mark(self) -> Mark:
        """Remember where we stand, and open a savepoint."""
        self.sql.savepoint()
        return Mark(
            records=self.journal.savepoint() if self.journal else 0,
            touches=len(self._touches),
            events=len(self._events),
            advances=len(self._advances),
        )

    def keep(self) -> None:
        """Keep the work since the mark."""
        self.sql.release()

    def undo(self, mark: Mark) -> None:
        """Take back the work since the mark, alone."""
        del self._touches[mark.touches :]
        del self._events[mark.events :]
        while len(self._advances) > mark.advances:
            self._forget_advance(*self._advances.pop())
        if self.journal is not None:
            self.journal.rollback_to(mark.records)
        self.sql.rollback()

    def touch(self, tenant: TenantId, kind: str, ident: str) -> None:
        """Queue a change; numbers are given when the batch is sealed."""
        self._touches.append((tenant, kind, ident))

    def publish(self, event: Event) -> None:
        """Queue an event for the outbox."""
        self._events.append(event)

    def epoch(self, tenant: TenantId) -> int:
        """The epoch, read once: the tenant's lock keeps others from advancing it meanwhile."""
        known = self._epochs.get(tenant)
        if known is None:
            row = self.sql.row(_READ_EPOCH, {"tenant": tenant})
            known = self._epochs[tenant] = row[0] if row else 0
        return known

    def advance_epoch(self, tenant: TenantId, cause: str) -> int:
        """Bump the epoch; raises `TenantNotLocked` where the lock is shared."""
        if not self.exclusive:
            raise TenantNotLocked
        row = self.sql.row(_ADVANCE_EPOCH, {"tenant": tenant})
        if row is None:
            raise RuntimeError("an upsert that returns always returns")
        self._advances.append((tenant, self._epochs.get(tenant)))
        self._epochs[tenant] = row[0]
        self.touch(tenant, "epoch", cause)
        return int(row[0])

    @property
    def touched(self) -> frozenset[TenantId]:
        """Tenants of whom something changed that decisions can see."""
        return frozenset(tenant for tenant, _, _ in self._touches)

    def is_bare(self) -> bool:
        """Whether nothing waits to be sealed, as after a work that only read."""
        return not self._touches and not self._events

    def seal(self) -> None:
        """Write changes and events under their numbers; the last thing before the commit.

        INVARIANT: the counter's row lock is held from here to the commit, so numbers grow in commit order.
        """
        self.sql.flush()
        if self._touches:
            last = self._take("change", len(self._touches))
            first = last - len(self._touches) + 1
            self._add(_ADD_CHANGE, [
                (tenant, {"revision": first + place, "tenant": tenant, "kind": kind, "ident": ident})
                for place, (tenant, kind, ident) in enumerate(self._touches)
            ])  # fmt: skip
            self._count_own()
            self.revision = last
        if self._events:
            first = self._take("outbox", len(self._events)) - len(self._events) + 1
            self._add(_ADD_EVENT, [
                (event.tenant, {"position": first + place, "tenant": event.tenant, "event": event.name,
                                "body": msgspec.json.encode(event).decode()})
                for place, event in enumerate(self._events)
            ])  # fmt: skip
        if self.journal is not None:
            self._flush(self.journal)

    def _count_own(self) -> None:
        """Move each tenant's own revision; the counter's lock, which is held, keeps writers in one order."""
        for tenant, many in Counter(tenant for tenant, _, _ in self._touches).items():
            with self.sql.within(tenant):
                self.sql.run(_COUNT_OWN, {"tenant": tenant, "many": many})

    def _add(self, statement: Executable, rows: Sequence[tuple[TenantId, Mapping[str, Scalar]]]) -> None:
        """Insert rows, those of one tenant at a time."""
        by_tenant: dict[TenantId, list[Mapping[str, Scalar]]] = {}
        for tenant, row in rows:
            by_tenant.setdefault(tenant, []).append(row)
        for tenant, own in by_tenant.items():
            with self.sql.within(tenant):
                self.sql.run_many(statement, own)

    def _forget_advance(self, tenant: TenantId, before: int | None) -> None:
        if before is None:
            self._epochs.pop(tenant, None)
        else:
            self._epochs[tenant] = before

    def _flush(self, journal: Journal) -> None:
        try:
            journal.flush(self.sql)
        except LedgerFenced as fenced:
            # The log has another writer, or is not what was signed: nothing of this process may be believed.
            raise StorageFenced(fenced.hint, debug=fenced.debug, next_step=fenced.next_step) from fenced

    def _take(self, sequence: str, many: int) -> int:
        row = self.sql.row(_TAKE_NUMBERS, {"sequence": sequence, "many": many})
        if row is None:
            raise RuntimeError(f"the counter `{sequence}` has no row; the migrations put it there")
        return int(row[0])
