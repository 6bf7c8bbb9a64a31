"""SQLite as the system of record: one writer thread, group commit, WAL with `synchronous=FULL`."""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import Executable
from sqlalchemy.dialects import sqlite

from remit.kernel.errors import RemitError, Unavailable
from remit.kernel.ids import TenantId
from remit.kernel.uow import Lane
from remit.platform.storage.batch import Batch
from remit.platform.storage.errors import (
    AlreadyExists,
    ConstraintBroken,
    StorageFenced,
    StorageFull,
    StorageReadOnly,
    StorageUnreachable,
    UnfitDatabase,
)
from remit.platform.storage.group_commit import (
    BATCH_LIMIT,
    BATCH_SECONDS,
    QUEUE_LIMIT,
    Outcome,
    Unit,
    UnitQueue,
    attempt_all,
    resolve,
)
from remit.platform.storage.reserve import Reserve
from remit.platform.storage.sql import Row, Scalar
from remit.platform.storage.statements import Prepared, Statements
from remit.platform.storage.unit_of_work import SqlTransaction, Work

T = TypeVar("T")

BUSY_MILLISECONDS: Final = 5_000
READERS: Final = 2
_NO_VALUES: Final[Mapping[str, Scalar]] = {}
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
_FATAL: Final = {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_FULL_SYNC: Final = 2

# INVARIANT: synchronous=FULL. In WAL mode NORMAL does not sync at commit: a power cut loses what was told.
_PRAGMAS: Final = (
    f"PRAGMA busy_timeout={BUSY_MILLISECONDS}",
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA trusted_schema=OFF",
    "PRAGMA cell_size_check=ON",
)


class TransactionLost(Exception):  # as in `statements`
    """SQLite has rolled back the whole transaction, not one statement."""


class SqliteSql:
    """Runs statements on one connection. OWNED BY the thread that opened its transaction."""

    def __init__(self, connection: sqlite3.Connection, statements: Statements) -> None:
        self._connection = connection
        self._statements = statements

    def run(self, statement: Executable, parameters: Mapping[str, Scalar] | None = None) -> int:
        """Run and return how many rows it changed."""
        return self._execute(statement, parameters).rowcount

    def run_many(self, statement: Executable, rows: Sequence[Mapping[str, Scalar]]) -> None:
        """Run once per row."""
        prepared = self._statements.prepare(statement)
        try:
            self._connection.executemany(prepared.text, [prepared.values(row) for row in rows])
        except sqlite3.Error as error:
            raise self._judge(error, prepared) from error

    def row(self, statement: Executable, parameters: Mapping[str, Scalar] | None = None) -> Row | None:
        """The first row, or None."""
        cursor = self._execute(statement, parameters)
        found: Row | None = cursor.fetchone()
        cursor.close()
        return found

    def rows(self, statement: Executable, parameters: Mapping[str, Scalar] | None = None) -> list[Row]:
        """All rows."""
        return self._execute(statement, parameters).fetchall()

    def savepoint(self) -> None:
        """Open the one savepoint of a work."""
        self._connection.execute("SAVEPOINT work")

    def release(self) -> None:
        """Keep what was done since."""
        self._connection.execute("RELEASE work")

    def rollback(self) -> None:
        """Undo what was done since, and close the savepoint."""
        self._connection.execute("ROLLBACK TO work")
        self._connection.execute("RELEASE work")

    def _execute(self, statement: Executable, parameters: Mapping[str, Scalar] | None) -> sqlite3.Cursor:
        prepared = self._statements.prepare(statement)
        try:
            return self._connection.execute(prepared.text, prepared.values(parameters or _NO_VALUES))
        except sqlite3.Error as error:
            raise self._judge(error, prepared) from error

    def _judge(self, error: sqlite3.Error, prepared: Prepared) -> Exception:
        code = getattr(error, "sqlite_errorcode", 0)
        if code in {sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY}:
            return AlreadyExists("a thing of this name exists already", debug=f"{error}: {prepared.text}")
        if code & 0xFF == sqlite3.SQLITE_CONSTRAINT:
            return ConstraintBroken("the rows that this names do not fit together", debug=str(error))
        if code & 0xFF in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY, *_FATAL}:
            return TransactionLost(error)
        if not self._connection.in_transaction:
            return TransactionLost(error)
        return error


