"""On-call shifts and absences over SQL."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import bindparam, delete, insert, select

from remit.kernel.ids import PrincipalId, ShiftId, TenantId
from remit.oversight.rosters.roster import Absence, Shift
from remit.platform.storage.instants import micros, moment
from remit.platform.storage.sql import Row, Scalar, Sql
from remit.platform.storage.tables.oversight import absence as a
from remit.platform.storage.tables.oversight import oncall_shift as s

_OURS = s.c.tenant == bindparam("tenant")
_COLUMNS = (s.c.id, s.c.roster, s.c.person, s.c.starts_at, s.c.ends_at)
_ADD = insert(s)
_GET = select(*_COLUMNS).where(_OURS, s.c.id == bindparam("this"))
_REMOVE = delete(s).where(_OURS, s.c.id == bindparam("this"))
_NOT_OVER = {
    named: select(*_COLUMNS)
    .where(
        _OURS,
        s.c.ends_at > bindparam("since"),
        *([s.c.roster == bindparam("this_roster")] if named else []),
    )
    .order_by(s.c.starts_at, s.c.id)
    .limit(bindparam("count"))
    for named in (False, True)
}
_ON_CALL = (
    select(s.c.person)
    .where(
        _OURS,
        s.c.roster == bindparam("this_roster"),
        s.c.ends_at > bindparam("now"),
        s.c.starts_at <= bindparam("now"),
    )
    .distinct()
    .order_by(s.c.person)
)
_AWAY_OF = a.c.tenant == bindparam("tenant")
_ABSENCE = (a.c.person, a.c.starts_at, a.c.ends_at, a.c.deputy)
_ADD_ABSENCE = insert(a)
_END_ABSENCE = delete(a).where(_AWAY_OF, a.c.person == bindparam("this"))
_AWAY = select(*_ABSENCE).where(_AWAY_OF, a.c.ends_at > bindparam("now"), a.c.starts_at <= bindparam("now"))
_ABSENCES = (
    select(*_ABSENCE)
    .where(_AWAY_OF, a.c.ends_at > bindparam("since"))
    .order_by(a.c.starts_at, a.c.person)
    .limit(bindparam("count"))
)
_OVER = select(s.c.id).where(_OURS, s.c.ends_at <= bindparam("before")).limit(bindparam("count"))
_BACK = select(a.c.person).where(_AWAY_OF, a.c.ends_at <= bindparam("before")).limit(bindparam("count"))


class RosterRepository:
    """Shifts and absences of one tenant."""

    def __init__(self, sql: Sql, tenant: TenantId) -> None:
        self._sql = sql
        self._tenant = tenant

    def add_shift(self, shift: Shift) -> None:
        """Store a shift."""
        self._sql.run(
            _ADD,
            self._ours(
                id=shift.id,
                roster=shift.roster,
                person=shift.person,
                starts_at=micros(shift.starts_at),
                ends_at=micros(shift.ends_at),
            ),
        )

    def shift(self, ident: ShiftId) -> Shift | None:
        """One."""
        row = self._sql.row(_GET, self._ours(this=ident))
        return None if row is None else self._shift(row)

    def remove_shift(self, ident: ShiftId) -> bool:
        """Drop one; False if there was none."""
        return self._sql.run(_REMOVE, self._ours(this=ident)) == 1

    def shifts(self, roster: str, *, since: datetime, limit: int) -> Sequence[Shift]:
        """Shifts that are not over then, the earliest first; of every roster where none is named."""
        values = self._ours(since=micros(since), count=limit)
        if roster:
            values["this_roster"] = roster
        return [self._shift(row) for row in self._sql.rows(_NOT_OVER[bool(roster)], values)]

    def on_call(self, roster: str, at: datetime) -> Sequence[PrincipalId]:
        """Who is on call at a moment."""
        rows = self._sql.rows(_ON_CALL, self._ours(this_roster=roster, now=micros(at)))
        return [PrincipalId(row[0]) for row in rows]

    def put_absence(self, absence: Absence) -> None:
        """Store a person's absence, in place of the one before."""
        self.end_absence(absence.person)
        self._sql.run(
            _ADD_ABSENCE,
            self._ours(
                person=absence.person,
                starts_at=micros(absence.starts_at),
                ends_at=micros(absence.ends_at),
                deputy=absence.deputy or "",
            ),
        )

    def end_absence(self, person: PrincipalId) -> bool:
        """Drop it; False if there was none."""
        return self._sql.run(_END_ABSENCE, self._ours(this=person)) == 1

    def away(self, at: datetime) -> Sequence[Absence]:
        """Who is away at a moment."""
        return [self._absence(row) for row in self._sql.rows(_AWAY, self._ours(now=micros(at)))]

    def absences(self, *, since: datetime, limit: int) -> Sequence[Absence]:
        """Absences that are not over then, the earliest first."""
        rows = self._sql.rows(_ABSENCES, self._ours(since=micros(since), count=limit))
        return [self._absence(row) for row in rows]

    def forget(self, before: datetime, limit: int) -> int:
        """Drop what is long over; returns how many."""
        values = self._ours(before=micros(before), count=limit)
        over = [row[0] for row in self._sql.rows(_OVER, values)]
        back = [row[0] for row in self._sql.rows(_BACK, values)]
        for ident in over:
            self.remove_shift(ShiftId(ident))
        for person in back:
            self.end_absence(PrincipalId(person))
        return len(over) + len(back)

    def _shift(self, row: Row) -> Shift:
        ident, roster, person, starts_at, ends_at = row
        return Shift(
            id=ShiftId(ident),
            tenant=self._tenant,
            roster=roster,
            person=PrincipalId(person),
            starts_at=moment(starts_at),
            ends_at=moment(ends_at),
        )

    def _absence(self, row: Row) -> Absence:
        person, starts_at, ends_at, deputy = row
        return Absence(
            tenant=self._tenant,
            person=PrincipalId(person),
            starts_at=moment(starts_at),
            ends_at=moment(ends_at),
            deputy=PrincipalId(deputy) if deputy else None,
        )

    def _ours(self, **values: Scalar) -> dict[str, Scalar]:
        return {"tenant": self._tenant, **values}
