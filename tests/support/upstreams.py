"""MCP servers to stand behind the gateway: the demo's business, and one that misbehaves by script."""

import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn

from remit_demo.business.__main__ import http_app
from remit_demo.business.capability import CapabilityCheck, IssuerKeys
from remit_demo.business.server import mappings
from remit_demo.business.store import Store

App = Callable[..., Awaitable[None]]


@asynccontextmanager
async def serving(
    app: App, *, lifespan: str = "auto", http: str = "httptools", port: int = 0
) -> AsyncIterator[int]:
    """A real server on a real port of this machine, any or a given one, for as long as the block runs."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(128)
    config = uvicorn.Config(
        app,
        log_level="critical",
        lifespan=lifespan,  # type: ignore[arg-type]  # a literal at each caller
        http=http,
        timeout_graceful_shutdown=1,
        server_header=False,
    )
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    # Started and stopped by hand: the server's own loop looks only every 100 ms whether it should go on.
    await server.startup(sockets=[listener])
    try:
        yield int(listener.getsockname()[1])
    finally:
        await _stopped(server, listener)


async def _stopped(server: uvicorn.Server, listener: socket.socket) -> None:
    """What `shutdown` does to a server that is told to stop twice, without its pause of 100 ms."""
    for each in server.servers:
        each.close()
    listener.close()
    state = server.server_state
    for connection in list(state.connections):
        connection.shutdown()
    for task in list(state.tasks):
        task.cancel()
    await asyncio.gather(*state.tasks, return_exceptions=True)
    await asyncio.sleep(0)  # connections that were told to close are closed in the loop's next turn


@dataclass
class Business:
    """The demo's business server over HTTP, and what its journal says."""

    store: Store
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/mcp"

    @property
    def hits(self) -> list[dict[str, Any]]:
        """Tool calls that were carried out."""
        return [entry for entry in self.store.journal() if entry.get("hit")]


@asynccontextmanager
async def business(
    *, jwks: Callable[[], dict[str, Any]] | None = None, issuer: str = "", audience: str = ""
) -> AsyncIterator[Business]:
    """Start it; with `jwks` it demands capabilities of that issuer."""
    store = Store()
    check = None
    if jwks is not None:
        actions = {entry["tool"]: f"business/{entry['mapping']['action']}" for entry in mappings()}
        check = CapabilityCheck(
            store=store, keys=IssuerKeys(jwks), issuer=issuer, audience=audience, actions=actions
        )
    async with serving(http_app(store, check, show_journal=False)) as port:
        yield Business(store=store, port=port)


def business_argv(*options: str) -> tuple[str, ...]:
    """The same server as a child process."""
    return (sys.executable, "-m", "remit_demo.business", "--stdio", *options)


def tool(name: str = "act", **changes: Any) -> dict[str, Any]:
    """A tool as a server lists it."""
    schema = {"type": "object", "properties": {"item": {"type": "string"}}, "required": ["item"]}
    return {"name": name, "description": f"The tool {name}.", "inputSchema": schema, **changes}


@dataclass
class Scripted:
    """A modern MCP server, by hand: lists `tools`, answers calls with `result`, and remembers everything.

    `on_call` may take over the whole response of a call: it gets the ASGI `send` and the message.
    """

    tools: list[dict[str, Any]] = field(default_factory=lambda: [tool()])
    result: dict[str, Any] = field(default_factory=lambda: {"content": [{"type": "text", "text": "done"}]})
    on_call: Callable[[Any, Any, dict[str, Any]], Awaitable[None]] | None = None
    on_list: Callable[[], list[dict[str, Any]]] | None = None
    seen: list[tuple[dict[str, list[str]], dict[str, Any], bytes]] = field(default_factory=list)
    cancelled: int = 0
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/mcp"

    @property
    def calls(self) -> list[tuple[dict[str, list[str]], dict[str, Any], bytes]]:
        """Headers, message and raw body of each tool call."""
        return [entry for entry in self.seen if entry[1].get("method") == "tools/call"]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = await whole(receive)
        headers: dict[str, list[str]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name.decode(), []).append(value.decode("latin-1"))
        message = json.loads(body)
        self.seen.append((headers, message, body))
        try:
            await self._answer(receive, send, message)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise

    async def _answer(self, receive: Any, send: Any, message: dict[str, Any]) -> None:
        method = message.get("method")
        if method == "server/discover":
            found = {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}}
            cacheable = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"}
            await answer(send, message, {**found, **cacheable})
        elif method == "tools/list":
            tools = self.tools if self.on_list is None else self.on_list()
            await answer(send, message, {"tools": tools, "resultType": "complete"})
        elif method == "tools/call" and self.on_call is not None:
            await self.on_call(receive, send, message)
        else:
            await answer(send, message, {"resultType": "complete", **self.result})


@asynccontextmanager
async def scripted(**how: Any) -> AsyncIterator[Scripted]:
    """Start a scripted server."""
    server = Scripted(**how)
    async with serving(server, lifespan="off") as port:
        server.port = port
        yield server


async def eventually(holds: Callable[[], bool], *, seconds: float = 30) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(seconds):
        while not holds():  # noqa: ASYNC110 — what is waited for happens in code that knows no event of ours
            await asyncio.sleep(0.02)


async def whole(receive: Any) -> bytes:
    body, more = b"", True
    while more:
        part = await receive()
        body += part.get("body", b"")
        more = part.get("more_body", False)
    return body


async def answer(send: Any, message: MutableMapping[str, Any], result: dict[str, Any]) -> None:
    """A JSON answer."""
    await respond(send, 200, {"jsonrpc": "2.0", "id": message["id"], "result": result})


async def respond(send: Any, status: int, value: Any, *headers: tuple[bytes, bytes]) -> None:
    """Any response."""
    body = json.dumps(value).encode()
    lines = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": body})
