"""A closed-loop HTTP/1.1 load generator: prepared requests, raw connections, one answer at a time on each.

It shares the machine's cores with what it measures, so it does as little as it can: requests are made and
signed before the clock starts, and an answer is looked at only to see that it is the expected one.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import httptools
import uvloop
from bench.figures import cpu_seconds, percentile

T = TypeVar("T")
_SECONDS = 30.0


class WrongAnswer(Exception):
    """A peer answered something else than this benchmark is about: its figures would mean nothing."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers and body."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one run of requests came to; latencies in milliseconds, `cpu` in µs of the server per request."""

    per_second: float
    latencies: Sequence[float]
    cpu: float

    @property
    def p50(self) -> float:
        """Milliseconds."""
        return percentile(self.latencies, 0.5)

    @property
    def p99(self) -> float:
        """Milliseconds."""
        return percentile(self.latencies, 0.99)


class Connection(asyncio.Protocol):
    """One connection that asks one thing at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[Answer] | None = None
        self._begin()

    @classmethod
    async def open(cls, port: int) -> "Connection":
        """Connect on loopback."""
        _, made = await asyncio.get_running_loop().create_connection(cls, "127.0.0.1", port)
        return made

    async def ask(self, request: bytes) -> Answer:
        """Send a whole request and wait for the whole answer."""
        if self._transport is None:
            raise WrongAnswer("not connected")
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await asyncio.wait_for(self._waiting, _SECONDS)

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: Any) -> None:
        """Keep it."""
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Whoever waits, waits in vain."""
        self._transport = None
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(WrongAnswer(f"connection closed: {exc}"))

    def data_received(self, data: bytes) -> None:
        """Feed the parser."""
        self._parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called by the parser."""
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        """Called by the parser."""
        self._body += body

    def on_message_complete(self) -> None:
        """Called by the parser."""
        answer = Answer(self._parser.get_status_code(), self._headers, bytes(self._body))
        self._begin()
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(answer)

    def _begin(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._headers: dict[str, str] = {}
        self._body = bytearray()


def request(
    path: str, *, host: str, headers: Sequence[tuple[str, str]], body: bytes, method: str = "POST"
) -> bytes:
    """A whole request as bytes."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def drive(port: int, requests: Sequence[bytes], *, concurrency: int, expected: bytes, pid: int) -> Run:
    """Send all requests over so many connections; every answer must hold `expected`."""
    connections = [await Connection.open(port) for _ in range(concurrency)]
    rest = iter(requests)
    latencies: list[float] = []
    cpu, begun = cpu_seconds(pid), time.perf_counter()
    await asyncio.gather(*(_work(each, rest, latencies, expected) for each in connections))
    took, spent = time.perf_counter() - begun, cpu_seconds(pid) - cpu
    for each in connections:
        each.close()
    return Run(per_second=len(requests) / took, latencies=latencies, cpu=spent / len(requests) * 1e6)


async def _work(
    connection: Connection, rest: Iterator[bytes], latencies: list[float], expected: bytes
) -> None:
    for each in rest:
        begun = time.perf_counter()
        answer = await connection.ask(each)
        latencies.append((time.perf_counter() - begun) * 1e3)
        if expected not in answer.body:
            raise WrongAnswer(f"{answer.status} {answer.body[:600]!r}")


def run(work: Callable[[], Awaitable[T]]) -> T:
    """Run on the fast loop."""

    async def whole() -> T:
        return await work()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(whole())
