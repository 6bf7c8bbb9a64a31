"""Background work as leased rows: one holder at a time, and a late one can no longer write (F25, F26)."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeVar

from sqlalchemy import bindparam, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from remit.kernel.clock import Clock
from remit.kernel.errors import Unavailable
from remit.kernel.ids import TenantId
from remit.platform.storage.instants import micros
from remit.platform.storage.sql import Scalar, Sql
from remit.platform.storage.tables import core
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork, Work

T = TypeVar("T")

JOB_LEASE: Final = timedelta(seconds=30)
TICK_SECONDS: Final = 0.5
"""How often a runner looks for what is due."""

_THIS = (core.job.c.tenant == bindparam("this_tenant"), core.job.c.name == bindparam("this_name"))
_ENSURE = upsert(core.job).on_conflict_do_nothing()
_LEASE = (
    update(core.job)
    .where(*_THIS, core.job.c.due <= bindparam("now"), core.job.c.lease_until <= bindparam("now"))
    .values(holder=bindparam("new_holder"), fence=core.job.c.fence + 1, lease_until=bindparam("until"))
    .returning(core.job.c.fence)
)
_TIMES = select(core.job.c.due, core.job.c.lease_until).where(*_THIS)
_GUARD = select(core.job.c.fence).where(*_THIS).with_for_update()
_FINISH = (
    update(core.job)
    .where(*_THIS, core.job.c.fence == bindparam("this_fence"))
    .values(due=bindparam("next_due"), lease_until=0)
)


class LeaseLost(Unavailable):
    """Another holder has taken this job meanwhile; nothing of this work was kept."""

    code = "lease_lost"


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to do one run of a job. `fence` grows with every holder."""

    name: str
    holder: str
    fence: int


class Jobs:
    """The job rows of one tenant, in one open transaction."""

    def __init__(self, sql: Sql, tenant: TenantId) -> None:
        self._sql = sql
        self._tenant = tenant

    def ensure(self, name: str, *, at: datetime) -> None:
        """Make the row of a job, due at once, unless it is there."""
        row: dict[str, Scalar] = {"tenant": self._tenant, "name": name, "due": micros(at)}
        self._sql.run(_ENSURE, {**row, "holder": "", "fence": 0, "lease_until": 0})

    def lease(self, name: str, *, holder: str, at: datetime, during: timedelta = JOB_LEASE) -> Lease | None:
        """Take a job that is due and that nobody holds, or None."""
        row = self._sql.row(_LEASE, {
            "this_tenant": self._tenant, "this_name": name, "now": micros(at),
            "new_holder": holder, "until": micros(at + during),
        })  # fmt: skip
        return None if row is None else Lease(name, holder, row[0])

    def is_free(self, name: str, *, at: datetime) -> bool:
        """Whether a job is due and nobody holds it, or it has no row yet."""
        row = self._sql.row(_TIMES, {"this_tenant": self._tenant, "this_name": name})
        return row is None or max(row[0], row[1]) <= micros(at)

    def guard(self, lease: Lease) -> None:
        """Raise `LeaseLost` unless the lease is the newest; it stays so until this transaction ends."""
        row = self._sql.row(_GUARD, {"this_tenant": self._tenant, "this_name": lease.name})
        if row is None or row[0] != lease.fence:
            raise LeaseLost(f"job `{lease.name}` was taken over")

    def finish(self, lease: Lease, *, next_due: datetime) -> None:
        """Give the job back until then; raises `LeaseLost`."""
        done = self._sql.run(_FINISH, {
            "this_tenant": self._tenant, "this_name": lease.name,
            "this_fence": lease.fence, "next_due": micros(next_due),
        })  # fmt: skip
        if done != 1:
            raise LeaseLost(f"job `{lease.name}` was taken over")


class JobRun:
    """What a running job works with: units of work that only commit while its lease is the newest."""

    def __init__(self, uow: SqlUnitOfWork, lease: Lease) -> None:
        self.uow = uow
        self.lease = lease

    async def commit(self, work: Work[T]) -> T:
        """Run `work` under the lease; raises `LeaseLost`."""

        def guarded(tx: SqlTransaction) -> T:
            Jobs(tx.sql, tx.tenant).guard(self.lease)
            return work(tx)

        return await self.uow.commit(guarded)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Recurring work. It may run twice or be cut short anywhere: it must be idempotent."""

    name: str
    every: timedelta
    run: Callable[[JobRun], Awaitable[None]]
    wanted: Callable[[SqlTransaction], bool] = lambda _tx: True
    """Whether there is anything to do, by reading alone: an idle system writes nothing."""


class JobRunner:
    """Runs the jobs of one tenant that are due and free; any number of nodes may run one."""

    def __init__(
        self,
        uow: SqlUnitOfWork,
        jobs: Sequence[Job],
        *,
        holder: str,
        clock: Clock,
        on_failure: Callable[[str, Exception], None],
    ) -> None:
        self._uow = uow
        self._jobs = tuple(jobs)
        self._holder = holder
        self._clock = clock
        self._on_failure = on_failure

    async def run_forever(self) -> None:
        """Look for due jobs until cancelled."""
        while True:
            for job in await self._due():
                try:
                    await self.run_once(job)
                except Exception as failed:  # noqa: BLE001 — one broken job must not end all the others
                    # Told, never swallowed. The lease runs out, so the job is tried again.
                    self._on_failure(job.name, failed)
            await asyncio.sleep(TICK_SECONDS)

    async def _due(self) -> Sequence[Job]:
        """What one look finds due and wanted; where the look itself fails, all of them, each on its own."""

        def look(tx: SqlTransaction) -> list[Job]:
            return [job for job in self._jobs if self._is_due(tx, job) and job.wanted(tx)]

        try:
            return await self._uow.read(look)
        except Exception:  # noqa: BLE001 — whichever job it was raises again by itself, and is told then
            return self._jobs

    async def run_once(self, job: Job) -> bool:
        """Run one job if it is due and free; returns whether it ran.

        CRASH: between the lease and `finish` the lease runs out and another runner starts the job afresh.
        """
        if not await self._uow.read(lambda tx: self._is_due(tx, job) and job.wanted(tx)):
            return False
        lease = await self._uow.commit(lambda tx: self._take(tx, job))
        if lease is None:
            return False
        await job.run(JobRun(self._uow, lease))
        due = self._clock.now() + job.every
        await self._uow.commit(lambda tx: Jobs(tx.sql, tx.tenant).finish(lease, next_due=due))
        return True

    def _is_due(self, tx: SqlTransaction, job: Job) -> bool:
        return Jobs(tx.sql, tx.tenant).is_free(job.name, at=self._clock.now())

    def _take(self, tx: SqlTransaction, job: Job) -> Lease | None:
        jobs = Jobs(tx.sql, tx.tenant)
        at = self._clock.now()
        jobs.ensure(job.name, at=at)
        return jobs.lease(job.name, holder=self._holder, at=at)
