"""Opens the system of record by its address: `sqlite:///path` or `postgresql://…`."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from remit.kernel.errors import RemitError
from remit.platform.storage.errors import UnfitDatabase
from remit.platform.storage.migrate import migrate_sqlite
from remit.platform.storage.sqlite import SqliteStore
from remit.platform.storage.unit_of_work import Store


class OpenStore(Store, Protocol):
    """A store that was started and must be closed."""

    async def close(self) -> None:
        """Finish what is queued, then let go."""


async def open_store(
    url: str,
    *,
    on_commit: Callable[[int], None] | None = None,
    on_fence: Callable[[RemitError], None] | None = None,
) -> OpenStore:
    """Open, bring to this binary's schema, and start; raises `UnfitDatabase` or `StorageUnreachable`.

    `on_commit` hears the revision of each commit that changed something, from the writer: a hint.
    `on_fence` hears, once, that this node may not write any more.
    """
    if url.startswith("sqlite:///"):
        path = Path(url.removeprefix("sqlite:///"))
        migrate_sqlite(path)
        store = SqliteStore(path, on_commit=on_commit, on_fence=on_fence)
        store.start()
        return store
    raise UnfitDatabase(
        f"`{url.split(':', 1)[0]}` is not an engine we know", next_step="use `sqlite:///path`"
    )
