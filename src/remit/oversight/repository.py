"""What oversight needs from storage, inside one open transaction."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

from remit.authority.tokens import Proof
from remit.identity.principals import Principal
from remit.kernel.canonical import Digest
from remit.kernel.ids import ApprovalId, CallId, DecisionId, KillId, PrincipalId, TaskId, TenantId
from remit.kernel.uow import Transaction
from remit.ledger.repository import Recorder
from remit.oversight.approvals.approval import Approval, ApprovalState
from remit.oversight.containment.kill import Kill, Target


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


class Replay(Protocol):
    """One-time use of an approval link or a signed answer."""

    def burn(self, tenant: TenantId, proof: Proof) -> bool:
        """Remember the proof while it could be shown again; False if it was there already."""


class People(Protocol):
    """The directory, as far as oversight reads it."""

    def get(self, ident: PrincipalId) -> Principal | None:
        """One principal."""

    def humans(self) -> Sequence[Principal]:
        """All people of the tenant."""


class Kills(Protocol):
    """Kills, their tombstones and what they reach."""

    def add(self, kill: Kill) -> None:
        """Store a committed kill."""

    def save(self, kill: Kill) -> None:
        """Store its planes and state."""

    def get(self, ident: KillId) -> Kill | None:
        """One kill."""

    def unfinished(self) -> Sequence[Kill]:
        """Kills whose planes have not all confirmed."""

    def page(self, *, after: str, limit: int) -> Sequence[Kill]:
        """Kills, newest first."""

    def resolve(self, target: Target) -> Target | None:
        """Find a target by id or name; None if there is no such thing."""

    def entomb(self, kind: str, ident: str, epoch: int, cause: str, at: datetime) -> None:
        """Append a tombstone; it is never removed."""

    def principals_below(self, target: Target) -> Sequence[PrincipalId]:
        """The target, if it is a principal, with every agent, instance and tool that descends from it.

        A user's kill reaches tasks, not agents: an agent goes on for other people.
        """

    def tasks_below(self, target: Target, principals: Sequence[PrincipalId]) -> Sequence[TaskId]:
        """Running tasks that are the target, or whose user or first agent is among the reach."""

    def stop_tasks(self, tasks: Sequence[str], at: datetime) -> None:
        """Mark running tasks as killed."""

    def stop_principals(self, principals: Sequence[PrincipalId], at: datetime) -> None:
        """Mark active principals as suspended."""

    def calls_in_flight(
        self, principals: Sequence[PrincipalId], tasks: Sequence[str], target: Target
    ) -> Sequence[CallId]:
        """Calls of the reach that have consumed a capability and have no outcome yet."""

    def live_tokens(self, principals: Sequence[PrincipalId], at: datetime) -> int:
        """How many unexpired, unrevoked tokens the kill makes dead."""


class OversightTransaction(Transaction, Protocol):
    """The transaction that oversight works in."""

    @property
    def approvals(self) -> Approvals:
        """Asks."""

    @property
    def kills(self) -> Kills:
        """Kills."""

    @property
    def people(self) -> People:
        """The directory."""

    @property
    def replay(self) -> Replay:
        """One-time links and answers."""

    @property
    def ledger(self) -> Recorder:
        """The record."""
