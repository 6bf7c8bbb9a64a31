"""The way out over real sockets: what is kept, what is cut, what is said to have been sent."""

import asyncio
import ipaddress
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from remit.enforcement.mcp.exit import ExitFailed, ExitRequest
from remit.kernel.outbound import Address, AddressRule, Destination, OutboundRefused, OutboundRequest
from remit.platform.connections import PoolOptions
from remit.platform.outbound import GuardedHttp, target_of
from support.upstreams import eventually

REPLY = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
Turn = Callable[["Stub", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[bool]]


@dataclass
class Stub:
    """A server that reads whole requests and answers as a test says; `turn` returns False to hang up."""

    turn: Turn
    heads: list[bytes] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    connections: int = 0
    ended: int = 0
    port: int = 0
    rule: Any = None

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = [
                    int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length:")
                ]
                self.heads.append(head)
                self.bodies.append(await reader.readexactly(length[0] if length else 0))
                if not await self.turn(self, reader, writer):
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.ended += 1
            writer.close()

    def ask(self, **changes: Any) -> ExitRequest:
        asked: dict[str, Any] = {
            "method": "POST",
            "url": f"http://server.example:{self.port}/mcp",
            "headers": {"X-Name": "value"},
            "body": b"{}",
            "connect": 60.0,
            "first_byte": 60.0,
        }
        return ExitRequest(**(asked | changes))


class Here:
    """Every name is this machine."""

    asked = 0

    async def resolve(self, host: str, port: int) -> Sequence[Address]:
        self.asked += 1
        return [ipaddress.ip_address("127.0.0.1")]


@asynccontextmanager
async def stub(turn: Turn) -> AsyncIterator[Stub]:
    made = Stub(turn)
    server = await asyncio.start_server(made, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    made.rule = AddressRule(
        registered=frozenset(
            Destination(host=host, port=made.port) for host in ("server.example", "other.example")
        )
    )
    try:
        yield made
    finally:
        server.close()


@asynccontextmanager
async def leaving(server: Stub, **options: Any) -> AsyncIterator[GuardedHttp]:
    http = GuardedHttp(rule=server.rule, resolver=Here(), options=PoolOptions(**options))
    try:
        yield http
    finally:
        await http.close()


async def plain(server: Stub, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    writer.write(REPLY)
    return True


def saying(data: bytes, *, then: bool = False) -> Turn:
    async def turn(server: Stub, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        writer.write(data)
        return then

    return turn


async def whole(http: GuardedHttp, request: ExitRequest) -> bytes:
    async with http.open(request) as reply:
        return b"".join([piece async for piece in reply.chunks()])


async def failing(http: GuardedHttp, request: ExitRequest) -> ExitFailed:
    with pytest.raises(ExitFailed) as failed:
        await whole(http, request)
    return failed.value


async def test_exchanges_share_a_connection_and_say_what_they_are() -> None:
    async with stub(plain) as server, leaving(server) as http:
        for body in (b"{}", b'{"a":1}'):
            assert (
                await whole(http, server.ask(body=body, url=f"http://server.example:{server.port}/a b?c=d e"))
                == b"{}"
            )
        assert server.connections == 1
        assert server.bodies == [b"{}", b'{"a":1}']
        assert server.heads[0] == (
            b"POST /a%%20b?c=d%%20e HTTP/1.1\r\nHost: server.example:%d\r\nAccept-Encoding: identity\r\n"
            b"Content-Length: 2\r\nX-Name: value\r\n\r\n" % server.port
        )


async def test_many_at_once_never_share_one() -> None:
    async def slow(server: Stub, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        body, all_of_them = server.bodies[-1], -(-len(server.bodies) // 20) * 20
        await eventually(lambda: len(server.bodies) >= all_of_them)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        return True

    async with stub(slow) as server, leaving(server) as http:
        bodies = [b"%d" % number for number in range(20)]
        assert await asyncio.gather(*(whole(http, server.ask(body=body)) for body in bodies)) == bodies
        assert server.connections == 20
        assert await asyncio.gather(*(whole(http, server.ask(body=body)) for body in bodies)) == bodies
        assert server.connections == 20


@pytest.mark.promise("P13")
async def test_there_are_only_so_many_connections_to_one_place() -> None:
    async def never(server: Stub, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        await reader.read()
        return False

    async with stub(never) as server, leaving(server, most=2) as http:
        first = [asyncio.create_task(whole(http, server.ask())) for _ in range(2)]
        await eventually(lambda: len(server.heads) == 2)
        failed = await failing(http, server.ask())
        assert not failed.sent
        assert "2 connections" in failed.hint
        for task in first:
            task.cancel()
        await asyncio.gather(*first, return_exceptions=True)
        await eventually(lambda: server.ended == 2)
        assert not (await failing(http, server.ask(first_byte=0.05))).hint.startswith("server has")


@pytest.mark.attack("MC-15")
async def test_a_connection_for_one_name_is_not_used_for_another() -> None:
    """Both names lead to the same address; a certificate would have proved one of them only."""
    async with stub(plain) as server, leaving(server) as http:
        await whole(http, server.ask())
        await whole(http, server.ask(url=f"http://other.example:{server.port}/mcp"))
        assert server.connections == 2


@pytest.mark.attack("MC-15")
async def test_a_kept_connection_ends_with_its_registration() -> None:
    class Changing:
        registered: frozenset[Destination] = frozenset()

        def check(self, destination: Destination, address: Address) -> None:
            AddressRule(registered=self.registered, ports=frozenset()).check(destination, address)

    async with stub(plain) as server:
        rule = Changing()
        rule.registered = server.rule.registered
        http = GuardedHttp(rule=rule, resolver=Here())
        await whole(http, server.ask())
        rule.registered = frozenset()
        assert not (await failing(http, server.ask())).sent
        with pytest.raises(OutboundRefused):
            await http.send(OutboundRequest(method="GET", url=f"http://server.example:{server.port}/"))
        assert len(server.heads) == 1
        await http.close()


async def test_a_kept_connection_is_not_kept_for_ever() -> None:
    async with stub(plain) as server:
        async with leaving(server, oldest=0.05) as http:
            await whole(http, server.ask())
            await asyncio.sleep(0.06)
            await whole(http, server.ask())
        assert server.connections == 2
        async with leaving(server, kept=0.05) as http:
            await whole(http, server.ask())
            await eventually(lambda: server.ended == server.connections)
            await whole(http, server.ask())
        assert server.connections == 4
        async with leaving(server, most_idle=1) as http:
            await asyncio.gather(whole(http, server.ask()), whole(http, server.ask()))
            await whole(http, server.ask())
        assert server.connections == 6


@pytest.mark.promise("P2")
async def test_a_connection_that_the_server_has_closed_is_seen_before_anything_is_sent() -> None:
    """The end may lie unread in the kernel: the loop has not run since."""
    async with stub(saying(REPLY)) as server, leaving(server) as http:
        for _ in range(5):
            assert await whole(http, server.ask()) == b"{}"
            await asyncio.sleep(0.01)
        assert server.connections == 5
    held: list[asyncio.StreamWriter] = []

    async def keep(server: Stub, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        held.append(writer)
        writer.write(REPLY)
        return True

    async with stub(keep) as server, leaving(server) as http:
        await whole(http, server.ask())
        sock = held[0].get_extra_info("socket")
        os.write(sock.fileno(), b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
        time.sleep(0.01)  # noqa: ASYNC251 — the loop must not look
        assert await whole(http, server.ask()) == b"{}"
        assert server.connections == 2


@pytest.mark.promise("P2")
@pytest.mark.parametrize(
    "data", [b"", REPLY[:20], REPLY[:-1], b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n"]
)
async def test_what_breaks_off_was_sent_once_and_is_not_sent_again(data: bytes) -> None:
    async with stub(saying(data)) as server, leaving(server) as http:
        failed = await failing(http, server.ask())
        assert (failed.sent, failed.timed_out) == (True, False)
        assert len(server.heads) == 1


@pytest.mark.promise("P2")
async def test_a_kept_connection_that_dies_under_a_request_takes_it_with_it() -> None:
    async def once(server: Stub, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if len(server.heads) > 1:
            return False
        writer.write(REPLY)
        return True

    async with stub(once) as server, leaving(server) as http:
        await whole(http, server.ask())
        assert (await failing(http, server.ask())).sent
        assert (server.connections, len(server.heads)) == (1, 2)


@pytest.mark.parametrize("begun", [b"", REPLY[:-1]])
async def test_silence_is_a_failure_in_time(begun: bytes) -> None:
    async def silent(server: Stub, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        writer.write(begun)
        await reader.read()
        return False

    async with stub(silent) as server, leaving(server) as http:
        failed = await failing(http, server.ask(first_byte=0.1))
        assert (failed.sent, failed.timed_out) == (True, True)
        assert failed.hint == ("server fell silent" if begun else "server did not answer in time")
        await eventually(lambda: server.ended == 1)


async def test_a_body_that_comes_slowly_but_comes_is_waited_for() -> None:
    async def drip(server: Stub, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(5):
            await asyncio.sleep(0.2)
            writer.write(b"1\r\nx\r\n")
        writer.write(b"0\r\n\r\n")
        return True

    async with stub(drip) as server, leaving(server) as http:
        assert await whole(http, server.ask(first_byte=0.8)) == b"xxxxx"
        assert await whole(http, server.ask(first_byte=0.8)) == b"xxxxx"
        assert server.connections == 1


@pytest.mark.promise("P13")
async def test_a_large_body_waits_for_its_reader() -> None:
    size = 32 << 20

    async def flood(server: Stub, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(32):
            writer.write(b"x" * (1 << 20))
            await writer.drain()
        return True

    async with stub(flood) as server, leaving(server) as http:
        async with http.open(server.ask()) as reply:
            await asyncio.sleep(0.2)
            held = reply._answer.held  # type: ignore[attr-defined]  # what waits is not for callers to see
            assert held < 1 << 20
            assert sum([len(piece) async for piece in reply.chunks()]) == size
        assert await whole(http, server.ask(body=b"y" * (4 << 20))) == b"x" * size
        assert server.bodies[-1] == b"y" * (4 << 20)
        assert server.connections == 1


@pytest.mark.attack("MC-26")
async def test_who_leaves_early_hangs_up() -> None:
    async def endless(server: Stub, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n")
        await reader.read()
        return False

    async with stub(endless) as server, leaving(server) as http:
        async with http.open(server.ask()) as reply:
            pieces = reply.chunks()
            assert await anext(pieces) == b"x"
        await eventually(lambda: server.ended == 1)
        with pytest.raises(ExitFailed):
            await anext(pieces)


@pytest.mark.attack("MC-09")
async def test_an_answer_nobody_asked_for_ends_the_connection() -> None:
    async with stub(saying(REPLY + REPLY, then=True)) as server, leaving(server) as http:
        assert await whole(http, server.ask()) == b"{}"
        assert await whole(http, server.ask()) == b"{}"
        assert server.connections == 2


@pytest.mark.attack("MC-09")
@pytest.mark.parametrize(
    ("headers", "method"),
    [
        ({"X": "a\r\nY: b"}, "POST"),
        ({"X": "a\nb"}, "POST"),
        ({"X": "a\0b"}, "POST"),
        ({"X": "\u20ac"}, "POST"),
        ({"X: y\r\nZ": "a"}, "POST"),
        ({"": "a"}, "POST"),
        ({"Content-Length": "5"}, "POST"),
        ({"transfer-encoding": "chunked"}, "POST"),
        ({"Host": "inside.example"}, "POST"),
        ({"Connection": "close"}, "POST"),
        ({}, "CONNECT"),
        ({}, "HEAD"),
        ({}, "GET / HTTP/1.1\r\nX: y\r\n\r\nPOST"),
    ],
)
async def test_no_caller_writes_what_frames_a_request(headers: dict[str, str], method: str) -> None:
    async with stub(plain) as server, leaving(server) as http:
        failed = await failing(http, server.ask(headers=headers, method=method))
        assert not failed.sent
        assert not server.heads


@pytest.mark.attack("MC-15")
async def test_an_answer_that_is_compressed_unasked_is_refused() -> None:
    data = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok"
    async with stub(saying(data, then=True)) as server, leaving(server) as http:
        failed = await failing(http, server.ask())
        assert failed.sent
        assert "compressed" in failed.hint


@pytest.mark.parametrize(
    "url", ["http://h:99999/", "http://h:x/", "http://[::1/", "http://ü.example/", "//x", ""]
)
def test_what_is_no_address_is_none(url: str) -> None:
    with pytest.raises(OutboundRefused):
        target_of(url)


@pytest.mark.attack("MC-15")
def test_a_request_line_holds_one_target() -> None:
    target = target_of("http://h.example/a b\u00e4\x7f?q=x y#frag")
    assert target.path == "/a%20b%C3%A4%7F?q=x%20y"
    assert target_of("http://[::1]:8000/x").literal == ipaddress.ip_address("::1")
