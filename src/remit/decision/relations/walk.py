"""The quick way to an answer: from the object towards the user, with what is known of the user's groups.

Verdicts are integers: a number of hops if the relation holds (no fewer than the derivation found needs), else
`NO`, `DOUBT` (a condition could not be evaluated) or `UNSURE` (a cycle or a limit was met:
`ground` decides). Of two verdicts that are not a yes the lesser is the weaker.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from remit.decision.relations.closure import Closure, Whom
from remit.decision.relations.conditions import Condition
from remit.decision.relations.errors import ConditionFailed
from remit.decision.relations.query import Bounds
from remit.decision.relations.table import Ids, Table, among, each
from remit.kernel.canonical import Json

NO: Final = -1
DOUBT: Final = -2
UNSURE: Final = -3
LEVELS: Final = 50
"""How many relations deep the walk recurses; what lies deeper is `UNSURE`."""
_SCAN: Final = 8


class OutOfSteps(Exception):
    """The question has cost as many steps as it may."""


class Part(Protocol):
    """A rewrite, made ready to be walked."""

    def walk(self, run: "Run", thing: int, hops: int) -> int:
        """The verdict on an object that is so many hops from the one asked about."""


class Node:
    """One relation of one type, or what a `but not` of it subtracts."""

    __slots__ = ("number", "part", "relation", "sources", "type")

    def __init__(self, *, number: int, type_: str, relation: str) -> None:
        self.number = number
        self.type = type_
        self.relation = relation
        self.part: Part = AnyOf(())
        self.sources: frozenset[Whom] = frozenset()

    def walk(self, run: "Run", thing: int, hops: int) -> int:
        """The verdict, looked up or found.

        INVARIANT: while a node is being walked it is `UNSURE`, so nothing that met it on the way may become
        a no: a result that was cut off by a cycle is never kept as one (PD-06).
        """
        key = (self.number, thing)
        known = run.known.get(key)
        if known is not None:
            return known if known < 0 or known + hops <= run.bounds.depth else UNSURE
        if run.whom not in self.sources:
            return NO
        if hops > run.bounds.depth or run.level >= LEVELS:
            return UNSURE
        run.spend()
        run.known[key] = UNSURE
        run.level += 1
        verdict = self.part.walk(run, thing, hops)
        run.level -= 1
        run.known[key] = verdict
        if verdict == UNSURE:
            run.unsure.append(key)
        return verdict


class Link(NamedTuple):
    """A table whose users lead on: to `node` at each of them. `plain` nodes are in the user's closure."""

    slot: int
    node: Node
    condition: Condition | None
    plain: bool


class Named(NamedTuple):
    """A table that may name the user itself, or everyone of its type."""

    slot: int
    everyone: bool
    condition: Condition | None


class Run:
    """One question on its way, or many about one user."""

    __slots__ = (
        "_closure",
        "_gather",
        "_met",
        "bounds",
        "context",
        "failure",
        "known",
        "level",
        "own",
        "steps",
        "tables",
        "unsure",
        "user",
        "whom",
    )

    def __init__(
        self,
        *,
        tables: Sequence[Table],
        whom: Whom,
        user: int,
        own: tuple[int, int] | None,
        context: Mapping[str, Json],
        bounds: Bounds,
        gather: Callable[[], Closure],
    ) -> None:
        self.tables = tables
        self.whom = whom
        self.user = user
        self.own = own
        self.context = context
        self.bounds = bounds
        self.steps = bounds.steps
        self.level = 0
        self.known: dict[tuple[int, int], int] = {} if own is None else {own: 0}
        self.unsure: list[tuple[int, int]] = []
        """What was cut off on the way: never a no, and not known for another object either."""
        self.failure: ConditionFailed | None = None
        self._met: dict[tuple[int, int, int], int] = {}
        self._closure: Closure | None = None
        self._gather = gather

    @property
    def closure(self) -> Closure:
        """The groups of the user; gathered when first asked for."""
        if self._closure is None:
            self._closure = self._gather()
        return self._closure

    def again(self) -> None:
        """Ready for another object: what was cut off on the way to the last one is forgotten."""
        for key in self.unsure:
            if self.known.get(key) == UNSURE:
                del self.known[key]
        self.unsure.clear()

    def spend(self) -> None:
        """One step; raises `OutOfSteps`."""
        self.steps -= 1
        if self.steps < 0:
            raise OutOfSteps

    def meets(self, condition: Condition, slot: int, thing: int, user: int) -> int:
        """Whether a conditional tuple holds: 0, `NO` or `DOUBT`."""
        key = (slot, thing, user)
        known = self._met.get(key)
        if known is None:
            self.spend()
            try:
                known = 0 if condition.holds(self.tables[slot].context(thing, user), self.context) else NO
            except ConditionFailed as failure:
                self.failure = self.failure or failure
                known = DOUBT
            self._met[key] = known
        return known


