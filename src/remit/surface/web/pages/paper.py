"""What all pages are drawn on: templates that escape everything, and headers that let nothing else in."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from remit.kernel.canonical import JsonObject
from remit.kernel.errors import RemitError
from remit.kernel.tenancy import path_of
from remit.surface.web.errors import status_of

if TYPE_CHECKING:
    from jinja2 import Environment

_HERE: Final = Path(__file__).parent
_POLICY: Final = (
    "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": _POLICY,
    # Never the path, which may be a secret. Not `no-referrer`: with it a browser's form has no origin to show
    # (Fetch, "append a request Origin header"), and the page's own answer would be refused.
    "Referrer-Policy": "strict-origin",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
}
CEREMONY_HEADERS: Final[Mapping[str, str]] = {
    **HEADERS,
    # One script, from us, for the ceremony alone: nothing inline, nothing fetched.
    "Content-Security-Policy": f"{_POLICY}; script-src 'self'",
}


@cache
def _templates() -> "Environment":
    """Loaded for the first page, once for all tenants: a server must be ready before anybody is asked."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape  # noqa: PLC0415

    return Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
    )


class Paper:
    """Draws pages of one installation; `origin` is the address that passkeys are made for."""

    def __init__(self, *, issuer: str, origin: str) -> None:
        self._issuer = issuer
        self._origin = origin

    def page(self, template: str, *, status: int = 200, ceremony: bool = False, **values: Any) -> Response:
        """Draw one page; `ceremony` lets the one script of ours run."""
        given = {"next": "", **values, "issuer": self._issuer, "base": path_of(self._issuer)}
        text = _templates().get_template(template).render(**given)
        return HTMLResponse(text, status_code=status, headers=dict(CEREMONY_HEADERS if ceremony else HEADERS))

    def refused(self, refused: RemitError, *, title: str, next_step: str = "") -> Response:
        """Say what can't be done, and what to do instead."""
        return self.page(
            "message.html",
            status=status_of(refused),
            title=title,
            text=refused.hint,
            next=refused.next_step or next_step,
        )

    def at_home(self, request: Request) -> Response | None:
        """A redirect to the address that passkeys work at, if the page was opened at the other one.

        An installation on this machine's address is also `localhost`, and only that name has passkeys.
        """
        home = urlsplit(self._origin).netloc
        if self._origin == self._issuer or request.headers.get("host", "") == home:
            return None
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"{self._origin}{here}", status_code=303, headers=dict(HEADERS))


def options_text(options: JsonObject) -> str:
    """Options as the page holds them, for the script to read."""
    return msgspec.json.encode(options).decode()


def assets() -> Mount:
    """The stylesheet and the one script."""
    return Mount("/assets", StaticFiles(directory=_HERE / "assets"), name="assets")
