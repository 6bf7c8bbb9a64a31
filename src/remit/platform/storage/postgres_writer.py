"""The writer of one lane on PostgreSQL: takes works, runs them as one transaction, resolves a lost reply."""

import asyncio
import hashlib
from collections.abc import Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Final

import asyncpg
from sqlalchemy import bindparam, delete
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.util import greenlet_spawn

from remit.kernel.ids import TenantId, mint_id, system_entropy
from remit.kernel.uow import Lane
from remit.platform.storage.batch import Batch, Journal
from remit.platform.storage.errors import CommitUnknown, StorageFenced, StorageUnreachable
from remit.platform.storage.group_commit import (
    BATCH_LIMIT,
    RETRY_LIMIT,
    Attempted,
    Lanes,
    Outcome,
    SpoiledByRefusal,
    Unit,
    attempt_all,
    resolve,
)
from remit.platform.storage.instants import micros
from remit.platform.storage.nodes import ADD_UNIT_IF_ALIVE
from remit.platform.storage.postgres_connection import (
    KILL_LOCK_MILLISECONDS,
    LOCK_MILLISECONDS,
    LOST,
    PostgresSql,
    connect,
    judge,
)
from remit.platform.storage.queued import BatchSpoiled, Haste, TransactionLost
from remit.platform.storage.statements import Statements
from remit.platform.storage.tables import core

RESOLVE_SECONDS: Final = 5.0
"""How long a lost commit reply is asked after before the answer is `commit_unknown` (P15: 5 s)."""
_ASK_AGAIN_SECONDS: Final = 0.05
UNITS_KEPT: Final = timedelta(hours=1)
_FORGET_EVERY: Final = 4096
"""Commits between two sweeps of the names of old ones."""

_CLAIM_UNIT = upsert(core.unit).on_conflict_do_nothing()
_FORGET_UNITS = delete(core.unit).where(core.unit.c.at < bindparam("before"))


class CommitReplyLost(Exception):  # the guide names errors for what happened
    """COMMIT was sent and the connection broke: it may have happened."""


