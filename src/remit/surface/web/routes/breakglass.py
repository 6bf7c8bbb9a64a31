"""Break glass: ask for it, look at it, end it, review it. The second yes is an approval like any other."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from remit.authority.oauth.wire.scopes import Scope
from remit.kernel.ids import BreakGlassId
from remit.oversight.breakglass.service import BreakGlassService
from remit.surface.web.caller import Caller, NotAPerson, unseen
from remit.surface.web.operation import Inbound, Method, Nothing, Operation
from remit.surface.web.paging import Page, PageQuery, page_of
from remit.surface.web.schemas.breakglass import (
    BreakGlassBody,
    BreakGlassLine,
    BreakGlassQuery,
    BreakGlassView,
    GlassUseView,
    ReviewBody,
)

_FIRST: Final = 50
"""Uses that are shown with one; the others are paged."""
_PATH: Final = "/breakglass"
_ONE: Final = "/breakglass/{glass}"
_LOOK: Final = (Scope.APPROVE, Scope.READ)
_ACT: Final = (Scope.APPROVE,)


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakGlassRoutes:
    """What the noun needs: the service, and what people are called."""

    service: BreakGlassService
    name_of: Callable[[str], str]

    def operations(self) -> list[Operation[Any, Any]]:
        """What is served."""
        return [
            Operation(
                name="askBreakGlass",
                summary="Ask for break glass; a second person's passkey opens it",
                method=Method.POST,
                path=_PATH,
                scopes=_ACT,
                handler=self._ask,
                body=BreakGlassBody,
                query=Nothing,
                answer=BreakGlassLine,
                status=201,
            ),
            Operation(
                name="listBreakGlass",
                summary="Break glass, newest first; `state=ended` is what waits for a review",
                method=Method.GET,
                path=_PATH,
                scopes=_LOOK,
                handler=self._page,
                body=Nothing,
                query=BreakGlassQuery,
                answer=Page[BreakGlassLine],
            ),
            Operation(
                name="getBreakGlass",
                summary="One, with what was decided under it",
                method=Method.GET,
                path=_ONE,
                scopes=_LOOK,
                handler=self._get,
                body=Nothing,
                query=Nothing,
                answer=BreakGlassView,
            ),
            Operation(
                name="listBreakGlassUses",
                summary="Every decision that it made a difference to, oldest first",
                method=Method.GET,
                path=f"{_ONE}/uses",
                scopes=_LOOK,
                handler=self._uses,
                body=Nothing,
                query=PageQuery,
                answer=Page[GlassUseView],
            ),
            Operation(
                name="endBreakGlass",
                summary="End it at once",
                method=Method.POST,
                path=f"{_ONE}/end",
                scopes=_ACT,
                handler=self._end,
                body=Nothing,
                query=Nothing,
                answer=BreakGlassLine,
            ),
            Operation(
                name="reviewBreakGlass",
                summary="Close its review with a sentence; not for whoever asked for it",
                method=Method.POST,
                path=f"{_ONE}/review",
                scopes=_ACT,
                handler=self._review,
                body=ReviewBody,
                query=Nothing,
                answer=BreakGlassLine,
            ),
        ]

    async def _ask(self, inbound: Inbound[BreakGlassBody, Nothing]) -> BreakGlassLine:
        _need_person(inbound.caller)
        asked = await self.service.ask(inbound.body.wanted(), by=inbound.caller.principal)
        return BreakGlassLine.of(asked, inbound.at, self.name_of)

    async def _page(self, inbound: Inbound[Nothing, BreakGlassQuery]) -> Page[BreakGlassLine]:
        _need_sight(inbound.caller)
        query = inbound.query
        found = await self.service.page(state=query.state, after=query.cursor, limit=query.limit + 1)
        return page_of(
            found,
            limit=query.limit,
            key=lambda each: each.id,
            view=lambda each: BreakGlassLine.of(each, inbound.at, self.name_of),
        )

    async def _get(self, inbound: Inbound[Nothing, Nothing]) -> BreakGlassView:
        _need_sight(inbound.caller)
        glass, used = await self.service.get(_ident(inbound))
        uses = await self.service.uses(glass.id, after="", limit=_FIRST)
        return BreakGlassView(
            glass=BreakGlassLine.of(glass, inbound.at, self.name_of),
            used=used,
            uses=[GlassUseView.of(each) for each in uses],
        )

    async def _uses(self, inbound: Inbound[Nothing, PageQuery]) -> Page[GlassUseView]:
        _need_sight(inbound.caller)
        limit = inbound.query.limit
        found = await self.service.uses(_ident(inbound), after=inbound.query.cursor, limit=limit + 1)
        return page_of(found, limit=limit, key=lambda each: each.decision, view=GlassUseView.of)

    async def _end(self, inbound: Inbound[Nothing, Nothing]) -> BreakGlassLine:
        _need_person(inbound.caller)
        over = await self.service.end(_ident(inbound), by=inbound.caller.principal)
        return BreakGlassLine.of(over, inbound.at, self.name_of)

    async def _review(self, inbound: Inbound[ReviewBody, Nothing]) -> BreakGlassLine:
        _need_person(inbound.caller)
        closed = await self.service.review(
            _ident(inbound), sentence=inbound.body.sentence, by=inbound.caller.principal
        )
        return BreakGlassLine.of(closed, inbound.at, self.name_of)


def _ident(inbound: Inbound[Any, Any]) -> BreakGlassId:
    return BreakGlassId(inbound.path["glass"])


def _need_sight(caller: Caller) -> None:
    """Who may answer, or may read everything."""
    if not (caller.sees_all or "approver" in caller.roles):
        raise unseen("break glass", next_step="remit user list")


def _need_person(caller: Caller) -> None:
    if not caller.person:
        raise NotAPerson("only a person breaks glass", next_step="ask one: remit user list")
