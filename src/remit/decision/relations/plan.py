"""A model made ready to be walked: every relation a node, every leaf with the tables that it looks into."""

from collections.abc import Iterator, Sequence

from remit.decision.relations.closure import Upwards, Whom
from remit.decision.relations.index import EVERYONE, Index, Kind, Shape
from remit.decision.relations.model import (
    ComputedUserset,
    Difference,
    Intersection,
    RelationDefinition,
    Rewrite,
    This,
    TupleToUserset,
    Union,
    UserType,
    parts,
)
from remit.decision.relations.reach import leaves
from remit.decision.relations.table import Table
from remit.decision.relations.typesystem import TypeSystem
from remit.decision.relations.walk import (
    AllOf,
    AnyOf,
    Computed,
    Direct,
    Link,
    Named,
    Node,
    Part,
    Through,
    Without,
)

_Key = tuple[str, str]


class Plan:
    """One model, ready; immutable, shared by all versions of an index."""

    __slots__ = ("_nodes", "_plain", "_shapes", "every", "gathered", "system", "upwards")

    def __init__(self, system: TypeSystem) -> None:
        self.system = system
        self.every: list[Node] = []
        self._nodes: dict[_Key, Node] = {}
        self._shapes: dict[Shape, int] = {}
        self._plain = _plain(system)
        for kind, relation in system.definitions():
            self._nodes[kind, relation.name] = self._new(kind, relation.name)
        for kind, relation in system.definitions():
            self._nodes[kind, relation.name].part = self._part(kind, relation, relation.rewrite)
        _sources(self.every)
        self.upwards = self._upwards()
        self.gathered = frozenset(slot for fed in self.upwards.feeds.values() for slot, _ in fed)

    def node(self, kind: str, relation: str) -> Node:
        """The node of a relation that the model has."""
        return self._nodes[kind, relation]

    def tables(self, index: Index) -> list[Table]:
        """The tables of an index that this model looks into, by slot."""
        return [index.table(shape) for shape in self._shapes]

    def shape(self, slot: int) -> Shape:
        """What the table of a slot holds."""
        return list(self._shapes)[slot]

    def _new(self, kind: str, relation: str) -> Node:
        node = Node(number=len(self.every), type_=kind, relation=relation)
        self.every.append(node)
        return node

    def _slot(self, kind: str, relation: str, user: UserType) -> int:
        whom = EVERYONE if user.wildcard else user.relation
        shape = Shape(Kind(kind, relation, user.type, whom), user.condition)
        return self._shapes.setdefault(shape, len(self._shapes))

    def _part(self, kind: str, relation: RelationDefinition, rewrite: Rewrite) -> Part:
        match rewrite:
            case This():
                return self._direct(kind, relation)
            case ComputedUserset():
                return Computed(self._nodes[kind, rewrite.relation])
            case TupleToUserset():
                return Through(links=tuple(self._through(kind, rewrite)))
            case Union():
                return AnyOf([self._part(kind, relation, child) for child in rewrite.children])
            case Intersection():
                return AllOf([self._part(kind, relation, child) for child in rewrite.children])
            case Difference():
                subtracted = self._new(kind, relation.name)
                subtracted.part = self._part(kind, relation, rewrite.subtract)
                return Without(base=self._part(kind, relation, rewrite.base), subtracted=subtracted)

    def _direct(self, kind: str, relation: RelationDefinition) -> Direct:
        named: dict[Whom, list[Named]] = {}
        links: list[Link] = []
        for user in relation.user_types:
            slot = self._slot(kind, relation.name, user)
            condition = self.system.conditions[user.condition] if user.condition else None
            if user.relation:
                plain = condition is None and (user.type, user.relation) in self._plain
                links.append(Link(slot, self._nodes[user.type, user.relation], condition, plain))
                continue
            named.setdefault((user.type, ""), []).append(Named(slot, user.wildcard, condition))
            if user.wildcard:
                named.setdefault((user.type, EVERYONE), []).append(Named(slot, user.wildcard, condition))
        return Direct(named=named, links=tuple(links))

    def _through(self, kind: str, rewrite: TupleToUserset) -> Iterator[Link]:
        for user in self.system.relation(kind, rewrite.tupleset).user_types:
            node = self._nodes.get((user.type, rewrite.computed))
            if node is not None:
                condition = self.system.conditions[user.condition] if user.condition else None
                plain = condition is None and (user.type, rewrite.computed) in self._plain
                yield Link(self._slot(kind, rewrite.tupleset, user), node, condition, plain)

    def _upwards(self) -> Upwards:
        feeds: dict[Whom, list[tuple[int, int]]] = {}
        implied: dict[int, list[tuple[int, Whom]]] = {}
        for key in self._plain:
            node = self._nodes[key]
            for part in leaves(node.part):
                if isinstance(part, Direct):
                    for slot, whom in self._fed(part):
                        feeds.setdefault(whom, []).append((slot, node.number))
            for number in _implying(node):
                implied.setdefault(number, []).append((node.number, key))
        return Upwards(feeds=feeds, implied=implied)

    def _fed(self, part: Direct) -> Iterator[tuple[int, Whom]]:
        for whom, tables in part.named.items():
            for table in tables:
                if table.everyone == (whom[1] == EVERYONE):
                    yield table.slot, whom
        for link in part.links:
            yield link.slot, (link.node.type, link.node.relation)


def _plain(system: TypeSystem) -> set[_Key]:
    """The relations that come about by tuples without conditions and by unions, all the way down."""
    plain = {(kind, relation.name) for kind, relation in system.definitions()}
    while True:
        left = {key for key in plain if _stays(system, key, plain)}
        if left == plain:
            return plain
        plain = left


def _stays(system: TypeSystem, key: _Key, plain: set[_Key]) -> bool:
    relation = system.relation(*key)
    for part in parts(relation.rewrite):
        if isinstance(part, ComputedUserset):
            if (key[0], part.relation) not in plain:
                return False
        elif not isinstance(part, This | Union):
            return False
    return all(
        not user.condition and (not user.relation or (user.type, user.relation) in plain)
        for user in relation.user_types
    )


def _implying(node: Node) -> set[int]:
    """The nodes of the same object that a plain node follows from, itself included."""
    found, ahead = {node.number}, [node]
    while ahead:
        for part in leaves(ahead.pop().part):
            if isinstance(part, Computed) and part.node.number not in found:
                found.add(part.node.number)
                ahead.append(part.node)
    return found


def _sources(nodes: Sequence[Node]) -> None:
    """Tells every node which kinds of users can have it at all."""
    while True:
        grown = False
        for node in nodes:
            more = _from(node)
            if not more <= node.sources:
                node.sources, grown = node.sources | more, True
        if not grown:
            return


def _from(node: Node) -> frozenset[Whom]:
    found: set[Whom] = {(node.type, node.relation)}
    for part in leaves(node.part):
        if isinstance(part, Computed):
            found |= part.node.sources
        elif isinstance(part, Direct | Through):
            if isinstance(part, Direct):
                found |= part.named.keys()
            for link in part.links:
                found |= link.node.sources
    return frozenset(found)
