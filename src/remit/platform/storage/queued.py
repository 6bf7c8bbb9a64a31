"""Rows that wait for the end of their batch, and whether a work can still be taken back without a savepoint.

A batch runs in haste: no savepoints, and rows that nobody asks for before the commit wait, to be written by
one statement per table. What haste can't undo spoils the batch: it is rolled back as a whole and runs again
with a savepoint per work and every row at once, so that an error reaches its own work alone.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Executable

from remit.kernel.ids import TenantId
from remit.platform.storage.sql import Scalar
from remit.platform.storage.statements import Prepared, Statements, Values

CAREFUL_BATCHES: Final = 64
"""Batches that run with savepoints after one had to run twice: who can spoil one can't double the work."""

CLAIMS_KEPT: Final = 65_536
"""Claimed keys of one generation that are remembered; of at most two."""


class TransactionLost(Exception):  # the guide names errors for what happened
    """The whole transaction is over; `again` says whether its works may simply run once more."""

    def __init__(self, cause: BaseException, *, again: bool = False) -> None:
        super().__init__(cause)
        self.cause = cause
        self.again = again


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


class Claims:
    """Keys that were claimed of late, by their hash. OWNED BY: the one writer of its engine.

    A key that is not here is new as far as anybody may guess; whether it is, the database says at the end.
    """

    def __init__(self) -> None:
        self._present: set[int] = set()
        self._older: set[int] = set()

    def is_new(self, key: tuple[str, ...]) -> bool:
        """Whether this key was not asked for of late; it is remembered."""
        mark = hash(key)
        if mark in self._present or mark in self._older:
            return False
        if len(self._present) >= CLAIMS_KEPT:
            self._present, self._older = set(), self._present
        self._present.add(mark)
        return True


class QueuedRows:
    """The rows of one batch that wait, in the order of their asking. OWNED BY: the one writer."""

    def __init__(self) -> None:
        self.wrote = False
        """Whether the present work has changed the database."""
        self._rows: dict[Prepared, list[Values]] = {}
        self._tables: set[str] = set()
        self._under: dict[Prepared, dict[str, list[Mapping[str, Scalar]]]] = {}
        self._claimed: set[Prepared] = set()
        self._mine: list[tuple[Prepared, str]] = []
        """What the present work has put, in order."""

    def put(self, prepared: Prepared, row: Mapping[str, Scalar], *, under: str = "") -> None:
        """Let a row wait, to be found again under a name."""
        values = prepared.values(row)
        waiting = self._rows.get(prepared)
        if waiting is None:
            waiting = self._rows[prepared] = []
            self._tables |= prepared.tables
        waiting.append(values)
        if under:
            self._under.setdefault(prepared, {}).setdefault(under, []).append(row)
        self._mine.append((prepared, under))

    def claim(self, prepared: Prepared, row: Mapping[str, Scalar]) -> None:
        """Let a row wait that must be new when it is written."""
        self.put(prepared, row)
        self._claimed.add(prepared)

    def under(self, prepared: Prepared, name: str) -> Sequence[Mapping[str, Scalar]]:
        """The rows that wait under this name."""
        return self._under.get(prepared, {}).get(name, ())

    def concerns(self, prepared: Prepared) -> bool:
        """Whether a statement could miss what waits here."""
        return not self._tables.isdisjoint(prepared.tables)

    def begin_work(self) -> None:
        """Remember where a work begins."""
        self.wrote = False
        self._mine.clear()

    def undo_work(self) -> None:
        """Forget the rows of the present work; raises `BatchSpoiled` if it has changed the database."""
        if self.wrote:
            raise BatchSpoiled
        for prepared, under in reversed(self._mine):
            self._rows[prepared].pop()
            if under:
                self._under[prepared][under].pop()
        self._mine.clear()

    def write(
        self, write: Callable[[Prepared, Sequence[Values]], int], *, asked: Prepared | None = None
    ) -> None:
        """Write what waits, or what a statement asks for: a statement each, in the order of first rows."""
        due = [each for each in self._rows if asked is None or not each.tables.isdisjoint(asked.tables)]
        for prepared in due:
            rows = self._rows.pop(prepared)
            self._under.pop(prepared, None)
            if any(each is prepared for each, _ in self._mine):
                self.wrote = True
            if rows and write(prepared, rows) != len(rows) and prepared in self._claimed:
                raise BatchSpoiled
        self._tables = {name for each in self._rows for name in each.tables}


