"""Rows that wait for the end of their batch, and whether a work can still be taken back without a savepoint.

A batch runs in haste: no savepoints, and rows that nobody asks for before the commit wait, to be written by
one statement per table. What haste can't undo spoils the batch: it is rolled back as a whole and runs again
with a savepoint per work and every row at once, so that an error reaches its own work alone.
"""

from collections.abc import Callable, Sequence
from typing import Final

from remit.platform.storage.statements import Prepared, Values

CAREFUL_BATCHES: Final = 64
"""Batches that run with savepoints after one had to run twice: who can spoil one can't double the work."""


class BatchSpoiled(BaseException):
    """Haste has met what it can't undo: roll the batch back and run its works again, with care.

    A BaseException, because a work that catches `Exception` must not swallow it.
    """


class Haste:
    """Whether the next batch may run in haste."""

    def __init__(self) -> None:
        self._careful = 0

    def is_fit(self) -> bool:
        """Ask once for each ordinary batch; kills never haste."""
        if self._careful:
            self._careful -= 1
            return False
        return True

    def spoiled(self) -> None:
        """A batch had to run twice."""
        self._careful = CAREFUL_BATCHES


class QueuedRows:
    """The rows of one batch that wait, in the order of their asking. OWNED BY: the one writer."""

    def __init__(self) -> None:
        self.wrote = False
        """Whether the present work has changed the database."""
        self._rows: list[tuple[Prepared, Values]] = []
        self._tables: set[str] = set()
        self._written = 0
        self._mark = 0

    def put(self, prepared: Prepared, values: Values) -> None:
        """Let a row wait."""
        self._rows.append((prepared, values))
        self._tables |= prepared.tables

    def concerns(self, prepared: Prepared) -> bool:
        """Whether a statement could miss what waits here."""
        return bool(self._rows) and not self._tables.isdisjoint(prepared.tables)

    def begin_work(self) -> None:
        """Remember where a work begins."""
        self.wrote = False
        self._mark = self._written + len(self._rows)

    def undo_work(self) -> None:
        """Forget the rows of the present work; raises `BatchSpoiled` if it has changed the database."""
        if self.wrote or self._mark < self._written:
            raise BatchSpoiled
        del self._rows[self._mark - self._written :]

    def write(self, run_many: Callable[[Prepared, Sequence[Values]], None]) -> None:
        """Write what waits, one statement after the other in the order of their first row."""
        by_statement: dict[Prepared, list[Values]] = {}
        for prepared, values in self._rows:
            by_statement.setdefault(prepared, []).append(values)
        self._written += len(self._rows)
        self._rows.clear()
        self._tables.clear()
        for prepared, rows in by_statement.items():
            run_many(prepared, rows)
