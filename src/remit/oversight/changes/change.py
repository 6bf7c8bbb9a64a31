"""One change that waits for a second person; all of it is decided by its digest."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from remit.kernel.canonical import Digest, framed_digest
from remit.kernel.ids import ChangeId, PrincipalId, TenantId

PENDING_LIMIT: Final = 20
"""Changes of one person that wait at one time."""


class SecondPerson(StrEnum):
    """When a high-risk change takes a second person."""

    OFF = "off"
    WHEN_POSSIBLE = "when_possible"
    """As soon as somebody else could confirm it; what one person did alone is on record as such."""
    REQUIRED = "required"
    """Always: with one administrator alone nothing of the kind can be done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRule:
    """When two are needed, and how long a change waits for the second."""

    second_person: SecondPerson = SecondPerson.WHEN_POSSIBLE
    within: timedelta = timedelta(hours=24)


class ChangeState(StrEnum):
    """Where a change is. Nothing follows `done`, `failed`, `refused`, `cancelled` or `expired`."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    """Confirmed, and being done; one that stays here was cut off, and is never done again by itself."""
    DONE = "done"
    FAILED = "failed"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    """What it stood on, or who proposed it, is no longer what it was."""
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeWanted:
    """What somebody wants to do: the operation, its address and body, in words, and what it stands on."""

    operation: str
    action: str
    path: tuple[tuple[str, str], ...]
    body: str
    says: str
    basis: str

    @property
    def content(self) -> Digest:
        """Digest of what will be done, and on what ground."""
        parts = [each for pair in self.path for each in pair]
        told = [self.operation, self.action, *parts, self.body, self.basis]
        return framed_digest("remit/change/v1", [part.encode() for part in told])


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change. `digest` covers id, tenant, proposer and all of `wanted`."""

    id: ChangeId
    tenant: TenantId
    wanted: ChangeWanted
    by: PrincipalId
    proposed_at: datetime
    expires_at: datetime
    state: ChangeState = ChangeState.PENDING
    answered_by: PrincipalId | None = None
    answered_at: datetime | None = None
    passkey: str = ""
    """That with which it was confirmed."""
    because: str = ""

    @property
    def digest(self) -> Digest:
        """What the second person's passkey signs."""
        parts = [self.id, self.tenant, self.by, self.wanted.content]
        return framed_digest("remit/change-proposal/v1", [str(part).encode() for part in parts])
