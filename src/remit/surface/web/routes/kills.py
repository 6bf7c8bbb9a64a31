"""Stopping things everywhere at once, and looking at what was stopped."""

from dataclasses import dataclass
from typing import Any

from remit.authority.oauth.wire.scopes import Scope
from remit.kernel.ids import KillId
from remit.oversight.containment.service import ContainmentService
from remit.surface.web.operation import Inbound, Method, Nothing, Operation
from remit.surface.web.paging import Page, PageQuery, page_of
from remit.surface.web.schemas.oversight import KillPreviewRequest, KillRequest, KillView, ReachView


@dataclass(frozen=True, slots=True, kw_only=True)
class KillRoutes:
    """What the noun needs: containment alone."""

    service: ContainmentService

    def operations(self) -> list[Operation[Any, Any]]:
        """What is served."""
        return [
            Operation(
                name="kill",
                summary="Stop a target and all that descends from it; `state` says if every plane confirmed",
                method=Method.POST,
                path="/kills",
                scopes=(Scope.KILL,),
                handler=self._kill,
                body=KillRequest,
                query=Nothing,
                answer=KillView,
            ),
            Operation(
                name="previewKill",
                summary="What a kill would stop now",
                method=Method.POST,
                path="/kills/preview",
                scopes=(Scope.KILL,),
                handler=self._preview,
                body=KillPreviewRequest,
                query=Nothing,
                answer=ReachView,
            ),
            Operation(
                name="listKills",
                summary="Kills, newest first",
                method=Method.GET,
                path="/kills",
                scopes=(Scope.KILL,),
                handler=self._page,
                body=Nothing,
                query=PageQuery,
                answer=Page[KillView],
            ),
            Operation(
                name="getKill",
                summary="One kill, plane by plane",
                method=Method.GET,
                path="/kills/{kill}",
                scopes=(Scope.KILL,),
                handler=self._get,
                body=Nothing,
                query=Nothing,
                answer=KillView,
            ),
        ]

    async def _kill(self, inbound: Inbound[KillRequest, Nothing]) -> KillView:
        kill = await self.service.kill(
            inbound.body.aim(),
            tenant=inbound.caller.tenant,
            by=inbound.caller.principal,
            reason=inbound.body.reason,
        )
        return KillView.of(kill)

    async def _preview(self, inbound: Inbound[KillPreviewRequest, Nothing]) -> ReachView:
        return ReachView.of(*await self.service.preview(inbound.body.aim()))

    async def _page(self, inbound: Inbound[Nothing, PageQuery]) -> Page[KillView]:
        found = await self.service.page(after=inbound.query.cursor, limit=inbound.query.limit + 1)
        return page_of(found, limit=inbound.query.limit, key=lambda each: each.id, view=KillView.of)

    async def _get(self, inbound: Inbound[Nothing, Nothing]) -> KillView:
        return KillView.of(await self.service.get(KillId(inbound.path["kill"])))
