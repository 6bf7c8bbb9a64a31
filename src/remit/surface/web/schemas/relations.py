"""Relations as the API says them: stores, models in the DSL, tuples, questions."""

from datetime import datetime
from typing import Annotated, Any, Self

import msgspec

from remit.decision.relation_repository import RelationStore
from remit.decision.relations.tuples import RelationTuple, TupleCondition
from remit.surface.web.paging import Limit

StoreIdent = Annotated[str, msgspec.Meta(max_length=26, pattern=r"^([0-9A-HJKMNP-TV-Z]{26})?$")]
"""A store; empty for the one that decisions look into."""
Who = Annotated[str, msgspec.Meta(min_length=1, max_length=512)]
What = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
RelationName = Annotated[str, msgspec.Meta(min_length=1, max_length=50)]
Dsl = Annotated[str, msgspec.Meta(min_length=1, max_length=262_144)]


class NewRelationStore(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A store to make."""

    name: Annotated[str, msgspec.Meta(min_length=3, max_length=64, pattern=r"^[a-zA-Z0-9 ./^_&@-]{3,64}$")]


class EnforcedStore(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The store that decisions look into; empty for none."""

    store: StoreIdent


class RelationStoreView(msgspec.Struct, frozen=True, kw_only=True):
    """One store."""

    id: str
    name: str
    enforced: bool
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, store: RelationStore) -> Self:
        """From the domain."""
        return cls(
            id=store.id,
            name=store.name,
            enforced=store.enforced,
            created_at=store.created_at,
            updated_at=store.updated_at,
        )


class RelationModelBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model in OpenFGA's DSL."""

    text: Dsl
    store: StoreIdent = ""


class RelationModelView(msgspec.Struct, frozen=True, kw_only=True):
    """A model in OpenFGA's DSL."""

    store: str
    model: str
    text: str


class StoreQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which store."""

    store: StoreIdent = ""


class RelationConditionBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Under which condition a tuple holds, with what is known of its parameters."""

    name: RelationName
    context: dict[str, Any] = {}


class RelationTupleBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is related to what."""

    user: Who
    relation: RelationName
    object: What
    condition: RelationConditionBody | None = None

    def tuple(self) -> RelationTuple:
        """As the domain says it."""
        given = self.condition
        return RelationTuple(
            user=self.user,
            relation=self.relation,
            object=self.object,
            condition=None if given is None else TupleCondition(name=given.name, context=given.context),
        )


class RelationWriteBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Tuples to write and to delete, all or none. `lenient`: what is so already is passed over."""

    writes: Annotated[list[RelationTupleBody], msgspec.Meta(max_length=100)] = []
    deletes: Annotated[list[RelationTupleBody], msgspec.Meta(max_length=100)] = []
    lenient: bool = False
    store: StoreIdent = ""


class RelationsWritten(msgspec.Struct, frozen=True, kw_only=True):
    """How many tuples have changed."""

    store: str
    changed: int


class RelationQuestion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Is the user related to the object?"""

    user: Who
    relation: RelationName
    object: What
    context: dict[str, Any] = {}
    store: StoreIdent = ""


class RelationAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer; `path` is how it comes about, `why` what an incomplete one lacks."""

    allowed: bool
    complete: bool
    path: str = ""
    why: str = ""


class WhoCan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is related to the object? `users` is a type, or `type#relation`."""

    relation: RelationName
    object: What
    users: Annotated[str, msgspec.Meta(min_length=1, max_length=300)] = "user"
    context: dict[str, Any] = {}
    store: StoreIdent = ""
    limit: Limit = 50
    cursor: Annotated[str, msgspec.Meta(max_length=512)] = ""


class WhatCan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """To which objects of a type is the user related?"""

    user: Who
    relation: RelationName
    type: Annotated[str, msgspec.Meta(min_length=1, max_length=254)]
    context: dict[str, Any] = {}
    store: StoreIdent = ""
    limit: Limit = 50
    cursor: Annotated[str, msgspec.Meta(max_length=512)] = ""


class RelatedPage(msgspec.Struct, frozen=True, kw_only=True):
    """One page, in order; `complete` is false if some may lack between its beginning and its end."""

    items: list[str]
    complete: bool
    next: str = ""
    why: str = ""
