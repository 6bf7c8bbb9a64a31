"""The first door: size, time and shape of a request, before anybody reads what it says (security 3)."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from remit.platform.settings.options import HttpOptions
from remit.surface.web.errors import (
    AmbiguousRequest,
    BodyTimeout,
    BodyTooLarge,
    EncodingUnsupported,
    HeadersTooLarge,
    UrlTooLong,
)

_SINGLE: Final = frozenset({
    b"authorization",
    b"content-encoding",
    b"content-length",
    b"content-type",
    b"dpop",
    b"host",
    b"idempotency-key",
    b"remit-envelope",
    b"transfer-encoding",
})  # fmt: skip
"""Headers of which two would be two answers to one question: refused, never resolved by precedence."""
_INTERNAL: Final = b"x-remit-"
_MCP: Final = "/mcp/"
_LENGTH_DIGITS: Final = 15


class EdgeLimits:
    """Refuses what is too large, too slow or ambiguous; strips what only we may say (`x-remit-*`).

    A body is counted as it comes, whatever was announced. No body is ever decompressed.
    """

    def __init__(self, app: ASGIApp, *, options: HttpOptions) -> None:
        self._app = app
        self._options = options
        self._body_seconds = options.body_timeout.total_seconds()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check the head, bound the body, go on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._options.max_mcp_body if scope["path"].startswith(_MCP) else self._options.max_body
        self._check_head(scope)
        self._check_body(scope, limit)
        scope["headers"] = [entry for entry in scope["headers"] if not entry[0].startswith(_INTERNAL)]
        bounded = BoundedBody(receive, limit=limit, seconds=self._body_seconds)
        await self._app(scope, bounded, send)

    def _check_head(self, scope: Scope) -> None:
        length = len(scope["raw_path"]) + len(scope["query_string"])
        if length > self._options.max_url:
            raise UrlTooLong(f"address has {length} bytes, the limit is {self._options.max_url}")
        size = sum([len(name) + len(value) for name, value in scope["headers"]])
        if size > self._options.max_headers:
            raise HeadersTooLarge(f"headers have {size} bytes, the limit is {self._options.max_headers}")
        names = [name for name, _ in scope["headers"]]
        if len(set(names)) < len(names):
            _check_single(names)
        _check_path(scope)

    def _check_body(self, scope: Scope, limit: int) -> None:
        headers = dict(scope["headers"])
        if headers.get(b"content-encoding", b"identity") != b"identity":
            raise EncodingUnsupported("a compressed body is not read here; send it plain")
        announced = headers.get(b"content-length")
        if announced is None:
            return
        if b"transfer-encoding" in headers:
            raise AmbiguousRequest("both `content-length` and `transfer-encoding` are there (RFC 9112 §6.1)")
        if not announced.isdigit() or len(announced) > _LENGTH_DIGITS:
            raise AmbiguousRequest("`content-length` is not a number")
        if int(announced) > limit:
            raise BodyTooLarge(f"body has {int(announced)} bytes, the limit is {limit}")


class BoundedBody:
    """A `receive` that stops at a size and at a deadline."""

    def __init__(self, receive: Receive, *, limit: int, seconds: float) -> None:
        self._receive = receive
        self._limit = limit
        self._seconds = seconds
        self._got = 0
        self._complete = False
        self._deadline: float | None = None

    async def __call__(self) -> Message:
        """One message, within size and deadline."""
        if self._complete:
            return await self._receive()
        message = await self._in_time()
        self._got += len(message.get("body", b""))
        self._complete = not message.get("more_body", False)
        if self._got > self._limit:
            raise BodyTooLarge(f"body has more than {self._limit} bytes")
        return message

    async def _in_time(self) -> Message:
        now = asyncio.get_running_loop().time()
        if self._deadline is None:
            self._deadline = now + self._seconds
        try:
            async with asyncio.timeout_at(self._deadline):
                return await self._receive()
        except TimeoutError as late:
            raise BodyTimeout(f"body did not arrive within {self._seconds:g} s") from late


def _check_single(names: Sequence[bytes]) -> None:
    counted = Counter(names)
    for name in _SINGLE & counted.keys():
        if counted[name] > 1:
            raise AmbiguousRequest(f"header `{name.decode()}` is there {counted[name]} times, not once")


def _check_path(scope: Scope) -> None:
    """One spelling per path: an escaped separator or a dot segment names two places at once."""
    raw = scope["raw_path"].lower()
    odd = b"%2f" in raw or b"%5c" in raw or b"%00" in raw or b"\\" in raw or b"//" in raw
    if odd or not {".", ".."}.isdisjoint(scope["path"].split("/")):
        raise AmbiguousRequest("path holds an escaped separator, an empty or a dot segment")
