"""What anybody may ask: is it alive, is it ready, its figures, its OpenAPI document, what a code means."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final, Protocol

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from remit.kernel.clock import Clock
from remit.kernel.errors import RemitError
from remit.platform.telemetry.metrics import Metrics
from remit.surface.web.errors import NoSuchAddress, describe

_JSON: Final = "application/json"
_PROBE_SECONDS: Final = 2.0


class Probe(Protocol):
    """One thing that must hold before requests are sent here."""

    @property
    def name(self) -> str:
        """`store`, `keys`, `snapshot`."""

    async def check(self) -> None:
        """Return if it holds; raise a `RemitError` that says what does not."""


class AliveView(msgspec.Struct, frozen=True, kw_only=True):
    """It answers; `now` is its clock, so that `remit doctor` can compare."""

    alive: bool
    now: datetime


class ProbeView(msgspec.Struct, frozen=True, kw_only=True):
    """What one probe found."""

    name: str
    ok: bool
    detail: str


class ReadyView(msgspec.Struct, frozen=True, kw_only=True):
    """Ready only if every probe holds; no probe proves nothing, and is not ready."""

    ready: bool
    probes: list[ProbeView]


class MetaRoutes:
    """Serves them; needs no credential and tells no secret.

    Without `metrics` there are no figures: at a further tenant's address anybody could count what it does.
    """

    def __init__(
        self,
        *,
        probes: Sequence[Probe],
        metrics: Metrics | None,
        count: Callable[[], Awaitable[None]] | None = None,
        document: Callable[[], dict[str, Any]],
        clock: Clock,
    ) -> None:
        self._probes = probes
        self._metrics = metrics
        self._count = count
        self._clock = clock
        self._document = cache(lambda: msgspec.json.encode(document()))

    def routes(self) -> list[Route]:
        """What is served."""
        return [
            Route("/healthz", self._alive, methods=["GET"]),
            Route("/readyz", self._ready, methods=["GET"]),
            *(
                []
                if self._metrics is None
                else [Route("/metrics", self._figures(self._metrics), methods=["GET"])]
            ),
            Route("/openapi.json", self._openapi, methods=["GET"]),
            Route("/errors/{code}", self._error, methods=["GET"]),
        ]

    async def _alive(self, _: Request) -> Response:
        view = AliveView(alive=True, now=self._clock.now())
        return Response(msgspec.json.encode(view), media_type=_JSON)

    async def _ready(self, _: Request) -> Response:
        found = await asyncio.gather(*(_ask(probe) for probe in self._probes))
        view = ReadyView(ready=bool(found) and all(each.ok for each in found), probes=list(found))
        return Response(msgspec.json.encode(view), status_code=200 if view.ready else 503, media_type=_JSON)

    def _figures(self, metrics: Metrics) -> Callable[[Request], Awaitable[Response]]:
        async def figures(_: Request) -> Response:
            if self._count is not None:
                await self._count()
            body, media = metrics.render()
            return Response(body, media_type=media)

        return figures

    async def _openapi(self, _: Request) -> Response:
        return Response(self._document(), media_type=_JSON)

    async def _error(self, request: Request) -> Response:
        meaning = describe(request.path_params["code"])
        if meaning is None:
            raise NoSuchAddress("no error has this code", next_step="see docs/reference/errors.md")
        return Response(msgspec.json.encode(meaning), media_type=_JSON)


async def _ask(probe: Probe) -> ProbeView:
    try:
        async with asyncio.timeout(_PROBE_SECONDS):
            await probe.check()
    except RemitError as failed:
        return ProbeView(name=probe.name, ok=False, detail=failed.hint)
    except TimeoutError:
        return ProbeView(name=probe.name, ok=False, detail=f"no answer within {_PROBE_SECONDS:g} s")
    return ProbeView(name=probe.name, ok=True, detail="")
