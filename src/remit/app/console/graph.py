"""A task as a graph: who asked, through whom, what each hop took away, and which tools were reached."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from remit.authority.attenuation import covers
from remit.authority.delegations import RecordedEnvelope, RecordedHop
from remit.authority.rights import Ceiling, Right
from remit.authority.tasks import Task
from remit.decision.facts.snapshot import Snapshot, Snapshots
from remit.identity.lifecycle import State
from remit.kernel.ids import PrincipalId
from remit.ledger.query import DECIDED
from remit.ledger.record import Record
from remit.ledger.repository import MAX_MENTIONS
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork

CALLS: Final = MAX_MENTIONS
"""Records of a task that are looked through for its calls, the oldest."""


class NodeKind(StrEnum):
    """What stands in the graph."""

    PERSON = "person"
    TRIGGER = "trigger"
    AGENT = "agent"
    TOOL = "tool"


class Way(StrEnum):
    """How one leads to another."""

    ASKS = "asks"
    ATTENUATE = "attenuate"
    BROKER = "broker"
    CALLS = "calls"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """Somebody in the chain, by the delegation that they hold; or a tool that was called."""

    id: str
    kind: NodeKind
    subject: str
    """Id of the principal, trigger or action."""
    name: str
    dead: bool = False
    """Whether it can't act any more: stopped by itself, or with a hop before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrowed:
    """What a hop took away from what its giver held."""

    lost: tuple[Right, ...] = ()
    """Rights of the giver of which nothing was passed on."""
    tightened: tuple[Right, ...] = ()
    """Rights that were passed on in part, as they are now."""
    shorter: bool = False
    """Whether it ends earlier."""
    caps: bool = False
    """Whether fewer calls, or less money."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """One step. `effects` counts the answers to calls of a tool."""

    source: str
    target: str
    way: Way
    ceiling: Ceiling | None = None
    narrowed: Narrowed | None = None
    revoked: bool = False
    chain: str = ""
    """Digest of the delegation on record whose last hop this is: what a kill of this hop names."""
    effects: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """One task, drawn; `more` says that not all of its calls were counted."""

    task: Task
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    more: bool


class GraphReader:
    """Draws tasks from what is on record, and marks what is dead now."""

    def __init__(self, *, work: SqlUnitOfWork, snapshots: Snapshots) -> None:
        self._work = work
        self._snapshots = snapshots

    async def of(self, task: Task) -> Graph:
        """The graph of a task that the caller may see."""
        snapshot = await self._snapshots.catch_up()
        envelopes, records = await self._work.read(lambda tx: _read(tx, task))
        return drawn(task, envelopes, records, snapshot, more=len(records) >= CALLS)


def _read(tx: SqlTransaction, task: Task) -> tuple[Sequence[RecordedEnvelope], list[Record]]:
    placed = tx.ledger.mentioning(task.id, limit=CALLS)
    return tx.envelopes.of_task(task.id), [each.record for each in placed]


def drawn(
    task: Task,
    envelopes: Sequence[RecordedEnvelope],
    records: Sequence[Record],
    snapshot: Snapshot,
    *,
    more: bool,
) -> Graph:
    """Put everybody once for each delegation that they hold; a hop that two envelopes share is one edge."""
    pen = _Pen(task, snapshot)
    for envelope in sorted(envelopes, key=lambda each: len(each.hops)):
        pen.trace(envelope)
    pen.call(record for record in records if record.kind == DECIDED and record.task == task.id)
    return Graph(task=task, nodes=tuple(pen.nodes.values()), edges=tuple(pen.edges), more=more)


class _Pen:
    def __init__(self, task: Task, snapshot: Snapshot) -> None:
        self._task = task
        self._snapshot = snapshot
        origin = task.user or task.trigger
        kind = NodeKind.PERSON if task.user else NodeKind.TRIGGER
        self.nodes = {"origin": self._node("origin", kind, origin, dead=self._dead(origin))}
        self.edges: list[Edge] = []
        self._seats: dict[str, str] = {}
        self._held: dict[str, tuple[Ceiling, datetime]] = {}

    def trace(self, envelope: RecordedEnvelope) -> None:
        """Every hop of one envelope that is not drawn yet."""
        here = envelope.root
        if here not in self.nodes:
            stopped = self._buried(envelope.root, self._task.id) or self._dead(envelope.first)
            self.nodes[here] = self._node(here, NodeKind.AGENT, envelope.first, dead=stopped)
            self._held[here] = (self._task.ceiling, self._task.deadline)
            self.edges.append(
                Edge(source="origin", target=here, way=Way.ASKS, ceiling=self._task.ceiling,
                     revoked=self._buried(envelope.root, self._task.id), chain=envelope.digest)
            )  # fmt: skip
        for hop in envelope.hops:
            if hop.prefix not in self.nodes:
                self._hop(here, hop, envelope)
            here = hop.prefix
        self._seats[envelope.digest] = here

    def call(self, records: Iterable[Record]) -> None:
        """Tools that were called, by whom, and how that was answered."""
        counted: dict[tuple[str, str], Counter[str]] = {}
        for record in records:
            counted.setdefault((self._seat(record), record.action), Counter())[record.effect] += 1
        for (seat, action), effects in counted.items():
            tool = f"tool:{action}"
            self.nodes.setdefault(tool, Node(id=tool, kind=NodeKind.TOOL, subject=action, name=action))
            self.edges.append(
                Edge(source=seat, target=tool, way=Way.CALLS, effects=tuple(sorted(effects.items())))
            )

    def _hop(self, here: str, hop: RecordedHop, envelope: RecordedEnvelope) -> None:
        last = envelope.hops[-1].prefix == hop.prefix
        stopped = self._buried(hop.prefix, envelope.id if last else "")
        dead = stopped or self.nodes[here].dead or self._dead(hop.to)
        self.nodes[hop.prefix] = self._node(hop.prefix, NodeKind.AGENT, hop.to, dead=dead)
        self._held[hop.prefix] = (hop.ceiling, hop.expires_at)
        self.edges.append(
            Edge(
                source=here,
                target=hop.prefix,
                way=Way(hop.kind.value),
                ceiling=hop.ceiling,
                narrowed=narrowed(*self._held[here], hop.ceiling, hop.expires_at),
                revoked=stopped,
                chain=envelope.digest if last else "",
            )
        )

    def _seat(self, record: Record) -> str:
        """Whoever held the delegation that the call was made by; of none, the first node of the agent."""
        if record.envelope in self._seats:
            return self._seats[record.envelope]
        return next((node.id for node in self.nodes.values() if node.subject == record.agent), "origin")

    def _node(self, ident: str, kind: NodeKind, subject: str, *, dead: bool) -> Node:
        found = self._snapshot.principals.get(PrincipalId(subject))
        return Node(id=ident, kind=kind, subject=subject, name=found.name if found else subject, dead=dead)

    def _dead(self, ident: str) -> bool:
        state = self._snapshot.state_of(PrincipalId(ident))
        return self._buried(ident) or (state is not None and state is not State.ACTIVE)

    def _buried(self, *idents: str) -> bool:
        return any(ident and self._snapshot.tombstone(ident) is not None for ident in idents)


def narrowed(outer: Ceiling, until: datetime, inner: Ceiling, expires_at: datetime) -> Narrowed:
    """What of the outer ceiling, which was held until a moment, the inner one leaves out."""
    kept = {(right.action, right.resource_type) for right in inner.rights}
    return Narrowed(
        lost=_ordered(right for right in outer.rights if (right.action, right.resource_type) not in kept),
        tightened=_ordered(right for right in inner.rights if right not in outer.rights),
        shorter=min(inner.window.end, expires_at) < min(outer.window.end, until),
        caps=inner.caps != outer.caps and covers(outer, inner),
    )


def _ordered(rights: Iterable[Right]) -> tuple[Right, ...]:
    return tuple(sorted(rights, key=lambda right: (right.action, right.resource_type)))
