"""The clock's memory over restarts: how far it ever came, and how often it stepped back (security 2.8)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, select
from sqlalchemy.dialects.postgresql import insert as upsert

from remit.platform.storage.instants import micros, moment
from remit.platform.storage.sql import Sql
from remit.platform.storage.tables.core import clock_mark as t

INSTALLATION: Final = "installation"
"""One mark for all nodes: time that any of them has seen has been."""

_row = upsert(t)
_PUT: Final = _row.on_conflict_do_update(
    index_elements=[t.c.node],
    set_={"high_water": _row.excluded.high_water, "generation": _row.excluded.generation},
)
_GET: Final = select(t.c.high_water, t.c.generation).where(t.c.node == bindparam("this"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockMark:
    """What a clock must know to start where it stopped."""

    high_water: datetime
    generation: int


class ClockMarks:
    """The mark in one open transaction."""

    def __init__(self, sql: Sql) -> None:
        self._sql = sql

    def get(self) -> ClockMark | None:
        """The stored mark; None at the first start."""
        row = self._sql.row(_GET, {"this": INSTALLATION})
        return None if row is None else ClockMark(high_water=moment(row[0]), generation=row[1])

    def put(self, mark: ClockMark) -> None:
        """Store a mark; a generation never goes back, whatever is written."""
        known = self.get()
        generation = max(mark.generation, known.generation if known else 0)
        self._sql.run(
            _PUT,
            {"node": INSTALLATION, "high_water": micros(mark.high_water), "generation": generation},
        )
