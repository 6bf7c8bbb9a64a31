"""Reading a request strictly: one media type, one value per name, no member that nobody asked for."""

import re
from typing import Final, TypeVar

import msgspec
from starlette.requests import Request

from remit.kernel.canonical import Json, parse_object
from remit.surface.web.errors import (
    AmbiguousRequest,
    InvalidBody,
    InvalidQuery,
    MediaTypeUnsupported,
    NoSuchAddress,
)
from remit.surface.web.paging import IDENT

T = TypeVar("T")

_IDENT: Final = re.compile(IDENT)
JSON_MEDIA: Final = r'application/json(?:\s*;\s*charset="?utf-8"?)?'
"""Media types of a body that is read here, as a pattern without regard to case."""
_JSON: Final = re.compile(JSON_MEDIA, re.IGNORECASE)


async def read_body(request: Request, kind: type[T]) -> tuple[T, bytes]:
    """Read strict I-JSON into a type; give the raw bytes too, for the idempotency digest."""
    media = request.headers.get("content-type", "")
    if not is_json(media):
        raise MediaTypeUnsupported(f"body is `{media[:80]}`, not `application/json`")
    raw = await request.body()
    document = parse_object(raw)
    refuse_nul(document)
    try:
        return msgspec.convert(document, kind), raw
    except msgspec.ValidationError as wrong:
        raise InvalidBody(sentence(wrong)) from wrong


def is_json(media: str) -> bool:
    """Whether a media type is JSON in the one encoding that is read here."""
    return _JSON.fullmatch(media.strip()) is not None


def read_query(request: Request, kind: type[T]) -> T:
    """Read the query into a type; a parameter twice or unknown is refused."""
    pairs = request.query_params.multi_items()
    values = dict(pairs)
    if len(values) != len(pairs):
        raise AmbiguousRequest("a query parameter is there twice")
    if any("\x00" in value for value in values.values()):
        raise InvalidQuery("a query parameter holds a NUL character")
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as wrong:
        raise InvalidQuery(sentence(wrong)) from wrong


def read_path(request: Request) -> dict[str, str]:
    """The parts of the path that name things; each is an id or a name and nothing else."""
    parts = {name: str(value) for name, value in request.path_params.items()}
    if not all(_IDENT.fullmatch(value) for value in parts.values()):
        raise NoSuchAddress("this address names nothing")
    return parts


ESCAPED_NUL: Final = b"\\u0000"
"""The one way to write NUL in JSON."""


def refuse_nul(value: Json) -> None:
    """PostgreSQL's text can't hold NUL, SQLite's can: refused here, the same for both."""
    if isinstance(value, str):
        if "\x00" in value:
            raise InvalidBody("a string holds a NUL character")
    elif isinstance(value, dict):
        for name, member in value.items():
            refuse_nul(name)
            refuse_nul(member)
    elif isinstance(value, list):
        for member in value:
            refuse_nul(member)


def sentence(wrong: msgspec.ValidationError) -> str:
    """Msgspec's message in our form: lower case, values in backticks, no full stop."""
    text = str(wrong)
    return text[:1].lower() + text[1:400]
