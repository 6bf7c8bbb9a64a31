"""Who is on call and who is away, as the API shows it."""

from datetime import datetime
from typing import Annotated

import msgspec

from remit.oversight.rosters.roster import NAME, SHIFTS_AHEAD, Absence, Shift
from remit.surface.web.schemas.words import Ident

RosterName = Annotated[str, msgspec.Meta(max_length=64, pattern=f"^{NAME.pattern}$")]


class RosterQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which shifts: of one roster, or of all; those that are not over."""

    roster: Annotated[str, msgspec.Meta(max_length=64, pattern=f"^({NAME.pattern})?$")] = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=SHIFTS_AHEAD)] = 100


class AbsenceQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many of those who are away, or will be."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=SHIFTS_AHEAD)] = 100


class NewShift(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is on call on a roster, from when until when; times with their offset (RFC 3339)."""

    roster: RosterName
    person: Ident
    """An id, or a name."""
    starts_at: Annotated[datetime, msgspec.Meta(tz=True)]
    ends_at: Annotated[datetime, msgspec.Meta(tz=True)]


class NewAbsence(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Until when somebody is away, and who stands in for them."""

    until: Annotated[datetime, msgspec.Meta(tz=True)]
    starts_at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    """From now on, if none is said."""
    deputy: Ident | None = None
    """An id, or a name; none: whoever asks this person asks nobody in their place."""


class ShiftView(msgspec.Struct, frozen=True, kw_only=True):
    """One shift."""

    id: str
    roster: str
    person: str
    name: str
    starts_at: datetime
    ends_at: datetime
    now: bool
    """Whether it is on at this moment."""

    @classmethod
    def of(cls, shift: Shift, name: str, at: datetime) -> "ShiftView":
        """From the domain."""
        return cls(
            id=shift.id,
            roster=shift.roster,
            person=shift.person,
            name=name,
            starts_at=shift.starts_at,
            ends_at=shift.ends_at,
            now=shift.starts_at <= at < shift.ends_at,
        )


class AbsenceView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One absence."""

    person: str
    name: str
    starts_at: datetime
    ends_at: datetime
    deputy: str = ""
    deputy_name: str = ""

    @classmethod
    def of(cls, absence: Absence, name: str, deputy: str) -> "AbsenceView":
        """From the domain."""
        return cls(
            person=absence.person,
            name=name,
            starts_at=absence.starts_at,
            ends_at=absence.ends_at,
            deputy=absence.deputy or "",
            deputy_name=deputy,
        )
