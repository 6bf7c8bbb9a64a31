"""The HTTP surface as one ASGI application, from routes that others made."""

from collections.abc import Awaitable, Mapping, Sequence
from types import MappingProxyType

from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from remit.kernel.ids import Entropy
from remit.platform.settings.options import HttpOptions
from remit.platform.telemetry.metrics import Metrics
from remit.surface.web.crossing import CrossOrigin
from remit.surface.web.limits import EdgeLimits
from remit.surface.web.observation import Observation
from remit.surface.web.routing import Signpost
from remit.surface.web.security import SecurityHeaders


def build_app(
    routes: Sequence[BaseRoute],
    *,
    options: HttpOptions,
    issuer: str,
    metrics: Metrics,
    entropy: Entropy,
    direct: Mapping[str, ASGIApp] = MappingProxyType({}),
    below: Mapping[str, ASGIApp] = MappingProxyType({}),
) -> ASGIApp:
    """Put the doors before the routes, outermost last: routes ← limits ← observation ← crossing ← headers.

    Before any route is tried: `direct` are applications at exactly one path each, `below` those that serve
    every path under a first part, as in `/mcp`.
    """
    router = Signpost(routes, default=_not_found)
    inner = EdgeLimits(_Direct(_Raising(router), direct, below), options=options)
    observed = Observation(inner, metrics=metrics, entropy=entropy, resource=f"{issuer}/api")
    return SecurityHeaders(CrossOrigin(observed), https=issuer.startswith("https://"))


class _Direct:
    """The busiest addresses, found by one look-up."""

    def __init__(self, app: ASGIApp, direct: Mapping[str, ASGIApp], below: Mapping[str, ASGIApp]) -> None:
        self._app = app
        self._direct = dict(direct)
        self._below = {prefix: (Mount(prefix, app=inner), inner) for prefix, inner in below.items()}

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] != "http":
            return self._app(scope, receive, send)
        path: str = scope["path"]
        found = self._direct.get(path)
        if found is None and (end := path.find("/", 1)) > 0 and (under := self._below.get(path[:end])):
            scope["route"], found = under  # The route names what was asked for in figures and spans.
        return (found or self._app)(scope, receive, send)


class _Raising:
    """Makes the router raise for a wrong method instead of answering in plain text."""

    def __init__(self, router: ASGIApp) -> None:
        self._router = router

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = self
        await self._router(scope, receive, send)


async def _not_found(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008})
        return
    raise HTTPException(status_code=404)
