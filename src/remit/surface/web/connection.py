"""Connections that bring no request end: slow headers and idle sockets hold nothing for long (DS-05)."""

import asyncio
from typing import Any, ClassVar, Final

import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from remit.kernel.errors import Unavailable
from remit.surface.web.answering import Answering
from remit.surface.web.errors import problem_response

_log = structlog.stdlib.get_logger("remit.connections")
_ANSWER: Final = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class TooManyConnections(Unavailable):
    """As many connections as `http.max_connections` allows are open; this one is closed after the answer."""

    code = "too_many_connections"


class BoundedHttp(HttpToolsProtocol):
    """uvicorn's own protocol; closes a connection whose request line and headers are not whole in time.

    Between two requests uvicorn's keep-alive timeout rules; from the connection's start, and from a later
    request's first byte on, this deadline does.
    """

    header_seconds: ClassVar[float] = 5.0
    idle_seconds: ClassVar[float] = 30.0
    most_connections: ClassVar[int] = 1 << 16
    _deadline: asyncio.TimerHandle | None = None
    _heading = False
    """Whether a request has begun whose headers are not whole."""

    def connection_made(self, transport: Any) -> None:
        """Start waiting for the first request."""
        super().connection_made(transport)
        # uvicorn's own setting knows whole seconds alone, and takes half a one for none.
        self.timeout_keep_alive = self.idle_seconds  # type: ignore[assignment]  # `call_later` takes both
        self._arm()

    def data_received(self, data: bytes) -> None:
        """Read on; what has begun must be whole in time. Headers that come in one piece need no deadline."""
        super().data_received(data)
        if self._heading:
            self._arm()

    def on_message_begin(self) -> None:
        """A request has begun: its headers must follow in time."""
        super().on_message_begin()
        self._heading = True

    def on_headers_complete(self) -> None:
        """The headers are whole; the body has a deadline of its own (`limits.BoundedBody`)."""
        self._heading = False
        self._disarm()
        self._begin()
        if self.cycle is not None:  # unless the connection goes over to another protocol
            Answering.take(self.cycle)

    def _begin(self) -> None:
        """Serve the request, or say that there is no room for its connection."""
        if len(self.connections) <= self.most_connections:
            super().on_headers_complete()
            return
        # uvicorn's own answer to one connection too many is plain text; this is a document as any other.
        _log.warning("connections_exhausted", limit=self.most_connections)
        served, self.app = self.app, _busy(self.most_connections)
        try:
            super().on_headers_complete()
        finally:
            self.app = served

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


def _busy(limit: int) -> Any:
    error = TooManyConnections(
        f"all {limit} connections are in use", next_step="try again later, on a connection that you keep"
    )
    answer = problem_response(error, resource="")
    answer.headers["connection"] = "close"
    answer.headers["cache-control"] = "no-store"
    return answer


def bounded_protocol(
    *, header_seconds: float, idle_seconds: float = 30.0, most_connections: int = 1 << 16
) -> type[HttpToolsProtocol]:
    """The protocol with these deadlines; uvicorn makes one object per connection from it.

    One connection more than `most_connections` is told so at its first request (503) and closed.
    """
    chosen = {
        "header_seconds": header_seconds,
        "idle_seconds": idle_seconds,
        "most_connections": most_connections,
    }
    return type("ConfiguredHttp", (BoundedHttp,), chosen)
