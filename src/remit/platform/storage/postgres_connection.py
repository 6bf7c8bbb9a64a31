"""One connection to PostgreSQL, driven by synchronous works: asyncpg behind a greenlet."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import asyncpg
from sqlalchemy import Executable
from sqlalchemy.util import await_only

from remit.kernel.errors import RemitError
from remit.kernel.ids import TenantId
from remit.platform.storage.errors import (
    AlreadyExists,
    ConstraintBroken,
    StorageFull,
    StorageReadOnly,
    StorageUnreachable,
    UnfitDatabase,
)
from remit.platform.storage.queued import QueuedSql, TransactionLost
from remit.platform.storage.sql import Row, Scalar
from remit.platform.storage.statements import Prepared, Statements, Values

CONNECT_SECONDS: Final = 5.0
STATEMENT_MILLISECONDS: Final = 5_000
COMMAND_SECONDS: Final = 6.0
"""When we stop waiting for a server that does not even keep its own timeout: stopped, or cut off."""
LOCK_MILLISECONDS: Final = 1_000
"""How long ordinary work waits for a lock before it is refused."""
KILL_LOCK_MILLISECONDS: Final = 5_000
"""How long a kill waits: longer than `IDLE_MILLISECONDS`, after which the server ends a stopped holder."""
IDLE_MILLISECONDS: Final = 2_000
"""How long the server lets a transaction of ours stand idle: a stopped process must not hold a lock."""

TENANT_SETTING: Final = "remit.tenant"
"""Names the tenant whose rows a transaction sees; the policies of migration 0004 read it."""
IS_UNBOUND: Final = "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"
UNBOUND: Final = (
    "the role that Remit connects as is a superuser or has BYPASSRLS: nothing keeps tenants apart"
)
UNBOUND_NEXT: Final = "connect as an ordinary role that owns the database; see docs/operate, Tenants"
_BARE_TABLES: Final = """
    SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant'
     WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace AND NOT a.attisdropped
       AND NOT (c.relrowsecurity AND c.relforcerowsecurity) ORDER BY 1"""

_NO_VALUES: Final[Mapping[str, Scalar]] = {}
_DURABLE: Final = {"fsync": {"on"}, "full_page_writes": {"on"}, "synchronous_commit": {"on", "remote_apply"}}
LOST: Final = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.InternalClientError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.TooManyConnectionsError,
)
"""The connection is gone, and its transaction with it."""


class PostgresSql(QueuedSql):
    """Runs statements on one connection; every call must come from a greenlet of `greenlet_spawn`.

    Control commands (BEGIN, SAVEPOINT, RELEASE) wait and travel together before the next statement: a work
    costs one round trip more than its statements, not three. `hasty` lets rows wait for the end of the batch
    and takes no savepoints (see `queued`): a work costs no round trip but those of its statements.
    """

    is_sole = False

    def __init__(
        self,
        connection: "asyncpg.Connection[asyncpg.Record]",
        statements: Statements,
        *,
        hasty: bool = False,
    ) -> None:
        super().__init__(statements, hasty=hasty)
        self._connection = connection
        self._waiting: list[str] = []
        self._tenant: TenantId | None = None
        """Whose rows the next statement is about."""
        self._shown: TenantId | None = None
        """Whose rows the server shows, as far as we know."""

    def enter(self, tenant: TenantId) -> None:
        """Have the rows of a tenant in sight from the next statement on (docs/adr/0034)."""
        if tenant != self._tenant:
            self._flush()
            self._tenant = tenant

    @contextmanager
    def within(self, tenant: TenantId) -> Iterator[None]:
        """Have another tenant's rows in sight until the block ends."""
        before = self._tenant
        self.enter(tenant)
        try:
            yield
        finally:
            self._leave(before)

    def control(self, command: str) -> None:
        """Queue a command that has no result."""
        self._waiting.append(command)

    def is_unsent(self) -> bool:
        """Whether commands wait, as after a work that asked for nothing: then no transaction is open."""
        return bool(self._waiting)

    def send_control(self) -> None:
        """Let the queued commands take effect now."""
        if self._tenant is not None and self._shown != self._tenant:
            self.control(show_tenant(self._tenant))
            self._shown = self._tenant
        if self._waiting:
            commands, self._waiting = "; ".join(self._waiting), []
            self._wait(self._connection.execute(commands))

    def run(self, statement: Executable, parameters: Mapping[str, Scalar] | None = None) -> int:
        """Run and return how many rows it changed."""
        prepared = self._prepare(statement)
        return self._run(prepared, prepared.values(parameters or _NO_VALUES))

    def row(self, statement: Executable, parameters: Mapping[str, Scalar] | None = None) -> Row | None:
        """The first row, or None."""
        found = self.rows(statement, parameters)
        return found[0] if found else None

    def row_apart(self, statement: Executable, parameters: Mapping[str, Scalar] | None = None) -> Row | None:
        """The first row of what is written, whatever waits."""
        found = self._ask(self._statements.prepare(statement), parameters)
        return found[0] if found else None

    def rows(self, statement: Executable, parameters: Mapping[str, Scalar] | None = None) -> list[Row]:
        """All rows."""
        return self._ask(self._prepare(statement), parameters)

    def savepoint(self) -> None:
        """Open the one savepoint of a work."""
        if self._queued is None:
            self.control("SAVEPOINT work")
        else:
            self._queued.begin_work()

    def release(self) -> None:
        """Keep what was done since."""
        if self._queued is None:
            self.control("RELEASE work")

    def rollback(self) -> None:
        """Undo what was done since, and close the savepoint."""
        if self._queued is not None:
            self._queued.undo_work()
        elif self._waiting and self._waiting[-1] == "SAVEPOINT work":
            self._waiting.pop()  # it never reached the server
        else:
            self.control("ROLLBACK TO work")
            self.control("RELEASE work")
            self._shown = None  # it may have been said since the savepoint, and is taken back with it

    def _leave(self, before: TenantId | None) -> None:
        if before is not None and before != self._tenant:
            self._flush()
        self._tenant = before

    def _ask(self, prepared: Prepared, parameters: Mapping[str, Scalar] | None) -> list[Row]:
        values = prepared.values(parameters or _NO_VALUES)
        self.send_control()
        found = self._wait(self._connection.fetch(prepared.text, *values))
        self._note(changed=not prepared.reads_only)
        return [tuple(each) for each in found]

    def _run(self, prepared: Prepared, values: Values) -> int:
        self.send_control()
        changed = _count(self._wait(self._connection.execute(prepared.text, *values)))
        self._note(changed=changed > 0)
        return changed

    def _write(self, prepared: Prepared, rows: Sequence[Values]) -> int:
        """Insert rows in one round trip; the server tells no count of many."""
        self.send_control()
        if len(rows) == 1:
            return _count(self._wait(self._connection.execute(prepared.text, *rows[0])))
        self._wait(self._connection.executemany(prepared.text, rows))
        return len(rows)

    def _wait(self, answer: Any) -> Any:
        try:
            return await_only(answer)
        except (asyncpg.PostgresError, *LOST) as error:
            self._note(changed=True)  # the server does nothing more in a transaction after a failure
            raise judge(error) from error


