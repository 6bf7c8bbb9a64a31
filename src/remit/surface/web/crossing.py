"""Scripts of other origins: at five kinds of address they may read what we answer, and nowhere else.

OpenID Connect Core §5.3 and OAuth for browser-based applications want it: discovery and keys are public, and
what the others give stands on a token, a code or a proof that the script itself holds.
SAFETY: no cookie, no certificate and no origin ever makes a difference there. `*` is said to everybody alike,
nothing is reflected, credentials are never allowed; whoever sends a cookie along is told nothing (CO-10).
"""

from collections.abc import Awaitable
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from remit.kernel.certificate import SCOPE_KEY

PROVEN: Final = "remit.proven"
"""Where the token endpoint says that the client proved itself: then it is no script in a page."""
_PUBLIC: Final = "/.well-known/"
_METHODS: Final = {"/jwks": b"GET", "/userinfo": b"GET, POST", "/token": b"POST"}
_HELD: Final = frozenset({"/userinfo", "/token"})
"""Addresses at which a script shows something that it holds."""
_OPEN: Final = (b"access-control-allow-origin", b"*")
_SHOWN: Final = (b"access-control-expose-headers", b"www-authenticate, dpop-nonce, retry-after")
_HEADERS: Final = b"authorization, content-type, dpop"
_KEPT: Final = b"600"


class CrossOrigin:
    """Answers preflights of those addresses, and opens their answers (Fetch §3.3)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Go on; every other address is as closed as it was."""
        methods = _methods_of(scope["path"]) if scope["type"] == "http" else None
        if methods is None:
            await self._app(scope, receive, send)
            return
        names = {name for name, _ in scope["headers"]}
        if scope["method"] == "OPTIONS" and b"access-control-request-method" in names:
            await _preflight(methods, send)
            return
        held = scope["path"] in _HELD
        if held and (b"origin" not in names or b"cookie" in names or scope.get(SCOPE_KEY) is not None):
            await self._app(scope, receive, send)
            return

        def opened(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start" and not scope.get(PROVEN):
                message["headers"] = [*message.get("headers", ()), _OPEN, _SHOWN]
            return send(message)

        await self._app(scope, receive, opened)


def _methods_of(path: str) -> bytes | None:
    return b"GET" if path.startswith(_PUBLIC) else _METHODS.get(path)


async def _preflight(methods: bytes, send: Send) -> None:
    """The same to whoever asks (Fetch §3.3.3); what is not allowed the browser does not send."""
    headers = [
        _OPEN,
        (b"access-control-allow-methods", methods),
        (b"access-control-allow-headers", _HEADERS),
        (b"access-control-max-age", _KEPT),
    ]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
