"""Errors as problem documents (RFC 9457): the only place that knows HTTP status codes."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from starlette.exceptions import HTTPException
from starlette.responses import Response

from remit.app.access.errors import AccessRequestError
from remit.authority.oauth.wire.errors import InsufficientScope, OAuthError
from remit.kernel.errors import Invalid, NotFound, RemitError, TooLarge
from remit.kernel.pace import retry_after
from remit.surface.web.challenge import challenge_of

MEDIA_TYPE: Final = "application/problem+json"

_BY_KIND: Final[Mapping[str, int]] = {
    "invalid": 400,
    "unauthenticated": 401,
    "forbidden": 403,
    "not_found": 404,
    "conflict": 409,
    "gone": 410,
    "too_large": 413,
    "rate_limited": 429,
    "internal": 500,
    "unavailable": 503,
}
_BY_CODE: Final[Mapping[str, int]] = {
    "method_not_allowed": 405,
    "body_timeout": 408,
    "url_too_long": 414,
    "media_type_unsupported": 415,
    "content_encoding_unsupported": 415,
    "idempotency_mismatch": 422,
    "headers_too_large": 431,
}
_TITLES: Final[Mapping[int, str]] = {
    400: "the request is malformed",
    401: "the caller is not authenticated",
    403: "the caller may not do this",
    404: "not found",
    405: "this method is not served here",
    408: "the request took too long to arrive",
    409: "the present state does not allow this",
    410: "no longer there",
    413: "the request is too large",
    414: "the address is too long",
    415: "the body is of a kind that is not read here",
    422: "the same key was used for another request",
    429: "too many requests",
    431: "the headers are too large",
    500: "something failed here",
    503: "something that is needed can't be reached",
}


class HeadersTooLarge(TooLarge):
    """All headers together are over the limit."""

    code = "headers_too_large"


class UrlTooLong(TooLarge):
    """Path and query are over the limit."""

    code = "url_too_long"


class BodyTooLarge(TooLarge):
    """The body is over the limit, as announced or as it came."""

    code = "body_too_large"


class BodyTimeout(Invalid):
    """The body did not arrive in time."""

    code = "body_timeout"


class EncodingUnsupported(Invalid):
    """The body is compressed; nothing is ever unpacked here, so that no bomb can be."""

    code = "content_encoding_unsupported"


class MediaTypeUnsupported(Invalid):
    """The body is not `application/json`."""

    code = "media_type_unsupported"


class AmbiguousRequest(Invalid):
    """Two readers could read this request differently: a header twice, a parameter twice, an odd path."""

    code = "ambiguous_request"


class InvalidBody(Invalid):
    """The body is JSON but not what this operation reads."""

    code = "invalid_body"


class InvalidQuery(Invalid):
    """A query parameter is unknown, of the wrong type or out of range."""

    code = "invalid_query"


class NoSuchAddress(NotFound):
    """Nothing is served at this path."""

    code = "no_such_address"


class MethodNotAllowed(Invalid):
    """The path exists, the method does not."""

    code = "method_not_allowed"


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What went wrong, for a program (`code`) and for a person (`detail`, `next`)."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    next: str = ""
    request_id: str = ""


def status_of(error: RemitError) -> int:
    """The status of an error: its own, or that of its kind."""
    return _BY_CODE.get(error.code) or _BY_KIND.get(error.kind, 500)


def problem_of(error: RemitError, *, request_id: str = "") -> Problem:
    """The document of an error; of an internal one only its code and the request's id leave."""
    status = status_of(error)
    hidden = status == _BY_KIND["internal"]
    return Problem(
        type=error.uri if isinstance(error, AccessRequestError) else f"/errors/{error.code}",
        title=_TITLES[status],
        status=status,
        code=error.code,
        detail="the request failed here; nothing is known about its effect" if hidden else error.hint,
        next=error.next_step or ("remit doctor" if hidden else ""),
        request_id=request_id,
    )


def problem_response(error: RemitError, *, resource: str, request_id: str = "") -> Response:
    """Answer with the error's status, document and headers; a challenge is for `resource`."""
    problem = problem_of(error, request_id=request_id)
    return Response(
        msgspec.json.encode(problem),
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers=_headers(error, resource),
    )


def foreign_error(raised: Exception) -> RemitError:
    """Turn what the framework raised into an error of ours; everything unknown is internal."""
    if isinstance(raised, RemitError):
        return raised
    if isinstance(raised, HTTPException) and raised.status_code == _BY_CODE["method_not_allowed"]:
        allowed = (raised.headers or {}).get("Allow", "")
        return MethodNotAllowed("this method is not served here", next_step=f"use {allowed}")
    if isinstance(raised, HTTPException) and raised.status_code == _BY_KIND["not_found"]:
        return NoSuchAddress("nothing is served at this address", next_step="see /openapi.json")
    return RemitError("internal error")


def describe(code: str) -> dict[str, Any] | None:
    """What a code means, from the docstring of the error that bears it."""
    for error in _all_errors(RemitError):
        if error.code == code:
            sentence = " ".join((error.__doc__ or "").split())
            return {"code": code, "kind": error.kind, "meaning": sentence}
    return None


def _all_errors(root: type[RemitError]) -> list[type[RemitError]]:
    below = [each for child in root.__subclasses__() for each in _all_errors(child)]
    return [root, *below]


def _headers(error: RemitError, resource: str) -> dict[str, str]:
    if isinstance(error, MethodNotAllowed):
        return {"allow": error.next_step.removeprefix("use ")}
    if isinstance(error, OAuthError) and (error.kind == "unauthenticated" or _lacks_scope(error)):
        return {"www-authenticate": challenge_of(error, resource=resource, scopes=frozenset())}
    if error.kind in {"rate_limited", "unavailable"}:
        return {"retry-after": retry_after()}
    return {}


def _lacks_scope(error: OAuthError) -> bool:
    return isinstance(error, InsufficientScope)
