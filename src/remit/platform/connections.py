"""Connections of ours to servers: one exchange at a time on each, and the kept ones until they are old.

What was possibly sent is never sent again here: a connection that dies under a request takes it with it.
"""

import asyncio
import select
import ssl
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from remit.enforcement.mcp.exit import ExitFailed
from remit.kernel.outbound import Address
from remit.platform.http1 import Answer, NotHttp

_FULL: Final = 256 << 10
"""Bytes of body that wait for their reader before the server is made to wait."""


class Place(NamedTuple):
    """Where a connection leads, and under which name it is proven there.

    INVARIANT: the name is part of it, so that a connection whose certificate proved one name never carries a
    request to another one at the same address.
    """

    scheme: str
    name: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolOptions:
    """How long, and how many, connections to one place are kept."""

    kept: float = 2.0
    """Seconds idle: shorter than servers keep one, so that a request seldom meets a closing connection."""
    oldest: float = 60.0
    """Seconds in all: a name that has moved is followed."""
    most_idle: int = 64
    most: int = 1024
    """Idle and in use."""


class Connection(asyncio.Protocol):
    """One connection that stands. `ask` once, read the answer, then give it back or drop it."""

    def __init__(self, pool: "Pool", place: Place, address: Address) -> None:
        self.place = place
        self.address = address
        self.made = 0.0
        self.answer: Answer | None = None
        self.idle_timer: asyncio.TimerHandle | None = None
        self._pool = pool
        self._loop = asyncio.get_running_loop()
        self._transport: Any = None
        self._closing = False
        self._paused = False
        self._failed: ExitFailed | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._unwritten = 0
        self._readable = select.poll()

    async def ask(self, request: bytes, *, seconds: float) -> Answer:
        """Send a whole request, once, and wait for the head of its answer; raises `ExitFailed`."""
        if self._closing:
            raise ExitFailed("server closed the connection before it was used", sent=False)
        answer = self.answer = Answer()
        self._transport.write(request)
        while not answer.headed:
            await self._something(seconds)
        return answer

    async def more(self, answer: Answer, *, seconds: float) -> bytes:
        """The next piece of the answer's body; empty at its end. Raises `ExitFailed` when it breaks off."""
        while not answer.pieces:
            if answer.complete:
                return b""
            if answer is not self.answer:
                raise ExitFailed("connection was given back", sent=True)
            await self._something(seconds)
        piece = answer.take()
        if self._paused and answer is self.answer and answer.held < _FULL:
            self._paused = False
            self._transport.resume_reading()
        return piece

    def stands(self) -> bool:
        """Whether nothing has happened to an idle connection: no end, no byte that nobody asked for.

        The loop may not have looked yet at what the kernel knows already, so the kernel is asked.
        """
        return not (self._closing or self._transport.is_closing() or self._readable.poll(0))

    def release(self) -> None:
        """The exchange is over: keep the connection if the whole answer and nothing else came."""
        answer, self.answer = self.answer, None
        if self._closing:
            return
        if answer is not None and answer.complete and not answer.surplus and answer.kept and self._at_rest():
            self._pool.keep(self)
        else:
            self.drop()

    def drop(self) -> None:
        """Cut it off at once."""
        self._closing = True
        self._transport.abort()

    def close(self) -> None:
        """Hang up politely."""
        self._closing = True
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It stands."""
        self._transport = transport
        self._pool.stands(self)
        self.made = self._loop.time()
        descriptor = transport.get_extra_info("socket").fileno()
        self._readable.register(descriptor, select.POLLIN | select.POLLHUP | select.POLLERR)

    def data_received(self, data: bytes) -> None:
        """Feed the answer; bytes that belong to none end the connection."""
        answer = self.answer
        if self._closing:
            return
        if answer is None:
            self.close()
            return
        try:
            answer.feed(data)
        except NotHttp as malformed:
            self._fail(ExitFailed("server's answer is not HTTP", sent=True, debug=str(malformed)))
            self.drop()
            self._wake()
            return
        if answer.held > _FULL and not self._paused:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone; an answer without length ends with it, any other breaks off."""
        self._closing = True
        self._pool.lost(self)
        if self.answer is not None and (exc is not None or not self.answer.end()):
            self._fail(ExitFailed("connection broke", sent=True, debug=str(exc or "closed")))
        self._wake()

    async def _something(self, seconds: float) -> None:
        """Wait until more has arrived or the connection failed; so many seconds of silence are failure."""
        if self._failed is not None:
            raise self._failed
        self._waiter = self._loop.create_future()
        self._unwritten = self._unsent()
        self._timer = self._loop.call_later(seconds, self._late, seconds)
        try:
            await self._waiter
        finally:
            self._timer.cancel()
            self._waiter = None
        if self._failed is not None:
            raise self._failed

    def _late(self, seconds: float) -> None:
        left = self._unsent()
        if left < self._unwritten:  # The server is still taking the request: that is no silence.
            self._unwritten = left
            self._timer = self._loop.call_later(seconds, self._late, seconds)
            return
        headed = self.answer is not None and self.answer.headed
        hint = "server fell silent" if headed else "server did not answer in time"
        self._fail(ExitFailed(hint, sent=True, timed_out=True))
        self._wake()

    def _fail(self, failure: ExitFailed) -> None:
        if self._failed is None and not (self.answer is not None and self.answer.complete):
            self._failed = failure

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _at_rest(self) -> bool:
        return not self._paused and not self._unsent()

    def _unsent(self) -> int:
        return 0 if self._closing else int(self._transport.get_write_buffer_size())