def tenant_lock(tenant: TenantId) -> int:
    """The advisory lock of a tenant: 63 bits, so that two tenants share one only by a hash collision."""
    digest = hashlib.sha256(b"remit/tenant-lock/v1\0" + tenant.encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


class PostgresWriter:
    """Runs one lane's works, batch after batch, on a connection of its own. OWNED BY: one asyncio task."""

    def __init__(
        self,
        url: str,
        *,
        lane: Lane,
        node: str,
        lanes: Lanes,
        journal: Journal | None,
        statements: Statements,
        on_commit: Callable[[int, Collection[TenantId]], None],
        on_fence: Callable[[StorageFenced], None],
        on_kill: Callable[[Unit], None],
    ) -> None:
        self.commits = 0
        """Durable commits so far."""
        self.wake = asyncio.Event()
        self._url = url
        self._lane = lane
        self._node = node
        self._lanes = lanes
        self._journal = journal
        self._statements = statements
        self._on_commit = on_commit
        self._on_fence = on_fence
        self._on_kill = on_kill
        self._finishing = False
        self._haste = Haste()
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None

    def finish(self) -> None:
        """Return from `run` once the lane is empty."""
        self._finishing = True
        self.wake.set()

    async def warm(self) -> None:
        """Connect before there is need: a kill must not wait for that."""
        await self._connected()

    async def run(self) -> None:
        """Take works until told to finish."""
        while True:
            if units := self._take():
                await self._settle(units)
            elif self._finishing:
                break
            else:
                self.wake.clear()
                await self.wake.wait()
        if self._connection is not None:
            await self._connection.close(timeout=1)

    def _take(self) -> list[Unit]:
        units: list[Unit] = []
        while len(units) < BATCH_LIMIT and (unit := self._lanes.take(self._lane)) is not None:
            units.append(unit)
        # One tenant after the other: only a change of tenant costs a command, and has rows written early.
        return sorted(units, key=attrgetter("tenant"))

    async def _settle(self, units: Sequence[Unit]) -> None:
        """Run a batch and tell its callers; a batch broken by one of its works runs again, work by work."""
        waiting = list(units)
        for unit in waiting:
            unit.tries += 1
        try:
            done = await self._run_twice(waiting)
        except TransactionLost as lost:
            await self._after_loss(waiting, lost)
        except StorageFenced as fenced:
            resolve([Outcome(unit, error=fenced) for unit in waiting])
            self._on_fence(fenced)
        except Exception as error:  # noqa: BLE001  # refused as a whole, or a bug: it must reach the callers
            resolve([Outcome(unit, error=error) for unit in waiting])
        else:
            resolve(done.outcomes)
            for unit in done.again:
                self._on_kill(unit)

    async def _after_loss(self, units: Sequence[Unit], lost: TransactionLost) -> None:
        if not lost.again:
            refusal = StorageUnreachable("the database went away", debug=str(lost.cause))
            resolve([Outcome(unit, error=refusal) for unit in units])
            return
        for unit in units:
            if unit.tries >= RETRY_LIMIT:
                refusal = StorageUnreachable("others kept changing the same things", debug=str(lost.cause))
                resolve([Outcome(unit, error=refusal)])
            else:
                await self._settle([unit])

    async def _run_twice(self, waiting: list[Unit]) -> Attempted:
        """Run a batch; what haste has spoiled runs again, with care. Who has an answer leaves `waiting`."""
        try:
            return await self._run_batch(waiting)
        except SpoiledByRefusal as refused:
            self._haste.spoiled()
            resolve([refused.outcome])
            waiting.remove(refused.outcome.unit)
        except BatchSpoiled:
            self._haste.spoiled()
        return await self._run_batch(waiting) if waiting else Attempted()

    async def _run_batch(self, units: Sequence[Unit]) -> Attempted:
        """Run works as one transaction; returns once it is durable."""
        connection = await self._connected()
        name = mint_id("unt", at=datetime.now(UTC), entropy=system_entropy)
        hasty = self._lane is Lane.NORMAL and self._haste.is_fit()
        sql = PostgresSql(connection, self._statements, hasty=hasty)
        batch = Batch(sql, exclusive=self._lane is Lane.KILL, journal=self._journal)
        try:
            done = await greenlet_spawn(self._fill, batch, sql, units, name)
            await self._commit(connection, name)
        except BaseException:
            await self._abort(connection)
            raise
        # CRASH: durable, not yet told; a caller that asks again finds its idempotency key.
        self.commits += 1
        batch.committed()
        if batch.revision:
            self._on_commit(batch.revision, batch.touched)
        return done

    def _fill(self, batch: Batch, sql: PostgresSql, units: Sequence[Unit], name: str) -> Attempted:
        """Everything up to the commit.

        INVARIANT: the tenants' locks come first, and the level is READ COMMITTED: under REPEATABLE READ the
        snapshot would predate the wait, and a consumption could miss the kill that it waited for.
        """
        sql.control("BEGIN ISOLATION LEVEL READ COMMITTED")
        sql.enter(units[0].tenant)
        suffix = "" if self._lane is Lane.KILL else "_shared"
        for key in sorted({tenant_lock(unit.tenant) for unit in units}):
            sql.control(f"SELECT pg_advisory_xact_lock{suffix}({key})")
        now = datetime.now(UTC)
        if sql.run(ADD_UNIT_IF_ALIVE, {"unit": name, "now": micros(now), "node": self._node}) != 1:
            raise StorageFenced(
                "another node has declared this one dead; this node has stopped", next_step="start again"
            )
        if self.commits % _FORGET_EVERY == _FORGET_EVERY - 1:
            sql.run(_FORGET_UNITS, {"before": micros(now - UNITS_KEPT)})
        batch.begin()
        done = attempt_all(batch, units, broken=(TransactionLost,))
        batch.seal()
        sql.send_control()
        return done

    async def _commit(self, connection: "asyncpg.Connection[asyncpg.Record]", name: str) -> None:
        try:
            answer = await connection.execute("COMMIT")
        except LOST as lost:
            await self._resolve(name, lost)
            return
        except asyncpg.PostgresError as refused:
            raise judge(refused) from refused
        # A server answers COMMIT with ROLLBACK if a statement had failed unseen.
        if answer != "COMMIT":
            raise TransactionLost(RuntimeError(f"the server answered `{answer}` to a commit"), again=True)

    async def _resolve(self, name: str, lost: BaseException) -> None:
        """Find out what became of a commit whose reply was lost; never by doing it again (F09, F14).

        We try to insert the commit's own name. If it is there, the commit happened. If ours goes in, the old
        transaction has ended without it, for the insert waits for whoever holds the name.
        """
        deadline = asyncio.get_running_loop().time() + RESOLVE_SECONDS
        while asyncio.get_running_loop().time() < deadline:
            try:
                happened = await self._ask(name)
            except (StorageUnreachable, asyncpg.PostgresError, *LOST):
                await asyncio.sleep(_ASK_AGAIN_SECONDS)
                continue
            if happened:
                return
            raise TransactionLost(lost, again=True)
        raise CommitUnknown(
            "the database went away during the commit",
            debug=str(lost),
            next_step="ask again with the same key",
        )

    async def _ask(self, name: str) -> bool:
        connection = await connect(self._url)
        try:
            prepared = self._statements.prepare(_CLAIM_UNIT)
            values = prepared.values({"id": name, "at": micros(datetime.now(UTC))})
            answer: str = await connection.execute(prepared.text, *values)
            return answer == "INSERT 0 0"
        finally:
            await connection.close(timeout=1)

    async def _connected(self) -> "asyncpg.Connection[asyncpg.Record]":
        if self._connection is None or self._connection.is_closed():
            kill = self._lane is Lane.KILL
            patience = KILL_LOCK_MILLISECONDS if kill else LOCK_MILLISECONDS
            self._connection = await connect(self._url, lock_milliseconds=patience)
        return self._connection

    async def _abort(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        """Leave nothing open: roll back, or drop the connection, which the server takes for the same."""
        if self._journal is not None:
            self._journal.aborted()
        try:
            await connection.execute("ROLLBACK")
        except (asyncpg.PostgresError, *LOST):
            connection.terminate()
            self._connection = None
