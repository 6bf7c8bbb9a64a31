"""The addresses of the console: one page for every screen, and its scripts and styles."""

from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from remit.identity.sessions import Session
from remit.kernel.canonical import b64u
from remit.kernel.ids import Entropy, system_entropy
from remit.surface.web.console.built import Built
from remit.surface.web.pages.mine import Own

PREFIX: Final = "/console"
NONCE_BYTES: Final = 16
FOR_EVER: Final = "public, max-age=31536000, immutable"
_POLICIES: Final = (
    "default-src 'none'",
    "script-src 'self'",
    # Mantine, React Flow and CodeMirror write style elements: each bears this page's nonce. Attributes of
    # style in markup stay forbidden; what scripts set on an element's style is no markup (CSP3 §6.7.3.3).
    "style-src 'self' 'nonce-{nonce}'",
    "img-src 'self'",
    "font-src 'self'",
    "connect-src 'self'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
    # No text becomes markup or script, whichever library would like it to: `src/trusted.ts` is the door.
    "require-trusted-types-for 'script'",
    "trusted-types default",
)


class ConsolePages:
    """Serves the console to people who are signed in; without a build it says how to make one."""

    def __init__(
        self, *, own: Own, built: Built | None, base: str, entropy: Entropy = system_entropy
    ) -> None:
        self._own = own
        self._entropy = entropy
        self._assets = {} if built is None else built.assets
        self._page = "" if built is None else _at(built.page, base)

    def routes(self) -> list[BaseRoute]:
        """What is served. Any other address below is a screen: the page itself tells which."""
        shown = self._own.page(self._show)
        return [
            Route("/", self._to_console),
            Route(PREFIX, self._to_console),
            Route(PREFIX + "/assets/{name}", self._asset),
            Route(PREFIX + "/{screen:path}", shown),
        ]

    async def _to_console(self, request: Request) -> Response:
        del request
        return RedirectResponse(f"{PREFIX}/", status_code=303)

    async def _show(self, request: Request, session: Session) -> Response:
        del request, session  # What the person may see is answered by the API, request by request.
        if not self._page:
            return self._own.paper.page("console_absent.html", status=503)
        nonce = b64u(self._entropy(NONCE_BYTES))
        return HTMLResponse(
            self._page.replace("REMIT-NONCE", nonce),
            headers={
                "Content-Security-Policy": "; ".join(_POLICIES).format(nonce=nonce),
                "Referrer-Policy": "strict-origin",
                "Cache-Control": "no-store",
            },
        )

    async def _asset(self, request: Request) -> Response:
        """A file by its name alone: a name that was not built is nowhere, however it is spelt (CO-15)."""
        found = self._assets.get(request.path_params["name"])
        if found is None:
            raise HTTPException(status_code=404)
        packed = "gzip" in request.headers.get("accept-encoding", "")
        headers = {"Cache-Control": FOR_EVER, "Vary": "Accept-Encoding"}
        if packed:
            headers["Content-Encoding"] = "gzip"
        return Response(found.packed if packed else found.whole, media_type=found.kind, headers=headers)


def _at(page: str, base: str) -> str:
    """The page as it is below a tenant's path."""
    return page.replace('"./assets/', f'"{base}{PREFIX}/assets/').replace("REMIT-BASE", base)
