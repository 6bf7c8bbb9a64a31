"""Tells when there is a newer revision: a local commit at once, another node's by asking."""

import asyncio
from typing import Final

from remit.kernel.errors import Unavailable
from remit.platform.storage.revision import ChangeLog, Changes
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork

POLL_SECONDS: Final = 0.2
"""How often the database is asked while no local commit gives a hint: other nodes' changes show by then."""


def read_changes(tx: SqlTransaction, known: int) -> Changes:
    """The changes since `known`, on the view of this transaction."""
    return ChangeLog(tx.sql, tx.tenant).since(known)


class SnapshotFeed:
    """Waits for revisions of one database. Hints only shorten the wait; what counts is what SQL says."""

    def __init__(self, uow: SqlUnitOfWork, *, poll: float = POLL_SECONDS) -> None:
        self._uow = uow
        self._poll = poll
        self._loop = asyncio.get_running_loop()
        self._known = 0
        self._moved = asyncio.Event()

    def hint(self, revision: int) -> None:
        """A commit of this process reached that revision; from any thread. Give it to `store.listen`."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._note, revision)

    async def changes_since(self, known: int) -> Changes:
        """What changed after `known`; raises `ChangesForgotten`."""
        changes = await self._uow.read(lambda tx: read_changes(tx, known))
        self._note(changes.revision)
        return changes

    async def wait_for(self, revision: int, *, seconds: float) -> int:
        """Wait until that revision is committed; returns the last one known.

        Raises `Unavailable` when it does not come in time: the caller's token is from another database, or
        its node cannot reach this one.
        """
        try:
            async with asyncio.timeout(seconds):
                while self._known < revision:
                    await self._look()
        except TimeoutError as late:
            raise Unavailable(f"revision {revision} did not come within {seconds} s") from late
        return self._known

    async def wait_beyond(self, known: int) -> int:
        """Wait for any revision after `known`, as long as it takes."""
        while self._known <= known:
            await self._look()
        return self._known

    async def _look(self) -> None:
        """Ask now, then sleep until a hint or the next poll, unless the answer was news."""
        before = self._known
        self._moved.clear()
        self._note(await self._uow.read(lambda tx: ChangeLog(tx.sql, tx.tenant).revision()))
        if self._known > before:
            return
        try:
            async with asyncio.timeout(self._poll):
                await self._moved.wait()
        except TimeoutError:
            return

    def _note(self, revision: int) -> None:
        if revision > self._known:
            self._known = revision
            self._moved.set()
