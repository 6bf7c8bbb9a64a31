"""The latest moment ever read and the clock's generation: a restart must forget neither (P16)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, func, select
from sqlalchemy.dialects.postgresql import insert as upsert

from remit.platform.storage.instants import micros, moment
from remit.platform.storage.sql import Sql
from remit.platform.storage.tables.core import clock_mark as t

_new = upsert(t)
_MARK: Final = _new.on_conflict_do_update(
    index_elements=[t.c.node],
    set_={"high_water": _new.excluded.high_water, "generation": _new.excluded.generation},
    # A mark only grows: an older process that writes late does not take it back.
    where=(_new.excluded.generation > t.c.generation)
    | ((_new.excluded.generation == t.c.generation) & (_new.excluded.high_water > t.c.high_water)),
)
_LAST: Final = (
    select(t.c.high_water, t.c.generation)
    .where(t.c.generation == bindparam("newest"))
    .order_by(t.c.high_water.desc())
    .limit(1)
)
_NEWEST: Final = select(func.max(t.c.generation))


@dataclass(frozen=True, slots=True)
class ClockMark:
    """Where the wall clock was last seen."""

    high_water: datetime
    generation: int


class ClockRepository:
    """Marks of all nodes of the deployment."""

    def __init__(self, sql: Sql) -> None:
        self._sql = sql

    def last(self) -> ClockMark | None:
        """The latest moment of the newest generation; None before the first start."""
        newest = self._sql.row(_NEWEST)
        if newest is None or newest[0] is None:
            return None
        row = self._sql.row(_LAST, {"newest": newest[0]})
        return None if row is None else ClockMark(moment(row[0]), row[1])

    def mark(self, node: str, seen: ClockMark) -> None:
        """Note what a node's clock says; `node` is the installation's name for it, kept over restarts."""
        self._sql.run(
            _MARK, {"node": node, "high_water": micros(seen.high_water), "generation": seen.generation}
        )
