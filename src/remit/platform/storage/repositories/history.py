"""Marks of what was done before, over SQL: counted per part of a window, so that their number is bounded."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import BigInteger, ColumnElement, and_, bindparam, case, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from remit.decision.history.past import (
    NOTHING,
    VALUES_LIMIT,
    Footprint,
    Memory,
    Question,
    Unmemorable,
)
from remit.kernel.ids import TenantId
from remit.platform.storage.instants import micros, moment
from remit.platform.storage.sql import Scalar, Sql
from remit.platform.storage.tables.decision import history as h

_LOCK: Final = -1
_FOR_EVER: Final = (1 << 63) - 1
_LOCK_LASTS: Final = timedelta(days=1)


def _later(one: ColumnElement[int], other: ColumnElement[int]) -> ColumnElement[int]:
    return case((one > other, one), else_=other)


_FIRST = upsert(h).values(
    tenant=bindparam("ours"),
    mark=bindparam("this_mark"),
    holder=bindparam("this_holder"),
    value=bindparam("this_value"),
    bucket=bindparam("this_bucket", type_=BigInteger),
    times=bindparam("how_often", type_=BigInteger),
    last_at=bindparam("now", type_=BigInteger),
    until=bindparam("end", type_=BigInteger),
)
_PLACE = [h.c.tenant, h.c.mark, h.c.holder, h.c.value, h.c.bucket]
_LEAVE = _FIRST.on_conflict_do_update(
    index_elements=_PLACE,
    set_={
        "times": h.c.times + _FIRST.excluded.times,
        # A clock that was set back takes nothing from what is remembered.
        "last_at": _later(h.c.last_at, _FIRST.excluded.last_at),
        "until": _later(h.c.until, _FIRST.excluded.until),
    },
)
_OURS = and_(
    h.c.tenant == bindparam("ours"),
    h.c.mark == bindparam("this_mark"),
    h.c.holder == bindparam("this_holder"),
)
_LOOK = (
    select(h.c.value, func.sum(h.c.times), func.max(h.c.last_at))
    .where(_OURS, h.c.bucket > _LOCK, h.c.times > 0, h.c.last_at > bindparam("since", type_=BigInteger))
    .group_by(h.c.value)
    .limit(VALUES_LIMIT + 1)
)
_UNLEAVE = (
    update(h)
    .where(
        _OURS,
        h.c.value == bindparam("this_value"),
        h.c.bucket == bindparam("this_bucket", type_=BigInteger),
        h.c.times > 0,
    )
    .values(times=h.c.times - 1)
)
_OVER = (
    select(h.c.mark, h.c.holder, h.c.value, h.c.bucket)
    .where(
        h.c.tenant == bindparam("ours"),
        h.c.until <= bindparam("now", type_=BigInteger),
    )
    .limit(bindparam("count", type_=BigInteger))
)
_FORGET = delete(h).where(
    _OURS,
    h.c.value == bindparam("this_value"),
    h.c.bucket == bindparam("this_bucket", type_=BigInteger),
    or_(h.c.until <= bindparam("now", type_=BigInteger), h.c.times == 0),
)


class HistoryRepository:
    """Marks of one tenant."""

    def __init__(self, sql: Sql, tenant: TenantId) -> None:
        self._sql = sql
        self._tenant = tenant

    def hold(self, places: Iterable[tuple[str, str]], at: datetime) -> None:
        """Lock marks on holders for the transaction; where one process writes, its turn is the lock."""
        if self._sql.is_sole:
            return
        for mark, holder in places:
            end = micros(at + _LOCK_LASTS)
            self._sql.run(_LEAVE, self._row(mark, holder, "", _LOCK, times=0, now=0, end=end))

    def look(self, question: Question) -> Memory:
        """What is remembered; raises `Unmemorable` for too many values."""
        values: dict[str, Scalar] = {
            "ours": self._tenant,
            "this_mark": question.mark,
            "this_holder": question.holder,
            "since": micros(question.since),
        }
        rows = self._sql.rows(_LOOK, values)
        if not rows:
            return NOTHING
        if len(rows) > VALUES_LIMIT:
            raise Unmemorable(f"`{question.mark}` has more than {VALUES_LIMIT} different values")
        return Memory(
            times=sum(int(row[1]) for row in rows),
            values=frozenset(str(row[0]) for row in rows),
            last=moment(max(int(row[2]) for row in rows)),
        )

    def leave(self, footprint: Footprint) -> None:
        """Remember once more."""
        end = _FOR_EVER if footprint.until is None else micros(footprint.until)
        self._sql.run(
            _LEAVE,
            self._row(
                footprint.mark,
                footprint.holder,
                footprint.value,
                footprint.bucket,
                times=1,
                now=micros(footprint.at),
                end=end,
            ),
        )

    def unleave(self, footprint: Footprint) -> None:
        """Take one time back."""
        self._sql.run(
            _UNLEAVE,
            {
                "ours": self._tenant,
                "this_mark": footprint.mark,
                "this_holder": footprint.holder,
                "this_value": footprint.value,
                "this_bucket": footprint.bucket,
            },
        )

    def forget(self, at: datetime, limit: int) -> int:
        """Remove what is over; how many rows went."""
        found = self._sql.rows(_OVER, {"ours": self._tenant, "now": micros(at), "count": limit})
        for mark, holder, value, bucket in found:
            self._sql.run(
                _FORGET,
                {
                    "ours": self._tenant,
                    "this_mark": mark,
                    "this_holder": holder,
                    "this_value": value,
                    "this_bucket": bucket,
                    "now": micros(at),
                },
            )
        return len(found)

    def _row(
        self, mark: str, holder: str, value: str, bucket: int, *, times: int, now: int, end: int
    ) -> dict[str, Scalar]:
        return {
            "ours": self._tenant,
            "this_mark": mark,
            "this_holder": holder,
            "this_value": value,
            "this_bucket": bucket,
            "how_often": times,
            "now": now,
            "end": end,
        }
