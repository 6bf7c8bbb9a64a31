"""The guard before the tools: looks at the raw bytes of each call, over HTTP and pipes, and journals it."""

import hashlib
import json
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any, Final

from remit_demo.business.capability import CapabilityCheck, CapabilityRefused
from remit_demo.business.store import Store

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

_LONGEST: Final = 4 << 20
_META: Final = "dev.remit/capability"
_DECODER: Final = json.JSONDecoder()


class Guard:
    """Decides whether a message may reach the tools; without a check it only journals."""

    def __init__(self, store: Store, check: CapabilityCheck | None) -> None:
        self._store = store
        self._check = check

    def admit(self, body: bytes, *, capability: str, headers: list[str]) -> str:
        """Journal one message and, if it calls a tool, spend its capability; a sentence if it is refused."""
        message = json.loads(body)
        params = message.get("params") or {}
        if message.get("method") != "tools/call":
            self._store.note(method=message.get("method"), headers=headers)
            return ""
        arguments = raw_arguments(body.decode())
        entry: dict[str, Any] = {
            "method": "tools/call",
            "tool": params.get("name"),
            "arguments": params.get("arguments", {}),
            "args_sha256": hashlib.sha256(arguments).hexdigest(),
            "headers": headers,
        }
        try:
            claims = self._spend(capability, str(params.get("name")), arguments)
        except CapabilityRefused as refused:
            self._store.note(**entry, refused=str(refused))
            return str(refused)
        self._store.note(**entry, hit=True, jti=claims.get("jti"), call_subject=claims.get("sub"))
        return ""

    def _spend(self, capability: str, tool: str, arguments: bytes) -> dict[str, Any]:
        if self._check is None:
            return {}
        if not capability:
            raise CapabilityRefused("this tool is reached through the gateway: a capability is required")
        return self._check.spend(capability, tool=tool, arguments=arguments)


class HttpGuard:
    """Stands before the MCP application; `GET /journal` tells what came, if that is switched on."""

    def __init__(self, app: App, guard: Guard, *, store: Store, show_journal: bool) -> None:
        self._app = app
        self._guard = guard
        self._store = store
        self._show_journal = show_journal

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif self._show_journal and (scope["method"], scope["path"]) == ("GET", "/journal"):
            await _answer(send, 200, self._store.journal())
        elif scope["method"] == "POST":
            await self._guarded(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _guarded(self, scope: Message, receive: Receive, send: Send) -> None:
        body = await _body(receive)
        lines = [
            (name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]
        ]
        try:
            refused = self._guard.admit(
                body,
                capability=dict(lines).get("remit-capability", ""),
                headers=sorted(name for name, _ in lines),
            )
        except (ValueError, AttributeError):
            refused = "body is no JSON-RPC message"
        if refused:
            await _answer(send, 403, {"title": "Forbidden", "status": 403, "detail": refused})
            return
        await self._app(scope, _again(body, receive), send)


class GuardedLines:
    """Standard input as the SDK reads it: lines that the guard lets through."""

    def __init__(
        self, lines: AsyncIterable[str], guard: Guard, refuse: Callable[[str], Awaitable[None]]
    ) -> None:
        self._lines = lines
        self._guard = guard
        self._refuse = refuse

    async def __aiter__(self) -> AsyncIterator[str]:
        """Yield what may be served; answer the rest with an error."""
        async for line in self._lines:
            refused, ident = self._judge(line)
            if not refused:
                yield line
            elif ident is not None:
                error = {"code": 4030, "message": refused}
                await self._refuse(json.dumps({"jsonrpc": "2.0", "id": ident, "error": error}) + "\n")

    def _judge(self, line: str) -> tuple[str, Any]:
        try:
            message = json.loads(line)
            meta = (message.get("params") or {}).get("_meta") or {}
            refused = self._guard.admit(line.encode(), capability=str(meta.get(_META, "")), headers=[])
        except (ValueError, AttributeError):
            return "line is no JSON-RPC message", None
        return refused, message.get("id")


def raw_arguments(text: str) -> bytes:
    """The bytes of `params.arguments` as they were sent; nothing if there are none."""
    params = _member(text, 0, "params")
    found = None if params is None else _member(text, params[0], "arguments")
    return b"" if found is None else text[found[0] : found[1]].encode()


def _member(text: str, start: int, wanted: str) -> tuple[int, int] | None:
    """Where the value of one member of the object at `start` stands."""
    at = _skip(text, _skip(text, start) + 1)
    while text[at] != "}":
        name, at = _DECODER.raw_decode(text, at)
        begin = _skip(text, _skip(text, at) + 1)
        _, end = _DECODER.raw_decode(text, begin)
        if name == wanted:
            return begin, end
        at = _skip(text, end)
        at = _skip(text, at + 1) if text[at] == "," else at
    return None


def _skip(text: str, at: int) -> int:
    while text[at] in " \t\r\n":
        at += 1
    return at


async def _body(receive: Receive) -> bytes:
    body = b""
    more = True
    while more and len(body) <= _LONGEST:
        part = await receive()
        body += part.get("body", b"")
        more = part.get("more_body", False)
    return body


def _again(body: bytes, receive: Receive) -> Receive:
    """Give the body once more, then whatever the connection says."""
    parts = iter([{"type": "http.request", "body": body, "more_body": False}])

    async def replay() -> Message:
        part: Message | None = next(parts, None)
        return await receive() if part is None else part

    return replay


async def _answer(send: Send, status: int, value: Any) -> None:
    body = json.dumps(value).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
