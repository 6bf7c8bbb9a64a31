"""Writing the HTTP response: JSON at once, or an event stream as soon as there is something to say before."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from remit.enforcement.mcp import sse
from remit.enforcement.mcp.frames import dump, object_of
from remit.enforcement.mcp.results import Answer, failure, status_of
from remit.enforcement.mcp.wire import Code, Era
from remit.enforcement.pep.decider import ScopeMissing, StepUpNeeded, Unauthenticated
from remit.kernel.canonical import JsonObject
from remit.kernel.pace import retry_after

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Header = tuple[str, str]
KEEP_ALIVE_SECONDS: Final = 15.0
_VERSION: Final = b'"2.0"'


class Responder:
    """One HTTP response. Whatever is sent goes through one lock, so frames never interleave."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._lock = asyncio.Lock()
        self._streaming = False
        self._over = False
        self.raw_id = b"null"
        self.era = Era.MODERN
        self.may_stream = False

    async def send(self, status: int, headers: Sequence[Header], body: bytes) -> None:
        """Send a whole response."""
        async with self._lock:
            self._over = True
            lines = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
            lines.append((b"content-length", str(len(body)).encode()))
            await self._send({"type": "http.response.start", "status": int(status), "headers": lines})
            await self._send({"type": "http.response.body", "body": body})

    async def notify(self, method: str, params: dict[str, Any]) -> None:
        """Pass a notification on as an event; a client that takes no stream gets none."""
        message = {"jsonrpc": "2.0", "method": method, "params": params}
        async with self._lock:
            if self.may_stream and not self._over:
                await self._stream(sse.event(dump(message)))

    async def keep_alive(self) -> None:
        """Begin a stream now, as the answer takes long, so that no proxy takes silence for death."""
        while self.may_stream:
            async with self._lock:
                if not self._over:
                    await self._stream(sse.KEEP_ALIVE)
            await asyncio.sleep(KEEP_ALIVE_SECONDS)

    async def finish(self, answer: Answer, *headers: Header) -> None:
        """Send the answer: alone, or as the last event."""
        await self._finish(answer, status_of(answer, self.era), headers)

    async def finish_error(self, code: Code, hint: str, data: JsonObject | None, *, status: int) -> None:
        """Send a JSON-RPC error with its status."""
        await self._finish(failure(code, hint, data), status, ())

    async def refuse(self, status: int, hint: str, *, close: bool) -> None:
        """Turn a request away with a sentence."""
        ending: tuple[Header, ...] = (("Connection", "close"),) if close else ()
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            ending = (*ending, ("Retry-After", retry_after()))
        await self.send(*plain(status, hint, *ending))

    async def challenge(self, told: tuple[int, Sequence[Header], bytes]) -> None:
        """Ask for a better token; in the middle of a stream there is only its end."""
        if self._streaming:
            await self._finish(failure(Code.DENIED, "this subject may no longer act"), HTTPStatus.OK, ())
        else:
            await self.send(*told)

    async def _finish(self, answer: Answer, status: int, headers: Sequence[Header]) -> None:
        body = self._frame(answer)
        if not self._streaming:
            await self.send(
                status, (("Content-Type", "application/json"), ("Cache-Control", "no-store"), *headers), body
            )
            return
        async with self._lock:
            self._over = True
            await self._send({"type": "http.response.body", "body": sse.event(body), "more_body": False})

    async def _stream(self, data: bytes) -> None:
        if not self._streaming:
            self._streaming = True
            await self._send({"type": "http.response.start", "status": 200, "headers": list(sse.HEADERS)})
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    def _frame(self, answer: Answer) -> bytes:
        """The answer under the caller's own id, byte for byte."""
        told = {"result": answer.result} if answer.error is None else {"error": answer.error}
        members = {name: dump(value) for name, value in told.items()}
        return object_of({"jsonrpc": _VERSION, "id": self.raw_id, **members})


def plain(
    status: int, hint: str, *headers: Header, code: str = "request_refused"
) -> tuple[int, Sequence[Header], bytes]:
    """A response for people and scripts, before any JSON-RPC is spoken; the code is what programs go by."""
    body = dump({"title": HTTPStatus(status).phrase, "status": status, "code": code, "detail": hint})
    return status, (("Content-Type", "application/problem+json"), *headers), body


def challenge(
    metadata: str, scopes: Sequence[str], error: Unauthenticated | ScopeMissing
) -> tuple[int, Sequence[Header], bytes]:
    """401 or 403 with one challenge per scheme (RFC 6750 §3, RFC 9449 §7.1, RFC 9728 §5.1)."""
    name = error.error if isinstance(error, Unauthenticated) else "insufficient_scope"
    parts = [f'resource_metadata="{metadata}"']
    parts += [f'scope="{" ".join(scopes)}"'] if scopes else []
    parts += [f'error="{name}"'] if name else []
    if isinstance(error, StepUpNeeded):
        parts.append(f'acr_values="{error.acr}"')
        parts += [f'max_age="{error.max_age}"'] if error.max_age else []
    told = ", ".join(parts)
    headers = [
        ("WWW-Authenticate", f'DPoP {told}, algs="Ed25519 ES256"'),
        ("WWW-Authenticate", f"Bearer {told}"),
    ]
    if isinstance(error, Unauthenticated) and error.nonce:
        headers.append(("DPoP-Nonce", error.nonce))
    status = 401 if isinstance(error, Unauthenticated) else 403
    return plain(status, error.hint, *headers, code=error.code)
