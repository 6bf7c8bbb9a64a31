"""Enrolment links: an administrator lets one person register a passkey once, within a time (recovery too)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from remit.kernel.canonical import Digest
from remit.kernel.ids import EnrolmentId, PrincipalId, TenantId

SECRET_BYTES: Final = 32
LONGEST: Final = timedelta(hours=24)


class EnrolmentState(StrEnum):
    """`OPEN` until it is used, or until a newer link or an administrator takes its place."""

    OPEN = "open"
    USED = "used"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """One link. `secret_digest` is the SHA-256 of what stands in it; the link itself is nowhere."""

    id: EnrolmentId
    tenant: TenantId
    human: PrincipalId
    secret_digest: Digest
    state: EnrolmentState
    issued_by: PrincipalId
    issued_at: datetime
    expires_at: datetime
    ended_at: datetime | None = None
