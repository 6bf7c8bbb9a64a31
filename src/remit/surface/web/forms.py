"""Forms of our pages: small, urlencoded, each field once, and only from our own pages."""

from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request

from remit.kernel.errors import Invalid, RemitError, TooLarge

FIELDS: Final = 16


class FormTooLarge(TooLarge):
    """The form holds more than its own fields."""

    code = "form_too_large"


class FormUnreadable(Invalid):
    """The form is not urlencoded, or says something twice."""

    code = "form_unreadable"


class ForeignForm(RemitError):
    """The form was not sent by our own page, opened by the same person with the same client."""

    code = "form_foreign"
    kind = "forbidden"


def refuse_foreign(request: Request, *, origins: frozenset[str]) -> None:
    """Raise `ForeignForm` if the browser says that another site's page sent this (CSRF).

    A client that says nothing is no browser, or an old one: the caller MUST still compare the form's token.
    """
    origin = request.headers.get("origin")
    site = request.headers.get("sec-fetch-site", "same-origin")
    if (origin is not None and origin not in origins) or site not in {"same-origin", "none"}:
        raise ForeignForm("the form came from another page", next_step="open the page again")


async def read_fields(request: Request, *, limit: int) -> dict[str, str]:
    """Read a urlencoded form of at most `limit` bytes whose fields occur once each."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > limit:
            raise FormTooLarge(f"the form is larger than {limit} bytes")
    try:
        pairs = parse_qsl(
            body.decode("ascii"), keep_blank_values=True, strict_parsing=True, max_num_fields=FIELDS
        )
    except ValueError as broken:
        raise FormUnreadable("the form can't be read; open the page again") from broken
    if len(dict(pairs)) != len(pairs):
        raise FormUnreadable("the form says something twice")
    return dict(pairs)
