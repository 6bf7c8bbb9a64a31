"""What tasks have seen, alike in every store: rows are replaced, nothing crosses tasks, what is over goes."""

from datetime import timedelta

from remit.decision.provenance.labels import Label
from remit.decision.provenance.seen import Row
from remit.kernel.ids import TaskId
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.platform.storage.engine import OpenStore
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.clock import NOON

ONE, OTHER = TaskId("tsk_one"), TaskId("tsk_other")
HOUR = timedelta(hours=1)


def row(mark: int, label: Label, *, anchored: bool = False, written: bool = False) -> Row:
    return Row(
        digest=mark.to_bytes(16, "big"), label=label, source="mail", anchored=anchored, written=written
    )


async def test_rows_come_back_as_they_were_kept(store: OpenStore) -> None:
    work = SqlUnitOfWork(store, tenant=DEFAULT_TENANT)
    first = [row(1, Label.TEXT, written=True), row(2, Label.TOOL, anchored=True)]
    await work.commit(lambda tx: tx.seen.keep(ONE, first, NOON + HOUR))
    await work.commit(lambda tx: tx.seen.keep(OTHER, [row(1, Label.USER)], NOON + HOUR))
    await work.commit(lambda tx: tx.seen.keep(ONE, [row(1, Label.VERIFIED)], NOON + HOUR))
    found = await work.read(lambda tx: tx.seen.load(ONE))
    assert sorted(found, key=lambda each: each.digest) == [row(1, Label.VERIFIED), first[1]]


async def test_what_is_over_goes_a_few_at_a_time_and_a_task_at_once(store: OpenStore) -> None:
    work = SqlUnitOfWork(store, tenant=DEFAULT_TENANT)
    many = [row(mark, Label.TEXT) for mark in range(5)]
    await work.commit(lambda tx: tx.seen.keep(ONE, many, NOON))
    await work.commit(lambda tx: tx.seen.keep(OTHER, many, NOON + HOUR))
    assert await work.commit(lambda tx: tx.seen.forget(NOON, 3)) == 3
    assert await work.commit(lambda tx: tx.seen.forget(NOON, 3)) == 2
    assert not await work.read(lambda tx: tx.seen.load(ONE))
    assert len(await work.read(lambda tx: tx.seen.load(OTHER))) == 5
    await work.commit(lambda tx: tx.seen.forget_task(OTHER))
    assert not await work.read(lambda tx: tx.seen.load(OTHER))


async def test_a_task_that_is_not_on_record_has_no_goal(store: OpenStore) -> None:
    work = SqlUnitOfWork(store, tenant=DEFAULT_TENANT)
    await work.commit(lambda tx: tx.ledger.open())
    assert await work.read(lambda tx: tx.seen.goal(ONE)) == ""
