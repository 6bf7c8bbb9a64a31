"""A task as a graph, as the API shows it."""

from typing import Self

import msgspec

from remit.app.console.graph import Edge, Graph, Narrowed, Node, NodeKind, Way
from remit.surface.web.schemas.authority import TaskView
from remit.surface.web.schemas.console import rights_view
from remit.surface.web.schemas.rights import CeilingBody, RightBody, ceiling_view


class NodeView(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody in the chain, by the delegation that they hold; or a tool that was called."""

    id: str
    kind: NodeKind
    subject: str
    name: str
    dead: bool

    @classmethod
    def of(cls, found: Node) -> Self:
        """From the domain."""
        return cls(id=found.id, kind=found.kind, subject=found.subject, name=found.name, dead=found.dead)


class NarrowedView(msgspec.Struct, frozen=True, kw_only=True):
    """What a hop took away: rights that were not passed on, and those that were in part, as they are now."""

    lost: list[RightBody]
    tightened: list[RightBody]
    shorter: bool
    caps: bool

    @classmethod
    def of(cls, found: Narrowed) -> Self:
        """From the domain."""
        return cls(
            lost=rights_view(frozenset(found.lost)),
            tightened=rights_view(frozenset(found.tightened)),
            shorter=found.shorter,
            caps=found.caps,
        )


class EdgeView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One step: a hop with what it leaves and what it took away, or calls of a tool by their answers."""

    source: str
    target: str
    way: Way
    ceiling: CeilingBody | None = None
    narrowed: NarrowedView | None = None
    revoked: bool = False
    chain: str = ""
    """Digest of the delegation that ends with this hop; a kill of the hop names it."""
    effects: dict[str, int] = {}

    @classmethod
    def of(cls, found: Edge) -> Self:
        """From the domain."""
        return cls(
            source=found.source,
            target=found.target,
            way=found.way,
            ceiling=None if found.ceiling is None else ceiling_view(found.ceiling),
            narrowed=None if found.narrowed is None else NarrowedView.of(found.narrowed),
            revoked=found.revoked,
            chain=found.chain,
            effects=dict(found.effects),
        )


class GraphView(msgspec.Struct, frozen=True, kw_only=True):
    """One task, drawn; `more` if not all of its calls were counted."""

    task: TaskView
    nodes: list[NodeView]
    edges: list[EdgeView]
    more: bool

    @classmethod
    def of(cls, found: Graph) -> Self:
        """From the domain."""
        return cls(
            task=TaskView.of(found.task),
            nodes=[NodeView.of(each) for each in found.nodes],
            edges=[EdgeView.of(each) for each in found.edges],
            more=found.more,
        )