class Pool:
    """Connections by where they lead."""

    def __init__(self, options: PoolOptions | None = None) -> None:
        self._options = options or PoolOptions()
        self._idle: dict[Place, list[Connection]] = {}
        self._open: Counter[Place] = Counter()
        self._making: Counter[Place] = Counter()
        self._closed = False

    def kept(self, place: Place) -> Connection | None:
        """A connection to exactly there that still stands: the one that was used last."""
        idle = self._idle.get(place)
        while idle:
            found = idle.pop()
            _untimed(found)
            if found.stands() and found.made + self._options.oldest > asyncio.get_running_loop().time():
                return found
            found.close()
        return None

    async def connect(
        self, place: Place, address: Address, *, tls: ssl.SSLContext | None, seconds: float
    ) -> Connection:
        """Make a new connection; raises `ExitFailed` if there are too many, `OSError` or `TimeoutError`."""
        if self._open[place] + self._making[place] >= self._options.most:
            raise ExitFailed(f"server has {self._options.most} connections from here already", sent=False)
        self._making[place] += 1
        try:
            async with asyncio.timeout(seconds):
                _, made = await asyncio.get_running_loop().create_connection(
                    lambda: Connection(self, place, address),
                    str(address),
                    place.port,
                    ssl=tls,
                    server_hostname=None if tls is None else place.name,
                )
        finally:
            _less(self._making, place)
        return made

    def keep(self, connection: Connection) -> None:
        """Keep it for the next request to the same place."""
        idle = self._idle.setdefault(connection.place, [])
        if self._closed or len(idle) >= self._options.most_idle:
            connection.close()
            return
        idle.append(connection)
        loop = asyncio.get_running_loop()
        connection.idle_timer = loop.call_later(self._options.kept, self._expire, connection)

    def stands(self, connection: Connection) -> None:
        """A connection was made."""
        self._open[connection.place] += 1

    def lost(self, connection: Connection) -> None:
        """A connection that stood is gone."""
        _less(self._open, connection.place)
        self._expel(connection)

    def close(self) -> None:
        """Hang up everywhere; what is in use is not kept afterwards."""
        self._closed = True
        for connection in [each for idle in self._idle.values() for each in idle]:
            self._expire(connection)

    def _expire(self, connection: Connection) -> None:
        self._expel(connection)
        connection.close()

    def _expel(self, connection: Connection) -> None:
        _untimed(connection)
        idle = self._idle.get(connection.place, [])
        if connection in idle:
            idle.remove(connection)
        if not idle:
            self._idle.pop(connection.place, None)


def _less(counted: Counter[Place], place: Place) -> None:
    counted[place] -= 1
    if not counted[place]:
        del counted[place]


def _untimed(connection: Connection) -> None:
    if connection.idle_timer is not None:
        connection.idle_timer.cancel()
        connection.idle_timer = None
