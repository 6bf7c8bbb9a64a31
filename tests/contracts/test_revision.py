"""Revisions are in commit order: a reader that has seen r has seen all up to r."""

import asyncio
from functools import partial

import pytest

from remit.kernel.errors import Unavailable
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.kernel.uow import Lane
from remit.platform.storage.engine import OpenStore, open_store
from remit.platform.storage.revision import ChangesForgotten
from remit.platform.storage.snapshot import SnapshotKeeper
from remit.platform.storage.snapshot_feed import SnapshotFeed
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork
from support.builders import keyring


def touch(tx: SqlTransaction, name: str) -> None:
    tx.touch("thing", name)


async def tail(uow: SqlUnitOfWork, until: int) -> list[str]:
    """Read on from the last revision seen, again and again, as a node's snapshot does."""
    seen: list[str] = []
    known = 0
    while len(seen) < until:
        changes = await uow.read(lambda tx, known=known: tx.changes.since(known))  # type: ignore[misc]  # bound now
        assert changes.revision - known == len(changes.things)
        seen += [ident for _, ident in changes.things]
        known = changes.revision
        await asyncio.sleep(0.001)
    return seen


@pytest.mark.promise("P9")
async def test_nothing_appears_below_a_revision_that_was_read(store: OpenStore, uow: SqlUnitOfWork) -> None:
    total = 400
    reader = asyncio.ensure_future(tail(uow, total))
    lanes = [Lane.KILL if n % 7 == 0 else Lane.NORMAL for n in range(total)]
    await asyncio.gather(
        *(uow.commit(partial(touch, name=f"t{n}"), lane=lane) for n, lane in enumerate(lanes))
    )
    seen = await asyncio.wait_for(reader, 60)
    assert sorted(seen) == sorted(f"t{n}" for n in range(total))


@pytest.mark.promise("P9")
async def test_two_nodes_number_their_commits_in_one_order(postgres_url: str) -> None:
    stores = [await open_store(postgres_url) for _ in range(2)]
    uows = [SqlUnitOfWork(store, tenant=DEFAULT_TENANT) for store in stores]
    try:
        reader = asyncio.ensure_future(tail(uows[0], 300))
        await asyncio.gather(*(uows[n % 2].commit(partial(touch, name=f"t{n}")) for n in range(300)))
        assert len(set(await asyncio.wait_for(reader, 60))) == 300
    finally:
        for store in stores:
            await store.close()


async def test_a_rolled_back_work_uses_no_number(uow: SqlUnitOfWork) -> None:
    def failing(tx: SqlTransaction) -> None:
        touch(tx, "never")
        raise Unavailable("no")

    before = await uow.read(lambda tx: tx.changes.revision())
    await asyncio.gather(uow.commit(failing), uow.commit(partial(touch, name="t")), return_exceptions=True)
    assert await uow.read(lambda tx: tx.changes.revision()) == before + 1


async def test_a_change_is_told_to_who_listens(store: OpenStore, uow: SqlUnitOfWork) -> None:
    feed = SnapshotFeed(uow, poll=3_600)
    store.listen(feed.hint)
    known = (await feed.changes_since(0)).revision
    waiting = asyncio.ensure_future(feed.wait_beyond(known))
    await asyncio.sleep(0.05)
    await uow.commit(partial(touch, name="t"))
    assert await asyncio.wait_for(waiting, 60) == known + 1
    assert (await feed.changes_since(known)).things == (("thing", "t"),)


async def test_another_nodes_change_shows_without_a_hint(store: OpenStore, uow: SqlUnitOfWork) -> None:
    feed = SnapshotFeed(uow, poll=0.02)
    await uow.commit(partial(touch, name="t"))
    assert await feed.wait_for(1, seconds=60) == 1


async def test_a_revision_that_does_not_come_is_refused(uow: SqlUnitOfWork) -> None:
    with pytest.raises(Unavailable, match="99"):
        await SnapshotFeed(uow, poll=0.01).wait_for(99, seconds=0.05)


async def test_changes_that_are_forgotten_are_not_taken_for_none(uow: SqlUnitOfWork) -> None:
    for n in range(5):
        await uow.commit(partial(touch, name=f"t{n}"))
    assert await uow.commit(lambda tx: tx.changes.forget(keep=2)) == 3
    assert [ident for _, ident in (await uow.read(lambda tx: tx.changes.since(3))).things] == ["t3", "t4"]
    with pytest.raises(ChangesForgotten):
        await uow.read(lambda tx: tx.changes.since(2))
    assert (await uow.read(lambda tx: tx.changes.since(5))).things == ()


async def test_a_view_that_is_told_to_stop_stops_though_a_hint_came_with_it(uow: SqlUnitOfWork) -> None:
    keeper = SnapshotKeeper(uow, tenant=DEFAULT_TENANT, keys=keyring())
    following = asyncio.create_task(keeper.follow())
    while not keeper._hint._waiters:  # noqa: ASYNC110 — until it rests; nothing tells of that
        await asyncio.sleep(0.001)
    keeper.hint()
    await asyncio.sleep(0)  # the hint has been heard, and who waited for it has not run yet
    following.cancel()
    done, _ = await asyncio.wait({following}, timeout=60)
    assert done == {following}
