"""Why a relation holds: the tuples and rules of a shortest derivation, from the user to the object."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from remit.decision.relations.graph import Graph
from remit.decision.relations.ground import Ground, Ranks, Spot
from remit.decision.relations.query import Answer, Bounds, CheckRequest, Step
from remit.decision.relations.walk import (
    AllOf,
    AnyOf,
    Computed,
    Direct,
    Link,
    OutOfSteps,
    Part,
    Through,
    Without,
)


def trace(graph: Graph, request: CheckRequest, bounds: Bounds) -> Answer:
    """The answer of `check`, with its resolution if it is a yes and the steps last to explain it."""
    answer = graph.check(request, bounds)
    return replace(answer, resolution=resolution(graph, request, bounds)) if answer.allowed else answer


def resolution(graph: Graph, request: CheckRequest, bounds: Bounds) -> tuple[Step, ...]:
    """The steps of a shortest derivation of what `check` says yes to; none if the bounds don't last."""
    beside = graph.beside(request.given)
    spot, run = beside.asked(request, bounds)
    ground = Ground(run, spot, pruned=True)
    try:
        spot.node.walk(run, spot.thing, 0)
        ranks = ground.ranks()
    except OutOfSteps:
        return ()
    return _Tracing(beside, request, ground, ranks).steps(spot)


def tell(resolution: tuple[Step, ...], *, most: int = 0) -> str:
    """A resolution in one line: `user:ana —owner→ order:8812 —implies→ viewer`.

    With `most`, so many steps at each end and how many lie between them.
    """
    between = len(resolution) - 2 * most
    if most and between > 0:
        return f"{tell(resolution[:most])} … {between} more … {tell(resolution[-most:])}"
    line, at = "", ""
    for step in resolution:
        if not step.tuple:
            line += f" —implies→ {step.relation}"
        elif step.user == at:
            line += f" —{step.relation}→ {step.object}"
        else:
            line += f"{', ' if line else ''}{step.user} —{step.relation}→ {step.object}"
        at = f"{step.object}#{step.relation}"
    return line


@dataclass(frozen=True, slots=True)
class _Tracing:
    """One derivation being read off the ranks."""

    graph: Graph
    request: CheckRequest
    ground: Ground
    ranks: Ranks

    def steps(self, spot: Spot) -> tuple[Step, ...]:
        """How the user comes to a spot that holds."""
        return () if self.ground.own(spot) else self._part(spot.node.part, spot)

    def _part(self, part: Part, spot: Spot) -> tuple[Step, ...]:
        if isinstance(part, AnyOf):
            return self._part(min(part.parts, key=lambda child: self._far(child, spot)), spot)
        if isinstance(part, AllOf):
            return tuple(dict.fromkeys(step for child in part.parts for step in self._part(child, spot)))
        if isinstance(part, Without):
            return self._part(part.base, spot)
        if isinstance(part, Computed):
            before = self.steps(Spot(part.node, spot.thing))
            return (*before, self._step(f"{self._name(spot)}#{part.node.relation}", spot, tuple_=False))
        if isinstance(part, Direct):
            return self._direct(part, spot)
        return self._through(part, spot) if isinstance(part, Through) else ()

    def _direct(self, part: Direct, spot: Spot) -> tuple[Step, ...]:
        if part.names(self.ground.run, spot.thing) == 0:
            return (self._step(self.request.user, spot, tuple_=True),)
        link, to = self._nearest(part.links, spot)
        return (*self.steps(to), self._step(f"{self._name(to)}#{link.node.relation}", spot, tuple_=True))

    def _through(self, part: Through, spot: Spot) -> tuple[Step, ...]:
        link, to = self._nearest(part.links, spot)
        kind = self.graph.plan.shape(link.slot).kind
        led = Step(user=self._name(to), relation=kind.relation, object=self._name(spot), tuple=True)
        return (
            *self.steps(to),
            led,
            self._step(f"{self._name(to)}#{link.node.relation}", spot, tuple_=False),
        )

    def _nearest(self, links: Sequence[Link], spot: Spot) -> tuple[Link, Spot]:
        leading = [
            (link, edge.to)
            for link in links
            for edge in self.ground.edges((link,), spot.thing)
            if not edge.doubt and edge.to in self.ranks.settled
        ]
        return min(leading, key=lambda found: self.ranks.settled[found[1]])

    def _far(self, part: Part, spot: Spot) -> float:
        return self.ranks.far(part, spot)

    def _step(self, user: str, spot: Spot, *, tuple_: bool) -> Step:
        return Step(user=user, relation=spot.node.relation, object=self._name(spot), tuple=tuple_)

    def _name(self, spot: Spot) -> str:
        names = self.graph.index.names(spot.node.type)
        ident = names.name(spot.thing) if spot.thing in names else self.request.object.partition(":")[2]
        return f"{spot.node.type}:{ident}"
