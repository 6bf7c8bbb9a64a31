"""How much of people's attention one agent may take (CB-01)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from remit.identity.principals import Principal
from remit.oversight.approvals.approval import Approval, ApprovalState
from remit.oversight.approvals.repository import ApprovalTransaction
from remit.oversight.attention.fold import lay
from remit.oversight.errors import TooManyAsks


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """Limits: cards per user in a minute, cards pending per agent, denials in a row before suspension.

    A card counts once, however many alike asks are on it, up to as many as one holds.
    """

    per_user_per_minute: int = 10
    pending_per_agent: int = 3
    denials_in_a_row: int = 5

    def admit(
        self, tx: ApprovalTransaction, draft: Approval, people: Sequence[Principal], *, at: datetime
    ) -> Sequence[Principal]:
        """Let an ask through to these people, or refuse it over its agent's or user's share."""
        recent = tx.approvals.sharing(draft.agent, draft.user, since=at - timedelta(minutes=1))
        check_share(recent, draft=draft, limits=self, at=at)
        return people

    def addressed(self, tx: ApprovalTransaction, ask: Approval, *, at: datetime) -> None:
        """Nothing is kept of who was asked what: shares are counted from the asks themselves."""

    def exhausted(self, tx: ApprovalTransaction, settled: Approval) -> bool:
        """Whether an agent keeps asking for what people refuse."""
        if settled.state is not ApprovalState.DENIED:
            return False
        return must_suspend(tx.approvals.last_of(settled.agent, self.denials_in_a_row), limits=self)


def check_share(recent: Sequence[Approval], *, draft: Approval, limits: Attention, at: datetime) -> None:
    """Refuse an ask over its share; `recent` holds the asks of the last minute and all pending ones."""
    pending = [ask for ask in recent if ask.agent == draft.agent and ask.state is ApprovalState.PENDING]
    if _cards(pending, draft) > limits.pending_per_agent:
        raise TooManyAsks(
            f"`{draft.agent}` has {_cards(pending, None)} asks pending, "
            f"the limit is {limits.pending_per_agent}",
            next_step="remit approval list",
        )
    since = at - timedelta(minutes=1)
    asked = [ask for ask in recent if ask.user == draft.user and ask.requested_at > since]
    if _cards(asked, draft) > limits.per_user_per_minute:
        raise TooManyAsks(
            f"{_cards(asked, None)} asks for this user within a minute, "
            f"the limit is {limits.per_user_per_minute}",
            next_step="remit approval list",
        )


def must_suspend(last: Sequence[Approval], *, limits: Attention) -> bool:
    """Whether an agent's last asks (newest first) were all denied, up to the limit."""
    run = last[: limits.denials_in_a_row]
    return len(run) == limits.denials_in_a_row and all(ask.state is ApprovalState.DENIED for ask in run)


def _cards(asks: Sequence[Approval], draft: Approval | None) -> int:
    """How many cards these take, and the new one with them."""
    return len(lay([*asks, draft] if draft is not None else asks, {}))
