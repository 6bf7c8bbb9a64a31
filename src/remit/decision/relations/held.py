"""What one node holds of the stores of a tenant: each at the version that a snapshot of decisions shows."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from immutables import Map

from remit.decision.relations.graph import Graph
from remit.decision.relations.index import Index
from remit.decision.relations.plan import Plan
from remit.decision.relations.tuples import RelationTuple


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One tuple that came or went; `number` counts the changes of its store."""

    number: int
    tuple: RelationTuple
    written: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldStore:
    """One store at one version: `position` is the number of the last change that is in it."""

    id: str
    name: str
    position: int
    index: Index
    model: str = ""
    """Id of the newest model; empty before the first."""
    graph: Graph | None = None

    def with_plan(self, model: str, plan: Plan) -> "HeldStore":
        """The store under a newer model."""
        return replace(self, model=model, graph=Graph(plan, self.index))

    def moved(self, changes: Sequence[Change]) -> "HeldStore":
        """The store after further changes, in the order of their numbers."""
        if not changes:
            return self
        last: dict[tuple[str, str, str], Change] = {each.tuple.key: each for each in changes}
        index = self.index.changed(
            writes=[each.tuple for each in last.values() if each.written],
            deletes=[each.tuple for each in last.values() if not each.written],
        )
        graph = None if self.graph is None else self.graph.moved(index)
        return replace(self, index=index, graph=graph, position=changes[-1].number)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldRelations:
    """Every store of a tenant, and which of them its decisions look into."""

    all: Map[str, HeldStore] = field(default_factory=Map)
    enforced: str = ""

    @property
    def in_force(self) -> Graph | None:
        """What decisions look into; None where no administrator named a store, or it has no model."""
        store = self.all.get(self.enforced)
        return None if store is None else store.graph
