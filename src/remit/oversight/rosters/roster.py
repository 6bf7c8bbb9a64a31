"""Shifts of on-call rosters, with their handover times; absences, with a deputy each."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from remit.kernel.ids import PrincipalId, ShiftId, TenantId
from remit.oversight.errors import RosterRefused

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
LONGEST_SHIFT: Final = timedelta(days=31)
LONGEST_ABSENCE: Final = timedelta(days=366)
SHIFTS_AHEAD: Final = 500
"""Shifts of one roster that are not over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """A person is on call on a roster, from a moment on until another: `[starts_at, ends_at)`."""

    id: ShiftId
    tenant: TenantId
    roster: str
    person: PrincipalId
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """A person is away for a while; whoever asks them asks the deputy, if they named one."""

    tenant: TenantId
    person: PrincipalId
    starts_at: datetime
    ends_at: datetime
    deputy: PrincipalId | None = None


def check_shift(shift: Shift, *, at: datetime) -> Shift:
    """Raise `RosterRefused` for a shift that is none."""
    if not NAME.fullmatch(shift.roster):
        raise RosterRefused(
            f"`{shift.roster}` names no roster: at most 64 letters, digits, `.`, `_`, `-`",
            next_step="remit oncall list",
        )
    _check_span(
        shift.starts_at, shift.ends_at, longest=LONGEST_SHIFT, at=at, next_step="remit oncall set --help"
    )
    return shift


def check_absence(absence: Absence, *, at: datetime) -> Absence:
    """Raise `RosterRefused` for an absence that is none, or a person who stands in for themselves."""
    _check_span(
        absence.starts_at, absence.ends_at, longest=LONGEST_ABSENCE, at=at, next_step="remit user away --help"
    )
    if absence.deputy == absence.person:
        raise RosterRefused("nobody stands in for themselves", next_step="remit user list")
    return absence


def _check_span(
    starts_at: datetime, ends_at: datetime, *, longest: timedelta, at: datetime, next_step: str
) -> None:
    if not starts_at < ends_at:
        raise RosterRefused(f"it ends at {ends_at.isoformat()}, before it begins", next_step=next_step)
    if ends_at <= at:
        raise RosterRefused(f"it is over since {ends_at.isoformat()}", next_step=next_step)
    if ends_at - starts_at > longest:
        raise RosterRefused(
            f"it lasts {(ends_at - starts_at).days} days, the limit is {longest.days}", next_step=next_step
        )
