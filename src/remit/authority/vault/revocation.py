"""What a provider must end (RFC 7009): kept until it has said so, however long it can't be reached (N3)."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NewType

from remit.authority.vault.connection import ConnectionId, Place
from remit.kernel.ids import TenantId

RevocationId = NewType("RevocationId", str)

_FIRST: Final = timedelta(seconds=2)
_LONGEST: Final = timedelta(minutes=15)
_DOUBLINGS: Final = 12


class Outcome(StrEnum):
    """What became of an upstream grant."""

    OPEN = "open"
    """Not confirmed yet; it is tried again until it is."""
    REVOKED = "revoked"
    """The provider has confirmed the end (200)."""
    NO_ENDPOINT = "no_endpoint"
    """The provider has no way to be told; what it gave runs out by itself, or never."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """One credential that the provider must end. `last` says why the last try did not end it."""

    id: RevocationId
    tenant: TenantId
    connection: ConnectionId
    place: Place
    outcome: Outcome
    tries: int = 0
    last: str = ""
    due: datetime
    created_at: datetime
    ended_at: datetime | None = None


def finished(revocation: Revocation, outcome: Outcome, *, at: datetime) -> Revocation:
    """It has ended."""
    return replace(revocation, outcome=outcome, tries=revocation.tries + 1, last="", ended_at=at)


def postponed(revocation: Revocation, because: str, *, at: datetime, wait: timedelta | None) -> Revocation:
    """It could not be ended now; the next try is after `wait`, or after twice the last pause."""
    pause = min(_LONGEST, _FIRST * (1 << min(revocation.tries, _DOUBLINGS)))
    due = at + min(_LONGEST, max(wait or pause, _FIRST))
    return replace(revocation, tries=revocation.tries + 1, last=because[:64], due=due)
