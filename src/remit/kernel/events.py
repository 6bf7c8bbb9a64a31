"""Facts that a wing states; `app` binds each to its handlers."""

from dataclasses import dataclass
from datetime import datetime

from remit.kernel.ids import EventId, TenantId


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One fact in the past tense. Its name is `wing.subject.verb_past`, as in `authority.token.revoked`."""

    id: EventId
    at: datetime
    tenant: TenantId
    name: str
    actor: str
    """Id of the principal that caused it."""
    subject: str
    """Id of what it is about."""
    detail: tuple[tuple[str, str], ...] = ()
    """Ids and codes only: never a token, a secret or prompt text."""
