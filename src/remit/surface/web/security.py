"""Headers that every answer carries: nothing is framed, sniffed, referred, cached or scripted."""

from collections.abc import Awaitable
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTENT_POLICY: Final = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
"""For answers that are no page; a page sets its own, stricter in nothing and wider only in what it shows."""

ALWAYS: Final = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
UNLESS_SET: Final = {
    "content-security-policy": CONTENT_POLICY,
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
}
_HSTS: Final = "max-age=31536000; includeSubDomains"


class SecurityHeaders:
    """Puts the headers on; `https` adds HSTS. What scripts of other origins may read: `crossing`."""

    def __init__(self, app: ASGIApp, *, https: bool) -> None:
        self._app = app
        self._https = https
        always = {**ALWAYS, "strict-transport-security": _HSTS} if https else ALWAYS
        self._whole = [(name.encode(), value.encode()) for name, value in {**always, **UNLESS_SET}.items()]
        self._replaced = frozenset(name.encode() for name in always)
        self._optional = frozenset(name.encode() for name in UNLESS_SET)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Go on, with the headers on whatever is answered."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        def guarded(message: Message) -> Awaitable[None]:
            if message["type"] == "http.response.start":
                self._dress(message)
            return send(message)

        await self._app(scope, receive, guarded)

    def _dress(self, message: Message) -> None:
        """All at once where the answer has none that must be replaced, which is nearly always."""
        lines = message.get("headers")
        if type(lines) is not list:
            self._put_on(MutableHeaders(scope=message))
            return
        present = {name for name, _ in lines}
        if not self._replaced.isdisjoint(present):
            self._put_on(MutableHeaders(scope=message))
        elif present.isdisjoint(self._optional):
            message["headers"] = [*lines, *self._whole]
        else:
            message["headers"] = [*lines, *[line for line in self._whole if line[0] not in present]]

    def _put_on(self, headers: MutableHeaders) -> None:
        for name, value in ALWAYS.items():
            headers[name] = value
        for name, value in UNLESS_SET.items():
            headers.setdefault(name, value)
        if self._https:
            headers["strict-transport-security"] = _HSTS
