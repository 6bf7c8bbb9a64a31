"""Grants that a human gave, can see and can take back (R28, R29, R35)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from remit.authority.rights import Ceiling
from remit.kernel.ids import AgentId, GrantId, TenantId, UserId


class GrantState(StrEnum):
    """Whether a consent still stands."""

    GIVEN = "given"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A human lets an agent act within a ceiling; `text` is the exact sentence that was shown."""

    id: GrantId
    tenant: TenantId
    user: UserId
    agent: AgentId
    ceiling: Ceiling
    text: str
    state: GrantState
    given_at: datetime
    withdrawn_at: datetime | None = None
