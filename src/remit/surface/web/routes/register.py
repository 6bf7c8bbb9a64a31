"""Client registration over HTTP (RFC 7591, RFC 7592), and the status lists: JSON in and out, exact status."""

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from remit.authority.oauth.clients.document import metadata_of
from remit.authority.oauth.endpoints.register import BODY_LIMIT, Registered, TooManyRegistrations
from remit.authority.oauth.provider import OAuth
from remit.authority.oauth.wire.errors import (
    AccessDenied,
    InvalidClientMetadata,
    InvalidRequest,
    InvalidToken,
    MissingToken,
    OAuthError,
)
from remit.kernel.canonical import JsonObject

_NO_STORE: Final = {"cache-control": "no-store", "pragma": "no-cache"}
_STATUS_MEDIA: Final = "application/statuslist+jwt"
_BAD_REQUEST, _UNAUTHORIZED, _FORBIDDEN, _TOO_MANY = 400, 401, 403, 429

Handler = Callable[[Request], Awaitable[Response]]


class RegisterRoutes:
    """Serves what is on: the registration endpoint, and the lists of an installation that publishes them."""

    def __init__(self, oauth: OAuth) -> None:
        self._oauth = oauth

    def routes(self) -> list[Route]:
        """Nothing at all where neither is on."""
        found: list[Route] = []
        if self._oauth.registration.served:
            found += [
                Route("/register", _guarded(self._register), methods=["POST"]),
                Route(
                    "/register/{client}",
                    _guarded(self._own),
                    methods=["GET", "PUT", "DELETE"],
                ),
            ]
        if self._oauth.options.status_lists:
            found.append(Route("/status/{name}", self._status, methods=["GET"]))
        return found

    async def _register(self, request: Request) -> Response:
        registered = await self._oauth.registration.register(
            await _body(request), authorization=_authorization(request), at=self._oauth.clock.now()
        )
        return _json(self._told(registered), status=201)

    async def _own(self, request: Request) -> Response:
        client, shown = str(request.path_params["client"]), _authorization(request)
        endpoint, at = self._oauth.registration, self._oauth.clock.now()
        if request.method == "DELETE":
            await endpoint.end(client, authorization=shown, at=at)
            return Response(status_code=204, headers=_NO_STORE)
        if request.method == "PUT":
            changed = await endpoint.change(client, await _body(request), authorization=shown, at=at)
            return _json(self._told(changed))
        return _json(self._told(await endpoint.read(client, authorization=shown)))

    async def _status(self, request: Request) -> Response:
        text = await self._oauth.status.token(
            str(request.path_params["name"]),
            at=self._oauth.clock.now(),
            generation=self._oauth.clock.generation(),
        )
        headers = {"cache-control": "public, max-age=60"}
        return Response(text, media_type=_STATUS_MEDIA, headers=headers)

    def _told(self, registered: Registered) -> JsonObject:
        """RFC 7591 §3.2.1, RFC 7592 §3."""
        client = registered.client
        return {
            **metadata_of(client),
            "registration_access_token": registered.access_token,
            "registration_client_uri": f"{self._oauth.options.issuer}/register/{client.client_id}",
        }


def _guarded(handler: Handler) -> Handler:
    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except OAuthError as refused:
            return _refuse(refused)
        except TooManyRegistrations as many:
            body: JsonObject = {"error": "temporarily_unavailable", "error_description": many.hint}
            return _json(body, status=_TOO_MANY, headers={"retry-after": "60"})

    return answer


async def _body(request: Request) -> bytes:
    if request.url.query:
        raise InvalidRequest("parameters belong into the body", reason="query_parameters")
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise InvalidClientMetadata("the body must be `application/json`")
    body = bytearray()
    try:
        async for part in request.stream():
            body += part
            if len(body) > BODY_LIMIT:
                raise InvalidClientMetadata(f"the body is over {BODY_LIMIT} bytes")
    except ClientDisconnect as gone:
        raise InvalidRequest("the body is not whole", reason="form_cut") from gone
    return bytes(body)


def _authorization(request: Request) -> str:
    found = request.headers.getlist("authorization")
    if len(found) > 1:
        raise InvalidRequest("more than one `Authorization` header", reason="client_auth_several")
    return found[0] if found else ""


def _refuse(error: OAuthError) -> Response:
    headers: dict[str, str] = {}
    status = _BAD_REQUEST
    if isinstance(error, InvalidToken | MissingToken):
        # RFC 6750 §3: whoever showed nothing is told how, and not what it did wrong.
        said = "" if isinstance(error, MissingToken) else ', error="invalid_token"'
        headers["www-authenticate"] = f'Bearer realm="remit"{said}'
        status = _UNAUTHORIZED
    elif isinstance(error, AccessDenied):
        status = _FORBIDDEN
    body: JsonObject = {"error": str(error.error), "error_description": _described(error.hint)}
    return _json(body, status=status, headers=headers)


def _described(hint: str) -> str:
    return "".join(char if " " <= char <= "~" and char not in '"\\' else "?" for char in hint)


def _json(body: JsonObject, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(
        msgspec.json.encode(body),
        status_code=status,
        media_type="application/json",
        headers={**_NO_STORE, **(headers or {})},
    )
