"""The sure way to an answer, where the quick one met a cycle or a limit: all that it touches, solved.

Every object and relation that can bear on the answer is laid out as a node with what it needs; ranks are then
found from the user upwards in order of hops (Knuth 1977, a generalization of Dijkstra). `but not` is read by
the well-founded semantics (Van Gelder, Ross, Schlipf 1991): what depends on its own absence is neither true
nor false, and so denied. Iterative: a chain of any length costs steps, never the stack.
"""

import heapq
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from remit.decision.relations.query import Cause
from remit.decision.relations.table import Ids, each
from remit.decision.relations.walk import (
    DOUBT,
    NO,
    AllOf,
    AnyOf,
    Computed,
    Direct,
    Link,
    Node,
    Part,
    Run,
    Through,
    Without,
    children,
)


class Spot(NamedTuple):
    """A node at an object."""

    node: Node
    thing: int


class Edge(NamedTuple):
    """A tuple that leads on, and whether its condition is in doubt."""

    to: Spot
    doubt: bool


@dataclass(slots=True)
class Ground:
    """All spots below one, and for each the spots that need it, with the hops in between.

    `pruned`: without those that the quick walk knows not to hold, which no derivation goes through.
    """

    run: Run
    root: Spot
    pruned: bool = False
    spots: list[Spot] = field(default_factory=list)
    above: dict[Spot, list[tuple[Spot, int]]] = field(default_factory=dict)
    doubts: bool = False
    blocks: bool = False

    def solve(self) -> tuple[int | None, Cause | None]:
        """Hops of the shortest derivation, if there is one; else why there is no answer, if there is none.

        Raises `OutOfSteps`.
        """
        self._lay()
        surely, maybe = self.fixpoint()
        rank = surely.get(self.root)
        if rank is not None:
            return (int(rank), None) if rank <= self.run.bounds.depth else (None, Cause.DEPTH)
        if self.root not in maybe:
            return None, None
        return None, Cause.CONDITION if self.doubts else Cause.NEGATION

    def ranks(self) -> "Ranks":
        """What surely holds of all that the question touches, with its hops; raises `OutOfSteps`."""
        self._lay()
        denied = self.fixpoint()[1] if self.doubts or self.blocks else {}
        final = Ranks(self, denied, doubt=False)
        final.found()
        return final

    def fixpoint(self) -> "tuple[dict[Spot, float], dict[Spot, float]]":
        """What surely holds and what may, each with its rank."""
        if not (self.doubts or self.blocks):
            found = Ranks(self, {}, doubt=False).found()
            return found, found
        surely: dict[Spot, float] = {}
        while True:
            maybe = Ranks(self, surely, doubt=True).found()
            more = Ranks(self, maybe, doubt=False).found()
            if more.keys() == surely.keys():
                return more, maybe
            surely = more

    def _lay(self) -> None:
        ahead, seen = [self.root], {self.root}
        while ahead:
            spot = ahead.pop()
            self.run.spend()
            self.spots.append(spot)
            if self.own(spot):
                continue
            for needed, hops in self._needs(spot.node.part, spot):
                self.run.spend()
                if hops >= 0:
                    self.above.setdefault(needed, []).append((spot, hops))
                if needed not in seen:
                    seen.add(needed)
                    ahead.append(needed)

    def own(self, spot: Spot) -> bool:
        """Whether it is the very userset that is asked about."""
        return (spot.node.number, spot.thing) == self.run.own

    def _needs(self, part: Part, spot: Spot) -> Iterator[tuple[Spot, int]]:
        """What a part looks at elsewhere; -1 hops for what it must not find there."""
        if isinstance(part, Computed):
            yield Spot(part.node, spot.thing), 0
        elif isinstance(part, Direct | Through):
            for edge in self.edges(part.links, spot.thing):
                self.doubts = self.doubts or edge.doubt
                yield edge.to, 1
            if isinstance(part, Direct):
                self.doubts = self.doubts or part.names(self.run, spot.thing) == DOUBT
        elif isinstance(part, Without):
            self.blocks = True
            yield Spot(part.subtracted, spot.thing), -1
        for child in children(part):
            yield from self._needs(child, spot)

    def edges(self, links: Sequence[Link], thing: int) -> Iterator[Edge]:
        """The tuples of an object that lead on, but for those whose condition is not met."""
        run = self.run
        for slot, node, condition, plain in links:
            if run.whom not in node.sources:
                continue
            ids = run.tables[slot].users(thing)
            for user in self._leading(ids, node, plain=plain) if self.pruned else each(ids):
                met = 0 if condition is None else run.meets(condition, slot, thing, user)
                if met != NO:
                    yield Edge(Spot(node, user), met == DOUBT)

    def _leading(self, ids: Ids, node: Node, *, plain: bool) -> Iterable[int]:
        """The objects of a row that may have led to the user."""
        run = self.run
        if plain and not run.closure.cut:
            members = run.closure.members.get(node.number, frozenset[int]())
            return ids & members if isinstance(ids, frozenset) else [it for it in each(ids) if it in members]
        return [it for it in each(ids) if run.known.get((node.number, it)) != NO]


class Ranks:
    """One least fixpoint: what holds if `denied` blocks and what is in doubt counts as `doubt`."""

    def __init__(self, ground: Ground, denied: dict[Spot, float], *, doubt: bool) -> None:
        self._ground = ground
        self._denied = denied
        self._doubt = doubt
        self.settled: dict[Spot, float] = {}

    def found(self) -> dict[Spot, float]:
        """The ranks of all spots that hold."""
        best: dict[Spot, float] = {}
        heap: list[tuple[float, int, Spot]] = []
        for number, spot in enumerate(self._ground.spots):
            rank = 0 if self._ground.own(spot) else self.far(spot.node.part, spot)
            if rank < math.inf:
                best[spot] = rank
                heapq.heappush(heap, (rank, number, spot))
        tie = len(self._ground.spots)
        while heap:
            rank, _, spot = heapq.heappop(heap)
            if spot in self.settled:
                continue
            self.settled[spot] = rank
            for above, hops in self._ground.above.get(spot, ()):
                if best.get(above, math.inf) <= rank + hops:
                    continue
                now = self.far(above.node.part, above)
                if now < best.get(above, math.inf):
                    best[above], tie = now, tie + 1
                    heapq.heappush(heap, (now, tie, above))
        return self.settled

    def far(self, part: Part, spot: Spot) -> float:
        """How many hops a part needs at a spot; infinitely many if it does not hold."""
        run = self._ground.run
        run.spend()
        if isinstance(part, AnyOf):
            return min(self.far(child, spot) for child in part.parts)
        if isinstance(part, AllOf):
            return max(self.far(child, spot) for child in part.parts)
        if isinstance(part, Without):
            blocked = Spot(part.subtracted, spot.thing) in self._denied
            return math.inf if blocked else self.far(part.base, spot)
        if isinstance(part, Computed):
            return self._known(Spot(part.node, spot.thing))
        if isinstance(part, Direct):
            named = part.names(run, spot.thing)
            return 0 if named == 0 or (named == DOUBT and self._doubt) else self._linked(part.links, spot)
        return self._linked(part.links, spot) if isinstance(part, Through) else math.inf

    def _linked(self, links: Sequence[Link], spot: Spot) -> float:
        edges = [it.to for it in self._ground.edges(links, spot.thing) if self._doubt or not it.doubt]
        return 1 + min(map(self._known, edges), default=math.inf)

    def _known(self, spot: Spot) -> float:
        if spot in self.settled:
            return self.settled[spot]
        return math.inf
