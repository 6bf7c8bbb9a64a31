"""The token endpoint over HTTP: a form in, a token or an OAuth error out (RFC 6749 §3.2).

The busiest address beside the gateway, so it is an ASGI application of its own in front of the router. What
every request passes (limits, headers, figures, errors) it passes too.
"""

from dataclasses import dataclass
from typing import Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from remit.authority.oauth.endpoints.token import render_issued
from remit.authority.oauth.provider import OAuth
from remit.authority.oauth.proving.requests import TokenRequest
from remit.authority.oauth.wire.errors import OAuthError, TemporarilyUnavailable
from remit.authority.oauth.wire.proof_pace import TooManyProofs
from remit.kernel.building import builder
from remit.kernel.certificate import SCOPE_KEY
from remit.kernel.errors import Unavailable
from remit.surface.web.crossing import PROVEN
from remit.surface.web.oauth_wire import NO_STORE, authorization_of, read_form, refuse, turn_away, values_of

PATH: Final = "/token"
_METHOD_NOT_ALLOWED: Final = 405
_HEADERS: Final = [
    (b"content-type", b"application/json"),
    *((name.encode(), value.encode()) for name, value in NO_STORE.items()),
]
_encode: Final = msgspec.json.Encoder().encode
_asked: Final = builder(TokenRequest)


@dataclass(frozen=True, slots=True)
class _Matched:
    """What the figures call this route by."""

    path: str = PATH


_ROUTE: Final = _Matched()


class TokenDoor:
    """`POST /token` of one tenant."""

    def __init__(self, oauth: OAuth) -> None:
        self._oauth = oauth

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; whatever is no error of OAuth's is raised for the outer door to tell."""
        scope["route"] = _ROUTE
        if scope["method"] != "POST":
            raise HTTPException(status_code=_METHOD_NOT_ALLOWED, headers={"Allow": "POST"})
        try:
            body = await self._answer(scope, receive)
        except OAuthError as refused:
            await refuse(refused, scope)(scope, receive, send)
        except TooManyProofs as many:
            await turn_away(many)(scope, receive, send)
        except Unavailable as missing:
            busy = TemporarilyUnavailable(missing.hint, reason=missing.code)
            await refuse(busy, scope)(scope, receive, send)
        else:
            length = (b"content-length", b"%d" % len(body))
            await send({"type": "http.response.start", "status": 200, "headers": [length, *_HEADERS]})
            await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Scope, receive: Receive) -> bytes:
        oauth = self._oauth
        parameters = await read_form(scope, receive)
        # Only what a page's script could have sent is answered to a page's script.
        scope[PROVEN] = "client_assertion" in parameters.values or bool(authorization_of(scope))
        at = oauth.clock.now()
        if oauth.directory.has_document(parameters):
            await oauth.directory.prepare(parameters, at=at)
            at = oauth.clock.now()  # fetching a document takes its time
        issued = await oauth.token.answer(
            _asked(
                parameters=parameters,
                authorization=authorization_of(scope),
                proofs=tuple(values_of(scope, b"dpop")),
                at=at,
                generation=oauth.clock.generation(),
                certificate=scope.get(SCOPE_KEY),
            )
        )
        return _encode(render_issued(issued))
