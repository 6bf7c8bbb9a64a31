"""What asking people needs from storage, inside one open transaction."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from remit.authority.repository import AuthorityTransaction
from remit.kernel.canonical import Digest
from remit.kernel.ids import ApprovalId, CallId, DecisionId, PrincipalId, TenantId
from remit.oversight.approvals.approval import Approval, ApprovalState
from remit.oversight.approvals.evidence import Evidence
from remit.oversight.approvals.scope import Scope
from remit.oversight.rosters.repository import Rosters


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One call that a bounded yes covered."""

    call: CallId
    decision: DecisionId
    at: datetime


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

    def hold(self, ident: ApprovalId) -> bool:
        """Lock a pending ask for the rest of the transaction; False if it is not pending."""

    def save(self, approval: Approval) -> None:
        """Store what has changed about a pending ask that is held."""

    def readdress(self, approval: Approval) -> None:
        """Store whom it is put to now, in place of those before."""

    def keep(self, evidence: Evidence) -> bool:
        """Store an answer; False if this natural person has answered this seat."""

    def evidence(self, ident: ApprovalId) -> Sequence[Evidence]:
        """The answers to an ask, in the order in which they were given."""

    def grant(self, approval: Approval, scope: Scope) -> None:
        """Let an approved ask cover several calls, as many as its scope says."""

    def withdraw(self, approval: Approval) -> bool:
        """Store a yes as taken back; False if it is used up or gone. Conditional updates."""

    def left(self, ident: ApprovalId) -> int:
        """How many calls a bounded yes still covers; 0 where there is none."""

    def uses(self, ident: ApprovalId, *, limit: int) -> Sequence[Use]:
        """The calls that a bounded yes covered, newest first."""

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

    @property
    def rosters(self) -> Rosters:
        """Who is on call, and who is away."""
