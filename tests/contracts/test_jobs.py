"""Leased jobs: one holder, fenced writes, nothing written while idle."""

import asyncio
from datetime import timedelta
from functools import partial
from typing import TypeVar

import pytest

from remit.kernel.tenancy import DEFAULT_TENANT
from remit.platform.storage.engine import OpenStore, open_store
from remit.platform.storage.jobs import JOB_LEASE, Job, JobRun, JobRunner, Jobs, Lease, LeaseLost
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork, Work
from support.clock import FixedClock

T = TypeVar("T")


def lease(tx: SqlTransaction, holder: str, clock: FixedClock) -> Lease | None:
    jobs = Jobs(tx.sql, tx.tenant)
    jobs.ensure("sweep", at=clock.now())
    return jobs.lease("sweep", holder=holder, at=clock.now())


async def test_only_one_holder_at_a_time(uow: SqlUnitOfWork) -> None:
    clock = FixedClock()
    leases = await asyncio.gather(
        *(uow.commit(partial(lease, holder=f"h{n}", clock=clock)) for n in range(8))
    )
    assert len([each for each in leases if each]) == 1


@pytest.mark.fault("F25")
async def test_a_late_holder_can_no_longer_write(uow: SqlUnitOfWork) -> None:
    clock = FixedClock()
    late = await uow.commit(lambda tx: lease(tx, "stopped", clock))
    clock.advance(JOB_LEASE)
    newer = await uow.commit(lambda tx: lease(tx, "other", clock))
    assert late is not None
    assert newer is not None
    assert newer.fence > late.fence
    with pytest.raises(LeaseLost):
        await JobRun(uow, late).commit(lambda tx: tx.settings_store.put("x", "late"))
    await JobRun(uow, newer).commit(lambda tx: tx.settings_store.put("x", "newer"))
    assert await uow.read(lambda tx: tx.settings_store.get("x")) == "newer"
    with pytest.raises(LeaseLost):
        await uow.commit(lambda tx: Jobs(tx.sql, tx.tenant).finish(late, next_due=clock.now()))


class UnguardedRun(JobRun):
    """The planted bug: a run that does not look at its fence."""

    async def commit(self, work: Work[T]) -> T:
        return await self.uow.commit(work)


@pytest.mark.twin("F25")
async def test_without_the_fence_a_late_holder_does_write(uow: SqlUnitOfWork) -> None:
    clock = FixedClock()
    late = await uow.commit(lambda tx: lease(tx, "stopped", clock))
    clock.advance(JOB_LEASE)
    await uow.commit(lambda tx: lease(tx, "other", clock))
    assert late is not None
    await UnguardedRun(uow, late).commit(lambda tx: tx.settings_store.put("x", "late"))
    assert await uow.read(lambda tx: tx.settings_store.get("x")) == "late"


class Counter:
    def __init__(self) -> None:
        self.runs = 0
        self.running = 0
        self.most = 0

    async def run(self, run: JobRun) -> None:
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(0.01)
        await run.commit(lambda tx: tx.settings_store.put("runs", str(self.runs)))
        self.runs += 1
        self.running -= 1


def runner(uow: SqlUnitOfWork, job: Job, clock: FixedClock, holder: str) -> JobRunner:
    return JobRunner(uow, [job], holder=holder, clock=clock, on_failure=lambda name, error: None)


@pytest.mark.fault("F26")
async def test_two_schedulers_run_a_job_once(store: OpenStore, store_url: str, uow: SqlUnitOfWork) -> None:
    """On PostgreSQL the second scheduler is a second node; a SQLite file has one writing process."""
    clock, counter = FixedClock(), Counter()
    job = Job(name="count", every=timedelta(minutes=1), run=counter.run)
    second = store if store_url.startswith("sqlite") else await open_store(store_url)
    other = SqlUnitOfWork(second, tenant=DEFAULT_TENANT)
    schedulers = [runner(uow, job, clock, "one"), runner(other, job, clock, "two")]
    ran = await asyncio.gather(*(each.run_once(job) for each in schedulers for _ in range(4)))
    assert (sum(ran), counter.runs, counter.most) == (1, 1, 1)
    clock.advance(60)
    assert await schedulers[1].run_once(job)
    assert counter.runs == 2
    if second is not store:
        await second.close()


async def test_an_idle_scheduler_writes_nothing(store: OpenStore, uow: SqlUnitOfWork) -> None:
    clock, counter = FixedClock(), Counter()
    idle = Job(name="idle", every=timedelta(0), run=counter.run, wanted=lambda tx: False)
    scheduler = runner(uow, idle, clock, "one")
    before = store.commits
    assert [await scheduler.run_once(idle) for _ in range(5)] == [False] * 5
    assert store.commits == before


async def test_a_job_that_fails_is_tried_again(uow: SqlUnitOfWork) -> None:
    clock = FixedClock()
    tries: list[int] = []

    async def fail_once(run: JobRun) -> None:
        tries.append(run.lease.fence)
        if len(tries) == 1:
            raise LeaseLost("as if the node had died")

    job = Job(name="flaky", every=timedelta(minutes=1), run=fail_once)
    scheduler = runner(uow, job, clock, "one")
    with pytest.raises(LeaseLost):
        await scheduler.run_once(job)
    assert not await scheduler.run_once(job)
    clock.advance(JOB_LEASE)
    assert await scheduler.run_once(job)
    assert tries == [1, 2]
