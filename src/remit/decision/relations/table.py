"""The tuples of one shape, to be walked from objects to users and back; every change is a new version.

A version is a list that is never written to again, shared by many versions, and a small persistent map of
what differs from it. The list is copied when the map has grown to an eighth of it.
"""

from array import array
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Generic, TypeAlias, TypeVar

from immutables import Map

from remit.decision.relations.names import LOCAL, Names
from remit.kernel.canonical import Json

Ids: TypeAlias = "int | tuple[int, ...] | frozenset[int] | None"
"""What an object's row holds: no user, one, a few, or many."""
Back: TypeAlias = "int | array[int] | None"
"""What a user's row holds: no object, one, or more."""
Context: TypeAlias = Mapping[str, Json]

_FEW: Final = 16
_FOLD: Final = 1_024
R = TypeVar("R")


def each(ids: Ids) -> Iterable[int]:
    """The users in a row."""
    if ids is None:
        return ()
    return (ids,) if isinstance(ids, int) else ids


def among(user: int, ids: Ids) -> bool:
    """Whether a user is in a row."""
    return ids == user if isinstance(ids, int) else ids is not None and user in ids


def _plus(ids: Ids, user: int) -> Ids:
    if ids is None:
        return user
    if isinstance(ids, int):
        return (ids, user)
    if isinstance(ids, frozenset):
        return ids | {user}
    return (*ids, user) if len(ids) < _FEW else frozenset((*ids, user))


def _minus(ids: Ids, user: int) -> Ids:
    if ids is None or isinstance(ids, int):
        return None
    if isinstance(ids, frozenset):
        return ids - {user}
    left = tuple(it for it in ids if it != user)
    return left[0] if len(left) == 1 else left


def _back_plus(row: Back, thing: int) -> Back:
    if row is None:
        return thing
    if isinstance(row, int):
        return array("q", (row, thing))
    more = row[:]
    more.append(thing)
    return more


def _back_minus(row: Back, thing: int) -> Back:
    if row is None or isinstance(row, int):
        return None
    less = row[:]
    less.remove(thing)
    return less


class Rows(Generic[R]):
    """A versioned list of rows that may be empty."""

    __slots__ = ("_changes", "_list")

    def __init__(self, rows: list[R | None], changes: Map[int, R | None]) -> None:
        self._list = rows
        self._changes = changes

    def get(self, ident: int) -> R | None:
        """One row."""
        if self._changes and ident in self._changes:
            return self._changes[ident]
        return self._list[ident] if ident < len(self._list) else None

    def with_changes(self, changes: Mapping[int, R | None]) -> "Rows[R]":
        """A version in which these rows are others."""
        merged = self._changes.update(changes)
        if len(merged) <= max(_FOLD, len(self._list) >> 3):
            return Rows(self._list, merged)
        folded = list(self._list)
        for ident, row in merged.items():
            if ident < LOCAL:
                folded += [None] * (ident + 1 - len(folded))
                folded[ident] = row
        return Rows(folded, Map({ident: row for ident, row in merged.items() if ident >= LOCAL}))

    def __iter__(self) -> Iterator[int]:
        """The places of all rows that may hold something."""
        yield from range(len(self._list))
        yield from (ident for ident in self._changes if ident >= len(self._list))


class Table:
    """The tuples of one shape, one version of them."""

    __slots__ = ("_back", "_contexts", "_rows", "count")

    def __init__(
        self, rows: Rows[Ids], back: Rows[Back], contexts: Map[tuple[int, int], Context], count: int
    ) -> None:
        self._rows = rows
        self._back = back
        self._contexts = contexts
        self.count = count

    def users(self, thing: int) -> Ids:
        """The users of an object."""
        return self._rows.get(thing)

    def objects(self, user: int) -> Iterable[int]:
        """The objects of a user."""
        row = self._back.get(user)
        if row is None:
            return ()
        return (row,) if isinstance(row, int) else row

    def context(self, thing: int, user: int) -> Context:
        """What a conditional tuple knows of its parameters."""
        return self._contexts.get((thing, user), {})

    def pairs(self) -> Iterator[tuple[int, int]]:
        """Every tuple, as object and user."""
        for thing in self._rows:
            for user in each(self._rows.get(thing)):
                yield thing, user

    def changed(
        self, gone: Iterable[tuple[int, int]], come: Iterable[tuple[int, int, Context | None]]
    ) -> "Table":
        """The version without tuples that it has, and with others that it has not."""
        rows: dict[int, Ids] = {}
        back: dict[int, Back] = {}
        contexts, count = self._contexts.mutate(), self.count
        for thing, user in gone:
            rows[thing] = _minus(rows[thing] if thing in rows else self.users(thing), user)
            back[user] = _back_minus(back[user] if user in back else self._back.get(user), thing)
            contexts.pop((thing, user), None)
            count -= 1
        for thing, user, context in come:
            rows[thing] = _plus(rows[thing] if thing in rows else self.users(thing), user)
            back[user] = _back_plus(back[user] if user in back else self._back.get(user), thing)
            if context:
                contexts[thing, user] = context
            count += 1
        return Table(self._rows.with_changes(rows), self._back.with_changes(back), contexts.finish(), count)


EMPTY: Final = Table(Rows([], Map()), Rows([], Map()), Map(), 0)


class Building:
    """A table while it is filled for the first time; `names` are those of its users' type."""

    __slots__ = ("_contexts", "_names", "_things", "_users")

    def __init__(self, names: Names) -> None:
        self._names = names
        # Lists, not arrays: the integers are the ones that the names hold, once each.
        self._things: list[int] = []
        self._users: list[int] = []
        self._contexts: dict[tuple[int, int], Context] = {}

    def add(self, thing: int, user: str, context: Context | None) -> None:
        """One more tuple, which must be new."""
        ident = self._names.intern(user)
        self._things.append(thing)
        self._users.append(ident)
        if context:
            self._contexts[thing, ident] = context

    def finish(self) -> Table:
        """The table as its first version."""
        rows, back = self._rows(), self._back()
        return Table(Rows(rows, Map()), Rows(back, Map()), Map(self._contexts), len(self._things))

    def _rows(self) -> list[Ids]:
        rows: list[int | tuple[int, ...] | set[int] | None] = [None] * (max(self._things) + 1)
        for thing, user in zip(self._things, self._users, strict=True):
            row = rows[thing]
            if row is None:
                rows[thing] = user
            elif isinstance(row, int):
                rows[thing] = (row, user)
            elif isinstance(row, set):
                row.add(user)
            else:
                rows[thing] = (*row, user) if len(row) < _FEW else {*row, user}
        return [frozenset(row) if isinstance(row, set) else row for row in rows]

    def _back(self) -> list[Back]:
        back: list[Back] = [None] * (max(self._users) + 1)
        for thing, user in zip(self._things, self._users, strict=True):
            row = back[user]
            if row is None:
                back[user] = thing
            elif isinstance(row, int):
                back[user] = array("q", (row, thing))
            else:
                row.append(thing)
        return back
