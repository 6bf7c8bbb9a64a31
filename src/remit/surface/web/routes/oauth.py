"""The OAuth endpoints over HTTP: forms in, JSON out, the status of each error, and nothing else."""

from collections.abc import Awaitable, Callable
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from remit.authority.oauth.metadata import resource_metadata, server_metadata, well_known
from remit.authority.oauth.provider import CodeFlow, OAuth
from remit.authority.oauth.proving.requests import TokenRequest
from remit.authority.oauth.wire.errors import OAuthError, TemporarilyUnavailable
from remit.authority.oauth.wire.proof_pace import TooManyProofs
from remit.authority.oauth.wire.resources import Target
from remit.kernel.errors import Unavailable
from remit.surface.web.certificates import certificate_of
from remit.surface.web.errors import NoSuchAddress
from remit.surface.web.oauth_wire import (
    NO_STORE,
    authorization_of,
    json_answer,
    read_form,
    refuse,
    turn_away,
    values_of,
)
from remit.surface.web.peers import place_of
from remit.surface.web.routes.token import PATH as TOKEN
from remit.surface.web.routes.token import TokenDoor

_PUBLIC: Final = {"cache-control": "public, max-age=300"}
_INTROSPECTION_JWT: Final = "application/token-introspection+jwt"
_CREATED: Final = 201
_FORBIDDEN: Final = 403
"""What CIBA §13 says for `access_denied`; RFC 6749 §5.2 says 400."""

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
            Route(TOKEN, TokenDoor(self._oauth), methods=["POST"]),
            Route("/introspect", _guarded(self._introspect), methods=["POST"]),
            Route("/revoke", _guarded(self._revoke), methods=["POST"]),
            *([] if flow is None else [Route("/par", _guarded(self._push(flow)), methods=["POST"])]),
            *self._of_devices(),
            *self._of_the_backchannel(),
            Route("/jwks", self._jwks, methods=["GET"]),
            Route(server, self._server, methods=["GET"]),
            Route(f"{resource}/api", self._api, methods=["GET"]),
            Route(f"{resource}/mcp/{{server}}", self._mcp, methods=["GET"]),
        ]

    def _push(self, flow: CodeFlow) -> Handler:
        async def push(request: Request) -> Response:
            body = await flow.pushed.answer(await self._asked(request))
            return json_answer(body, status=_CREATED, headers=NO_STORE)

        return push

    def _of_devices(self) -> list[Route]:
        devices = self._oauth.devices
        if devices is None:
            return []

        async def ask(request: Request) -> Response:
            body = await devices.authorization.answer(await self._asked(request), place=place_of(request))
            return json_answer(body, headers=NO_STORE)

        return [Route("/device_authorization", _guarded(ask), methods=["POST"])]

    def _of_the_backchannel(self) -> list[Route]:
        backchannel = self._oauth.backchannel
        if backchannel is None:
            return []

        async def ask(request: Request) -> Response:
            body = await backchannel.authentication.answer(
                await self._asked(request), place=place_of(request)
            )
            return json_answer(body, headers=NO_STORE)

        return [Route("/bc-authorize", _guarded(ask, denied=_FORBIDDEN), methods=["POST"])]

    async def _asked(self, request: Request) -> TokenRequest:
        """What came to an endpoint at which clients prove themselves."""
        parameters = await read_form(request.scope, request.receive)
        await self._oauth.directory.prepare(parameters, at=self._oauth.clock.now())
        return TokenRequest(
            parameters=parameters,
            authorization=authorization_of(request.scope),
            proofs=tuple(values_of(request.scope, b"dpop")),
            at=self._oauth.clock.now(),
            generation=self._oauth.clock.generation(),
            certificate=certificate_of(request),
        )

    async def _introspect(self, request: Request) -> Response:
        parameters = await read_form(request.scope, request.receive)
        asked: Any = {
            "authorization": authorization_of(request.scope),
            "at": self._oauth.clock.now(),
            "generation": self._oauth.clock.generation(),
            "certificate": certificate_of(request),
        }
        if _accepts_jwt(request):
            signed = await self._oauth.introspection.signed(parameters, **asked)
            return Response(signed, media_type=_INTROSPECTION_JWT, headers=NO_STORE)
        return json_answer(await self._oauth.introspection.answer(parameters, **asked), headers=NO_STORE)

    async def _revoke(self, request: Request) -> Response:
        await self._oauth.revocation.answer(
            await read_form(request.scope, request.receive),
            authorization=authorization_of(request.scope),
            at=self._oauth.clock.now(),
            certificate=certificate_of(request),
        )
        return Response(status_code=200, headers=NO_STORE)

    async def _jwks(self, _: Request) -> Response:
        return json_answer(self._oauth.keys.jwks(at=self._oauth.clock.now()), headers=_PUBLIC)

    async def _server(self, _: Request) -> Response:
        codes = self._oauth.code_flow is not None
        return json_answer(server_metadata(self._oauth.options, codes=codes), headers=_PUBLIC)

    async def _api(self, _: Request) -> Response:
        target = Target(resource=self._oauth.options.api)
        return json_answer(resource_metadata(target, self._oauth.options, bearer=False), headers=_PUBLIC)

    async def _mcp(self, request: Request) -> Response:
        name = str(request.path_params["server"])
        known = await self._oauth.uow.read(lambda tx: tx.servers.named(name))
        if known is None:
            raise NoSuchAddress("no such server is protected here", next_step="remit tool list")
        target = Target(resource=self._oauth.options.mcp(known.name), server=known.name)
        return json_answer(resource_metadata(target, self._oauth.options, bearer=True), headers=_PUBLIC)


def _guarded(handler: Handler, *, denied: int = 400) -> Handler:
    """Answer OAuth errors in OAuth's form (RFC 6749 §5.2); all others are the outer door's."""

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except OAuthError as refused:
            return refuse(refused, request.scope, denied=denied)
        except TooManyProofs as many:
            return turn_away(many)
        except Unavailable as missing:
            return refuse(TemporarilyUnavailable(missing.hint, reason=missing.code), request.scope)

    return answer


def _accepts_jwt(request: Request) -> bool:
    """RFC 9701 §4: only who names it gets the JWT; `*/*` means JSON, as ever."""
    accepted = request.headers.get("accept", "").lower().split(",")
    return any(part.partition(";")[0].strip() == _INTROSPECTION_JWT for part in accepted)
