"""Who is related to what, for people: stores, models, tuples, and questions with their paths."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from remit.authority.oauth.wire.scopes import Scope
from remit.decision.relation_service import RelationService, TupleWrite
from remit.decision.relations.dsl import read_dsl
from remit.decision.relations.dsl_text import write_dsl
from remit.decision.relations.errors import ModelMissing
from remit.decision.relations.graph import Graph
from remit.decision.relations.listing import Candidates, Lists
from remit.decision.relations.model_json import read_model
from remit.decision.relations.query import (
    Bounds,
    CheckRequest,
    Given,
    ListObjectsRequest,
    ListUsersRequest,
)
from remit.decision.relations.trace import tell, trace
from remit.surface.web.caller import Caller, NotAdministrator
from remit.surface.web.operation import Inbound, Method, Nothing, Operation, operation
from remit.surface.web.paging import Page, PageQuery, page_of
from remit.surface.web.schemas.relations import (
    EnforcedStore,
    NewRelationStore,
    RelatedPage,
    RelationAnswer,
    RelationModelBody,
    RelationModelView,
    RelationQuestion,
    RelationStoreView,
    RelationsWritten,
    RelationWriteBody,
    StoreQuery,
    WhatCan,
    WhoCan,
)

GATHERED: Final = Bounds(steps=20_000_000)
"""What finding all that may be in a list may cost: all of a store of a million tuples."""
PAGE_STEPS: Final = 2_000_000
"""The deadline of one page: its list says that it is not complete, after some seconds."""
_KEPT: Final = 8
_KEPT_ITEMS: Final = 400_000
"""Of all lists that are kept, for their next pages; one that is longer is kept alone."""
_Asked: TypeAlias = ListUsersRequest | ListObjectsRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class RelationRoutes:
    """What the noun needs."""

    relations: RelationService
    lists: "dict[str, tuple[Graph, Candidates]]" = field(default_factory=dict)
    """What the last lists are taken from, each with its graph: the next page is of the same."""

    def operations(self) -> list[Operation[Any, Any]]:
        """What is served."""
        asked, answer = Scope.READ, RelationStoreView
        return [
            operation("createRelationStore", "Make a store of relations", "POST", "/relations/stores",
                      self._create, body=NewRelationStore, answer=answer, status=201),
            Operation(
                name="listRelationStores",
                summary="Stores of relations, and which of them decisions look into",
                method=Method.GET,
                path="/relations/stores",
                scopes=(Scope.READ,),
                handler=self._stores,
                body=Nothing,
                query=PageQuery,
                answer=Page[RelationStoreView],
            ),
            operation("enforceRelations", "Have decisions look into a store, or into none", "PUT",
                      "/relations/enforced", self._enforce, body=EnforcedStore, answer=EnforcedStore),
            operation("writeRelationModel", "Put a model in use, in OpenFGA's DSL", "POST",
                      "/relations/model", self._write_model, body=RelationModelBody,
                      answer=RelationModelView, status=201),
            Operation(
                name="getRelationModel",
                summary="The model in use",
                method=Method.GET,
                path="/relations/model",
                scopes=(Scope.READ,),
                handler=self._model,
                body=Nothing,
                query=StoreQuery,
                answer=RelationModelView,
            ),
            operation("writeRelations", "Write and delete tuples together", "POST", "/relations/write",
                      self._write, body=RelationWriteBody, answer=RelationsWritten),
            operation("checkRelation", "Is the user related to the object, and how", "POST",
                      "/relations/check", self._check, body=RelationQuestion, answer=RelationAnswer,
                      scope=asked),
            operation("whoCan", "Who is related to the object", "POST", "/relations/who-can",
                      self._who_can, body=WhoCan, answer=RelatedPage, scope=asked),
            operation("whatCan", "To what is the user related", "POST", "/relations/what-can",
                      self._what_can, body=WhatCan, answer=RelatedPage, scope=asked),
        ]  # fmt: skip

    async def _create(self, inbound: Inbound[NewRelationStore, Nothing]) -> RelationStoreView:
        _administers(inbound.caller)
        made = await self.relations.create_store(
            inbound.body.name, by=inbound.caller.principal, at=inbound.at
        )
        return RelationStoreView.of(made)

    async def _stores(self, inbound: Inbound[Nothing, PageQuery]) -> Page[RelationStoreView]:
        _sees(inbound.caller)
        limit = inbound.query.limit
        found = await self.relations.stores(after=inbound.query.cursor, limit=limit + 1)
        return page_of(found, limit=limit, key=lambda each: each.id, view=RelationStoreView.of)

    async def _enforce(self, inbound: Inbound[EnforcedStore, Nothing]) -> EnforcedStore:
        _administers(inbound.caller)
        await self.relations.enforce(inbound.body.store, by=inbound.caller.principal, at=inbound.at)
        return inbound.body

    async def _write_model(self, inbound: Inbound[RelationModelBody, Nothing]) -> RelationModelView:
        _administers(inbound.caller)
        model, store = read_dsl(inbound.body.text).model, await self._store(inbound.body.store)
        ident = await self.relations.write_model(store, model, by=inbound.caller.principal, at=inbound.at)
        return RelationModelView(store=store, model=ident, text=write_dsl(model))

    async def _model(self, inbound: Inbound[Nothing, StoreQuery]) -> RelationModelView:
        _sees(inbound.caller)
        store = await self._store(inbound.query.store)
        found = await self.relations.models(store, limit=1)
        if not found:
            raise ModelMissing(f"store `{store}` has no authorization model")
        return RelationModelView(store=store, model=found[0].id, text=write_dsl(read_model(found[0].body)))

    async def _write(self, inbound: Inbound[RelationWriteBody, Nothing]) -> RelationsWritten:
        _administers(inbound.caller)
        body = inbound.body
        store = await self._store(body.store)
        wanted = TupleWrite(
            writes=tuple(each.tuple() for each in body.writes),
            deletes=tuple(each.tuple() for each in body.deletes),
            lenient_writes=body.lenient,
            lenient_deletes=body.lenient,
        )
        changed = await self.relations.write(store, wanted, by=inbound.caller.principal, at=inbound.at)
        return RelationsWritten(store=store, changed=changed)

    async def _check(self, inbound: Inbound[RelationQuestion, Nothing]) -> RelationAnswer:
        _sees(inbound.caller)
        body = inbound.body
        asked = CheckRequest(
            user=body.user,
            relation=body.relation,
            object=body.object,
            given=Given(context=body.context),
        )
        graph = await self.relations.graph(await self._store(body.store), fresh=True)
        answer = trace(graph, asked, Bounds())
        return RelationAnswer(
            allowed=answer.allowed,
            complete=answer.complete,
            path=tell(answer.resolution),
            why="" if answer.failure is None else answer.failure.hint,
        )

    async def _who_can(self, inbound: Inbound[WhoCan, Nothing]) -> RelatedPage:
        _sees(inbound.caller)
        body = inbound.body
        kind, _, relation = body.users.partition("#")
        asked = ListUsersRequest(
            object=body.object,
            relation=body.relation,
            user_type=kind,
            user_relation=relation,
            given=Given(context=body.context),
        )
        return await self._listed(body, asked, lambda lists: lists.users_among(asked, GATHERED))

    async def _what_can(self, inbound: Inbound[WhatCan, Nothing]) -> RelatedPage:
        _sees(inbound.caller)
        body = inbound.body
        asked = ListObjectsRequest(
            user=body.user, relation=body.relation, type=body.type, given=Given(context=body.context)
        )
        return await self._listed(body, asked, lambda lists: lists.objects_among(asked, GATHERED))

    async def _listed(
        self, body: WhoCan | WhatCan, asked: _Asked, make: Callable[[Lists], Candidates]
    ) -> RelatedPage:
        store = await self._store(body.store)
        graph, key = await self.relations.graph(store, fresh=True), f"{store} {asked}"
        known = self.lists.get(key)
        if known is None or known[0] is not graph:
            # In a thread: finding a million takes seconds, in which others are answered.
            known = graph, await asyncio.to_thread(make, Lists(graph))
            self._keep(key, known)
        bounds = Bounds(steps=PAGE_STEPS, listed=body.limit)
        listing = await asyncio.to_thread(known[1].page, bounds, after=body.cursor)
        return RelatedPage(
            items=list(listing.items),
            complete=listing.complete,
            next=listing.items[-1] if listing.more else "",
            why="" if listing.failure is None else listing.failure.hint,
        )

    def _keep(self, key: str, known: "tuple[Graph, Candidates]") -> None:
        self.lists.pop(key, None)
        room = _KEPT_ITEMS - len(known[1].names)
        while self.lists and (
            len(self.lists) >= _KEPT or sum(len(each.names) for _, each in self.lists.values()) > room
        ):
            del self.lists[next(iter(self.lists))]
        self.lists[key] = known

    async def _store(self, named: str) -> str:
        return named or await self.relations.in_force()


def _administers(caller: Caller) -> None:
    if not caller.administers:
        raise NotAdministrator("relations are written by administrators")


def _sees(caller: Caller) -> None:
    """Relations tell who may reach what: they are for those who may read everything."""
    if not caller.sees_all:
        raise NotAdministrator("relations are read by administrators and readers")
