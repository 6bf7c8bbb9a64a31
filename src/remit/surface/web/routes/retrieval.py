"""Documents for retrieval servers, and what is in the context of a task."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from remit.app.retrieval.desk import RetrievalDesk
from remit.authority.oauth.wire.scopes import Scope
from remit.authority.tasks import Task
from remit.decision.answer.response import Obligation
from remit.decision.sources.source import Source
from remit.surface.web.operation import Inbound, Method, Nothing, Operation
from remit.surface.web.paging import Page, PageQuery, page_of
from remit.surface.web.schemas.retrieval import (
    ConditionView,
    FilterBody,
    FilteredView,
    GivenDocument,
    SearchBody,
    SourceView,
)


class SourceQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which part of a context: all of it, or what was there when a decision was made."""

    decision: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalRoutes:
    """What the noun `retrieval`, and the sources of a task, need."""

    desk: RetrievalDesk
    seen: Callable[[Inbound[Any, Any]], Awaitable[Task]]
    """Gives the task of a path, or answers that there is none for this caller."""
    decided_at: Callable[[str], Awaitable[datetime]]
    """The moment of a decision; raises `NotFound`."""
    sources: Callable[[str, datetime | None, str, int], Awaitable[Sequence[tuple[str, Source]]]]

    def operations(self) -> list[Operation[Any, Any]]:
        """What is served."""
        return [
            Operation(
                name="filterDocuments",
                summary="Of documents that a search found, exactly those that the searcher may read",
                method=Method.POST,
                path="/retrieval/filter",
                scopes=(Scope.DECIDE,),
                handler=self._filter,
                body=FilterBody,
                query=Nothing,
                answer=FilteredView,
            ),
            Operation(
                name="documentCondition",
                summary="What to search by: which documents the searcher could be given, as a condition",
                method=Method.POST,
                path="/retrieval/condition",
                scopes=(Scope.DECIDE,),
                handler=self._condition,
                body=SearchBody,
                query=Nothing,
                answer=ConditionView,
            ),
            Operation(
                name="taskSources",
                summary="Documents and results in a task's context, oldest first, with digests and labels",
                method=Method.GET,
                path="/tasks/{task}/sources",
                scopes=(Scope.READ,),
                handler=self._sources,
                body=Nothing,
                query=SourceQuery,
                answer=Page[SourceView],
            ),
        ]

    async def _filter(self, inbound: Inbound[FilterBody, Nothing]) -> FilteredView:
        body = inbound.body
        offered = [each.offered() for each in body.documents]
        found = await self.desk.filter(body.search(), offered, by=inbound.caller.principal)
        return FilteredView(
            documents=[
                GivenDocument(id=each.id, duties=[_said(duty) for duty in sifted.obligations])
                for each, sifted in zip(offered, found, strict=True)
                if sifted.given
            ]
        )

    async def _condition(self, inbound: Inbound[SearchBody, Nothing]) -> ConditionView:
        return ConditionView.of(await self.desk.condition(inbound.body.search(), by=inbound.caller.principal))

    async def _sources(self, inbound: Inbound[Nothing, SourceQuery]) -> Page[SourceView]:
        task, query = await self.seen(inbound), inbound.query
        before = await self.decided_at(query.decision) if query.decision else None
        rows = await self.sources(task.id, before, query.cursor, query.limit + 1)
        return page_of(
            rows, limit=query.limit, key=lambda row: row[0], view=lambda row: SourceView.of(row[1])
        )


def _said(duty: Obligation) -> str:
    return " ".join([duty.type, *(f"{name}={value}" for name, value in duty.properties)])
