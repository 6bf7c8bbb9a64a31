"""A server as a child process: one JSON message per line, many callers over one pipe.

Ids and progress tokens on the pipe are ours, so no caller can answer or follow another's request. What the
child asks or says of its own accord reaches nobody: it can't be told whose it would be (MC-27).
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, Final

from remit.enforcement.mcp.exit import Child, ExitFailed, Spawner
from remit.enforcement.mcp.forward import CLIENT, frame
from remit.enforcement.mcp.frames import dump
from remit.enforcement.mcp.upstream import (
    Description,
    Notify,
    Reply,
    Timeouts,
    UpstreamFailed,
    UpstreamRequest,
    read_message,
    reply_of,
)
from remit.enforcement.mcp.wire import (
    LATEST_LEGACY,
    LATEST_MODERN,
    LEGACY_VERSIONS,
    MODERN_VERSIONS,
    Code,
    Era,
)
from remit.identity.tools import Server

_PROBE_SECONDS: Final = 5.0
_BACKOFF_FIRST: Final = 0.2
_BACKOFF_MOST: Final = 30.0


class _Waiting:
    """One request on the pipe."""

    def __init__(self, notify: Notify, token: Any) -> None:
        self.answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self.notify = notify
        self.token = token


class _Pipe:
    """One life of the child: its reader, and the requests that wait for it."""

    def __init__(self, child: Child) -> None:
        self.child = child
        self.waiting: dict[int, _Waiting] = {}
        self.description: Description | None = None
        self.dead = False
        self.reader = asyncio.create_task(self._read(), name="mcp-child-reader")

    async def ask(self, line: bytes, ident: int, notify: Notify, token: Any) -> dict[str, Any]:
        """Send a request line and wait for the message that answers it."""
        waiting = self.waiting[ident] = _Waiting(notify, token)
        try:
            await self.child.write(line)
            return await waiting.answer
        finally:
            del self.waiting[ident]

    async def tell(self, method: str, params: dict[str, Any]) -> None:
        """Send a notification."""
        await self.child.write(dump({"jsonrpc": "2.0", "method": method, "params": params}))

    async def stop(self) -> None:
        """End this life and everybody's wait."""
        self.reader.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.reader
        self._end("server was stopped")
        await self.child.stop()

    async def _read(self) -> None:
        why = "server has ended"
        try:
            while line := await self.child.read():
                await self._take(line)
        except ExitFailed as failed:
            why = failed.hint
        finally:
            self._end(why)

    async def _take(self, line: bytes) -> None:
        message = read_message(line)
        if message is None:
            return  # A child that chats on its output says nothing that anybody waits for.
        if "method" not in message:
            self._answer(message)
        elif "id" in message:
            await self._decline(message)
        elif message["method"] == "notifications/progress":
            await self._progress(message.get("params"))

    def _answer(self, message: dict[str, Any]) -> None:
        ident = message.get("id")
        waiting = self.waiting.get(ident) if isinstance(ident, int) else None
        if waiting is not None and not waiting.answer.done():
            waiting.answer.set_result(message)

    async def _decline(self, message: dict[str, Any]) -> None:
        """The gateway declares no client capability; a request of the server's is no caller's business."""
        error = {"code": int(Code.METHOD_NOT_FOUND), "message": "the gateway serves no client methods"}
        await self.child.write(dump({"jsonrpc": "2.0", "id": message["id"], "error": error}))

    async def _progress(self, params: Any) -> None:
        token = params.get("progressToken") if isinstance(params, dict) else None
        waiting = self.waiting.get(token) if isinstance(token, int) else None
        if waiting is not None and waiting.token is not None:
            await waiting.notify("notifications/progress", {**params, "progressToken": waiting.token})

    def _end(self, why: str) -> None:
        self.dead = True
        for waiting in self.waiting.values():
            if not waiting.answer.done():
                waiting.answer.set_exception(UpstreamFailed(why, sent=True, cause="upstream_ended"))


