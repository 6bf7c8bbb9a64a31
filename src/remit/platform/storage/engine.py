"""Opens the system of record by its address: `sqlite:///path` or `postgresql://…`."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Protocol

from remit.kernel.errors import RemitError
from remit.kernel.ids import TenantId
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.kernel.uow import Lane
from remit.platform.storage.batch import Journal
from remit.platform.storage.errors import UnfitDatabase
from remit.platform.storage.file_lock import FileLock
from remit.platform.storage.group_commit import QUEUE_LIMIT
from remit.platform.storage.listening import Told
from remit.platform.storage.migrate import migrate_sqlite
from remit.platform.storage.nodes import Nodes
from remit.platform.storage.sqlite import SqliteStore
from remit.platform.storage.unit_of_work import SqlTransaction, Store


class OpenStore(Store, Protocol):
    """A store that was started and must be closed."""

    @property
    def node(self) -> str:
        """Id of this start of this process; never reused."""

    @property
    def commits(self) -> int:
        """Durable commits so far."""

    def listen(self, told: Told, *, tenant: TenantId | None = None) -> Callable[[], None]:
        """Have each commit of this process that changed something of a tenant, or of any, tell its revision.

        A hint, from any thread. Gives what ends it.
        """

    async def close(self) -> None:
        """Finish what is queued, then let go."""


OnFence = Callable[[RemitError], None]
JournalOf = Callable[[Lane], Journal]
"""Makes the ledger's appender for a lane. SQLite asks for one; PostgreSQL has a writer and a log per lane."""


async def open_store(
    url: str,
    *,
    journals: JournalOf | None = None,
    on_fence: Callable[[RemitError], None] | None = None,
    queue_limit: int = QUEUE_LIMIT,
) -> OpenStore:
    """Open, bring to this binary's schema, and start; raises `UnfitDatabase` or `StorageUnreachable`.

    `queue_limit` bounds the works that wait on the normal lane.
    `on_fence` hears, once, that this node may not write any more.
    """
    match url.split(":", 1)[0]:
        case "sqlite":
            return await _open_sqlite(url, journals, on_fence, queue_limit)
        case "postgresql" | "postgres":
            return await _open_postgres(url, journals, on_fence, queue_limit)
        case other:
            raise UnfitDatabase(
                f"`{other}` is not an engine we know", next_step="use `sqlite:///path` or `postgresql://…`"
            )


async def _open_sqlite(
    url: str, journals: JournalOf | None, on_fence: OnFence | None, queue_limit: int
) -> OpenStore:
    path = Path(url.removeprefix("sqlite:///"))
    if not url.startswith("sqlite:///") or not path.name or path.name == ":memory:":
        raise UnfitDatabase(f"`{url}` names no file", next_step="use `sqlite:///path`")
    lock = FileLock.take(path)
    try:
        await asyncio.to_thread(migrate_sqlite, path)
        store = SqliteStore(
            path,
            lock=lock,
            journal=journals(Lane.NORMAL) if journals else None,
            on_fence=on_fence,
            queue_limit=queue_limit,
        )
    except BaseException:
        lock.release()
        raise
    store.start()
    try:
        await store.submit(partial(_enter, node=store.node), tenant=DEFAULT_TENANT)
    except BaseException:
        await store.close()
        raise
    return store


def _enter(tx: SqlTransaction, node: str) -> None:
    """One process writes to a file: whoever did before is gone for good."""
    nodes = Nodes(tx.sql)
    nodes.register(node, at=datetime.now(UTC))
    nodes.bury_others(node)


async def _open_postgres(
    url: str, journals: JournalOf | None, on_fence: OnFence | None, queue_limit: int
) -> OpenStore:
    try:
        from remit.platform.storage.postgres import PostgresStore  # noqa: PLC0415  # its driver is an extra
        from remit.platform.storage.postgres_migrate import migrate_postgres  # noqa: PLC0415  # as above
    except ImportError as absent:
        raise UnfitDatabase(
            "the driver for PostgreSQL is not installed", next_step="pip install 'remit[postgres]'"
        ) from absent
    await migrate_postgres(url)
    store = PostgresStore(url, journals=journals, on_fence=on_fence, queue_limit=queue_limit)
    await store.start()
    return store
