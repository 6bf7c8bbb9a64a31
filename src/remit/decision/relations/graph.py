"""One model over one version of the tuples: where every question about relations is answered.

Immutable but for what it remembers of users' groups and of ways that were told, which are functions of the
two and of nothing else: the keys of that memory are the user and the question, its owner is this version of
this model, and what a request brings along is asked of a graph of its own (PD-05).
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from remit.decision.relations.admission import admit, admit_question
from remit.decision.relations.closure import Closure, Whom, gather
from remit.decision.relations.errors import (
    ConditionFailed,
    ConditionInvalid,
    RelationError,
    RequestInvalid,
    TooComplex,
    TupleInvalid,
    TuplesDuplicate,
)
from remit.decision.relations.ground import Ground, Spot
from remit.decision.relations.index import EVERYONE, Index, Kind, Shape
from remit.decision.relations.names import LOCAL
from remit.decision.relations.plan import Plan
from remit.decision.relations.query import BATCH, CONTEXTUAL, Answer, Bounds, Cause, CheckRequest, Given
from remit.decision.relations.table import each
from remit.decision.relations.tuples import RelationTuple, User, split_object, split_user
from remit.decision.relations.walk import DOUBT, NO, OutOfSteps, Run

UNSEEN: Final = LOCAL << 1
"""Stands for the object of a question if no tuple names it; one more for its user."""
_REMEMBERED: Final = 10_000
_TOLD: Final = 4_096


class Graph:
    """A plan and an index."""

    __slots__ = ("_closures", "_told", "index", "plan", "tables")

    def __init__(self, plan: Plan, index: Index) -> None:
        self.plan = plan
        self.index = index
        self.tables = plan.tables(index)
        self._closures: dict[tuple[Whom, int], Closure] = {}
        self._told: dict[tuple[str, str, str], str] = {}

    def told(self, request: CheckRequest, tell: Callable[[], str]) -> str:
        """What is told of a question, found again while this graph stands: `tell` must look at it alone.

        INVARIANT: a model with conditions hangs on the moment and the arguments too, and is always told anew.
        """
        if self.plan.system.conditions or request.given.contextual:
            return tell()
        key = (request.user, request.relation, request.object)
        known = self._told.get(key)
        if known is None:
            if len(self._told) >= _TOLD:
                self._told.clear()
            known = self._told[key] = tell()
        return known

    def moved(self, index: Index) -> "Graph":
        """The same model over another version; groups are gathered anew if a table of groups changed."""
        graph = Graph(self.plan, index)
        if all(self.tables[slot] is graph.tables[slot] for slot in self.plan.gathered):
            graph._closures = self._closures
        return graph

    def beside(self, given: Given) -> "Graph":
        """This graph with the tuples of a request; raises `TupleInvalid`, `RequestInvalid`."""
        if not given.contextual:
            return self
        if len(given.contextual) > CONTEXTUAL:
            raise RequestInvalid(f"{len(given.contextual)} contextual tuples, of at most {CONTEXTUAL}")
        distinct: dict[tuple[str, str, str], RelationTuple] = {}
        for found in given.contextual:
            if distinct.setdefault(found.key, found) != found:
                raise TuplesDuplicate(f"the contextual tuples name `{found}` twice, and not alike")
        for found in given.contextual:
            try:
                admit(self.plan.system, found)
            except ConditionInvalid as error:
                raise TupleInvalid(error.hint) from error
        return Graph(self.plan, self.index.along(given.contextual))

    def check(self, request: CheckRequest, bounds: Bounds) -> Answer:
        """Whether the relation holds; raises what OpenFGA refuses of a request."""
        admit_question(self.plan.system, user=request.user, relation=request.relation, object_=request.object)
        graph = self.beside(request.given)
        spot, run = graph.asked(request, bounds)
        return graph.judged(spot, run)

    def batch(self, requests: Sequence[CheckRequest], bounds: Bounds) -> list[Answer | RelationError]:
        """Each check on its own, as `check` answers it; an error is an item's, never another's."""
        if len(requests) > BATCH:
            raise RequestInvalid(f"{len(requests)} checks in one request, of at most {BATCH}")
        return [self._one(request, bounds) for request in requests]

    def _one(self, request: CheckRequest, bounds: Bounds) -> Answer | RelationError:
        try:
            return self.check(request, bounds)
        except RelationError as refused:
            return refused

    def asked(self, request: CheckRequest, bounds: Bounds) -> tuple[Spot, Run]:
        """Where a question begins, and its run."""
        kind, ident = split_object(request.object)
        user = split_user(request.user)
        thing = self.index.names(kind).find(ident)
        thing = UNSEEN if thing is None else thing
        whom = self.index.names(user.type).find(user.id)
        if whom is None:
            whom = UNSEEN if (user.type, user.id) == (kind, ident) else UNSEEN + 1
        return Spot(self.plan.node(kind, request.relation), thing), self.run(
            user, whom, request.given, bounds
        )

    def run(self, user: User, ident: int, given: Given, bounds: Bounds) -> Run:
        """A run about a user."""
        whom = (user.type, EVERYONE if user.wildcard else user.relation)
        own = (self.plan.node(user.type, user.relation).number, ident) if user.relation else None
        return Run(
            tables=self.tables,
            whom=whom,
            user=ident,
            own=own,
            context=given.context,
            bounds=bounds,
            gather=lambda: self._gathered(whom, ident, own),
        )

    def judged(self, spot: Spot, run: Run) -> Answer:
        """The answer at one spot."""
        try:
            verdict = spot.node.walk(run, spot.thing, 0)
            if verdict >= 0:
                return Answer(allowed=True)
            if verdict == NO:
                return Answer(allowed=False)
            if verdict == DOUBT:
                return _unanswered(Cause.CONDITION, run)
            hops, cause = Ground(run, spot).solve()
        except OutOfSteps:
            return _unanswered(Cause.STEPS, run)
        if cause is Cause.NEGATION:
            # OpenFGA, too, answers no where a cycle goes through a `but not`, and calls it an answer.
            return Answer(allowed=False, cause=cause)
        return Answer(allowed=hops is not None) if cause is None else _unanswered(cause, run)

    def users(self, thing: str, relation: str) -> tuple[str, ...]:
        """The users that tuples name for a relation of an object, as far as the model lets them; sorted."""
        kind, ident = split_object(thing)
        place = self.index.names(kind).find(ident)
        if place is None:
            return ()
        found: set[str] = set()
        for user in self.plan.system.relation(kind, relation).user_types:
            whom = EVERYONE if user.wildcard else user.relation
            table = self.index.table(Shape(Kind(kind, relation, user.type, whom), user.condition))
            suffix = f"#{user.relation}" if user.relation else ""
            names = self.index.names(user.type)
            found |= {f"{user.type}:{names.name(it)}{suffix}" for it in each(table.users(place))}
        return tuple(sorted(found))

    def _gathered(self, whom: Whom, ident: int, own: tuple[int, int] | None) -> Closure:
        known = self._closures.get((whom, ident))
        if known is None:
            known = gather(self.plan.upwards, self.tables, self.start(whom, ident), self._own(own))
            if ident < LOCAL:
                if len(self._closures) >= _REMEMBERED:
                    self._closures.clear()
                self._closures[whom, ident] = known
        return known

    def start(self, whom: Whom, ident: int) -> Iterable[tuple[Whom, int]]:
        """What names a user that is no userset: itself and, of an object, everyone of its type."""
        kind, relation = whom
        if relation not in ("", EVERYONE):
            return
        yield whom, ident
        everyone = self.index.names(kind).find(EVERYONE)
        if relation == "" and everyone is not None:
            yield (kind, EVERYONE), everyone

    def _own(self, own: tuple[int, int] | None) -> Iterable[tuple[int, int]]:
        return () if own is None or own[0] not in self.plan.upwards.implied else (own,)


def _unanswered(cause: Cause, run: Run) -> Answer:
    return Answer(allowed=False, complete=False, cause=cause, failure=_failure(cause, run))


def _failure(cause: Cause, run: Run) -> ConditionFailed | TooComplex:
    if cause is Cause.CONDITION and run.failure is not None:
        return run.failure
    said = {
        Cause.DEPTH: f"the shortest way from the object to the user has more than {run.bounds.depth} hops",
        Cause.STEPS: f"the question needs more than {run.bounds.steps} steps",
    }
    return TooComplex(said.get(cause, "a condition could not be evaluated"))
