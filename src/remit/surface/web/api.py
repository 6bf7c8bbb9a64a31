"""From operations to routes: authenticate, read strictly, run once, answer."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, Protocol, TypeAlias

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from remit.authority.oauth.wire.errors import InsufficientScope
from remit.kernel.canonical import framed_digest
from remit.kernel.clock import Clock
from remit.surface.web.browsing import require_verified
from remit.surface.web.caller import Caller, Doorkeeper
from remit.surface.web.governing import judged_here
from remit.surface.web.idempotency import Attempt, Idempotency, Kept, check_key
from remit.surface.web.inbound import read_body, read_path, read_query
from remit.surface.web.operation import Blob, Inbound, Live, Nothing, Operation, Replay

Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]

PREFIX: Final = "/api/v1"


class Proposes(Protocol):
    """Where operations that take two are proposed instead of done."""

    async def offer(
        self, operation: Operation[Any, Any], inbound: Inbound[Any, Any], raw: bytes
    ) -> Kept | None:
        """What is answered to an operation that waits now; None if it goes on."""


class Api:
    """Serves operations; knows who keeps the door, the time, and which keys were used."""

    def __init__(
        self, *, door: Doorkeeper, once: Idempotency, clock: Clock, changing: Proposes | None = None
    ) -> None:
        self._door = door
        self._changing = changing
        self._once = once
        self._clock = clock

    def routes(self, operations: Sequence[Operation[Any, Any]]) -> list[Route]:
        """One route per path, so that a wrong method is told all right ones; literal paths first."""
        by_path: dict[str, dict[str, Endpoint]] = {}
        for each in sorted(operations, key=lambda each: (each.path.count("{"), each.path)):
            by_path.setdefault(each.path, {})[each.method] = self._endpoint(each)
        return [
            Route(PREFIX + path, _by_method(endpoints), methods=list(endpoints))
            for path, endpoints in by_path.items()
        ]

    def _endpoint(self, operation: Operation[Any, Any]) -> Endpoint:
        async def endpoint(request: Request) -> Response:
            caller = await self._door.admit(request)
            _require_any(caller, operation.scopes)
            caller = judged_here(caller, operation, request, at=self._clock.now())
            if operation.verified:
                require_verified(caller, at=self._clock.now())
            inbound, raw = await self._read(request, operation, caller)
            if operation.answer is Live:
                stream: Response = await operation.handler(inbound)  # type: ignore[assignment]  # `Live` says so
                return stream
            kept = await self._run(request, operation, inbound, raw)
            return Response(kept.body, status_code=kept.status, media_type=kept.media if kept.body else None)

        return endpoint

    async def _read(
        self, request: Request, operation: Operation[Any, Any], caller: Caller
    ) -> tuple[Inbound[Any, Any], bytes]:
        path = read_path(request)
        query = read_query(request, operation.query)
        body, raw = await read_body(request, operation.body) if operation.reads_body else (Nothing(), b"")
        inbound = Inbound(
            caller=caller,
            body=body,
            query=query,
            path=path,
            at=self._clock.now(),
            last_event=request.headers.get("last-event-id", ""),
        )
        return inbound, raw

    async def _run(
        self, request: Request, operation: Operation[Any, Any], inbound: Inbound[Any, Any], raw: bytes
    ) -> Kept:
        async def run() -> Kept:
            waits = None if self._changing is None else await self._changing.offer(operation, inbound, raw)
            if waits is not None:
                return waits
            answer = await operation.handler(inbound)
            if isinstance(answer, Blob):
                return Kept(status=operation.status, body=answer.body, media=answer.media)
            return Kept(status=operation.status, body=b"" if answer is None else msgspec.json.encode(answer))

        key = request.headers.get("idempotency-key")
        if key is None or not operation.changes:
            return await run()
        attempt = Attempt(
            tenant=inbound.caller.tenant,
            principal=inbound.caller.principal,
            key=check_key(key),
            request=framed_digest(
                operation.name, [request.url.path.encode(), request.url.query.encode(), raw]
            ),
            at=inbound.at,
            keep_answer=operation.replay is Replay.ANSWER,
        )
        return await self._once.once(attempt, run)


def _by_method(endpoints: Mapping[str, Endpoint]) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        chosen = endpoints["GET" if request.method == "HEAD" else request.method]
        return await chosen(request)

    return endpoint


def _require_any(caller: Caller, scopes: tuple[str, ...]) -> None:
    if not any(scope in caller.scopes for scope in scopes):
        raise InsufficientScope(
            f"this needs the scope {' or '.join(f'`{scope}`' for scope in scopes)}", scopes=frozenset(scopes)
        )
