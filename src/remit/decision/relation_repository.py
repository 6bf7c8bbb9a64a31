"""Where relations are kept: stores, their models, their tuples, and every change in order."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from remit.decision.relations.held import Change
from remit.decision.relations.tuples import RelationTuple
from remit.kernel.canonical import JsonObject
from remit.kernel.uow import Transaction
from remit.ledger.repository import Recorder

Key = tuple[str, str, str]
"""Object, relation, user: what is unique in a store."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelationStore:
    """One store: a name for people, models and tuples of its own."""

    id: str
    name: str
    enforced: bool
    position: int
    """How many changes its tuples have had."""
    forgotten: int = 0
    """Number of the last change that is no longer kept; 0 while all are."""
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredModel:
    """One model of a store as OpenFGA's JSON; never changed. `number` counts the models of its store."""

    id: str
    number: int
    body: JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTuple:
    """One tuple and when it was written."""

    tuple: RelationTuple
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DatedChange:
    """One change and when it was made."""

    change: Change
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TupleFilter:
    """Which tuples are read; what is empty is any. `object` may be `type:` alone."""

    object: str = ""
    relation: str = ""
    user: str = ""


class RelationRepository(Protocol):
    """Everything about relations, of one tenant."""

    def stores(self, *, after: str = "", limit: int, name: str = "") -> Sequence[RelationStore]:
        """Stores in the order of their ids."""

    def store(self, ident: str) -> RelationStore | None:
        """One store."""

    def enforced(self) -> str:
        """Id of the store that decisions look into; empty if none."""

    def add_store(self, store: RelationStore) -> None:
        """A new store."""

    def remove_store(self, ident: str) -> None:
        """A store with all that is in it."""

    def enforce(self, ident: str) -> None:
        """Have decisions look into this store and no other; into none for an empty id."""

    def add_model(self, store: str, model: StoredModel, at: datetime) -> None:
        """A new model, the newest from now on."""

    def newest_model(self, store: str) -> StoredModel | None:
        """The one in use where none is named."""

    def model(self, store: str, ident: str) -> StoredModel | None:
        """One model."""

    def models(self, store: str, *, before: int, limit: int) -> Sequence[StoredModel]:
        """Models with lower numbers, newest first."""

    def reserve(self, store: str, count: int, at: datetime) -> int:
        """Take the next numbers of changes; the first of them.

        INVARIANT: the store's row is held until the commit, so that numbers are seen in their order.
        """

    def get(self, store: str, key: Key) -> StoredTuple | None:
        """One tuple."""

    def put(self, store: str, changes: Iterable[Change], at: datetime) -> None:
        """Write and delete the tuples of changes, and remember the changes."""

    def tuples(
        self, store: str, wanted: TupleFilter, *, after: Key | None, limit: int
    ) -> Sequence[StoredTuple]:
        """Tuples in the order of their keys."""

    def changes(
        self, store: str, *, after: int, limit: int, type_: str = "", since: datetime | None = None
    ) -> Sequence[DatedChange]:
        """Changes with higher numbers, oldest first; those of objects of a type, if one is named."""

    def forget_changes(self, before: datetime, limit: int) -> int:
        """Drop the oldest changes of each store up to the first that is not before; how many went.

        At most `limit` of each store. What is dropped is remembered as `RelationStore.forgotten`.
        """


class RelationTransaction(Transaction, Protocol):
    """The transaction that relations are changed in."""

    @property
    def relations(self) -> RelationRepository:
        """Stores, models, tuples."""

    @property
    def ledger(self) -> Recorder:
        """The record."""