class SqliteStore:
    """One database file. All writes go through one thread; reads have a few of their own.

    `on_fence` is called once, from the writer, when this node may not go on.
    """

    def __init__(
        self,
        path: Path,
        *,
        queue_limit: int = QUEUE_LIMIT,
        on_commit: Callable[[int], None] | None = None,
        on_fence: Callable[[RemitError], None] | None = None,
    ) -> None:
        self.path = path
        self.commits = 0
        """Durable commits so far."""
        self._statements = Statements(sqlite.dialect(paramstyle="qmark"))
        self._queue = UnitQueue(limit=queue_limit)
        self._on_commit = on_commit
        self._on_fence = on_fence
        self._fenced: StorageFenced | None = None
        self._closing = False
        self._reserve = Reserve(path.with_name(path.name + ".reserve"))
        self._connection = self.connect()
        self._readers = ThreadPoolExecutor(READERS, "remit-read", initializer=self._open_reader)
        self._local = threading.local()
        self._writer = threading.Thread(target=self._write_forever, name="remit-write", daemon=True)

    def start(self) -> None:
        """Take works from now on."""
        self._reserve.hold()
        self._writer.start()

    def connect(self) -> sqlite3.Connection:
        """Open a connection that writes; raises `UnfitDatabase` where a commit would not be durable."""
        try:
            connection = sqlite3.connect(
                self.path, isolation_level=None, check_same_thread=False, cached_statements=512
            )
            for pragma in _PRAGMAS:
                connection.execute(pragma)
        except sqlite3.Error as error:
            raise StorageUnreachable(f"cannot open the database `{self.path}`", debug=str(error)) from error
        self._assert_durable(connection)
        return connection

    @staticmethod
    def _assert_durable(connection: sqlite3.Connection) -> None:
        (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
        (level,) = connection.execute("PRAGMA synchronous").fetchone()
        if mode != "wal" or level != _FULL_SYNC:
            raise UnfitDatabase(
                f"the journal is `{mode}`, synchronous `{level}`; they must be `wal`, `{_FULL_SYNC}`",
                next_step="put the database on a local file system",
            )

    async def submit(self, work: Work[T], *, tenant: TenantId, lane: Lane = Lane.NORMAL) -> T:
        """Queue a work and wait until its commit is durable."""
        if (fenced := self._stopped()) is not None:
            raise fenced
        if self._closing:
            raise StorageUnreachable("the database is closing")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._queue.put(Unit(work=work, tenant=tenant, lane=lane, future=future, loop=loop))
        if self._stopped():  # fenced between the look above and the queue: the writer is gone
            self._refuse_rest()
        return await future

    async def view(self, work: Work[T], *, tenant: TenantId) -> T:
        """Run on one consistent view, in a reader's thread."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, self._read, work, tenant)

    async def close(self) -> None:
        """Finish what is queued, then let go of the file."""
        self._closing = True
        self._queue.wake()
        await asyncio.to_thread(self._writer.join)
        self._readers.shutdown()
        self._connection.close()

    def _stopped(self) -> StorageFenced | None:
        return self._fenced

    def _open_reader(self) -> None:
        connection = sqlite3.connect(self.path, isolation_level=None, cached_statements=512)
        connection.execute(f"PRAGMA busy_timeout={BUSY_MILLISECONDS}")
        connection.execute("PRAGMA query_only=ON")
        self._local.connection = connection

    def _read(self, work: Callable[[SqlTransaction], Any], tenant: TenantId) -> Any:
        connection: sqlite3.Connection = self._local.connection
        batch = Batch(SqliteSql(connection, self._statements), exclusive=False)
        connection.execute("BEGIN")
        try:
            value = work(SqlTransaction(batch, tenant))
            if not batch.is_bare():
                raise RuntimeError("a work that reads has tried to write")
            return value
        finally:
            connection.execute("ROLLBACK")

    def _write_forever(self) -> None:
        while self._fenced is None:
            self._queue.wait()
            self._drain()
            if self._closing and not self._queue.waiting() and not self._queue.has_kill():
                return
        self._refuse_rest()

    def _drain(self) -> None:
        """Run one batch: the waiting kills alone, else ordinary works."""
        kill = self._queue.has_kill()
        if not kill and not self._queue.waiting():
            return
        taken: list[Unit] = []
        try:
            self._run_batch(self._collect(taken, kill=kill), kill=kill)
        except (sqlite3.Error, TransactionLost) as error:
            self._lose(taken, error, kill=kill)
        except Exception as error:  # noqa: BLE001  # a bug of ours must reach the callers, not end the writer in silence
            self._roll_back()
            resolve([Outcome(unit, error=error) for unit in taken])
        if not kill:
            self._queue.settle(len(taken))

    def _collect(self, taken: list[Unit], *, kill: bool) -> Iterator[Unit]:
        deadline = time.monotonic() + BATCH_SECONDS
        take = self._queue.take_kill if kill else self._queue.take_normal
        while len(taken) < BATCH_LIMIT:
            unit = take()
            if unit is None:
                return
            taken.append(unit)
            yield unit
            if time.monotonic() >= deadline or (not kill and self._queue.has_kill()):
                return

    def _run_batch(self, units: Iterable[Unit], *, kill: bool) -> None:
        if not kill and not self._reserve.hold():
            error = StorageFull(
                "the disk is full; the reserve is kept for kills", next_step="free some space"
            )
            resolve([Outcome(unit, error=error) for unit in units])
            return
        batch = Batch(SqliteSql(self._connection, self._statements), exclusive=True)
        self._connection.execute("BEGIN IMMEDIATE")
        done = attempt_all(batch, units, broken=(TransactionLost,))
        batch.seal()
        self._commit()
        # CRASH: durable, not yet told; a caller that asks again finds its idempotency key.
        self.commits += 1
        if self._on_commit is not None and batch.revision:
            self._on_commit(batch.revision)
        resolve(done.outcomes)

    def _commit(self) -> None:
        self._connection.execute("COMMIT")

    def _roll_back(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def _lose(self, taken: Sequence[Unit], error: Exception, *, kill: bool) -> None:
        """The transaction is gone as a whole: say why, make room for a kill, or fence."""
        cause = error.args[0] if isinstance(error, TransactionLost) else error
        code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
        verdict = _VERDICTS.get(code)
        if verdict is None:
            self._fence(taken, cause)
            return
        self._roll_back()
        if code == sqlite3.SQLITE_FULL and kill and self._reserve.is_held():
            self._reserve.free()
            self._run_again(taken)
            return
        refusal = verdict[0](verdict[1], debug=str(cause))
        resolve([Outcome(unit, error=refusal) for unit in taken])

    def _run_again(self, taken: Sequence[Unit]) -> None:
        try:
            self._run_batch(taken, kill=True)
        except (sqlite3.Error, TransactionLost) as error:
            self._lose(taken, error, kill=True)

    def _fence(self, taken: Sequence[Unit], cause: object) -> None:
        """Stop acknowledging for good.

        INVARIANT: a failed write or sync is never repeated. The kernel may have dropped the dirty pages and
        report success next time (fsyncgate); only a new process, reading the disk, knows what is there.
        """
        self._fenced = StorageFenced(
            "a commit failed in a way that leaves its outcome open; this node has stopped",
            debug=str(cause),
            next_step="check the disk, then start again",
        )
        resolve([Outcome(unit, error=self._fenced) for unit in taken])
        if self._on_fence is not None:
            self._on_fence(self._fenced)

    def _refuse_rest(self) -> None:
        while (unit := self._queue.take()) is not None:
            resolve([Outcome(unit, error=self._fenced)])
