"""The OAuth endpoints over HTTP: forms in, JSON out, the status of each error, and nothing else."""

from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from remit.authority.oauth.endpoints.token import render_issued
from remit.authority.oauth.errors import (
    InvalidClient,
    InvalidRequest,
    OAuthError,
    TemporarilyUnavailable,
    UseDpopNonce,
)
from remit.authority.oauth.metadata import resource_metadata, server_metadata, well_known
from remit.authority.oauth.parameters import BODY_LIMIT, Parameters, parse_form
from remit.authority.oauth.provider import CodeFlow, OAuth
from remit.authority.oauth.requests import TokenRequest
from remit.authority.oauth.resources import Target
from remit.kernel.canonical import JsonObject
from remit.kernel.errors import Unavailable
from remit.kernel.pace import retry_after
from remit.surface.web.certificates import certificate_of
from remit.surface.web.errors import NoSuchAddress
from remit.surface.web.peers import place_of

_FORM: Final = "application/x-www-form-urlencoded"
_NO_STORE: Final = {"cache-control": "no-store", "pragma": "no-cache"}
_PUBLIC: Final = {"cache-control": "public, max-age=300"}
_INTROSPECTION_JWT: Final = "application/token-introspection+jwt"
_SCHEMES: Final = {"basic": "Basic", "bearer": "Bearer", "dpop": "DPoP"}
_CREATED: Final = 201
_BAD_REQUEST, _UNAUTHORIZED, _TOO_LARGE, _UNAVAILABLE = 400, 401, 413, 503

Handler = Callable[[Request], Awaitable[Response]]


class OAuthRoutes:
    """Serves one tenant's authorization server below its issuer's path."""

    def __init__(self, oauth: OAuth) -> None:
        self._oauth = oauth

    def routes(self) -> list[Route]:
        """What is served, below the issuer's path; well-known names stand before it (RFC 8414 §3.1)."""
        options, flow = self._oauth.options, self._oauth.code_flow
        server = urlsplit(well_known("oauth-authorization-server", options.issuer)).path
        resource = urlsplit(well_known("oauth-protected-resource", options.issuer)).path.rstrip("/")
        return [
            Route("/token", _guarded(self._token), methods=["POST"]),
            Route("/introspect", _guarded(self._introspect), methods=["POST"]),
            Route("/revoke", _guarded(self._revoke), methods=["POST"]),
            *([] if flow is None else [Route("/par", _guarded(self._push(flow)), methods=["POST"])]),
            *self._of_devices(),
            Route("/jwks", self._jwks, methods=["GET"]),
            Route(server, self._server, methods=["GET"]),
            Route(f"{resource}/api", self._api, methods=["GET"]),
            Route(f"{resource}/mcp/{{server}}", self._mcp, methods=["GET"]),
        ]

    async def _token(self, request: Request) -> Response:
        issued = await self._oauth.token.answer(await self._asked(request))
        return _json(render_issued(issued), headers=_NO_STORE)

    def _push(self, flow: CodeFlow) -> Handler:
        async def push(request: Request) -> Response:
            body = await flow.pushed.answer(await self._asked(request))
            return _json(body, status=_CREATED, headers=_NO_STORE)

        return push

    def _of_devices(self) -> list[Route]:
        devices = self._oauth.devices
        if devices is None:
            return []

        async def ask(request: Request) -> Response:
            body = await devices.authorization.answer(await self._asked(request), place=place_of(request))
            return _json(body, headers=_NO_STORE)

        return [Route("/device_authorization", _guarded(ask), methods=["POST"])]

    async def _asked(self, request: Request) -> TokenRequest:
        """What came to an endpoint at which clients prove themselves."""
        parameters = await _form(request)
        await self._oauth.directory.prepare(parameters, at=self._oauth.clock.now())
        return TokenRequest(
            parameters=parameters,
            authorization=_authorization(request),
            proofs=tuple(request.headers.getlist("dpop")),
            at=self._oauth.clock.now(),
            generation=self._oauth.clock.generation(),
            certificate=certificate_of(request),
        )

    async def _introspect(self, request: Request) -> Response:
        parameters = await _form(request)
        asked: Any = {
            "authorization": _authorization(request),
            "at": self._oauth.clock.now(),
            "generation": self._oauth.clock.generation(),
            "certificate": certificate_of(request),
        }
        if _accepts_jwt(request):
            signed = await self._oauth.introspection.signed(parameters, **asked)
            return Response(signed, media_type=_INTROSPECTION_JWT, headers=_NO_STORE)
        return _json(await self._oauth.introspection.answer(parameters, **asked), headers=_NO_STORE)

    async def _revoke(self, request: Request) -> Response:
        await self._oauth.revocation.answer(
            await _form(request),
            authorization=_authorization(request),
            at=self._oauth.clock.now(),
            certificate=certificate_of(request),
        )
        return Response(status_code=200, headers=_NO_STORE)

    async def _jwks(self, _: Request) -> Response:
        return _json(self._oauth.keys.jwks(at=self._oauth.clock.now()), headers=_PUBLIC)

    async def _server(self, _: Request) -> Response:
        codes = self._oauth.code_flow is not None
        return _json(server_metadata(self._oauth.options, codes=codes), headers=_PUBLIC)

    async def _api(self, _: Request) -> Response:
        target = Target(resource=self._oauth.options.api)
        return _json(resource_metadata(target, self._oauth.options, bearer=False), headers=_PUBLIC)

    async def _mcp(self, request: Request) -> Response:
        name = str(request.path_params["server"])
        known = await self._oauth.uow.read(lambda tx: tx.servers.named(name))
        if known is None:
            raise NoSuchAddress("no such server is protected here", next_step="remit tool list")
        target = Target(resource=self._oauth.options.mcp(known.name), server=known.name)
        return _json(resource_metadata(target, self._oauth.options, bearer=True), headers=_PUBLIC)


