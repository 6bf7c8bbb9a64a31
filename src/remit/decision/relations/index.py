"""Tuples in memory: one table per shape of tuple, ids interned per type.

A model picks the tables that its type restrictions allow, and so never sees a tuple that does not fit. An
index is a version: `changed` gives a new one and leaves the old one as it was, so that every snapshot of
decisions keeps the one it was made with. Ids are compared as they are written.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple, TypeAlias

from remit.decision.relations.names import Names
from remit.decision.relations.table import EMPTY, Building, Context, Table, among
from remit.decision.relations.tuples import RelationTuple, TupleCondition, split_object, split_user

EVERYONE = "*"


class Kind(NamedTuple):
    """What a tuple is between. `user_relation` is `*` for typed wildcards and empty for objects."""

    type: str
    relation: str
    user_type: str
    user_relation: str


class Shape(NamedTuple):
    """What a table holds: tuples of a kind, under one condition or none."""

    kind: Kind
    condition: str


TupleRow: TypeAlias = tuple[str, str, str, str, Context | None]
"""A tuple as it is kept: object, relation, user, name of its condition or nothing, context or None."""


class _Place(NamedTuple):
    kind: Kind
    thing: int
    user: int


class Index:
    """All tuples of a store, at one version."""

    __slots__ = ("_conditions", "_names", "_tables", "count")

    def __init__(
        self,
        names: dict[str, Names],
        tables: Mapping[Shape, Table],
        conditions: Mapping[Kind, tuple[str, ...]],
    ) -> None:
        self._names = names
        self._tables = tables
        self._conditions = conditions
        self.count = sum(table.count for table in tables.values())

    @classmethod
    def of(cls, tuples: Iterable[RelationTuple] = ()) -> "Index":
        """The first version, of tuples whose keys all differ."""
        return cls.of_rows(_row(found) for found in tuples)

    @classmethod
    def of_rows(cls, rows: Iterable[TupleRow]) -> "Index":
        """The first version, of rows whose first three members together all differ.

        Quickest where rows about one object follow one another, as they do in the order of their keys.
        """
        names: dict[str, Names] = {}
        building: dict[tuple[str, str, str, str, str], Building] = {}
        last, kind, thing = "", "", 0
        for object_, relation, user, condition, context in rows:
            if object_ != last:
                kind, _, ident = object_.partition(":")
                thing, last = _named(names, kind).intern(ident), object_
            whole, _, of = user.partition("#")
            user_type, _, ident = whole.partition(":")
            whom = EVERYONE if ident == EVERYONE and not of else of
            key = (kind, relation, user_type, whom, condition)
            into = building.get(key)
            if into is None:
                into = building[key] = Building(_named(names, user_type))
            into.add(thing, ident, context)
        tables = {Shape(Kind(*key[:4]), key[4]): it.finish() for key, it in building.items()}
        return cls(names, tables, _conditions(tables))

    def table(self, shape: Shape) -> Table:
        """The tuples of a shape."""
        return self._tables.get(shape, EMPTY)

    def names(self, kind: str) -> Names:
        """The ids of a type."""
        return self._names.get(kind) or Names()

    def changed(
        self, *, writes: Iterable[RelationTuple] = (), deletes: Iterable[RelationTuple] = ()
    ) -> "Index":
        """The next version: deletes first; a tuple that is written replaces one with its key."""
        return self._changed(self._names, writes, deletes)

    def along(self, contextual: Iterable[RelationTuple]) -> "Index":
        """What one request sees that brings tuples along: nothing of them stays."""
        # A copy: a list that is made in another thread must not meet a type that is just being added.
        forked = {kind: names.fork() for kind, names in self._names.copy().items()}
        return self._changed(forked, contextual, ())

    def _changed(
        self, names: dict[str, Names], writes: Iterable[RelationTuple], deletes: Iterable[RelationTuple]
    ) -> "Index":
        gone: dict[Shape, set[tuple[int, int]]] = {}
        come: dict[Shape, list[tuple[int, int, Context | None]]] = {}
        for found in deletes:
            self._take(gone, _find(names, found))
        for found in {it.key: it for it in writes}.values():
            place = _intern(names, found)
            self._take(gone, place)
            shape = Shape(place.kind, found.condition.name if found.condition else "")
            context = found.condition.context if found.condition else None
            come.setdefault(shape, []).append((place.thing, place.user, context))
        tables = dict(self._tables)
        for shape in gone.keys() | come.keys():
            tables[shape] = self.table(shape).changed(gone.get(shape, ()), come.get(shape, ()))
        return Index(names, tables, _conditions(tables))

    def _take(self, gone: dict[Shape, set[tuple[int, int]]], place: _Place | None) -> None:
        """Marks the tuple at a place as gone, under whatever condition it is there."""
        if place is None:
            return
        for condition in self._conditions.get(place.kind, ()):
            shape = Shape(place.kind, condition)
            if among(place.user, self.table(shape).users(place.thing)):
                gone.setdefault(shape, set()).add((place.thing, place.user))

    def tuples(self) -> Iterator[RelationTuple]:
        """Every tuple."""
        for (kind, condition), table in self._tables.items():
            things, users = self.names(kind.type), self.names(kind.user_type)
            suffix = f"#{kind.user_relation}" if kind.user_relation not in ("", EVERYONE) else ""
            for thing, user in table.pairs():
                context = table.context(thing, user)
                yield RelationTuple(
                    user=f"{kind.user_type}:{users.name(user)}{suffix}",
                    relation=kind.relation,
                    object=f"{kind.type}:{things.name(thing)}",
                    condition=TupleCondition(name=condition, context=context) if condition else None,
                )


def _row(found: RelationTuple) -> TupleRow:
    if found.condition is None:
        return found.object, found.relation, found.user, "", None
    return found.object, found.relation, found.user, found.condition.name, found.condition.context


def _named(names: dict[str, Names], kind: str) -> Names:
    known = names.get(kind)
    if known is None:
        known = names[kind] = Names()
    return known


def _kind(found: RelationTuple) -> tuple[Kind, str, str]:
    thing, ident = split_object(found.object)
    user = split_user(found.user)
    kind = Kind(thing, found.relation, user.type, EVERYONE if user.wildcard else user.relation)
    return kind, ident, user.id


def _intern(names: dict[str, Names], found: RelationTuple) -> _Place:
    kind, thing, user = _kind(found)
    things, users = _named(names, kind.type), _named(names, kind.user_type)
    return _Place(kind, things.intern(thing), users.intern(user))


def _find(names: dict[str, Names], found: RelationTuple) -> _Place | None:
    kind, thing, user = _kind(found)
    if kind.type not in names or kind.user_type not in names:
        return None
    known, whom = names[kind.type].find(thing), names[kind.user_type].find(user)
    return None if known is None or whom is None else _Place(kind, known, whom)


def _conditions(tables: Mapping[Shape, Table]) -> dict[Kind, tuple[str, ...]]:
    found: dict[Kind, tuple[str, ...]] = {}
    for kind, condition in tables:
        found[kind] = (*found.get(kind, ()), condition)
    return found
