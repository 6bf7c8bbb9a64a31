"""Changing who is on call and who is away: each change is on record, and counts from the next ask on."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from remit.identity.lifecycle import State
from remit.identity.principals import Kind, Principal
from remit.kernel.clock import Clock
from remit.kernel.ids import Entropy, PrincipalId, ShiftId, TenantId, mint_id
from remit.kernel.uow import UnitOfWork
from remit.ledger import facts
from remit.ledger.record import Record
from remit.oversight.errors import NoSuchRoster, RosterRefused
from remit.oversight.rosters.repository import RosterTransaction
from remit.oversight.rosters.roster import SHIFTS_AHEAD, Absence, Shift, check_absence, check_shift

SHIFT_SET: Final = "oversight.oncall.set"
SHIFT_REMOVED: Final = "oversight.oncall.removed"
AWAY: Final = "oversight.absence.set"
BACK: Final = "oversight.absence.ended"


class RosterService:
    """Rosters and absences of one tenant."""

    def __init__(
        self, *, work: UnitOfWork[RosterTransaction], clock: Clock, entropy: Entropy, tenant: TenantId
    ) -> None:
        self._work = work
        self._clock = clock
        self._entropy = entropy
        self._tenant = tenant

    async def set_shift(
        self, roster: str, *, person: PrincipalId, starts_at: datetime, ends_at: datetime, by: PrincipalId
    ) -> Shift:
        """Put a living person on call for a while. Raises `RosterRefused`."""
        at = self._clock.now()
        shift = check_shift(
            Shift(
                id=ShiftId(mint_id("shf", at=at, entropy=self._entropy)),
                tenant=self._tenant,
                roster=roster,
                person=person,
                starts_at=starts_at,
                ends_at=ends_at,
            ),
            at=at,
        )

        def work(tx: RosterTransaction) -> Shift:
            _living(tx, person)
            if len(tx.rosters.shifts(roster, since=at, limit=SHIFTS_AHEAD)) >= SHIFTS_AHEAD:
                raise RosterRefused(
                    f"roster `{roster}` has {SHIFTS_AHEAD} shifts ahead, which is the limit",
                    next_step=f"remit oncall show {roster}",
                )
            tx.rosters.add_shift(shift)
            self._record(tx, SHIFT_SET, shift.person, by=by, at=at, detail=_told(shift))
            return shift

        return await self._work.commit(work)

    async def remove_shift(self, ident: ShiftId, *, by: PrincipalId) -> Shift:
        """Take a shift off its roster. Raises `NoSuchRoster`."""
        at = self._clock.now()

        def work(tx: RosterTransaction) -> Shift:
            shift = tx.rosters.shift(ident)
            if shift is None or not tx.rosters.remove_shift(ident):
                raise NoSuchRoster(f"no shift `{ident[:64]}`", next_step="remit oncall list")
            self._record(tx, SHIFT_REMOVED, shift.person, by=by, at=at, detail=_told(shift))
            return shift

        return await self._work.commit(work)

    async def shifts(self, roster: str = "", *, limit: int) -> Sequence[Shift]:
        """Shifts that are not over, the earliest first; of every roster where none is named."""
        at = self._clock.now()
        return await self._work.read(lambda tx: tx.rosters.shifts(roster, since=at, limit=limit))

    async def leave(
        self,
        person: PrincipalId,
        *,
        starts_at: datetime | None,
        ends_at: datetime,
        deputy: PrincipalId | None,
        by: PrincipalId,
    ) -> Absence:
        """Say that somebody is away, in place of what was said before. Raises `RosterRefused`."""
        at = self._clock.now()
        absence = check_absence(
            Absence(
                tenant=self._tenant, person=person, starts_at=starts_at or at, ends_at=ends_at, deputy=deputy
            ),
            at=at,
        )

        def work(tx: RosterTransaction) -> Absence:
            _living(tx, person)
            if deputy is not None:
                _living(tx, deputy)
            tx.rosters.put_absence(absence)
            detail = (("from", absence.starts_at.isoformat()), ("until", ends_at.isoformat()))
            self._record(tx, AWAY, person, by=by, at=at, detail=(*detail, ("deputy", deputy or "")))
            return absence

        return await self._work.commit(work)

    async def come_back(self, person: PrincipalId, *, by: PrincipalId) -> None:
        """Say that somebody is back. Raises `NoSuchRoster` where nobody had said otherwise."""
        at = self._clock.now()

        def work(tx: RosterTransaction) -> None:
            if not tx.rosters.end_absence(person):
                raise NoSuchRoster(f"`{person}` is not away", next_step="remit user list")
            self._record(tx, BACK, person, by=by, at=at, detail=())

        await self._work.commit(work)

    async def absences(self, *, limit: int) -> Sequence[Absence]:
        """Absences that are not over, the earliest first."""
        at = self._clock.now()
        return await self._work.read(lambda tx: tx.rosters.absences(since=at, limit=limit))

    def _record(
        self,
        tx: RosterTransaction,
        kind: str,
        person: PrincipalId,
        *,
        by: PrincipalId,
        at: datetime,
        detail: tuple[tuple[str, str], ...],
    ) -> None:
        tx.ledger.append(
            Record(
                id=facts.record_id(at, self._entropy),
                at=at,
                tenant=self._tenant,
                kind=kind,
                actor=by,
                subject=person,
                detail=detail,
            )
        )


def _living(tx: RosterTransaction, ident: PrincipalId) -> Principal:
    person = tx.principals.get(ident)
    if person is None or person.kind is not Kind.HUMAN or person.state is not State.ACTIVE:
        raise RosterRefused(f"`{ident[:64]}` is no active person", next_step="remit user list")
    return person


def _told(shift: Shift) -> tuple[tuple[str, str], ...]:
    return (
        ("roster", shift.roster),
        ("shift", shift.id),
        ("from", shift.starts_at.isoformat()),
        ("until", shift.ends_at.isoformat()),
    )
