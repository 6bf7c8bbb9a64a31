"""What authority needs from storage, inside one open transaction of one tenant; all synchronous."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from remit.authority.alive import Graveyard
from remit.authority.capability import Capability, CapabilityState, Use
from remit.authority.consent import Grant
from remit.authority.delegations import RecordedEnvelope
from remit.authority.rights import Ceiling
from remit.authority.tasks import Task, TaskState
from remit.authority.tokens import IssuedToken, Proof
from remit.identity.repository import IdentityTransaction
from remit.kernel.canonical import Digest
from remit.kernel.ids import (
    AgentId,
    CallId,
    CapabilityId,
    EnvelopeId,
    GrantId,
    PrincipalId,
    TaskId,
    TenantId,
    TokenId,
    UserId,
)


class Tasks(Protocol):
    """Task identities."""

    def add(self, task: Task) -> None:
        """Store a new task."""

    def get(self, ident: TaskId) -> Task | None:
        """One task."""

    def finish(self, ident: TaskId, state: TaskState, at: datetime) -> bool:
        """End a running task; False if it is not running. One conditional update."""

    def hold(self, ident: TaskId, at: datetime) -> bool:
        """Lock a running task before its deadline for the rest of the transaction; False if there is none."""

    def restrain(self, ident: TaskId, because: str) -> bool:
        """Let a running task only read from now on; False if it is not running, or does already."""

    def running(
        self, *, agent: AgentId | None = None, user: UserId | None = None, limit: int
    ) -> Sequence[Task]:
        """Running tasks, optionally of one agent, or for one user alone or among others, oldest first."""

    def under(self, grant: GrantId, limit: int) -> Sequence[Task]:
        """Running tasks that stand on a consent, be it of whoever else they are for."""

    def overdue(self, at: datetime, limit: int) -> Sequence[Task]:
        """Running tasks whose deadline has passed."""

    def page(self, *, after: str, limit: int) -> Sequence[Task]:
        """All tasks by id; `after` is the last id seen."""


class Grants(Protocol):
    """Consents."""

    def add(self, grant: Grant) -> None:
        """Store a new consent."""

    def get(self, ident: GrantId) -> Grant | None:
        """One consent."""

    def standing(self, user: UserId, agent: AgentId) -> Grant | None:
        """The newest consent of a user for an agent that was not withdrawn."""

    def withdraw(self, ident: GrantId, at: datetime) -> bool:
        """Take a consent back; False if it does not stand. One conditional update."""

    def of_user(self, user: UserId, limit: int) -> Sequence[Grant]:
        """All consents of a user, newest first."""


class Ceilings(Protocol):
    """Standing ceilings of agents, blueprints, people and workloads."""

    def put(self, principal: PrincipalId, ceiling: Ceiling, at: datetime) -> None:
        """Store or replace a ceiling."""

    def get(self, principal: PrincipalId) -> Ceiling | None:
        """The ceiling, or None: then the principal may do nothing."""


class Envelopes(Protocol):
    """Verified envelopes."""

    def add(self, envelope: RecordedEnvelope) -> bool:
        """Store it unless this digest is stored already; False in that case."""

    def get(self, ident: EnvelopeId) -> RecordedEnvelope | None:
        """One envelope."""

    def by_digest(self, digest: Digest) -> RecordedEnvelope | None:
        """The envelope that a token names."""

    def of_task(self, task: TaskId) -> Sequence[RecordedEnvelope]:
        """All envelopes of a task, the root first."""


class Tokens(Protocol):
    """Issued access tokens, by what they say."""

    def add(self, token: IssuedToken) -> None:
        """Remember a token that is being issued."""

    def get(self, ident: TokenId) -> IssuedToken | None:
        """One token."""

    def revoke(self, ident: TokenId) -> bool:
        """Revoke one; False if it is not active. One conditional update."""

    def revoke_of_task(self, task: TaskId, at: datetime) -> Sequence[TokenId]:
        """Revoke all unexpired ones of a task; which."""

    def revoke_of_principal(self, principal: PrincipalId, at: datetime) -> Sequence[TokenId]:
        """Revoke all unexpired ones that a principal holds, acts in or is acted for by; which."""

    def live_of_task(self, task: TaskId, at: datetime) -> Sequence[IssuedToken]:
        """Active, unexpired tokens of a task."""

    def forget(self, before: datetime, limit: int) -> int:
        """Drop tokens that expired before that moment; how many."""


class Capabilities(Protocol):
    """Capabilities and how far their one use has come."""

    def insert_live(self, capability: Capability) -> None:
        """Store an unused capability."""

    def insert_consumed(self, capability: Capability, *, call: CallId, at: datetime, node: str = "") -> None:
        """Store one that is used up in the transaction that made it."""

    def consume(self, use: Use, *, at: datetime, node: str = "") -> bool:
        """Use it up; True for exactly one of all callers.

        INVARIANT: one conditional UPDATE decides (security 2.2); it is never read first (P2).
        """

    def get(self, ident: CapabilityId) -> Capability | None:
        """One capability."""

    def state_of(self, ident: CapabilityId) -> CapabilityState | None:
        """How far its use has come."""

    def by_call(self, call: CallId) -> tuple[CapabilityId, CapabilityState] | None:
        """The capability that a call used."""

    def live_of_task(self, task: TaskId, at: datetime) -> int:
        """How many unused, unexpired ones a task holds."""

    def settle(self, ident: CapabilityId, state: CapabilityState, at: datetime) -> bool:
        """Move a consumed one to done, failed or unknown; False if it is not consumed."""

    def kill_of_task(self, task: TaskId, at: datetime) -> int:
        """Make all unused ones of a task unusable; how many."""

    def unused(self, *, at: datetime, limit: int) -> Sequence[CapabilityId]:
        """Those that nobody can use any more and nobody has: expired, or stopped with their task."""

    def retire(self, ident: CapabilityId, at: datetime) -> bool:
        """Move an unused one to its end; False if it was used, or retired before. One conditional update."""

    def unfinished(self, *, before: datetime, limit: int, node: str = "") -> Sequence[CapabilityId]:
        """Those that a node consumed before that moment and that have no outcome, oldest first."""


class Replay(Protocol):
    """What may be shown once."""

    def burn(self, tenant: TenantId, proof: Proof) -> bool:
        """Remember (key, jti) for as long as it could be shown again; False if it was there already."""

    def forget(self, tenant: TenantId, before: datetime, limit: int) -> int:
        """Drop what could no longer be shown; how many."""


class Lineages(Graveyard, Protocol):
    """Tombstones and states, as this transaction sees them; what `alive` reads."""

    def bury(self, kind: str, ident: str, *, cause: str, epoch: int, at: datetime) -> None:
        """Append a tombstone; a second one for the same id changes nothing."""

    def buried(self, ident: str) -> bool:
        """Whether there is one of this id, whatever its kind."""


class AuthorityTransaction(IdentityTransaction, Protocol):
    """The transaction that authority works in; it reaches down into the directory."""

    @property
    def tasks(self) -> Tasks:
        """Tasks."""

    @property
    def grants(self) -> Grants:
        """Consents."""

    @property
    def ceilings(self) -> Ceilings:
        """Standing ceilings."""

    @property
    def envelopes(self) -> Envelopes:
        """Delegations."""

    @property
    def tokens(self) -> Tokens:
        """Issued tokens."""

    @property
    def capabilities(self) -> Capabilities:
        """Capabilities."""

    @property
    def replay(self) -> Replay:
        """One-time proofs."""

    @property
    def lineage(self) -> Lineages:
        """Tombstones and states."""
