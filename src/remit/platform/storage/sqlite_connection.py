"""One connection to a SQLite file: durable settings, asserted, and the statements that run on it."""

import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from sqlalchemy import Executable

from remit.platform.storage.errors import (
    AlreadyExists,
    ConstraintBroken,
    StorageUnreachable,
    UnfitDatabase,
)
from remit.platform.storage.queued import Claims, QueuedSql, TransactionLost
from remit.platform.storage.sql import Row, Scalar
from remit.platform.storage.statements import Prepared, Statements, Values

BUSY_MILLISECONDS: Final = 5_000
MOVED_PAGES: Final = 1_000
"""Pages of the log that are worth while moving."""
LOG_PAGES: Final = 4_000
"""Pages of the log (16 MB) at which a commit moves them itself."""
COMMITS_APART: Final = 512
_NO_VALUES: Final[Mapping[str, Scalar]] = {}
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
    f"PRAGMA wal_autocheckpoint={LOG_PAGES}",
)


class SqliteSql(QueuedSql):
    """Runs statements on one connection. OWNED BY the thread that opened its transaction.

    `hasty` lets rows wait for the end of the batch and takes no savepoints (see `queued`).
    """

    is_sole = True  # INVARIANT: who opens the file holds its lock (`file_lock`)

    def __init__(
        self,
        connection: sqlite3.Connection,
        statements: Statements,
        *,
        hasty: bool = False,
        claims: Claims | None = None,
    ) -> None:
        super().__init__(statements, hasty=hasty, claims=claims)
        self._connection = connection

    def run(self, statement: Executable, parameters: Mapping[str, Scalar] | None = None) -> int:
        """Run and return how many rows it changed."""
        changed = self._execute(self._prepare(statement), parameters).rowcount
        self._note(changed=changed > 0)
        return changed

    def row(self, statement: Executable, parameters: Mapping[str, Scalar] | None = None) -> Row | None:
        """The first row, or None."""
        return self._first(self._prepare(statement), parameters)

    def row_apart(self, statement: Executable, parameters: Mapping[str, Scalar] | None = None) -> Row | None:
        """The first row of what is written, whatever waits."""
        return self._first(self._statements.prepare(statement), parameters)

    def rows(self, statement: Executable, parameters: Mapping[str, Scalar] | None = None) -> list[Row]:
        """All rows."""
        return self._ask(self._prepare(statement), parameters).fetchall()

    def savepoint(self) -> None:
        """Open the one savepoint of a work."""
        if self._queued is None:
            self._connection.execute("SAVEPOINT work")
        else:
            self._queued.begin_work()

    def release(self) -> None:
        """Keep what was done since."""
        if self._queued is None:
            self._connection.execute("RELEASE work")

    def rollback(self) -> None:
        """Undo what was done since, and close the savepoint."""
        if self._queued is None:
            self._connection.execute("ROLLBACK TO work")
            self._connection.execute("RELEASE work")
        else:
            self._queued.undo_work()

    def _first(self, prepared: Prepared, parameters: Mapping[str, Scalar] | None) -> Row | None:
        cursor = self._ask(prepared, parameters)
        found: Row | None = cursor.fetchone()
        cursor.close()
        return found

    def _ask(self, prepared: Prepared, parameters: Mapping[str, Scalar] | None) -> sqlite3.Cursor:
        # How many rows a statement changed is known only after the last was fetched.
        self._note(changed=not prepared.reads_only)
        return self._execute(prepared, parameters)

    def _execute(self, prepared: Prepared, parameters: Mapping[str, Scalar] | None) -> sqlite3.Cursor:
        try:
            return self._connection.execute(prepared.text, prepared.values(parameters or _NO_VALUES))
        except sqlite3.Error as error:
            raise self._judge(error, prepared) from error

    def _write(self, prepared: Prepared, rows: Sequence[Values]) -> int:
        """Insert rows, many by one statement: each step of one may have to wait for the interpreter."""
        try:
            if not prepared.row_text:
                return self._connection.executemany(prepared.text, rows).rowcount
            return sum(self._connection.execute(*each).rowcount for each in prepared.in_bulk(rows))
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


class Checkpointer:
    """Moves the log into the database after commits, once their callers have their answers.

    How many pages a commit adds to the log is known only when it is asked to move them; so it learns after
    how many commits that is worth while. What it misses SQLite does inside a commit (`LOG_PAGES`).
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._every = 8
        self._moved = 0

    def move_if_due(self, commits: int) -> None:
        """Move the log after so many commits since the last time. Raises `sqlite3.Error`."""
        since = commits - self._moved
        if since < self._every:
            return
        self._moved = commits
        _, pages, _ = self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        self._every = max(1, min(COMMITS_APART, since * MOVED_PAGES // max(1, pages)))


def connect(path: Path) -> sqlite3.Connection:
    """Open a connection that writes; raises `UnfitDatabase` where a commit would not be durable."""
    try:
        connection = sqlite3.connect(
            path, isolation_level=None, check_same_thread=False, cached_statements=512
        )
        for pragma in _PRAGMAS:
            connection.execute(pragma)
    except sqlite3.Error as error:
        raise StorageUnreachable(f"cannot open the database `{path}`", debug=str(error)) from error
    assert_durable(connection)
    return connection


def connect_reader(path: Path) -> sqlite3.Connection:
    """Open a connection that cannot write; whoever closes it may be another thread than its reader."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=512)
    connection.execute(f"PRAGMA busy_timeout={BUSY_MILLISECONDS}")
    connection.execute("PRAGMA query_only=ON")
    return connection


def assert_durable(connection: sqlite3.Connection) -> None:
    """Ask SQLite what it really runs with; some file systems and builds ignore a pragma in silence."""
    (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    (level,) = connection.execute("PRAGMA synchronous").fetchone()
    if mode != "wal" or level != _FULL_SYNC:
        raise UnfitDatabase(
            f"the journal is `{mode}`, synchronous `{level}`; they must be `wal`, `{_FULL_SYNC}`",
            next_step="put the database on a local file system",
        )
