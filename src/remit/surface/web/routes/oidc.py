"""OpenID Connect over HTTP: discovery, and who the person is that an application has a token of."""

from typing import Final
from urllib.parse import urlsplit

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from remit.authority.oauth.endpoints.userinfo import Shown
from remit.authority.oauth.metadata import resource_metadata, server_metadata, well_known
from remit.authority.oauth.provider import CodeFlow, OAuth
from remit.authority.oauth.wire.errors import InvalidRequest, OAuthError
from remit.authority.oauth.wire.resources import Target
from remit.kernel.canonical import JsonObject
from remit.surface.web.certificates import thumbprint_of
from remit.surface.web.challenge import challenge_of
from remit.surface.web.errors import status_of

_NO_STORE: Final = {"cache-control": "no-store", "pragma": "no-cache"}
_PUBLIC: Final = {"cache-control": "public, max-age=300"}


class OpenIdRoutes:
    """Serves one tenant's OpenID provider below its issuer's path."""

    def __init__(self, oauth: OAuth, flow: CodeFlow) -> None:
        self._oauth = oauth
        self._flow = flow

    def routes(self) -> list[BaseRoute]:
        """Discovery stands where OpenID Connect puts it, and where RFC 8414 §5 does."""
        issuer = self._oauth.options.issuer
        inserted = urlsplit(well_known("openid-configuration", issuer)).path
        appended = "/.well-known/openid-configuration"  # below the issuer's path, as every route here
        resource = urlsplit(well_known("oauth-protected-resource", issuer)).path.rstrip("/")
        return [
            *(Route(path, self._discovery, methods=["GET"]) for path in dict.fromkeys((inserted, appended))),
            Route("/userinfo", self._userinfo, methods=["GET", "POST"]),
            Route(f"{resource}/userinfo", self._resource, methods=["GET"]),
        ]

    async def _discovery(self, _: Request) -> Response:
        return _json(server_metadata(self._oauth.options, codes=True), headers=_PUBLIC)

    async def _resource(self, _: Request) -> Response:
        target = Target(resource=self._oauth.options.userinfo)
        return _json(resource_metadata(target, self._oauth.options, bearer=True), headers=_PUBLIC)

    async def _userinfo(self, request: Request) -> Response:
        try:
            return _json(await self._flow.userinfo.answer(_shown(request)), headers=_NO_STORE)
        except OAuthError as refused:
            return self._refused(refused)

    def _refused(self, refused: OAuthError) -> Response:
        """RFC 6750 §3: the challenge says it all; the body is for people."""
        challenge = challenge_of(
            refused, resource=self._oauth.options.userinfo, scopes=frozenset(), bearer=True
        )
        body: JsonObject = {"error": str(refused.error), "error_description": refused.hint}
        headers = {**_NO_STORE, "www-authenticate": challenge}
        return _json(body, status=status_of(refused), headers=headers)


def _shown(request: Request) -> Shown:
    found = request.headers.getlist("authorization")
    if len(found) > 1:
        raise InvalidRequest("more than one `Authorization` header", reason="client_auth_several")
    return Shown(
        authorization=found[0] if found else "",
        proofs=request.headers.getlist("dpop"),
        method=request.method,
        certificate=thumbprint_of(request),
    )


def _json(body: JsonObject, *, status: int = 200, headers: dict[str, str]) -> Response:
    return Response(
        msgspec.json.encode(body), status_code=status, media_type="application/json", headers=headers
    )
