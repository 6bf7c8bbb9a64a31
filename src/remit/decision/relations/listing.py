"""Lists: the objects that somebody is related to, and the users that are related to something.

INVARIANT: an item is in a list if and only if `check` says yes to it (N37, PD-22). A list that ran into a
limit, or met a condition that can't be evaluated, says that it is not complete.
"""

from dataclasses import replace

from remit.decision.relations.admission import admit_question
from remit.decision.relations.graph import Graph
from remit.decision.relations.ground import Spot
from remit.decision.relations.index import EVERYONE
from remit.decision.relations.query import (
    Answer,
    Bounds,
    Cause,
    CheckRequest,
    Listing,
    ListObjectsRequest,
    ListUsersRequest,
)
from remit.decision.relations.reach import Backwards, backwards, downwards, upwards
from remit.decision.relations.tuples import User
from remit.decision.relations.walk import OutOfSteps


class Lists:
    """The lists of one graph."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._backwards: Backwards | None = None

    def objects(self, request: ListObjectsRequest, bounds: Bounds) -> Listing:
        """The objects of a type to which the user is related."""
        sample = CheckRequest(user=request.user, relation=request.relation, object=f"{request.type}:_")
        system = self._graph.plan.system
        system.relation(request.type, request.relation)
        admit_question(system, user=request.user, relation=request.relation, object_=sample.object)
        graph = self._graph.beside(request.given)
        spot, run = graph.asked(replace(sample, given=request.given), bounds)
        plan = self._backwards = self._backwards or backwards(graph.plan.every)
        own = None if run.own is None else Spot(graph.plan.every[run.own[0]], run.own[1])
        try:
            found = upwards(plan, run, graph.start(run.whom, run.user), own, spot.node)
        except OutOfSteps:
            return Listing(items=(), complete=False)
        taking = _Taking(bounds.listed)
        names = graph.index.names(request.type)
        mine = request.user.partition("#")[0].partition(":")[2]
        for name, thing in sorted((names.name(it) if it in names else mine, it) for it in found):
            run.again()
            if not taking.take(f"{request.type}:{name}", graph.judged(Spot(spot.node, thing), run)):
                break
        return taking.listing()

    def users(self, request: ListUsersRequest, bounds: Bounds) -> Listing:
        """The users of a type, or the usersets of a kind, that are related to the object.

        Where everyone of the type is related the list has `type:*`, and besides it those whom tuples name.
        """
        graph, kind = self._graph.beside(request.given), request.user_type
        suffix = f"#{request.user_relation}" if request.user_relation else ""
        asked = CheckRequest(
            user=f"{kind}:_{suffix}", relation=request.relation, object=request.object, given=request.given
        )
        self._known(request)
        admit_question(graph.plan.system, user=asked.user, relation=asked.relation, object_=asked.object)
        spot, run = graph.asked(asked, bounds)
        try:
            found, everyone = downwards(spot, run, (kind, request.user_relation), (kind, EVERYONE))
        except OutOfSteps:
            return Listing(items=(), complete=False)
        names = graph.index.names(kind)
        mine = request.object.partition(":")[2]
        items = {f"{kind}:{names.name(it) if it in names else mine}{suffix}": it for it in found}
        anyone = names.find(EVERYONE)
        if everyone and anyone is not None and not suffix:
            items[f"{kind}:{EVERYONE}"] = anyone
        return self._taken(graph, spot, asked, items, replace(bounds, steps=run.steps))

    def _known(self, request: ListUsersRequest) -> None:
        system = self._graph.plan.system
        if request.object.count(":") == 1:
            system.relation(request.object.partition(":")[0], request.relation)
        system.relations(request.user_type)
        if request.user_relation:
            system.relation(request.user_type, request.user_relation)

    def _taken(
        self, graph: Graph, spot: Spot, asked: CheckRequest, items: dict[str, int], bounds: Bounds
    ) -> Listing:
        taking = _Taking(bounds.listed)
        for text, ident in sorted(items.items()):
            kind, _, rest = text.partition(":")
            user = User(kind, *((rest, "") if "#" not in rest else rest.split("#", 1)))
            run = graph.run(user, ident, asked.given, bounds)
            more = taking.take(text, graph.judged(spot, run))
            bounds = replace(bounds, steps=max(run.steps, 0))
            if not more:
                break
        return taking.listing()


class _Taking:
    """A list while it is made."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._items: list[str] = []
        self._complete = True
        self._answer: Answer | None = None

    def take(self, item: str, answer: Answer) -> bool:
        """Takes an item that is allowed; false if the list ends here."""
        if answer.allowed and len(self._items) == self._limit:
            self._complete = False
            return False
        if answer.allowed:
            self._items.append(item)
        if not answer.complete:
            self._complete, self._answer = False, self._answer or answer
        return answer.cause is not Cause.STEPS

    def listing(self) -> Listing:
        """What was taken."""
        failure = None if self._answer is None else self._answer.failure
        return Listing(items=tuple(self._items), complete=self._complete, failure=failure)
