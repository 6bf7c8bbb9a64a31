"""Relations for tests: a graph from texts, and random models with tuples to ask about."""

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from remit.decision.relations.admission import fits
from remit.decision.relations.dsl import read_dsl
from remit.decision.relations.errors import ModelRefused
from remit.decision.relations.graph import Graph
from remit.decision.relations.index import Index
from remit.decision.relations.plan import Plan
from remit.decision.relations.query import Answer, Bounds, CheckRequest, Given
from remit.decision.relations.tuples import RelationTuple, TupleCondition, parse_tuple
from remit.decision.relations.typesystem import TypeSystem
from remit.kernel.canonical import Json

DRIVE = """
model
  schema 1.1
type user
type group
  relations
    define member: [user, group#member]
type folder
  relations
    define parent: [folder]
    define owner: [user]
    define viewer: [user, group#member] or owner or viewer from parent
type document
  relations
    define parent: [folder]
    define blocked: [user, group#member]
    define editor: [user, group#member]
    define viewer: ([user, user:*, group#member] or editor or viewer from parent) but not blocked
"""


def tuples_of(*texts: str) -> list[RelationTuple]:
    """Tuples written as `object#relation@user`, with `if condition` after it where there is one."""
    found: list[RelationTuple] = []
    for text in texts:
        bare, _, condition = text.partition(" if ")
        plain = parse_tuple(bare)
        found.append(
            RelationTuple(
                user=plain.user,
                relation=plain.relation,
                object=plain.object,
                condition=TupleCondition(name=condition) if condition else None,
            )
        )
    return found


def graph_of(model: str, *texts: str, tuples: Iterable[RelationTuple] = ()) -> Graph:
    """A graph over a model in DSL and tuples."""
    return Graph(Plan(read_dsl(model)), Index.of((*tuples_of(*texts), *tuples)))


def ask(
    graph: Graph,
    text: str,
    *,
    context: Mapping[str, Json] | None = None,
    bounds: Bounds | None = None,
    along: Iterable[str] = (),
) -> Answer:
    """The answer to `object#relation@user`."""
    asked = parse_tuple(text)
    given = Given(context=context or {}, contextual=tuple(tuples_of(*along)))
    request = CheckRequest(user=asked.user, relation=asked.relation, object=asked.object, given=given)
    return graph.check(request, bounds or Bounds())


@dataclass(frozen=True, kw_only=True)
class Guess:
    """A random model, tuples that fit it or fit no more, and what may be asked."""

    system: TypeSystem
    tuples: list[RelationTuple]
    asks: list[CheckRequest]


class Guesses:
    """Random models and tuples: cycles, wildcards, conditions and `but not` are likely, sense is not."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - test data
        self._names = ["a", "b", "c"]
        self._direct: dict[tuple[str, str], str] = {}

    def guess(self) -> Guess:
        """One whole guess."""
        system = self._system()
        pool = [self._tuple(system) for _ in range(self._random.randint(3, 24))]
        tuples = list(
            {
                found.key: found for found in pool if self._random.random() < 0.1 or fits(system, found)
            }.values()
        )
        return Guess(system=system, tuples=tuples, asks=[self._ask(system, tuples) for _ in range(12)])

    def _system(self) -> TypeSystem:
        while True:
            try:
                return read_dsl(self._model())
            except ModelRefused:
                continue

    def _model(self) -> str:
        self._direct = {}
        lines = ["model", "  schema 1.1", "type user"]
        for kind in ("group", "doc"):
            lines += [f"type {kind}", "  relations"]
            lines.append(
                f"    define parent: [{self._pick('doc', 'group', 'group with lucky', 'group, doc')}]"
            )
            lines += [f"    define {name}: {self._rewrite(kind, name, 2)}" for name in self._names]
        lines.append("condition lucky(x: int) {\n  x > 3\n}")
        return "\n".join(lines)

    def _pick(self, *choices: str) -> str:
        return self._random.choice(choices)

    def _rewrite(self, kind: str, name: str, depth: int) -> str:
        roll = self._random.random()
        if depth and roll < 0.45:
            left, right = self._rewrite(kind, name, depth - 1), self._rewrite(kind, name, depth - 1)
            return f"({left} {self._pick('or', 'or', 'and', 'but not')} {right})"
        if roll < 0.75:
            # One list of types a relation: the first that was thrown.
            users = ", ".join(sorted({self._user_type() for _ in range(self._random.randint(1, 3))}))
            return self._direct.setdefault((kind, name), f"[{users}]")
        if roll < 0.88:
            return self._pick(*self._names)
        return f"{self._pick(*self._names)} from parent"

    def _user_type(self) -> str:
        userset = f"{self._pick('group', 'doc')}#{self._pick(*self._names)}"
        shape = self._pick("user", "user", "user:*", userset, userset, userset)
        return f"{shape} with lucky" if self._random.random() < 0.15 else shape

    def _object(self, *kinds: str) -> str:
        return f"{self._pick(*kinds)}:{self._random.randint(1, 4)}"

    def _tuple(self, system: TypeSystem) -> RelationTuple:
        thing = self._object("group", "doc")
        relation = self._pick("parent", *self._names)
        users = system.relation(thing.partition(":")[0], relation).user_types
        if not users:
            return RelationTuple(user="user:1", relation=relation, object=thing)
        kind = self._random.choice(users)
        ident = "*" if kind.wildcard else str(self._random.randint(1, 4))
        user = f"{kind.type}:{ident}" + (f"#{kind.relation}" if kind.relation else "")
        context = self._random.choice([{}, {"x": 1}, {"x": 5}])
        condition = TupleCondition(name=kind.condition, context=context) if kind.condition else None
        return RelationTuple(user=user, relation=relation, object=thing, condition=condition)

    def _ask(self, system: TypeSystem, tuples: list[RelationTuple]) -> CheckRequest:
        extra = [it for it in (self._tuple(system) for _ in range(2)) if fits(system, it)]
        given = Given(
            context=self._random.choice([{}, {"x": 9}, {"x": 0}]),
            contextual=tuple({it.key: it for it in extra}.values()) if self._random.random() < 0.3 else (),
        )
        user = self._random.choice(["user:1", "user:2", "user:3", "user:9", "user:*", self._userset()])
        return CheckRequest(
            user=user, relation=self._pick(*self._names), object=self._object("group", "doc"), given=given
        )

    def _userset(self) -> str:
        return f"{self._object('group', 'doc')}#{self._pick(*self._names)}"
