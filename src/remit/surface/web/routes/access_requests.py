"""Access requests of enforcement points: a denial that asks, a task, its outcome (ARAP draft 1)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from remit.app.access.errors import DuplicateRequest
from remit.app.access.requests import AccessRequests, expiry_of
from remit.decision.answer.denial import instant
from remit.decision.answer.response import Decision, Effect
from remit.kernel.canonical import JsonObject, canonical_json, framed_digest
from remit.kernel.clock import Clock
from remit.oversight.approvals.approval import Approval, ApprovalState
from remit.surface.web.caller import Caller, Doorkeeper
from remit.surface.web.idempotency import Attempt, Idempotency, IdempotencyMismatch, Kept, check_key
from remit.surface.web.routes.access_door import admitted, document, read
from remit.surface.web.schemas.access import AccessRequest

CAPABILITY: Final = "urn:openid:authzen:capability:access-request"
PATH: Final = "/access/v1/requests"
_POLL: Final = "5"
"""Seconds that a poll waits at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRoutes:
    """What access requests need."""

    requests: AccessRequests
    door: Doorkeeper
    once: Idempotency
    clock: Clock
    issuer: str

    def routes(self) -> list[Route]:
        """What is served."""
        return [
            Route(PATH, self._submit, methods=["POST"]),
            Route(PATH + "/{task}", self._status, methods=["GET"]),
        ]

    def metadata(self) -> JsonObject:
        """What the configuration of the decision point says of it."""
        return {"access_request_endpoint": f"{self.issuer}{PATH}", "capabilities": [CAPABILITY]}

    def hint(self, decision: Decision) -> JsonObject:
        """What a denial says where people can be asked; nothing where they can't."""
        if decision.verdict.effect is not Effect.ASK:
            return {}
        said = {"title": "Ask for approval", "description": decision.verdict.reasons[0].sentence}
        return {
            "access_request": {
                "endpoint": f"{self.issuer}{PATH}",
                "expires_at": instant(expiry_of(decision.at)),
                "display": dict(said),
            }
        }

    async def _submit(self, request: Request) -> Response:
        caller = await admitted(request, self.door)
        body = await document(request)
        key = request.headers.get("idempotency-key")
        if key is None:
            return _answered(await self._asked(caller, body))
        attempt = Attempt(
            tenant=caller.tenant,
            principal=caller.principal,
            key=check_key(key),
            request=framed_digest("remit/access-request/v1", [canonical_json(body)]),
            at=self.clock.now(),
            keep_answer=True,
        )
        try:
            return _answered(await self.once.once(attempt, lambda: self._asked(caller, body)))
        except IdempotencyMismatch as other:
            raise DuplicateRequest("this key came with another request", next_step="use a new key") from other

    async def _asked(self, caller: Caller, body: JsonObject) -> Kept:
        wanted = read(body, AccessRequest)
        approval = await self.requests.submit(
            wanted.asked(), wanted.denied(), by=caller.principal, at=self.clock.now()
        )
        return Kept(status=202, body=msgspec.json.encode(self._task(approval)))

    async def _status(self, request: Request) -> Response:
        caller = await admitted(request, self.door)
        approval = await self.requests.task(request.path_params["task"], by=caller.principal)
        body = msgspec.json.encode(self._task(approval))
        pending = approval.state is ApprovalState.PENDING
        return _answered(Kept(status=200, body=body), {"retry-after": _POLL} if pending else {})

    def _task(self, approval: Approval) -> JsonObject:
        task: JsonObject = {
            "id": approval.id,
            "status": approval.state.value,
            "status_endpoint": f"{self.issuer}{PATH}/{approval.id}",
            "expires_at": instant(approval.expires_at),
            "links": {"review": f"{self.issuer}/approvals/{approval.id}"},
        }
        if approval.state is not ApprovalState.APPROVED or approval.decided_at is None:
            return {"task": task}
        yes: JsonObject = {
            "id": approval.id,
            "approved_at": instant(approval.decided_at),
            "approved_until": instant(approval.expires_at),
        }
        return {"task": task, "result": {"mode": "reevaluate", "approval": yes}}


def _answered(kept: Kept, headers: Mapping[str, str] | None = None) -> Response:
    told = {"cache-control": "no-store", **(headers or {})}
    return Response(kept.body, status_code=kept.status, media_type="application/json", headers=told)
