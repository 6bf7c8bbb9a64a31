"""How every request of an enforcement point is let in and read."""

from typing import TypeVar

import msgspec
from starlette.requests import Request

from remit.authority.oauth.wire.errors import InsufficientScope
from remit.authority.oauth.wire.scopes import Scope
from remit.kernel.canonical import JsonObject, parse_object
from remit.surface.web.caller import Caller, Doorkeeper
from remit.surface.web.errors import InvalidBody, MediaTypeUnsupported
from remit.surface.web.inbound import ESCAPED_NUL, is_json, refuse_nul, sentence

T = TypeVar("T", bound=msgspec.Struct)


async def admitted(request: Request, door: Doorkeeper) -> Caller:
    """The enforcement point; raises `InsufficientScope` for anybody else."""
    caller = await door.admit(request)
    require_deciding(caller.scopes)
    return caller


def require_deciding(scopes: frozenset[str]) -> None:
    """Raise `InsufficientScope` for whoever is no enforcement point."""
    if Scope.DECIDE not in scopes:
        raise InsufficientScope(f"this needs the scope `{Scope.DECIDE}`", scopes=frozenset({Scope.DECIDE}))


async def document(request: Request) -> JsonObject:
    """The body, by the strict reader."""
    return document_of(request.headers.get("content-type", ""), await request.body())


def document_of(media: str, raw: bytes) -> JsonObject:
    """The same of bytes: strict I-JSON without NUL."""
    if media != "application/json" and not is_json(media):
        raise MediaTypeUnsupported(f"body is `{media[:80]}`, not `application/json`")
    found = parse_object(raw)
    # The strict reader takes no control character but as an escape.
    if ESCAPED_NUL in raw:
        refuse_nul(found)
    return found


def read(found: JsonObject, kind: type[T]) -> T:
    """The body as what it should be; raises `InvalidBody` with where and why."""
    try:
        return msgspec.convert(found, kind)
    except msgspec.ValidationError as wrong:
        raise InvalidBody(sentence(wrong)) from wrong
