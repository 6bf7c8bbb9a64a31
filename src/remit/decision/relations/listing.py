"""Lists: the objects that somebody is related to, and the users that are related to something.

INVARIANT: an item is in a list if and only if `check` says yes to it (N37, PD-22). A list that ran into a
limit, or met a condition that can't be evaluated, says that it is not complete.

A list is made page by page: everything that may be in it is found once, and checked when a page comes to it.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

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

_Judge: TypeAlias = Callable[[str, int], Answer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """Everything that may be in a list, in the order of the list; never too little if it is `complete`."""

    names: Sequence[str] = ()
    idents: Sequence[int] = ()
    complete: bool = True
    begin: Callable[[Bounds], _Judge]
    """Ready to check one after the other, for so many steps in all."""

    def page(self, bounds: Bounds, *, after: str = "") -> Listing:
        """The items behind `after`, `bounds.listed` at most; `more` if others follow."""
        judge, taking = self.begin(bounds), _Taking(bounds.listed, complete=self.complete)
        for place in range(bisect_right(self.names, after) if after else 0, len(self.names)):
            name = self.names[place]
            if not taking.take(name, judge(name, self.idents[place])):
                break
        return taking.listing()


class Lists:
    """The lists of one graph."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._backwards: Backwards | None = None

    def objects(self, request: ListObjectsRequest, bounds: Bounds) -> Listing:
        """The objects of a type to which the user is related."""
        return _whole(self.objects_among(request, bounds).page(bounds))

    def users(self, request: ListUsersRequest, bounds: Bounds) -> Listing:
        """The users of a type, or the usersets of a kind, that are related to the object.

        Where everyone of the type is related the list has `type:*`, and besides it those whom tuples name.
        """
        return _whole(self.users_among(request, bounds).page(bounds))

    def objects_among(self, request: ListObjectsRequest, bounds: Bounds) -> Candidates:
        """What `objects` is taken from; finding it costs as many steps as the bounds say."""
        sample = CheckRequest(user=request.user, relation=request.relation, object=f"{request.type}:_")
        system = self._graph.plan.system
        system.relation(request.type, request.relation)
        admit_question(system, user=request.user, relation=request.relation, object_=sample.object)
        graph, asked = self._graph.beside(request.given), replace(sample, given=request.given)
        spot, run = graph.asked(asked, bounds)
        plan = self._backwards = self._backwards or backwards(graph.plan.every)
        own = None if run.own is None else Spot(graph.plan.every[run.own[0]], run.own[1])

        def begin(bounds: Bounds) -> _Judge:
            mine = graph.asked(asked, bounds)[1]

            def judge(_: str, thing: int) -> Answer:
                mine.again()
                return graph.judged(Spot(spot.node, thing), mine)

            return judge

        try:
            found = upwards(plan, run, graph.start(run.whom, run.user), own, spot.node)
        except OutOfSteps:
            return Candidates(complete=False, begin=begin)
        names = graph.index.names(request.type)
        me = request.user.partition("#")[0].partition(":")[2]
        return _ordered(
            {f"{request.type}:{names.name(it) if it in names else me}": it for it in found}, begin
        )

    def users_among(self, request: ListUsersRequest, bounds: Bounds) -> Candidates:
        """What `users` is taken from; finding it costs as many steps as the bounds say."""
        graph, kind = self._graph.beside(request.given), request.user_type
        suffix = f"#{request.user_relation}" if request.user_relation else ""
        asked = CheckRequest(
            user=f"{kind}:_{suffix}", relation=request.relation, object=request.object, given=request.given
        )
        self._known(request)
        admit_question(graph.plan.system, user=asked.user, relation=asked.relation, object_=asked.object)
        spot, run = graph.asked(asked, bounds)

        def begin(bounds: Bounds) -> _Judge:
            return _Each(graph, spot, asked, bounds).judge

        try:
            found, everyone = downwards(spot, run, (kind, request.user_relation), (kind, EVERYONE))
        except OutOfSteps:
            return Candidates(complete=False, begin=begin)
        names = graph.index.names(kind)
        me = request.object.partition(":")[2]
        items = {f"{kind}:{names.name(it) if it in names else me}{suffix}": it for it in found}
        anyone = names.find(EVERYONE)
        if everyone and anyone is not None and not suffix:
            items[f"{kind}:{EVERYONE}"] = anyone
        return _ordered(items, begin)

    def _known(self, request: ListUsersRequest) -> None:
        system = self._graph.plan.system
        if request.object.count(":") == 1:
            system.relation(request.object.partition(":")[0], request.relation)
        system.relations(request.user_type)
        if request.user_relation:
            system.relation(request.user_type, request.user_relation)


class _Each:
    """Users one after the other, each with what the ones before have left of the steps."""

    def __init__(self, graph: Graph, spot: Spot, asked: CheckRequest, bounds: Bounds) -> None:
        self._graph = graph
        self._spot = spot
        self._asked = asked
        self._bounds = bounds

    def judge(self, text: str, ident: int) -> Answer:
        """Whether one is related."""
        kind, _, rest = text.partition(":")
        user = User(kind, *((rest, "") if "#" not in rest else rest.split("#", 1)))
        run = self._graph.run(user, ident, self._asked.given, self._bounds)
        answer = self._graph.judged(self._spot, run)
        self._bounds = replace(self._bounds, steps=max(run.steps, 0))
        return answer


def _ordered(items: dict[str, int], begin: Callable[[Bounds], _Judge]) -> Candidates:
    names = sorted(items)
    return Candidates(names=names, idents=[items[name] for name in names], begin=begin)


def _whole(found: Listing) -> Listing:
    """A page as a list: what follows it lacks."""
    return replace(found, complete=found.complete and not found.more, more=False)


class _Taking:
    """A list while it is made."""

    def __init__(self, limit: int, *, complete: bool) -> None:
        self._limit = limit
        self._items: list[str] = []
        self._complete = complete
        self._more = False
        self._answer: Answer | None = None

    def take(self, item: str, answer: Answer) -> bool:
        """Takes an item that is allowed; false if the list ends here."""
        if answer.allowed and len(self._items) == self._limit:
            self._more = True
            return False
        if answer.allowed:
            self._items.append(item)
        if not answer.complete:
            self._complete, self._answer = False, self._answer or answer
        return answer.cause is not Cause.STEPS

    def listing(self) -> Listing:
        """What was taken."""
        failure = None if self._answer is None else self._answer.failure
        return Listing(items=tuple(self._items), complete=self._complete, more=self._more, failure=failure)
