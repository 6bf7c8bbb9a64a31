"""The first door: size, time and shape of a request, before anybody reads what it says (security 3)."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import lru_cache
from itertools import chain
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from remit.platform.settings.options import HttpOptions
from remit.surface.web.answering import WHOLE
from remit.surface.web.certificates import PREFIX as CERTIFICATE_PREFIX
from remit.surface.web.certificates import ClientCertificates
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
    b"txn-token",
})  # fmt: skip
"""Headers of which two would be two answers to one question: refused, never resolved by precedence."""
_INTERNAL: Final = b"x-remit-"
_MCP: Final = "/mcp/"
_LENGTH_DIGITS: Final = 15


class EdgeLimits:
    """Refuses what is too large, too slow or ambiguous; strips what only we may say (`x-remit-*`),
    and what only a proxy of ours may (`client-cert`).

    A body is counted as it comes, whatever was announced. No body is ever decompressed.
    """

    def __init__(self, app: ASGIApp, *, options: HttpOptions) -> None:
        self._app = app
        self._options = options
        self._body_seconds = options.body_timeout.total_seconds()
        self._certificates = ClientCertificates(options.certificate_proxies)

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Check the head, bound the body, go on."""
        if scope["type"] != "http":
            return self._app(scope, receive, send)
        limit = self._options.max_mcp_body if scope["path"].startswith(_MCP) else self._options.max_body
        lines = scope["headers"]
        headers, written = dict(lines), b"".join(chain.from_iterable(lines))
        self._check_head(scope, headers, len(written))
        _check_body(headers, limit)
        if _INTERNAL in written:
            scope["headers"] = [entry for entry in lines if not entry[0].startswith(_INTERNAL)]
        if CERTIFICATE_PREFIX in written:
            self._certificates.take(scope)
        bounded = BoundedBody(receive, limit=limit, seconds=self._body_seconds, whole=scope.get(WHOLE))
        return self._app(scope, bounded, send)

    def _check_head(self, scope: Scope, headers: Mapping[bytes, bytes], size: int) -> None:
        length = len(scope["raw_path"]) + len(scope["query_string"])
        if length > self._options.max_url:
            raise UrlTooLong(f"address has {length} bytes, the limit is {self._options.max_url}")
        if size > self._options.max_headers:
            raise HeadersTooLarge(f"headers have {size} bytes, the limit is {self._options.max_headers}")
        if len(headers) < len(scope["headers"]):
            _check_single([name for name, _ in scope["headers"]])
        if _is_odd(scope["raw_path"], scope["path"]):
            raise AmbiguousRequest("path holds an escaped separator, an empty or a dot segment")


def _check_body(headers: Mapping[bytes, bytes], limit: int) -> None:
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

    def __init__(
        self,
        receive: Receive,
        *,
        limit: int,
        seconds: float,
        whole: Callable[[], Message | None] | None = None,
    ) -> None:
        self._receive = receive
        self._whole = whole
        self._limit = limit
        self._seconds = seconds
        self._got = 0
        self._complete = False
        self._deadline: float | None = None

    async def __call__(self) -> Message:
        """One message, within size and deadline."""
        if self._complete:
            return await self._receive()
        # What came with its head needs neither a deadline nor a wait.
        message = self._whole() if self._whole is not None else None
        if message is None:
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


@lru_cache(maxsize=256)
def _is_odd(raw_path: bytes, path: str) -> bool:
    """One spelling per path: an escaped separator or a dot segment names two places at once.

    Pure; the busiest paths are asked about again and again.
    """
    raw = raw_path.lower()
    odd = b"%2f" in raw or b"%5c" in raw or b"%00" in raw or b"\\" in raw or b"//" in raw
    return odd or not {".", ".."}.isdisjoint(path.split("/"))