_REFUSALS: Final[
    tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], type[RemitError], str], ...]
] = (
    (asyncpg.UniqueViolationError, AlreadyExists, "a thing of this name exists already"),
    (
        asyncpg.IntegrityConstraintViolationError,
        ConstraintBroken,
        "the rows that this names do not fit together",
    ),
    (
        (asyncpg.LockNotAvailableError, asyncpg.QueryCanceledError),
        StorageUnreachable,
        "the database did not answer in time",
    ),
    (asyncpg.DiskFullError, StorageFull, "the database's disk is full"),
    (asyncpg.ReadOnlySQLTransactionError, StorageReadOnly, "the database is read-only"),
)
_RUN_AGAIN: Final = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)


def judge(error: Exception) -> Exception:
    """What a failure of the server means to the one who asked."""
    for classes, refusal, sentence in _REFUSALS:
        if isinstance(error, classes):
            return refusal(sentence, debug=str(error))
    if isinstance(error, _RUN_AGAIN):
        return TransactionLost(error, again=True)
    return TransactionLost(error) if isinstance(error, LOST) else error


def _count(status: str) -> int:
    """Rows changed, out of a command tag such as `UPDATE 3` or `INSERT 0 1`."""
    last = status.rsplit(" ", 1)[-1]
    return int(last) if last.isdigit() else 0


def show_tenant(tenant: TenantId) -> str:
    """The command that puts one tenant's rows in sight until the transaction ends.

    INVARIANT: local to the transaction, so that a connection carries nothing into the next one.
    """
    name = tenant.replace("'", "''")
    return f"SELECT set_config('{TENANT_SETTING}', '{name}', true)"


async def connect(
    url: str, *, lock_milliseconds: int = LOCK_MILLISECONDS
) -> "asyncpg.Connection[asyncpg.Record]":
    """Open a connection with our timeouts; raises `StorageUnreachable`."""
    try:
        connection = await asyncpg.connect(
            url,
            timeout=CONNECT_SECONDS,
            command_timeout=COMMAND_SECONDS,
            statement_cache_size=512,
            # PD-09: a copy that follows behind answers with what was; it is refused, also one among several
            # addresses, and for reading too.
            target_session_attrs="primary",
            server_settings={
                "application_name": "remit",
                "statement_timeout": str(STATEMENT_MILLISECONDS),
                "lock_timeout": str(lock_milliseconds),
                "idle_in_transaction_session_timeout": str(IDLE_MILLISECONDS),
                "synchronous_commit": "on",
                "timezone": "UTC",
            },
        )
        # `sum(bigint)` is numeric there; no column of ours has a fraction.
        await connection.set_type_codec(
            "numeric", encoder=str, decoder=int, schema="pg_catalog", format="text"
        )
    except asyncpg.TargetServerAttributeNotMatched as error:
        raise StorageUnreachable(
            "the database server is a copy that follows another one",
            next_step="name the one that is written to",
        ) from error
    except (asyncpg.PostgresError, TimeoutError, *LOST) as error:
        raise StorageUnreachable("cannot reach the database", debug=str(error)) from error
    return connection


async def assert_durable(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Refuse a server whose commits can be lost (P3)."""
    for name, lawful in _DURABLE.items():
        value = await connection.fetchval("SELECT current_setting($1)", name)
        if value not in lawful:
            raise UnfitDatabase(
                f"the server runs with `{name}` = `{value}`, it must be {' or '.join(sorted(lawful))}",
                next_step=f"set `{name}` in postgresql.conf",
            )


async def assert_apart(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Refuse a role that row level security does not bind, and a table that has none (MT-05)."""
    if await connection.fetchval(IS_UNBOUND):
        raise UnfitDatabase(UNBOUND, next_step=UNBOUND_NEXT)
    bare = [str(row[0]) for row in await connection.fetch(_BARE_TABLES)]
    if bare:
        raise UnfitDatabase(
            f"nothing keeps tenants apart in `{bare[0]}`, and in {len(bare) - 1} other tables",
            next_step="ALTER TABLE … ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY; who took it away?",
        )
