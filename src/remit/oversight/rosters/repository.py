"""What rosters and absences need from storage, inside one open transaction."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from remit.authority.repository import AuthorityTransaction
from remit.kernel.ids import PrincipalId, ShiftId
from remit.oversight.rosters.roster import Absence, Shift


class Rosters(Protocol):
    """Shifts and absences of one tenant."""

    def add_shift(self, shift: Shift) -> None:
        """Store a shift."""

    def shift(self, ident: ShiftId) -> Shift | None:
        """One."""

    def remove_shift(self, ident: ShiftId) -> bool:
        """Drop one; False if there was none."""

    def shifts(self, roster: str, *, since: datetime, limit: int) -> Sequence[Shift]:
        """Shifts that are not over then, the earliest first; of every roster where none is named."""

    def on_call(self, roster: str, at: datetime) -> Sequence[PrincipalId]:
        """Who is on call at a moment."""

    def put_absence(self, absence: Absence) -> None:
        """Store a person's absence, in place of the one before."""

    def end_absence(self, person: PrincipalId) -> bool:
        """Drop it; False if there was none."""

    def away(self, at: datetime) -> Sequence[Absence]:
        """Who is away at a moment."""

    def absences(self, *, since: datetime, limit: int) -> Sequence[Absence]:
        """Absences that are not over then, the earliest first."""

    def forget(self, before: datetime, limit: int) -> int:
        """Drop what is long over; returns how many."""


class RosterTransaction(AuthorityTransaction, Protocol):
    """The transaction that rosters are read and changed in."""

    @property
    def rosters(self) -> Rosters:
        """Shifts and absences."""
