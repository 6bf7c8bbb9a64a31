"""What a decision needs inside its transaction: repositories of its own, and Protocols that others fulfil."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from remit.authority.capability import Capability, Minted
from remit.authority.tokens import Proof
from remit.decision.budget.cost import Line
from remit.decision.call.covering import Allowance
from remit.decision.call.request import ActionRequest
from remit.decision.history.past import HistoryStore
from remit.decision.policy.seal import PublishedPolicy
from remit.decision.provenance.watch import SeenStore, Servers
from remit.decision.sources.source import SourceStore
from remit.decision.trail.trace import StoredDecision
from remit.kernel.canonical import Digest
from remit.kernel.ids import ApprovalId, BreakGlassId, CallId, DecisionId, TaskId, TenantId
from remit.kernel.uow import Transaction
from remit.ledger.repository import Recorder


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalStanding:
    """How the newest ask about an action stands: `pending`, `approved`, `denied`, `expired`, `cancelled`.

    `lapsed` is expired under a rule that takes silence for the end of it.
    """

    id: ApprovalId
    state: str


class ApprovalFacts(Protocol):
    """Approvals, as far as a decision must know them; the oversight wing keeps them."""

    def allowances(self, tenant: TenantId, family: Digest, at: datetime) -> Sequence[Allowance]:
        """Bounded yeses of this family that still cover a call, the newest first; a few at most."""

    def unspent(self, tenant: TenantId, key: Digest, at: datetime) -> ApprovalId | None:
        """An approved, live, unspent ask for this action key."""

    def standing(self, tenant: TenantId, key: Digest, at: datetime) -> ApprovalStanding | None:
        """The newest ask about this action key, whatever its state."""

    def spend(
        self, tenant: TenantId, approval: ApprovalId, *, call: CallId, decision: DecisionId, at: datetime
    ) -> bool:
        """Use it for one call, up or once more; False if it is gone. One conditional update."""


class ReplayGuard(Protocol):
    """What may be shown once."""

    def burn(self, tenant: TenantId, proof: Proof) -> bool:
        """Remember the proof; False if it was there already."""


class CapabilityStore(Protocol):
    """Where capabilities are kept."""

    def insert_consumed(self, capability: Capability, *, call: CallId, node: str, at: datetime) -> None:
        """Store one that is used up in the transaction that made it."""

    def insert_live(self, capability: Capability) -> None:
        """Store one that its holder may use once."""

    def live_of_task(self, task: TaskId, at: datetime) -> int:
        """How many unused, unexpired ones a task holds."""


class TaskHolds(Protocol):
    """Running tasks, as far as capabilities hang on them."""

    def hold(self, ident: TaskId, at: datetime) -> bool:
        """Lock a running task for the rest of the transaction; False if there is none."""


class CapabilityMinter(Protocol):
    """Signs what a decision permitted; bound in `app` to the authority wing's `mint` and our key."""

    def mint(self, request: ActionRequest, *, decision: DecisionId, at: datetime) -> Minted:
        """Make a capability for exactly this call."""


class BudgetStore(Protocol):
    """Counters, one row per account, dimension and period."""

    def reserve(self, line: Line) -> bool:
        """Add the cost if the cap allows it; False if not. One conditional statement (DE-16)."""

    def release(self, line: Line) -> None:
        """Give a reservation back, if its period still runs; never below zero."""

    def charge(self, line: Line) -> None:
        """Add the cost whatever the cap: it was used already."""

    def spent(self, line: Line) -> int:
        """How much of the line's period is used."""


class GlassUses(Protocol):
    """What was decided under break glass, for whoever reviews it."""

    def used(self, glass: BreakGlassId, *, decision: DecisionId, effect: str, at: datetime) -> None:
        """Note a decision that it made a difference to."""


class DecisionStore(Protocol):
    """Every decision with its trace."""

    def add(self, decision: StoredDecision) -> None:
        """Store a decision."""

    def get(self, ident: DecisionId) -> StoredDecision | None:
        """One decision."""

    def page(
        self, *, agent: str = "", effect: str = "", since: datetime | None = None, after: str = "", limit: int
    ) -> Sequence[StoredDecision]:
        """Newest first; `after` is the last id seen."""

    def of_call(self, call: CallId) -> Sequence[StoredDecision]:
        """All decisions about one call, newest first."""

    def settle(self, ident: DecisionId, outcome: str) -> bool:
        """Move a reservation to its outcome; False if it was settled before. One conditional update."""


class PolicyStore(Protocol):
    """Versions of the policy text; nothing of them is ever changed."""

    def add(self, policy: PublishedPolicy) -> bool:
        """Store a version; False if its number is taken."""

    def newest(self) -> PublishedPolicy | None:
        """The last that was published: in force for all, unless its seal says that it is tried on a part."""

    def get(self, number: int) -> PublishedPolicy | None:
        """One version."""

    def page(self, *, before: int, limit: int) -> Sequence[PublishedPolicy]:
        """Versions below a number, newest first."""

    def seals(self, *, after: int = 0) -> Sequence[tuple[int, str]]:
        """Number and seal of every version above a number, oldest first; empty for an unsealed one."""

    def seal(self, number: int, seal: str) -> None:
        """Seal a version from before versions were sealed; a seal that is there stays."""

    def close(self, number: int, at: datetime) -> bool:
        """Note that a trial on a part is over; False if that was noted before. One conditional update."""


class DecisionTransaction(Transaction, Protocol):
    """The transaction that decisions are recorded in."""

    @property
    def policies(self) -> PolicyStore:
        """Policy texts."""

    @property
    def budgets(self) -> BudgetStore:
        """Counters."""

    @property
    def history(self) -> HistoryStore:
        """Marks of what was done before."""

    @property
    def seen(self) -> SeenStore:
        """What tasks have seen."""

    @property
    def servers(self) -> Servers:
        """Servers, with how far their answers are believed."""

    @property
    def sources(self) -> SourceStore:
        """What is in the context of tasks."""

    @property
    def decisions(self) -> DecisionStore:
        """Decisions."""

    @property
    def approvals(self) -> ApprovalFacts:
        """Approvals."""

    @property
    def glasses(self) -> GlassUses:
        """Uses of break glass."""

    @property
    def replay(self) -> ReplayGuard:
        """One-time proofs."""

    @property
    def tasks(self) -> TaskHolds:
        """Running tasks."""

    @property
    def capabilities(self) -> CapabilityStore:
        """Capabilities."""

    @property
    def ledger(self) -> Recorder:
        """The record."""
