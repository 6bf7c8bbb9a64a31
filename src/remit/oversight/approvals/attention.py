"""How much of people's attention an agent may take (CB-01)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from remit.kernel.ids import PrincipalId, UserId
from remit.oversight.approvals.approval import Approval, ApprovalState
from remit.oversight.errors import TooManyAsks


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """Limits: asks per user in a minute, asks pending per agent, denials in a row before suspension."""

    per_user_per_minute: int = 10
    pending_per_agent: int = 3
    denials_in_a_row: int = 5


def check_share(
    recent: Sequence[Approval], *, agent: PrincipalId, user: UserId | None, limits: Attention, at: datetime
) -> None:
    """Refuse an ask over its share; `recent` holds the asks of the last minute and all pending ones."""
    pending = sum(1 for ask in recent if ask.agent == agent and ask.state is ApprovalState.PENDING)
    if pending >= limits.pending_per_agent:
        raise TooManyAsks(
            f"`{agent}` has {pending} asks pending, the limit is {limits.pending_per_agent}",
            next_step="remit approval list",
        )
    since = at - timedelta(minutes=1)
    asked = sum(1 for ask in recent if ask.user == user and ask.requested_at > since)
    if asked >= limits.per_user_per_minute:
        raise TooManyAsks(
            f"{asked} asks for this user within a minute, the limit is {limits.per_user_per_minute}",
            next_step="remit approval list",
        )


def must_suspend(last: Sequence[Approval], *, limits: Attention) -> bool:
    """Whether an agent's last asks (newest first) were all denied, up to the limit."""
    run = last[: limits.denials_in_a_row]
    return len(run) == limits.denials_in_a_row and all(ask.state is ApprovalState.DENIED for ask in run)