class QueuedSql(ABC):
    """What both engines do alike with rows that wait; without haste, nothing waits."""

    def __init__(self, statements: Statements, *, hasty: bool, claims: Claims | None = None) -> None:
        self.is_hasty = hasty
        self._statements = statements
        self._queued = QueuedRows() if hasty else None
        self._claims = claims

    @abstractmethod
    def run(self, statement: Executable, parameters: Mapping[str, Scalar] | None = None) -> int:
        """Run and return how many rows it changed."""

    @abstractmethod
    def _write(self, prepared: Prepared, rows: Sequence[Values]) -> int:
        """Insert rows; returns how many went in, where the engine says so."""

    def enter(self, tenant: TenantId) -> None:  # noqa: B027  # an engine may keep nothing apart
        """Have the rows of a tenant in sight from now on, where the engine keeps them apart."""

    @contextmanager
    def within(self, tenant: TenantId) -> Iterator[None]:  # noqa: ARG002  # as above
        """Have another tenant's rows in sight until the block ends, where the engine keeps them apart."""
        yield

    def run_many(self, statement: Executable, rows: Sequence[Mapping[str, Scalar]]) -> None:
        """Run once per row."""
        prepared = self._prepare(statement)
        self._write(prepared, [prepared.values(row) for row in rows])
        self._note(changed=True)

    def later(self, statement: Executable, row: Mapping[str, Scalar], *, under: str = "") -> None:
        """Insert a row before the commit, together with others of its statement."""
        prepared = self._statements.prepare(statement)
        if self._queued is None:
            self._write(prepared, [prepared.values(row)])
        else:
            self._queued.put(prepared, row, under=under)

    def waiting(self, statement: Executable, *, under: str) -> Sequence[Mapping[str, Scalar]]:
        """The rows that this insert put under a name and that are not written yet."""
        if self._queued is None:
            return ()
        return self._queued.under(self._statements.prepare(statement), under)

    def claim(self, statement: Executable, row: Mapping[str, Scalar], *, key: tuple[str, ...]) -> bool:
        """Insert a row unless its key is there; whether it went in.

        SAFETY: in haste a key that nobody showed of late is taken for new, and its row waits. The database
        has the last word before the commit: if one of them was there, the batch is spoiled, and with care
        each claim is asked at once.
        """
        guess = self._claims is not None and self._claims.is_new(key)
        if self._queued is None or not guess:
            return self.run(statement, row) == 1
        self._queued.claim(self._statements.prepare(statement), row)
        return True

    def flush(self) -> None:
        """Write the rows that wait. Raises `BatchSpoiled` if one of them is refused."""
        self._flush()

    def _flush(self, asked: Prepared | None = None) -> None:
        if self._queued is None:
            return
        try:
            self._queued.write(self._write, asked=asked)
        except TransactionLost:
            raise
        # Whatever refuses a row that waited spoils the batch, which then runs again with care.
        except Exception as refused:
            raise BatchSpoiled from refused

    def _prepare(self, statement: Executable) -> Prepared:
        """The statement's text; rows that it could miss are written first."""
        prepared = self._statements.prepare(statement)
        if self._queued is not None and self._queued.concerns(prepared):
            self._flush(prepared)
        return prepared

    def _note(self, *, changed: bool) -> None:
        """Remember that the present work can't be taken back without a savepoint."""
        if changed and self._queued is not None:
            self._queued.wrote = True
