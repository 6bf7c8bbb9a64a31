"""SPIFFE: JWT-SVIDs for our own instances, and the bundle that verifies them."""

from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from remit.authority.oauth.wire.scopes import Scope
from remit.identity.federation.errors import NotAnInstance
from remit.identity.federation.svids import REFRESH_HINT, SvidService
from remit.surface.web.operation import Inbound, Method, Nothing, Operation, Replay
from remit.surface.web.schemas.federation import NewSvid, SvidView

BUNDLE = "/spiffe/bundle"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpiffeRoutes:
    """What the noun needs: who signs SVIDs."""

    svids: SvidService

    def operations(self) -> list[Operation[Any, Any]]:
        """What is served below `/api/v1`."""
        return [
            Operation(
                name="issueSvid",
                summary="A JWT-SVID for the instance that asks, by its own token",
                method=Method.POST,
                path="/svids",
                scopes=(Scope.ACT,),
                handler=self._issue,
                body=NewSvid,
                query=Nothing,
                answer=SvidView,
                replay=Replay.REFUSE,
            )
        ]

    def routes(self) -> list[Route]:
        """The bundle endpoint (profile `https_web`): public, as keys are."""
        return [Route(BUNDLE, self._bundle, methods=["GET"])]

    async def _issue(self, inbound: Inbound[NewSvid, Nothing]) -> SvidView:
        caller = inbound.caller
        # A delegated token speaks for a person's task; an SVID says who the instance is, and no more.
        if caller.person or caller.subject.task is not None or not caller.subject.key:
            raise NotAnInstance("only an instance with its own, bound token is given an SVID")
        issued = await self.svids.issue(
            caller.principal, inbound.body.audience, key=caller.subject.key, at=inbound.at
        )
        return SvidView(svid=issued.text, spiffe_id=issued.subject, expires_at=issued.expires_at)

    async def _bundle(self, _: Request) -> Response:
        return Response(
            msgspec.json.encode(self.svids.bundle()),
            media_type="application/json",
            headers={"cache-control": f"public, max-age={REFRESH_HINT}"},
        )
