"""SQLite as the system of record: one writer thread, group commit, WAL with `synchronous=FULL`."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final, TypeVar

from sqlalchemy.dialects import sqlite

from remit.kernel.errors import RemitError, Unavailable
from remit.kernel.ids import TenantId, mint_id, system_entropy
from remit.kernel.uow import Lane
from remit.platform.storage.batch import Batch, Journal
from remit.platform.storage.damage import damaged
from remit.platform.storage.errors import (
    StorageFenced,
    StorageFull,
    StorageReadOnly,
    StorageUnreachable,
)
from remit.platform.storage.fair_queue import FairReaders
from remit.platform.storage.file_lock import FileLock
from remit.platform.storage.gathering import Gathering
from remit.platform.storage.group_commit import (
    BATCH_LIMIT,
    BATCH_RECORDS,
    BATCH_SECONDS,
    QUEUE_LIMIT,
    Lanes,
    Outcome,
    Unit,
    attempt_all,
    resolve,
)
from remit.platform.storage.listening import Listeners, Told
from remit.platform.storage.queued import BatchSpoiled, Claims, Haste, TransactionLost
from remit.platform.storage.reserve import Reserve
from remit.platform.storage.sqlite_connection import (
    BUSY_MILLISECONDS,
    Checkpointer,
    SqliteSql,
    connect,
    connect_reader,
)
from remit.platform.storage.statements import Statements
from remit.platform.storage.unit_of_work import SqlTransaction, Work

T = TypeVar("T")

READERS: Final = 2
EPOCHS_KEPT: Final = 4_096
"""Tenants whose epochs are remembered from one batch to the next."""
_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT})
_ELSEWHERE: Final = frozenset(
    {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_FULL}
)
"""Reading fails for something outside the file's content."""
_VERDICTS: Final[dict[int, tuple[type[Unavailable], str]]] = {
    sqlite3.SQLITE_FULL: (StorageFull, "the disk is full; only a kill still commits"),
    sqlite3.SQLITE_READONLY: (StorageReadOnly, "the database is read-only"),
    sqlite3.SQLITE_BUSY: (
        StorageUnreachable,
        f"another process held the database for {BUSY_MILLISECONDS} ms",
    ),
    sqlite3.SQLITE_CANTOPEN: (StorageUnreachable, "the database cannot be opened"),
}
"""Failures after which nothing of the transaction is on disk: the next may try. Any other fences the node."""


