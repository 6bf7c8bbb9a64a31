"""PostgreSQL as the system of record: the same synchronous works, the same group commit, many nodes."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, TypeVar

import asyncpg
from sqlalchemy.dialects.postgresql import asyncpg as dialect
from sqlalchemy.util import greenlet_spawn

from remit.kernel.errors import RemitError, Unavailable
from remit.kernel.ids import TenantId, mint_id, system_entropy
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.kernel.uow import Lane
from remit.platform.storage.batch import Batch, Journal
from remit.platform.storage.errors import StorageFenced, StorageUnreachable
from remit.platform.storage.group_commit import QUEUE_LIMIT, Lanes, Unit
from remit.platform.storage.listening import Listeners, Told
from remit.platform.storage.nodes import NODE_LEASE, Nodes
from remit.platform.storage.postgres_connection import (
    LOST,
    PostgresSql,
    assert_apart,
    assert_durable,
    connect,
)
from remit.platform.storage.postgres_writer import PostgresWriter
from remit.platform.storage.queued import TransactionLost
from remit.platform.storage.statements import Statements
from remit.platform.storage.unit_of_work import SqlTransaction, Work

T = TypeVar("T")

READERS: Final = 4


class PostgresStore:
    """One database server. Each lane has a writer with a connection of its own; reads share a few.

    `journals` makes the ledger's appender of a lane: two writers never share one.
    """

    def __init__(
        self,
        url: str,
        *,
        journals: Callable[[Lane], Journal] | None = None,
        queue_limit: int = QUEUE_LIMIT,
        on_fence: Callable[[RemitError], None] | None = None,
    ) -> None:
        self.node = mint_id("nod", at=datetime.now(UTC), entropy=system_entropy)
        self._url = url
        self._statements = Statements(dialect.dialect())  # type: ignore[no-untyped-call]  # untyped there
        self._lanes = Lanes(limit=queue_limit)
        self._on_fence = on_fence
        self._listeners = Listeners()
        self._fenced: StorageFenced | None = None
        self._closing = False
        self._free: asyncio.LifoQueue[asyncpg.Connection[asyncpg.Record] | None] = asyncio.LifoQueue()
        self._journals = {lane: journals(lane) if journals else None for lane in Lane}
        self._writers = {
            lane: PostgresWriter(
                url,
                lane=lane,
                node=self.node,
                lanes=self._lanes,
                journal=self._journals[lane],
                statements=self._statements,
                on_commit=self._listeners.tell,
                on_fence=self._fence,
                on_kill=self._lift,
            )
            for lane in Lane
        }
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def commits(self) -> int:
        """Durable commits so far."""
        return sum(writer.commits for writer in self._writers.values())

    async def start(self) -> None:
        """Refuse a server that loses commits; enter the list of nodes; take works from now on."""
        connection = await connect(self._url)
        await assert_durable(connection)
        await assert_apart(connection)
        self._free.put_nowait(connection)
        for _ in range(READERS - 1):
            self._free.put_nowait(None)
        sql = PostgresSql(connection, self._statements)
        await greenlet_spawn(Nodes(sql).register, self.node, at=datetime.now(UTC))
        for writer in self._writers.values():
            await writer.warm()
        self._tasks = [asyncio.create_task(writer.run()) for writer in self._writers.values()]
        self._tasks.append(asyncio.create_task(self._renew_forever()))

    def listen(self, told: Told, *, tenant: TenantId | None = None) -> Callable[[], None]:
        """Have each commit that changed something of a tenant tell its revision; gives what ends it."""
        return self._listeners.add(told, tenant=tenant)

    async def submit(self, work: Work[T], *, tenant: TenantId, lane: Lane = Lane.NORMAL) -> T:
        """Queue a work and wait until its commit is durable."""
        if self._fenced is not None:
            raise self._fenced
        if self._closing:
            raise StorageUnreachable("the database is closing")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._lanes.put(Unit(work=work, tenant=tenant, lane=lane, future=future, loop=loop))
        self._writers[lane].wake.set()
        return await future

    async def view(self, work: Work[T], *, tenant: TenantId) -> T:
        """Run on one consistent view, on a connection that cannot write."""
        connection = await self._free.get()
        try:
            if connection is None or connection.is_closed():
                connection = await connect(self._url)
            return await self._view_on(connection, work, tenant)
        except (asyncpg.PostgresError, TransactionLost, *LOST) as error:
            raise StorageUnreachable("cannot read the database", debug=str(error)) from error
        finally:
            self._free.put_nowait(connection)

    async def close(self) -> None:
        """Finish what is queued, then let go of the connections."""
        self._closing = True
        for writer in self._writers.values():
            writer.finish()
        self._tasks.pop().cancel()
        await asyncio.gather(*self._tasks)
        while not self._free.empty():
            connection = self._free.get_nowait()
            if connection is not None and not connection.is_closed():
                await connection.close(timeout=1)

    async def _view_on(
        self, connection: "asyncpg.Connection[asyncpg.Record]", work: Work[T], tenant: TenantId
    ) -> T:
        sql = PostgresSql(connection, self._statements)
        batch = Batch(sql, exclusive=False)
        batch.journal = self._journals[Lane.NORMAL]
        sql.control("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        sql.enter(tenant)
        try:
            value = await greenlet_spawn(work, SqlTransaction(batch, tenant))
        finally:
            if not sql.is_unsent():
                await _end_view(connection)
        if not batch.is_bare():
            raise RuntimeError("a work that reads has tried to write")
        return value

    def _lift(self, unit: Unit) -> None:
        """Put a work that shrinks authority on the lane that holds the tenant's lock alone."""
        unit.lane = Lane.KILL
        self._lanes.put(unit)
        self._writers[Lane.KILL].wake.set()

    def _fence(self, fenced: StorageFenced) -> None:
        first, self._fenced = self._fenced is None, fenced
        if first and self._on_fence is not None:
            self._on_fence(fenced)

    async def _renew_forever(self) -> None:
        while True:
            await asyncio.sleep(NODE_LEASE.total_seconds() / 3)
            try:
                await self.submit(self._renew, tenant=DEFAULT_TENANT)
            except Unavailable:
                # The lease runs on while the database is away; if it lapses, the fence will say so.
                continue

    def _renew(self, tx: SqlTransaction) -> bool:
        return Nodes(tx.sql).renew(self.node, at=datetime.now(UTC))


async def _end_view(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Leave nothing open: who gets the connection next starts with nothing in sight."""
    if connection.is_closed():
        return
    try:
        await connection.execute("ROLLBACK")
    except BaseException:
        connection.terminate()
        raise