class StdioUpstream:
    """One managed child per server, started on first use and again, with growing pauses, if it ends."""

    def __init__(self, server: Server, spawner: Spawner, timeouts: Timeouts) -> None:
        self._server = server
        self._spawner = spawner
        self._timeouts = timeouts
        self._pipe: _Pipe | None = None
        self._starting = asyncio.Lock()
        self._ids = 0
        self._deaths = 0
        self._not_before = 0.0

    async def describe(self) -> Description:
        """What the running child said at first contact."""
        _, description = await self._running()
        return description

    async def exchange(self, request: UpstreamRequest, *, notify: Notify) -> Reply:
        """Send one request to the child and wait for its answer."""
        pipe, description = await self._running()
        ident = self._next()
        line = frame(request, ident=ident, era=description.era, version=description.version, stdio=True)
        answering = pipe.ask(line, ident, notify, request.meta.get("progressToken"))
        try:
            async with asyncio.timeout(self._timeouts.first_byte):
                message = await answering
        except TimeoutError as late:
            await self._cancel(pipe, ident, "timeout")
            raise UpstreamFailed(
                f"no answer within {self._timeouts.first_byte:g} s", sent=True, cause="upstream_timeout"
            ) from late
        except asyncio.CancelledError:
            await asyncio.shield(self._cancel(pipe, ident, "cancelled by its caller"))
            raise
        except ExitFailed as failed:
            raise UpstreamFailed(failed.hint, sent=failed.sent) from failed
        self._deaths = 0
        return reply_of(message, description.era)

    async def close(self) -> None:
        """End the child."""
        if self._pipe is not None:
            await self._pipe.stop()
            self._pipe = None

    async def _cancel(self, pipe: _Pipe, ident: int, why: str) -> None:
        with contextlib.suppress(ExitFailed):  # A dead child needs no cancelling.
            await pipe.tell("notifications/cancelled", {"requestId": ident, "reason": why})

    async def _running(self) -> tuple[_Pipe, Description]:
        async with self._starting:
            if self._pipe is None or self._pipe.dead:
                self._pipe = await self._start()
            if self._pipe.description is None:
                raise UpstreamFailed("server never introduced itself", sent=False)
            return self._pipe, self._pipe.description

    async def _start(self) -> _Pipe:
        self._hold_back()
        try:
            pipe = _Pipe(await self._spawner.spawn(self._server.argv, self._server.environment))
        except ExitFailed as failed:
            raise UpstreamFailed(failed.hint, sent=False, debug=failed.debug) from failed
        try:
            pipe.description = await self._introduce(pipe)
        except (ExitFailed, UpstreamFailed, TimeoutError) as failed:
            await pipe.stop()
            raise UpstreamFailed("server did not answer the handshake", sent=False) from failed
        return pipe

    def _hold_back(self) -> None:
        """Wait twice as long after each death without an answer in between; callers fail at once."""
        now = asyncio.get_running_loop().time()
        if now < self._not_before:
            raise UpstreamFailed(
                f"server keeps ending; next start in {self._not_before - now:.1f} s",
                sent=False,
                cause="upstream_restarting",
            )
        pause = min(_BACKOFF_FIRST * 2**self._deaths, _BACKOFF_MOST) if self._deaths else 0.0
        self._deaths += 1
        self._not_before = now + pause

    async def _introduce(self, pipe: _Pipe) -> Description:
        """Ask for the modern era first; whatever is no modern answer leads to the handshake."""
        found = await self._try_modern(pipe)
        return found or await self._handshake(pipe)

    async def _try_modern(self, pipe: _Pipe) -> Description | None:
        probe = UpstreamRequest(method="server/discover", params={})
        try:
            async with asyncio.timeout(_PROBE_SECONDS):
                message = await self._ask(
                    pipe,
                    lambda ident: frame(
                        probe, ident=ident, era=Era.MODERN, version=LATEST_MODERN, stdio=True
                    ),
                )
        except TimeoutError:
            return None
        result = message.get("result")
        if not isinstance(result, dict) or LATEST_MODERN not in _list(result.get("supportedVersions")):
            return None
        return Description(
            era=Era.MODERN, version=MODERN_VERSIONS[-1], capabilities=_object(result.get("capabilities"))
        )

    async def _handshake(self, pipe: _Pipe) -> Description:
        params = {"protocolVersion": LATEST_LEGACY, "capabilities": {}, "clientInfo": CLIENT}
        async with asyncio.timeout(self._timeouts.first_byte):
            message = await self._ask(
                pipe,
                lambda ident: dump({"jsonrpc": "2.0", "id": ident, "method": "initialize", "params": params}),
            )
        result = message.get("result")
        if not isinstance(result, dict) or result.get("protocolVersion") not in LEGACY_VERSIONS:
            raise UpstreamFailed("server speaks no version that the gateway knows", sent=False)
        await pipe.tell("notifications/initialized", {})
        return Description(
            era=Era.LEGACY,
            version=str(result["protocolVersion"]),
            capabilities=_object(result.get("capabilities")),
        )

    async def _ask(self, pipe: _Pipe, line: Callable[[int], bytes]) -> dict[str, Any]:
        ident = self._next()
        return await pipe.ask(line(ident), ident, _nobody, None)

    def _next(self) -> int:
        self._ids += 1
        return self._ids


async def _nobody(method: str, params: dict[str, Any]) -> None:
    """A handshake has no audience."""


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
