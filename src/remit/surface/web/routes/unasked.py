"""Enforcement points tell afterwards what they let through while nobody could be asked (N39)."""

from dataclasses import dataclass
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from remit.app.access.unasked import UnaskedLog
from remit.kernel.canonical import JsonObject, canonical_json, framed_digest
from remit.kernel.clock import Clock
from remit.surface.web.caller import Caller, Doorkeeper
from remit.surface.web.idempotency import Attempt, Idempotency, Kept, check_key
from remit.surface.web.routes.access_door import admitted, document, read
from remit.surface.web.schemas.access import UnaskedBody

PATH: Final = "/access/v1/unasked"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnaskedRoutes:
    """What telling afterwards needs."""

    log: UnaskedLog
    door: Doorkeeper
    once: Idempotency
    clock: Clock

    def routes(self) -> list[Route]:
        """What is served."""
        return [Route(PATH, self._tell, methods=["POST"])]

    async def _tell(self, request: Request) -> Response:
        """Record a batch, once for its `Idempotency-Key`; it is needed, as whoever tells may repeat."""
        caller = await admitted(request, self.door)
        body = await document(request)
        attempt = Attempt(
            tenant=caller.tenant,
            principal=caller.principal,
            key=check_key(request.headers.get("idempotency-key", "")),
            request=framed_digest("remit/unasked/v1", [canonical_json(body)]),
            at=self.clock.now(),
            keep_answer=True,
        )
        kept = await self.once.once(attempt, lambda: self._recorded(caller, body))
        return Response(kept.body, status_code=kept.status, media_type=kept.media)

    async def _recorded(self, caller: Caller, body: JsonObject) -> Kept:
        told = read(body, UnaskedBody)
        found = await self.log.record([each.unasked() for each in told.calls], by=caller.principal)
        return Kept(status=201, body=msgspec.json.encode({"would_be": list(found)}))
