"""Connections that bring no request end: slow headers and idle sockets hold nothing for long (DS-05)."""

import asyncio
from typing import Any, ClassVar, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_ANSWER: Final = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class BoundedHttp(HttpToolsProtocol):
    """uvicorn's own protocol; closes a connection whose request line and headers are not whole in time.

    Between two requests uvicorn's keep-alive timeout rules; from the connection's start, and from a later
    request's first byte on, this deadline does.
    """

    header_seconds: ClassVar[float] = 5.0
    idle_seconds: ClassVar[float] = 30.0
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Start waiting for the first request."""
        super().connection_made(transport)
        # uvicorn's own setting knows whole seconds alone, and takes half a one for none.
        self.timeout_keep_alive = self.idle_seconds  # type: ignore[assignment]  # `call_later` takes both
        self._arm()

    def on_message_begin(self) -> None:
        """A request has begun: its headers must follow in time."""
        super().on_message_begin()
        self._arm()

    def on_headers_complete(self) -> None:
        """The headers are whole; the body has a deadline of its own (`limits.BoundedBody`)."""
        self._disarm()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing to wait for any more."""
        self._disarm()
        super().connection_lost(exc)

    def _arm(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(self.header_seconds, self._expire)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _expire(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(_ANSWER)
            self.transport.close()


def bounded_protocol(*, header_seconds: float, idle_seconds: float = 30.0) -> type[HttpToolsProtocol]:
    """The protocol with these deadlines; uvicorn makes one object per connection from it."""
    chosen = {"header_seconds": header_seconds, "idle_seconds": idle_seconds}
    return type("ConfiguredHttp", (BoundedHttp,), chosen)
