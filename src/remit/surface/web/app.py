"""The HTTP surface as one ASGI application, from routes that others made."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from remit.kernel.ids import Entropy
from remit.platform.settings.options import HttpOptions
from remit.platform.telemetry.metrics import Metrics
from remit.surface.web.limits import EdgeLimits
from remit.surface.web.observation import Observation
from remit.surface.web.security import SecurityHeaders


def build_app(
    routes: Sequence[BaseRoute],
    *,
    options: HttpOptions,
    issuer: str,
    metrics: Metrics,
    entropy: Entropy,
    direct: Mapping[str, ASGIApp] = MappingProxyType({}),
) -> ASGIApp:
    """Put the doors in front of the routes, outermost last: routes ← limits ← observation ← headers.

    `direct` are applications at exactly one path each, asked before any route is tried.
    """
    router = Router(routes, redirect_slashes=False, default=_not_found)
    inner = EdgeLimits(_Direct(_Raising(router), direct), options=options)
    observed = Observation(inner, metrics=metrics, entropy=entropy, resource=f"{issuer}/api")
    return SecurityHeaders(observed, https=issuer.startswith("https://"))


class _Direct:
    """The busiest addresses, found by one look-up."""

    def __init__(self, app: ASGIApp, direct: Mapping[str, ASGIApp]) -> None:
        self._app = app
        self._direct = dict(direct)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self._direct.get(scope["path"]) if scope["type"] == "http" else None
        await (self._app if found is None else found)(scope, receive, send)


class _Raising:
    """Makes the router raise for a wrong method instead of answering in plain text."""

    def __init__(self, router: Router) -> None:
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