class Direct:
    """`[user, group#member]`: named by a tuple, or in a userset that is."""

    __slots__ = ("links", "named")

    def __init__(self, *, named: Mapping[Whom, Sequence[Named]], links: Sequence[Link]) -> None:
        self.named = named
        self.links = links

    def walk(self, run: Run, thing: int, hops: int) -> int:
        """Looks for the user, then for its usersets."""
        worst = self.names(run, thing)
        if worst >= 0:
            return worst
        return _follow(self.links, run, thing, hops, worst)

    def names(self, run: Run, thing: int) -> int:
        """Whether a tuple names the user or everyone: 0, `NO` or `DOUBT`."""
        worst = NO
        for slot, everyone, condition in self.named.get(run.whom, ()):
            ids = run.tables[slot].users(thing)
            if ids is None:
                continue
            user = ids if everyone and isinstance(ids, int) else run.user
            if among(user, ids):
                verdict = 0 if condition is None else run.meets(condition, slot, thing, user)
                if verdict == 0:
                    return 0
                worst = min(worst, verdict)
        return worst


class Through:
    """`viewer from parent`."""

    __slots__ = ("links",)

    def __init__(self, *, links: Sequence[Link]) -> None:
        self.links = links

    def walk(self, run: Run, thing: int, hops: int) -> int:
        """Goes on at each object that the tupleset names."""
        return _follow(self.links, run, thing, hops, NO)


def _follow(links: Sequence[Link], run: Run, thing: int, hops: int, worst: int) -> int:
    """The best verdict over all that a node's tables lead to."""
    for link in links:
        ids = run.tables[link.slot].users(thing)
        if ids is None or run.whom not in link.node.sources:
            continue
        verdict = _gathered(link, run, ids, hops) if link.plain else _each(link, run, thing, ids, hops)
        if verdict >= 0:
            return verdict
        worst = min(worst, verdict)
    return worst


def _gathered(link: Link, run: Run, ids: Ids, hops: int) -> int:
    """Whether the user is in one of these groups, by its closure."""
    closure = run.closure
    members = closure.members.get(link.node.number)
    if members and _meet(ids, members):
        far = closure.hops + 1
        return far if far + hops <= run.bounds.depth else UNSURE
    return UNSURE if closure.cut else NO


def _meet(ids: Ids, members: set[int]) -> bool:
    if isinstance(ids, int):
        return ids in members
    if isinstance(ids, frozenset):
        return not ids.isdisjoint(members)
    return ids is not None and any(it in members for it in ids)


def _each(link: Link, run: Run, thing: int, ids: Ids, hops: int) -> int:
    worst = NO
    slot, node, condition, _ = link
    for user in each(ids):
        run.spend()
        verdict = node.walk(run, user, hops + 1)
        if verdict != NO and condition is not None:
            met = run.meets(condition, slot, thing, user)
            if met < 0:
                verdict = NO if met == NO else min(verdict, DOUBT)
        if verdict >= 0:
            return verdict + 1
        worst = min(worst, verdict)
    return worst


class Computed:
    """Another relation of the same object."""

    __slots__ = ("node",)

    def __init__(self, node: Node) -> None:
        self.node = node

    def walk(self, run: Run, thing: int, hops: int) -> int:
        """The verdict of the other."""
        return self.node.walk(run, thing, hops)


class AnyOf:
    """`a or b`."""

    __slots__ = ("parts",)

    def __init__(self, parts: Sequence[Part]) -> None:
        self.parts = parts

    def walk(self, run: Run, thing: int, hops: int) -> int:
        """The first yes, else the weakest verdict."""
        worst = NO
        for part in self.parts:
            verdict = part.walk(run, thing, hops)
            if verdict >= 0:
                return verdict
            worst = min(worst, verdict)
        return worst


class AllOf:
    """`a and b`."""

    __slots__ = ("parts",)

    def __init__(self, parts: Sequence[Part]) -> None:
        self.parts = parts

    def walk(self, run: Run, thing: int, hops: int) -> int:
        """The first no, else the weakest verdict, else the farthest."""
        weakest, farthest = 0, 0
        for part in self.parts:
            verdict = part.walk(run, thing, hops)
            if verdict == NO:
                return NO
            weakest, farthest = min(weakest, verdict), max(farthest, verdict)
        return weakest if weakest < 0 else farthest


class Without:
    """`a but not b`; `subtracted` is b, as a node of its own."""

    __slots__ = ("base", "subtracted")

    def __init__(self, *, base: Part, subtracted: Node) -> None:
        self.base = base
        self.subtracted = subtracted

    def walk(self, run: Run, thing: int, hops: int) -> int:
        """The base, unless it is subtracted; SAFETY: what is not surely absent subtracts."""
        verdict = self.base.walk(run, thing, hops)
        if verdict == NO:
            return NO
        subtracted = self.subtracted.walk(run, thing, hops)
        if subtracted >= 0:
            return NO
        return verdict if subtracted == NO else min(verdict, subtracted)


def children(part: Part) -> Iterator[Part]:
    """The parts that a part is made of; what is subtracted is not one of them."""
    if isinstance(part, AnyOf | AllOf):
        yield from part.parts
    elif isinstance(part, Without):
        yield part.base
