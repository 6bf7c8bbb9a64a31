"""One durable commit carries many works; kills go first and are never refused."""

import asyncio
from collections.abc import Callable
from functools import partial

import pytest
from sqlalchemy import func, insert, select

from remit.kernel.ids import TenantId
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.kernel.uow import Lane
from remit.platform.storage.engine import OpenStore, open_store
from remit.platform.storage.errors import StorageBusy
from remit.platform.storage.group_commit import BATCH_LIMIT, Lanes, Unit
from remit.platform.storage.tables import core
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork

ADD = insert(core.setting)
COUNT = select(func.count()).select_from(core.setting)


def add(tx: SqlTransaction, name: str) -> str:
    tx.sql.run(ADD, {"tenant": tx.tenant, "name": name, "body": "{}"})
    tx.touch("setting", name)
    return name


async def order_of(uow: SqlUnitOfWork) -> list[str]:
    changes = await uow.read(lambda tx: tx.changes.since(0))
    return [ident for kind, ident in changes.things if kind == "setting"]


@pytest.mark.promise("P3")
async def test_works_that_wait_together_share_commits(store: OpenStore, uow: SqlUnitOfWork) -> None:
    before = store.commits
    await asyncio.gather(*(uow.commit(partial(add, name=f"n{n}")) for n in range(512)))
    assert store.commits - before <= 512 / 4
    assert len(await order_of(uow)) == 512


async def test_works_run_in_the_order_of_their_asking(uow: SqlUnitOfWork) -> None:
    names = [f"n{n:03}" for n in range(300)]
    await asyncio.gather(*(uow.commit(partial(add, name=name)) for name in names))
    assert await order_of(uow) == names


@pytest.mark.promise("P1", "P13")
async def test_a_kill_passes_a_full_queue(store_url: str) -> None:
    limit = 600
    store = await open_store(store_url, queue_limit=limit)
    uow = SqlUnitOfWork(store, tenant=DEFAULT_TENANT)
    try:
        works = [asyncio.ensure_future(uow.commit(partial(add, name=f"n{n}"))) for n in range(limit)]
        await asyncio.sleep(0)  # every one has put itself into the queue, none has been answered
        late = asyncio.ensure_future(uow.commit(partial(add, name="late")))
        await uow.commit(partial(add, name="kill"), lane=Lane.KILL)
        while_full = await asyncio.gather(late, *works, return_exceptions=True)
        order = await order_of(uow)
    finally:
        await store.close()
    assert order.index("kill") <= 2 * BATCH_LIMIT
    assert order[-1] != "kill"
    assert all(isinstance(each, StorageBusy | str) for each in while_full)


def unit(lane: Lane) -> Unit:
    loop = asyncio.get_running_loop()
    return Unit(work=lambda _: None, tenant=DEFAULT_TENANT, lane=lane, future=loop.create_future(), loop=loop)


@pytest.mark.promise("P13")
async def test_the_normal_lane_has_a_limit_and_the_kill_lane_has_none() -> None:
    lanes = Lanes(limit=3)
    for _ in range(3):
        lanes.put(unit(Lane.NORMAL))
    with pytest.raises(StorageBusy) as refused:
        lanes.put(unit(Lane.NORMAL))
    assert "3" in refused.value.hint
    assert refused.value.next_step
    for _ in range(10):
        lanes.put(unit(Lane.KILL))
    assert lanes.waiting(Lane.KILL) == 10


async def test_a_caller_that_goes_away_disturbs_nobody(uow: SqlUnitOfWork) -> None:
    gone = asyncio.ensure_future(uow.commit(partial(add, name="gone")))
    await asyncio.sleep(0)
    gone.cancel()
    assert await uow.commit(partial(add, name="stays")) == "stays"
    assert set(await order_of(uow)) == {"gone", "stays"}


async def test_a_bug_in_a_work_reaches_its_caller_alone(uow: SqlUnitOfWork) -> None:
    def broken(_: SqlTransaction) -> str:
        raise ZeroDivisionError

    results = await asyncio.gather(
        uow.commit(partial(add, name="a")), uow.commit(broken), uow.commit(partial(add, name="b")),
        return_exceptions=True,
    )  # fmt: skip
    assert [type(each) for each in results] == [str, ZeroDivisionError, str]


async def test_a_work_that_reads_cannot_write(uow: SqlUnitOfWork) -> None:
    with pytest.raises(Exception, match=r"read-?only|query_only|readonly|write"):
        await uow.read(partial(add, name="a"))
    with pytest.raises(RuntimeError, match="tried to write"):
        await uow.read(lambda tx: tx.touch("thing", "a"))
    assert await order_of(uow) == []


@pytest.mark.promise("P11")
async def test_tenants_share_commits_but_not_epochs(store: OpenStore) -> None:
    tenants = [SqlUnitOfWork(store, tenant=TenantId(name)) for name in ("a", "b")]
    work: Callable[[SqlTransaction], int] = lambda tx: tx.advance_epoch("test")  # noqa: E731  # one work, two tenants
    assert await asyncio.gather(*(uow.commit(work) for uow in tenants for _ in range(3))) == [
        1,
        2,
        3,
        1,
        2,
        3,
    ]
    assert [await uow.read(lambda tx: tx.epoch()) for uow in tenants] == [3, 3]
    assert [len((await uow.read(lambda tx: tx.changes.since(0))).things) for uow in tenants] == [1, 1]


@pytest.mark.promise("P1")
async def test_an_epoch_advanced_on_the_normal_lane_is_still_alone(uow: SqlUnitOfWork) -> None:
    """Consumptions compare epochs under the tenant's lock; a work that shrinks authority holds it alone."""

    def consume(tx: SqlTransaction) -> int:
        return tx.epoch()

    def revoke(tx: SqlTransaction) -> int:
        return tx.advance_epoch("revoked")

    works = [uow.commit(revoke if n % 5 == 0 else consume) for n in range(50)]
    results = await asyncio.gather(*works)
    assert sorted(results[::5]) == list(range(1, 11))
    assert await uow.read(lambda tx: tx.epoch()) == 10