class SqliteStore:
    """One database file. All writes go through one thread; reads have a few of their own.

    `on_fence` is called once, from the writer, when this node may not go on.
    """

    def __init__(
        self,
        path: Path,
        *,
        lock: FileLock,
        journal: Journal | None = None,
        queue_limit: int = QUEUE_LIMIT,
        on_fence: Callable[[RemitError], None] | None = None,
    ) -> None:
        self.path = path
        self.node = mint_id("nod", at=datetime.now(UTC), entropy=system_entropy)
        self._lock = lock
        self.commits = 0
        """Durable commits so far."""
        self._statements = Statements(sqlite.dialect(paramstyle="qmark"))
        self._lanes = Lanes(limit=queue_limit)
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._journal = journal
        self._listeners = Listeners()
        self._on_fence = on_fence
        self._fenced: StorageFenced | None = None
        self._closing = False
        self._haste = Haste()
        self._claims = Claims()
        self._epochs: dict[TenantId, int] = {}
        """Epochs in force. INVARIANT: nobody else writes the file, so what was committed last is what is."""
        self._gathering: Gathering | None = None
        self._reserve = Reserve(path.with_name(path.name + ".reserve"))
        self._connection = connect(path)
        self._checkpointer = Checkpointer(self._connection)
        self._readers = ThreadPoolExecutor(READERS, "remit-read", initializer=self._open_reader)
        self._reading_turns = FairReaders(self._readers)
        self._local = threading.local()
        self._reading: list[sqlite3.Connection] = []
        self._writer = threading.Thread(target=self._write_forever, name="remit-write", daemon=True)

    def start(self) -> None:
        """Take works from now on."""
        self._reserve.hold()
        self._writer.start()

    def listen(self, told: Told, *, tenant: TenantId | None = None) -> Callable[[], None]:
        """Have each commit that changed something of a tenant tell its revision; gives what ends it."""
        return self._listeners.add(told, tenant=tenant)

    async def submit(self, work: Work[T], *, tenant: TenantId, lane: Lane = Lane.NORMAL) -> T:
        """Queue a work and wait until its commit is durable."""
        if (fenced := self._stopped()) is not None:
            raise fenced
        if self._closing:
            raise StorageUnreachable("the database is closing")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._lanes.put(Unit(work=work, tenant=tenant, lane=lane, future=future, loop=loop))
        if lane is Lane.KILL:
            self._wake.put(None)
        else:
            self._gathering_of(loop).add()
        if self._stopped():  # fenced between the look above and the queue: the writer is gone
            self._refuse_rest()
        return await future

    def _gathering_of(self, loop: asyncio.AbstractEventLoop) -> Gathering:
        # Nearly always one loop; what another gathers still wakes the writer.
        if self._gathering is None or self._gathering.loop is not loop:
            self._gathering = Gathering(loop, self._wake_up)
        return self._gathering

    def _wake_up(self) -> None:
        self._wake.put(None)

    async def view(self, work: Work[T], *, tenant: TenantId) -> T:
        """Run on one consistent view, in a reader's thread, when it is the tenant's turn."""
        reading = self._reading_turns.submit(tenant, partial(self._read, work, tenant))
        value: T = await asyncio.wrap_future(reading)
        return value

    async def close(self) -> None:
        """Finish what is queued, then let go of the file."""
        self._closing = True
        self._wake.put(None)
        await asyncio.to_thread(self._writer.join)
        self._readers.shutdown()
        # The last connection that closes takes the `-wal` file with it.
        for connection in (*self._reading, self._connection):
            connection.close()
        self._lock.release()

    def _stopped(self) -> StorageFenced | None:
        return self._fenced

    def _open_reader(self) -> None:
        self._local.connection = connect_reader(self.path)
        self._reading.append(self._local.connection)

    def _read(self, work: Callable[[SqlTransaction], Any], tenant: TenantId) -> Any:
        connection: sqlite3.Connection = self._local.connection
        batch = Batch(SqliteSql(connection, self._statements), exclusive=False, journal=self._journal)
        try:
            connection.execute("BEGIN")
            value = work(SqlTransaction(batch, tenant))
        except (sqlite3.DatabaseError, TransactionLost) as error:
            raise _unread(error) from error
        else:
            if not batch.is_bare():
                raise RuntimeError("a work that reads has tried to write")
            return value
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    def _write_forever(self) -> None:
        while self._fenced is None:
            self._wake.get()
            self._drain()
            self._move_log()
            if self._closing and not self._lanes.waiting(Lane.NORMAL) and not self._lanes.waiting(Lane.KILL):
                return
        self._refuse_rest()

    def _move_log(self) -> None:
        """Move the log into the database if that is due: all callers so far have their answers."""
        if self._lanes.waiting(Lane.KILL) or self._fenced is not None:
            return
        try:
            self._checkpointer.move_if_due(self.commits)
        except sqlite3.Error as error:
            # SAFETY: where there is no room or no lock, the log goes on holding what was committed. Any other
            # failure may be a page that was not written, and is never tried again.
            if error.sqlite_errorcode & 0xFF not in _VERDICTS:
                self._fence([], error)

    def _drain(self) -> None:
        """Run one batch: the waiting kills alone, else ordinary works."""
        lane = Lane.KILL if self._lanes.waiting(Lane.KILL) else Lane.NORMAL
        if not self._lanes.waiting(lane):
            return
        taken: list[Unit] = []
        try:
            self._run_twice(taken, lane)
        except (sqlite3.Error, TransactionLost) as error:
            self._lose(taken, error, lane)
        except StorageFenced as fenced:
            self._abort()
            self._stop(taken, fenced)
        except Exception as error:  # noqa: BLE001  # a bug of ours must reach the callers, not end the writer
            self._abort()
            resolve([Outcome(unit, error=error) for unit in taken])
        self._go_on()

    def _go_on(self) -> None:
        """Wake ourselves for works that a batch left: theirs was the wake-up that began it."""
        gathering = self._gathering
        is_due = gathering is None or not gathering.is_open  # else their wake-up is still to come
        if self._lanes.waiting(Lane.KILL) or (is_due and self._lanes.waiting(Lane.NORMAL)):
            self._wake.put(None)

    def _run_twice(self, taken: list[Unit], lane: Lane) -> None:
        """Run what waits; what haste has spoiled runs again, with care."""
        try:
            self._run_batch(self._collect(taken, lane), lane)
        except BatchSpoiled:
            self._abort()
            self._haste.spoiled()
            self._run_batch(taken, lane)

    def _collect(self, taken: list[Unit], lane: Lane) -> Iterator[Unit]:
        deadline = time.monotonic() + BATCH_SECONDS
        while len(taken) < BATCH_LIMIT:
            unit = self._lanes.take(lane)
            if unit is None:
                return
            taken.append(unit)
            yield unit
            if lane is Lane.NORMAL and self._lanes.waiting(Lane.KILL):
                return
            if time.monotonic() >= deadline or self._recorded() >= BATCH_RECORDS:
                return

    def _recorded(self) -> int:
        """Records that the present batch has to write yet: their part of its time is still to come."""
        return 0 if self._journal is None else self._journal.savepoint()

    def _run_batch(self, units: Iterable[Unit], lane: Lane) -> None:
        if lane is Lane.NORMAL and not self._reserve.hold():
            error = StorageFull(
                "the disk is full; the reserve is kept for kills", next_step="free some space"
            )
            resolve([Outcome(unit, error=error) for unit in units])
            return
        hasty = lane is Lane.NORMAL and self._haste.is_fit()
        sql = SqliteSql(self._connection, self._statements, hasty=hasty, claims=self._claims)
        batch = Batch(sql, exclusive=True, journal=self._journal, epochs=self._epochs)
        self._connection.execute("BEGIN IMMEDIATE")
        batch.begin()
        done = attempt_all(batch, units, broken=(TransactionLost,))
        batch.seal()
        self._commit()
        # CRASH: durable, not yet told; a caller that asks again finds its idempotency key.
        self.commits += 1
        batch.committed()
        if len(self._epochs) > EPOCHS_KEPT:
            self._epochs.clear()
        if batch.revision:
            self._listeners.tell(batch.revision, batch.touched)
        resolve(done.outcomes)

    def _commit(self) -> None:
        self._connection.execute("COMMIT")

    def _abort(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        self._epochs.clear()
        if self._journal is not None:
            self._journal.aborted()

    def _lose(self, taken: Sequence[Unit], error: Exception, lane: Lane) -> None:
        """The transaction is gone as a whole: say why, make room for a kill, or fence."""
        cause = error.cause if isinstance(error, TransactionLost) else error
        code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
        verdict = _VERDICTS.get(code)
        if verdict is None:
            self._fence(taken, cause)
            return
        self._abort()
        if code == sqlite3.SQLITE_FULL and lane is Lane.KILL and self._reserve.is_held():
            self._reserve.free()
            self._run_again(taken)
            return
        refusal = verdict[0](verdict[1], debug=str(cause))
        resolve([Outcome(unit, error=refusal) for unit in taken])

    def _run_again(self, taken: Sequence[Unit]) -> None:
        try:
            self._run_batch(taken, Lane.KILL)
        except (sqlite3.Error, TransactionLost) as error:
            self._lose(taken, error, Lane.KILL)

    def _fence(self, taken: Sequence[Unit], cause: object) -> None:
        """Stop acknowledging for good.

        INVARIANT: a failed write or sync is never repeated. The kernel may have dropped the dirty pages and
        report success next time (fsyncgate); only a new process, reading the disk, knows what is there.
        """
        fenced = StorageFenced(
            "a commit failed in a way that leaves its outcome open; this node has stopped",
            debug=str(cause),
            next_step="check the disk, then start again",
        )
        self._stop(taken, fenced)

    def _stop(self, taken: Sequence[Unit], fenced: StorageFenced) -> None:
        self._fenced = fenced
        resolve([Outcome(unit, error=fenced) for unit in taken])
        if self._on_fence is not None:
            self._on_fence(fenced)

    def _refuse_rest(self) -> None:
        for lane in Lane:
            while (unit := self._lanes.take(lane)) is not None:
                resolve([Outcome(unit, error=self._fenced)])


def _unread(error: sqlite3.DatabaseError | TransactionLost) -> Exception:
    """What a failed read says; a statement that SQLite does not take is a bug of ours and stays one."""
    cause = error.cause if isinstance(error, TransactionLost) else error
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
    if code in _DAMAGED:
        return damaged(error)
    if code in _ELSEWHERE:
        return StorageUnreachable("cannot read the database", debug=str(error), next_step="check the disk")
    return error
