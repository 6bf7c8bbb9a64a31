"""A connection: one person's or nobody's, through one agent, to one provider, for exactly these scopes."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NewType

from remit.authority.vault.provider import ProviderId
from remit.kernel.ids import AgentId, TenantId, UserId

ConnectionId = NewType("ConnectionId", str)

EARLY: Final = timedelta(seconds=60)
"""How long before its end an access token is renewed, so that no call meets the end on its way."""
STATIC_LIFE: Final = timedelta(days=90)
STATIC_LIFE_CEILING: Final = timedelta(days=365)


class ConnectionState(StrEnum):
    """Where a connection is in its life; only an active one is ever opened."""

    ACTIVE = "active"
    BROKEN = "broken"
    """The provider takes its refresh token no more: its person must connect again."""
    ENDED = "ended"
    """Disconnected, replaced, or stopped with its person or agent; its credential is gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Whose credential it is. INVARIANT: found by all four together, and by nothing less (N28).

    `user` is None where an agent acts for nobody: then the credential is the agent's own (R11).
    """

    user: UserId | None
    agent: AgentId
    provider: ProviderId
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """What is known of a credential; the credential itself is sealed beside it.

    `version` counts its credentials: connecting made the first, each refresh or rotation the next.
    """

    id: ConnectionId
    tenant: TenantId
    place: Place
    state: ConnectionState
    version: int = 1
    refreshable: bool = False
    expires_at: datetime | None = None
    """End of the present credential; None if its issuer named none."""
    created_at: datetime
    changed_at: datetime
    ended_at: datetime | None = None
    because: str = ""

    def is_fresh(self, at: datetime, *, early: timedelta = EARLY) -> bool:
        """Whether its credential will be good for as long as a call may take to arrive."""
        return self.expires_at is None or at + (early if self.refreshable else timedelta()) < self.expires_at

    def is_good(self, at: datetime) -> bool:
        """Whether its credential has not run out, renewed or not."""
        return self.expires_at is None or at < self.expires_at
