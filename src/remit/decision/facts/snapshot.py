"""What decisions are made on: one immutable view of everything that counts, at one revision and epoch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from immutables import Map

from remit.authority.alive import TaskLife, Tombstone
from remit.authority.consent import Grant, GrantState
from remit.authority.delegations import RecordedEnvelope
from remit.authority.oauth.clients.registration import ClientRegistration
from remit.authority.rights import Ceiling
from remit.authority.tasks import Task
from remit.decision.call.footing import Footings
from remit.decision.facts.glass import Glass
from remit.decision.facts.signals import Signal
from remit.decision.policy.bundle import Bundle, PolicyVersion
from remit.decision.policy.rollout import Rollout
from remit.decision.relations.graph import Graph
from remit.decision.relations.held import HeldRelations
from remit.identity.credentials import Credential
from remit.identity.lifecycle import State
from remit.identity.principals import Principal
from remit.identity.tools import Server, Tool
from remit.kernel.canonical import Digest, JsonObject
from remit.kernel.ids import BreakGlassId, GrantId, PrincipalId, ServerId, TaskId, TenantId, ToolId


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything that decisions of one tenant can see; swapped as a whole, never edited.

    It is the `Graveyard` that `authority.alive` reads.
    """

    tenant: TenantId
    revision: int
    """How many changes the tenant has had: decisions name it, and a caller may demand it."""
    epoch: int
    principals: Map[PrincipalId, Principal]
    servers: Map[ServerId, Server]
    tools: Map[ToolId, Tool]
    tasks: Map[TaskId, Task]
    grants: Map[GrantId, Grant]
    ceilings: Map[PrincipalId, Ceiling]
    """Standing ceilings of agents, blueprints, people and workloads."""
    envelopes: Map[Digest, RecordedEnvelope]
    """By the digest that tokens name."""
    tombstones: Map[str, Tombstone]
    """By id: ids are prefixed, so no two kinds share one."""
    bundle: Bundle
    rollout: Rollout | None = None
    """A newer version that is tried on a part of the calls; `rollout.facing` tells which."""
    credentials: Map[PrincipalId, tuple[Credential, ...]] = field(default_factory=Map)
    """The keys of each principal that are not revoked."""
    registrations: Map[PrincipalId, tuple[ClientRegistration, ...]] = field(default_factory=Map)
    """The clients that each principal is, revoked ones included."""
    signals: Map[PrincipalId, tuple[Signal, ...]] = field(default_factory=Map)
    """What others say of the risk of each."""
    fact_types: Mapping[str, JsonObject] = field(default_factory=dict)
    """What plugins can say: the Cedar type of each fact, by name."""
    relations: Graph | None = None
    """The authorization model in force with its tuples, at this revision; None where there is none."""
    stores: HeldRelations = field(default_factory=HeldRelations)
    """Every store of relations, at this revision."""
    glasses: Map[BreakGlassId, Glass] = field(default_factory=Map)
    """What two persons have opened and nobody has ended; each says until when."""
    footings: Footings = field(init=False, repr=False, compare=False, default_factory=Footings)
    """What was derived from this very snapshot: `replace` makes a new one with none."""
    sides: dict[PolicyVersion, "Snapshot"] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )
    """The same facts with the version that is tried, made once."""

    def tombstone(self, ident: str) -> Tombstone | None:
        """The first tombstone of an id."""
        return self.tombstones.get(ident)

    def state_of(self, principal: PrincipalId) -> State | None:
        """Where in its life a principal is."""
        found = self.principals.get(principal)
        return None if found is None else found.state

    def life_of(self, task: TaskId) -> TaskLife | None:
        """State and deadline of a task."""
        found = self.tasks.get(task)
        return None if found is None else TaskLife(state=found.state, deadline=found.deadline)

    def standing_of(self, grant: GrantId) -> GrantState | None:
        """Whether a consent stands."""
        found = self.grants.get(grant)
        return None if found is None else found.state


class Snapshots(Protocol):
    """Gives the present snapshot, and newer ones on demand."""

    def current(self) -> Snapshot:
        """The newest snapshot that this node holds; never waits."""

    async def catch_up(self, at_least: int | None = None) -> Snapshot:
        """A snapshot of the present head, or of `at_least` that revision; raises `Unavailable` in vain."""
