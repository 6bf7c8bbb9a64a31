"""The scopes of policies as an index: a request meets only the policies whose scope it is in.

A policy is filed under its action, then its principal, then its resource; how many others there are does
not matter to a request that they are not about.
"""

from collections.abc import Callable, Iterator
from typing import Generic, TypeAlias, TypeVar

from cedarpy import pst

from remit.decision.policy.compile import Uncompilable, uid_of
from remit.decision.policy.values import Entities, Uid

T = TypeVar("T")
_Limit: TypeAlias = pst.PrincipalOrResourceConstraint | pst.ActionConstraint


class Shelf(Generic[T]):
    """Things filed under what a scope says of one variable."""

    __slots__ = ("_any", "_at", "_make", "_typed", "_under", "_under_typed")

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._any: T | None = None
        self._typed: dict[str, T] = {}
        self._at: dict[Uid, T] = {}
        """Of the entity itself: `==`, and `in`, which includes it."""
        self._under: dict[Uid, T] = {}
        """Of the entities below another, with `in`."""
        self._under_typed: dict[tuple[str, Uid], T] = {}

    def places(self, limit: _Limit) -> Iterator[T]:
        """Where something with this constraint is filed, made if need be; raises `Uncompilable`."""
        match limit:
            case pst.ScopeAny():
                if self._any is None:
                    self._any = self._make()
                yield self._any
            case pst.ScopeIs(entity_type=kind):
                yield self._typed.setdefault(str(kind), self._make())
            case pst.ScopeEq(entity=entity) | pst.ActionEq(entity=entity):
                yield self._at.setdefault(uid_of(entity), self._make())
            case pst.ScopeIn(entity=entity):
                yield from self._in(uid_of(entity))
            case pst.ActionIn(entities=entities):
                for uid in {uid_of(entity) for entity in entities}:
                    yield from self._in(uid)
            case pst.ScopeIsIn(entity_type=kind, entity=entity):
                yield from self._is_in(str(kind), uid_of(entity))
            case _:
                raise Uncompilable(f"scope `{type(limit).__name__}` is not taken")

    def _in(self, uid: Uid) -> Iterator[T]:
        yield self._at.setdefault(uid, self._make())
        yield self._under.setdefault(uid, self._make())

    def _is_in(self, kind: str, uid: Uid) -> Iterator[T]:
        if uid.type == kind:
            yield self._at.setdefault(uid, self._make())
        yield self._under_typed.setdefault((kind, uid), self._make())

    def find(self, uid: Uid, entities: Entities) -> list[T]:
        """Everything that is filed where this entity belongs."""
        found = [] if self._any is None else [self._any]
        if self._at and (hit := self._at.get(uid)) is not None:
            found.append(hit)
        if self._typed and (hit := self._typed.get(uid.type)) is not None:
            found.append(hit)
        if (self._under or self._under_typed) and (known := entities.get(uid)) is not None:
            for above in known.ancestors:
                found += self._below(above, uid.type)
        return found

    def _below(self, above: Uid, kind: str) -> list[T]:
        both = self._under.get(above), self._under_typed.get((kind, above))
        return [hit for hit in both if hit is not None]


def check_scope(limit: _Limit) -> None:
    """Raise `Uncompilable` for a constraint that can't be filed."""
    for _ in Shelf(list[str]).places(limit):
        pass
