"""Real sockets: slow headers end, honest requests pass meanwhile (DS-05)."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from remit.surface.web.connection import bounded_protocol

HONEST = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@contextlib.asynccontextmanager
async def serving(protocol: type[HttpToolsProtocol]) -> AsyncIterator[int]:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(hello, http=protocol, log_config=None, lifespan="off"))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:  # noqa: ASYNC110 — uvicorn offers no event to wait for
        await asyncio.sleep(0.01)
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        server.force_exit = True
        await task


async def drip(port: int, *, first: bytes, seconds: float) -> bytes:
    """Send some bytes of headers, then one each tenth of a second; what came back when it ended."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(first)
    with contextlib.suppress(ConnectionError, TimeoutError):
        async with asyncio.timeout(seconds):
            while not reader.at_eof():
                with contextlib.suppress(TimeoutError):
                    return await asyncio.wait_for(reader.read(200), 0.1)
                writer.write(b"x")
                await writer.drain()
    writer.close()
    return b""


async def honest(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(HONEST)
    answer = await asyncio.wait_for(reader.readuntil(b"ok"), 60)
    writer.close()
    return answer


@pytest.mark.attack("DS-05")
@pytest.mark.parametrize("first", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nhost: x\r\nx-a: "])
async def test_a_slow_or_silent_head_is_cut_off(first: bytes) -> None:
    # A whole second: server and clients share one loop here, and a stall of it must not cut the honest one.
    async with serving(bounded_protocol(header_seconds=1.0)) as port:
        slow = [asyncio.create_task(drip(port, first=first, seconds=60)) for _ in range(50)]
        assert (await honest(port)).startswith(b"HTTP/1.1 200")
        answers = await asyncio.gather(*slow)
    assert all(answer.startswith(b"HTTP/1.1 4") for answer in answers)


@pytest.mark.twin("DS-05")
async def test_without_the_deadline_a_silent_connection_stays() -> None:
    async with serving(HttpToolsProtocol) as port:
        assert await drip(port, first=b"GET / HTTP/1.1\r\nhost: x\r\nx-a: ", seconds=1) == b""


async def test_a_second_request_on_the_same_connection_is_served() -> None:
    async with serving(bounded_protocol(header_seconds=0.3)) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(3):
            writer.write(HONEST)
            assert (await asyncio.wait_for(reader.readuntil(b"ok"), 60)).startswith(b"HTTP/1.1 200")
            await asyncio.sleep(0.4)
        writer.close()
