"""What asking people needs from storage, inside one open transaction."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

from remit.authority.repository import AuthorityTransaction
from remit.kernel.canonical import Digest
from remit.kernel.ids import ApprovalId, CallId, DecisionId, PrincipalId, TenantId
from remit.oversight.approvals.approval import Approval, ApprovalState


class Approvals(Protocol):
    """Durable asks."""

    def add(self, approval: Approval) -> None:
        """Store a new ask."""

    def get(self, ident: ApprovalId) -> Approval | None:
        """One ask."""

    def settle(self, approval: Approval) -> bool:
        """Store a terminal state if the ask is still pending; False if somebody was faster.

        One conditional update, so that of two racing answers exactly one wins (CB-04).
        """

    def open_for(self, key: Digest) -> Approval | None:
        """The ask for this key that is pending, or approved and unspent; the newest."""

    def latest_for(self, key: Digest) -> Approval | None:
        """The newest ask for this key, whatever its state."""

    def sharing(self, agent: PrincipalId, user: str | None, *, since: datetime) -> Sequence[Approval]:
        """All pending asks of the agent, and those of the user since then."""

    def last_of(self, agent: PrincipalId, count: int) -> Sequence[Approval]:
        """The last answered asks of an agent, newest first."""

    def due(self, at: datetime, limit: int) -> Sequence[Approval]:
        """Pending asks whose time is over."""

    def pending_of(self, principals: Iterable[str], tasks: Iterable[str]) -> Sequence[Approval]:
        """Pending asks of any of these agents, instances, users or tasks."""

    def spend(
        self, tenant: TenantId, approval: ApprovalId, *, call: CallId, decision: DecisionId, at: datetime
    ) -> bool:
        """Use an approved, unspent, live ask for one call; False if it is gone. One update."""

    def page(
        self, *, state: ApprovalState | None, asked: PrincipalId | None, after: str, limit: int
    ) -> Sequence[Approval]:
        """Asks newest first, optionally of one state or for one person; `after` is the last id seen."""


class ApprovalTransaction(AuthorityTransaction, Protocol):
    """The transaction that asks and answers are made in."""

    @property
    def approvals(self) -> Approvals:
        """Asks."""
