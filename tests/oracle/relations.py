"""Relations, slowly and obviously: the definition that the fast evaluator is held to.

No index, no cache, no shortcut. A relation holds at rank k if its shortest derivation takes k hops from tuple
to tuple. `but not` is read by the well-founded semantics (Van Gelder, Ross, Schlipf 1991): what depends on
its own absence is neither true nor false. A condition that can't be evaluated may hold and may not.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from remit.decision.relations.admission import fits
from remit.decision.relations.errors import ConditionFailed
from remit.decision.relations.model import (
    ComputedUserset,
    Difference,
    Intersection,
    Rewrite,
    This,
    TupleToUserset,
    Union,
    parts,
)
from remit.decision.relations.query import CheckRequest, Given
from remit.decision.relations.tuples import RelationTuple, split_object, split_user
from remit.decision.relations.typesystem import TypeSystem

Node = tuple[str, str, Rewrite]
"""An object, one of its relations, and how that comes about: the whole, or what a `but not` subtracts."""
Ranks = Mapping[Node, float]


class Verdict(Enum):
    """Three answers: unknown is denied."""

    TRUE = "true"
    FALSE = "false"
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True)
class Edge:
    """A tuple that counts: whom it names, and whether it holds (`None`: can't be said)."""

    user: str
    holds: bool | None


class World:
    """One model, its tuples and what one request brings along."""

    def __init__(self, system: TypeSystem, tuples: Iterable[RelationTuple], given: Given) -> None:
        self.system = system
        by_key = {found.key: found for found in tuples}
        by_key |= {found.key: found for found in given.contextual}
        self.edges: dict[tuple[str, str], list[Edge]] = {}
        self.objects: set[str] = set()
        for found in by_key.values():
            if fits(system, found):
                edge = Edge(user=found.user, holds=self._holds(found, given))
                self.edges.setdefault((found.object, found.relation), []).append(edge)
                self.objects |= {found.object, found.user.partition("#")[0]}

    def _holds(self, found: RelationTuple, given: Given) -> bool | None:
        if found.condition is None:
            return True
        try:
            return self.system.conditions[found.condition.name].holds(found.condition.context, given.context)
        except ConditionFailed:
            return None

    def check(self, request: CheckRequest, depth: int) -> Verdict:
        """The one answer to one question."""
        asked = self.whole(request.object, request.relation)
        nodes = self._nodes({request.object, request.user.partition("#")[0]})
        surely: Ranks = {}
        while True:
            maybe = self._least(nodes, request.user, denied=surely, doubt=True)
            sure = self._least(nodes, request.user, denied=maybe, doubt=False)
            if sure.keys() == surely.keys():
                break
            surely = sure
        if asked in sure and sure[asked] <= depth:
            return Verdict.TRUE
        return Verdict.UNKNOWN if asked in maybe else Verdict.FALSE

    def whole(self, thing: str, relation: str) -> Node:
        """A relation of an object."""
        return (thing, relation, self.system.relation(split_object(thing)[0], relation).rewrite)

    def _nodes(self, more: set[str]) -> list[Node]:
        found: list[Node] = []
        for thing in sorted(self.objects | more):
            for name, relation in self.system.relations(split_object(thing)[0]).items():
                subtracted = [it.subtract for it in parts(relation.rewrite) if isinstance(it, Difference)]
                found += [(thing, name, part) for part in (relation.rewrite, *subtracted)]
        return found

    def _least(self, nodes: list[Node], user: str, *, denied: Ranks, doubt: bool) -> Ranks:
        """The ranks of all that holds, if what is `denied` blocks and what is in doubt counts as `doubt`."""
        ranks: dict[Node, float] = {}
        while True:
            step = _Step(world=self, user=user, ranks=dict(ranks), denied=denied, doubt=doubt)
            for node in nodes:
                rank = 0 if node == step.asked else step.rank(node[2], node)
                if rank < math.inf:
                    ranks[node] = rank
            if ranks == step.ranks:
                return ranks


@dataclass(frozen=True, kw_only=True)
class _Step:
    """One round: what holds next, if `ranks` is what holds now."""

    world: World
    user: str
    ranks: Ranks
    denied: Ranks
    doubt: bool

    @property
    def asked(self) -> Node | None:
        """A userset has the relation that it is."""
        thing, hash_, relation = self.user.partition("#")
        return self.world.whole(thing, relation) if hash_ else None

    def rank(self, part: Rewrite, node: Node) -> float:
        """How many hops a part needs; infinitely many if it does not hold."""
        thing, relation, _ = node
        match part:
            case This():
                return min((self._direct(edge) for edge in self._counted(thing, relation)), default=math.inf)
            case ComputedUserset():
                return self._known(thing, part.relation)
            case TupleToUserset():
                through = self._counted(thing, part.tupleset)
                return 1 + min((self._known(it.user, part.computed) for it in through), default=math.inf)
            case Union():
                return min(self.rank(child, node) for child in part.children)
            case Intersection():
                return max(self.rank(child, node) for child in part.children)
            case Difference():
                blocked = (thing, relation, part.subtract) in self.denied
                return math.inf if blocked else self.rank(part.base, node)

    def _known(self, thing: str, relation: str) -> float:
        if not self.world.system.has(split_object(thing)[0], relation):
            return math.inf
        return self.ranks.get(self.world.whole(thing, relation), math.inf)

    def _counted(self, thing: str, relation: str) -> list[Edge]:
        edges = self.world.edges.get((thing, relation), [])
        return [it for it in edges if it.holds or (it.holds is None and self.doubt)]

    def _direct(self, edge: Edge) -> float:
        if "#" in edge.user:
            thing, _, relation = edge.user.partition("#")
            return 1 + self._known(thing, relation)
        asked = split_user(self.user)
        everyone = edge.user == f"{asked.type}:*" and not asked.relation
        return 0 if edge.user == self.user or everyone else math.inf