def _guarded(handler: Handler) -> Handler:
    """Answer OAuth errors in OAuth's form (RFC 6749 §5.2); all others are the outer door's."""

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except OAuthError as refused:
            return _refuse(refused, request)
        except Unavailable as missing:
            return _refuse(TemporarilyUnavailable(missing.hint, reason=missing.code), request)

    return answer


async def _form(request: Request) -> Parameters:
    """The one form of the body; parameters in the query are refused (RFC 6749 §3.2, §2.3.1)."""
    if request.url.query:
        raise InvalidRequest("parameters belong into the body", reason="query_parameters")
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != _FORM:
        raise InvalidRequest(f"the body must be `{_FORM}`", reason="form_media_type")
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > BODY_LIMIT:
                raise InvalidRequest(f"the form is over {BODY_LIMIT} bytes", reason="form_too_large")
    except ClientDisconnect as gone:
        raise InvalidRequest("the body is not whole", reason="form_cut") from gone
    return parse_form(bytes(body))


def _authorization(request: Request) -> str:
    """The one `Authorization` header; two would be two answers to one question."""
    found = request.headers.getlist("authorization")
    if len(found) > 1:
        raise InvalidRequest("more than one `Authorization` header", reason="client_auth_several")
    return found[0] if found else ""


def _accepts_jwt(request: Request) -> bool:
    """RFC 9701 §4: only who names it gets the JWT; `*/*` means JSON, as ever."""
    accepted = request.headers.get("accept", "").lower().split(",")
    return any(part.partition(";")[0].strip() == _INTROSPECTION_JWT for part in accepted)


def _refuse(error: OAuthError, request: Request) -> Response:
    headers = dict(_NO_STORE)
    if isinstance(error, UseDpopNonce):
        headers["dpop-nonce"] = error.nonce
    if isinstance(error, TemporarilyUnavailable):
        headers["retry-after"] = retry_after()
    scheme = request.headers.get("authorization", "").partition(" ")[0].lower()
    if isinstance(error, InvalidClient) and scheme in _SCHEMES:
        # RFC 6749 §5.2: the scheme that the client used.
        headers["www-authenticate"] = f'{_SCHEMES[scheme]} realm="remit"'
    body: JsonObject = {"error": str(error.error), "error_description": _described(error.hint)}
    return _json(body, status=_status(error), headers=headers)


def _status(error: OAuthError) -> int:
    match error:
        case InvalidClient():
            return _UNAUTHORIZED
        case TemporarilyUnavailable():
            return _UNAVAILABLE
        case InvalidRequest(reason="form_too_large"):
            return _TOO_LARGE
        case _:
            return _BAD_REQUEST


def _described(hint: str) -> str:
    """A hint within what RFC 6749 §5.2 allows: printable ASCII without quote and backslash."""
    return "".join(char if " " <= char <= "~" and char not in '"\\' else "?" for char in hint)


def _json(body: JsonObject, *, status: int = 200, headers: dict[str, str]) -> Response:
    return Response(
        msgspec.json.encode(body), status_code=status, media_type="application/json", headers=headers
    )
