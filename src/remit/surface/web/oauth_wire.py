"""What OAuth endpoints read and answer over HTTP: one form, one `Authorization`, errors in their own form."""

from typing import Final

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope

from remit.authority.oauth.wire.errors import (
    AccessDenied,
    InvalidClient,
    InvalidRequest,
    OAuthError,
    TemporarilyUnavailable,
    UseDpopNonce,
)
from remit.authority.oauth.wire.parameters import BODY_LIMIT, Parameters, parse_form
from remit.authority.oauth.wire.proof_pace import TooManyProofs
from remit.kernel.canonical import JsonObject
from remit.kernel.pace import retry_after

NO_STORE: Final = {"cache-control": "no-store", "pragma": "no-cache"}
_FORM: Final = "application/x-www-form-urlencoded"
_SCHEMES: Final = {"basic": "Basic", "bearer": "Bearer", "dpop": "DPoP"}
_BAD_REQUEST, _UNAUTHORIZED, _TOO_LARGE, _TOO_MANY, _UNAVAILABLE = 400, 401, 413, 429, 503


def values_of(scope: Scope, wanted: bytes) -> list[str]:
    """Every header of a name, which is given in lower case as servers give them (ASGI)."""
    return [value.decode("latin-1") for name, value in scope["headers"] if name == wanted]


def authorization_of(scope: Scope) -> str:
    """The one `Authorization` header; two would be two answers to one question."""
    found = values_of(scope, b"authorization")
    if len(found) > 1:
        raise InvalidRequest("more than one `Authorization` header", reason="client_auth_several")
    return found[0] if found else ""


async def read_form(scope: Scope, receive: Receive) -> Parameters:
    """The one form of the body; parameters in the query are refused (RFC 6749 §3.2, §2.3.1)."""
    if scope["query_string"]:
        raise InvalidRequest("parameters belong into the body", reason="query_parameters")
    said = values_of(scope, b"content-type")
    media = said[0].partition(";")[0].strip().lower() if said else ""
    if media != _FORM:
        raise InvalidRequest(f"the body must be `{_FORM}`", reason="form_media_type")
    return parse_form(await _whole(receive))


async def _whole(receive: Receive) -> bytes:
    """The body, read no further than a form may go."""
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise InvalidRequest("the body is not whole", reason="form_cut")
        body += message.get("body", b"")
        if len(body) > BODY_LIMIT:
            raise InvalidRequest(f"the form is over {BODY_LIMIT} bytes", reason="form_too_large")
        if not message.get("more_body", False):
            return bytes(body)


def refuse(error: OAuthError, scope: Scope, *, denied: int = 400) -> Response:
    """The answer to a request that is refused (RFC 6749 §5.2); `denied` is the status of `access_denied`."""
    headers = dict(NO_STORE)
    if isinstance(error, UseDpopNonce):
        headers["dpop-nonce"] = error.nonce
    if isinstance(error, TemporarilyUnavailable):
        headers["retry-after"] = retry_after()
    said = values_of(scope, b"authorization")
    scheme = said[0].partition(" ")[0].lower() if said else ""
    if isinstance(error, InvalidClient) and scheme in _SCHEMES:
        # RFC 6749 §5.2: the scheme that the client used.
        headers["www-authenticate"] = f'{_SCHEMES[scheme]} realm="remit"'
    body: JsonObject = {"error": str(error.error), "error_description": _described(error.hint)}
    status = denied if isinstance(error, AccessDenied) else _status(error)
    return json_answer(body, status=status, headers=headers)


def turn_away(many: TooManyProofs) -> Response:
    """The answer to who asks too fast: when to come back (RFC 6585 §4)."""
    body: JsonObject = {"error": "temporarily_unavailable", "error_description": _described(many.hint)}
    return json_answer(body, status=_TOO_MANY, headers={**NO_STORE, "retry-after": retry_after()})


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


def json_answer(body: JsonObject, *, status: int = 200, headers: dict[str, str]) -> Response:
    """A JSON document with its headers."""
    return Response(
        msgspec.json.encode(body), status_code=status, media_type="application/json", headers=headers
    )
