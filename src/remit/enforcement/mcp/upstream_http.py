"""A server over Streamable HTTP, in whichever era it speaks; with a legacy one, one session is kept."""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any, Final

from remit.enforcement.mcp import sse
from remit.enforcement.mcp.exit import ExitFailed, ExitReply, ExitRequest, HttpExit
from remit.enforcement.mcp.forward import CLIENT, frame, http_headers
from remit.enforcement.mcp.frames import dump
from remit.enforcement.mcp.upstream import (
    MAX_REPLY,
    Description,
    Notify,
    Reply,
    Timeouts,
    UpstreamFailed,
    UpstreamRequest,
    read_message,
    reply_of,
)
from remit.enforcement.mcp.wire import LATEST_LEGACY, LATEST_MODERN, LEGACY_VERSIONS, SESSION_HEADER, Era
from remit.enforcement.pep.credentials import Shown
from remit.identity.tools import Server

_RELAYED: Final = frozenset({"notifications/progress", "notifications/message"})
_NOT_FOUND: Final = 404
HOLDERS: Final = 512
"""Sessions that are kept for holders of credentials; the one that rested longest goes first."""


class HttpUpstream:
    """One MCP endpoint. Redirects and authentication challenges are failures: nobody here follows them."""

    def __init__(self, server: Server, http: HttpExit, timeouts: Timeouts) -> None:
        self._server = server
        self._http = http
        self._timeouts = timeouts
        self._met: Description | None = None
        self._session = ""
        self._meeting = asyncio.Lock()
        self._ids = 0
        self._held: OrderedDict[str, HttpUpstream] = OrderedDict()

    async def describe(self) -> Description:
        """What the server said at first contact."""
        return await self._describe(None)

    async def _describe(self, credential: Shown | None) -> Description:
        async with self._meeting:
            if self._met is None:
                self._met = await self._meet(credential)
            return self._met

    async def exchange(self, request: UpstreamRequest, *, notify: Notify) -> Reply:
        """Send one request and wait for its answer; one with a credential, in its holder's own session."""
        if request.credential is not None:
            return await self._of(request.credential.holder).exchange_held(request, notify=notify)
        return await self.exchange_held(request, notify=notify)

    async def exchange_held(self, request: UpstreamRequest, *, notify: Notify) -> Reply:
        """Send in this session, whose holder is known."""
        met = self._met or await self._describe(request.credential)
        try:
            async with asyncio.timeout(self._timeouts.total):
                return await self._exchange(request, met, notify)
        except TimeoutError as late:
            raise UpstreamFailed(
                f"no whole answer within {self._timeouts.total:g} s", sent=True, cause="upstream_timeout"
            ) from late

    def _of(self, holder: str) -> "HttpUpstream":
        """SAFETY: a session that was opened with one holder's credential never carries another's call."""
        if holder not in self._held:
            self._held[holder] = HttpUpstream(self._server, self._http, self._timeouts)
        self._held.move_to_end(holder)
        while len(self._held) > HOLDERS:
            self._held.popitem(last=False)
        return self._held[holder]

    async def close(self) -> None:
        """End a legacy session."""
        if self._session and self._met is not None:
            headers = {SESSION_HEADER: self._session, "MCP-Protocol-Version": self._met.version}
            with contextlib.suppress(ExitFailed):  # A server that is gone has no session to end.
                async with self._http.open(self._request(b"", headers, method="DELETE")):
                    self._session = ""

    async def _exchange(self, request: UpstreamRequest, met: Description, notify: Notify) -> Reply:
        ident, session = self._next(), self._session
        body = frame(request, ident=ident, era=met.era, version=met.version, stdio=False)
        headers = http_headers(request, era=met.era, version=met.version, session=session)
        token = request.meta.get("progressToken")
        try:
            async with self._open(body, headers) as reply:
                # MCP 2025-11-25, session management: 404 says that the session is gone and nothing was done.
                if reply.status != _NOT_FOUND or met.era is Era.MODERN or not session:
                    return reply_of(await self._answer(reply, ident, notify, token), met.era)
        except asyncio.CancelledError:
            if met.era is Era.LEGACY:
                await asyncio.shield(self._cancel(ident, met.version, request.credential))
            raise
        await self._forget(session)
        return await self._exchange(request, await self._describe(request.credential), notify)

    async def _forget(self, session: str) -> None:
        async with self._meeting:
            if self._session == session:
                self._met, self._session = None, ""

    async def _answer(self, reply: ExitReply, ident: int, notify: Notify, token: Any) -> dict[str, Any]:
        """The message with our id, whether it comes alone or at the end of a stream."""
        kind = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind == "text/event-stream" and reply.status < 300:  # noqa: PLR2004 — the class of success
            return await _from_stream(reply, ident, notify, token)
        message = read_message(await _whole(reply.chunks()))
        if (
            message is not None
            and message.get("id") in {ident, None}
            and message.keys() & {"result", "error"}
        ):
            return message
        raise _status_failure(reply.status)

    async def _meet(self, credential: Shown | None) -> Description:
        try:
            async with asyncio.timeout(self._timeouts.first_byte):
                return await self._try_modern(credential) or await self._handshake(credential)
        except TimeoutError as late:
            raise UpstreamFailed(
                "server did not answer first contact", sent=False, cause="upstream_timeout"
            ) from late
        except UpstreamFailed as failed:
            # Nothing of the caller's was sent yet.
            raise UpstreamFailed(failed.hint, sent=False, cause=failed.cause) from failed

    async def _try_modern(self, credential: Shown | None) -> Description | None:
        probe = UpstreamRequest(method="server/discover", params={}, credential=credential)
        ident = self._next()
        body = frame(probe, ident=ident, era=Era.MODERN, version=LATEST_MODERN, stdio=False)
        headers = http_headers(probe, era=Era.MODERN, version=LATEST_MODERN, session="")
        try:
            async with self._open(body, headers) as reply:
                message = await self._answer(reply, ident, _nobody, None)
        except UpstreamFailed as failed:
            if failed.cause != "upstream_refused":
                raise
            return None
        result = message.get("result")
        versions = result.get("supportedVersions") if isinstance(result, dict) else None
        if not isinstance(result, dict) or not isinstance(versions, list) or LATEST_MODERN not in versions:
            return None
        return Description(
            era=Era.MODERN, version=LATEST_MODERN, capabilities=_object(result.get("capabilities"))
        )

    async def _handshake(self, credential: Shown | None) -> Description:
        ident = self._next()
        params = {"protocolVersion": LATEST_LEGACY, "capabilities": {}, "clientInfo": CLIENT}
        body = dump({"jsonrpc": "2.0", "id": ident, "method": "initialize", "params": params})
        plain = UpstreamRequest(method="initialize", params={}, credential=credential)
        async with self._open(body, http_headers(plain, era=Era.LEGACY, version="", session="")) as reply:
            message = await self._answer(reply, ident, _nobody, None)
            session = reply.headers.get(SESSION_HEADER, "")
        result = _object(message.get("result"))
        if result.get("protocolVersion") not in LEGACY_VERSIONS:
            raise UpstreamFailed("server speaks no version that the gateway knows", sent=False)
        version = str(result["protocolVersion"])
        await self._tell("notifications/initialized", {}, credential, version=version, session=session)
        self._session = session
        return Description(era=Era.LEGACY, version=version, capabilities=_object(result.get("capabilities")))

    async def _cancel(self, ident: int, version: str, credential: Shown | None) -> None:
        params = {"requestId": ident, "reason": "cancelled by its caller"}
        with contextlib.suppress(UpstreamFailed):  # A server that is gone needs no cancelling.
            await self._tell(
                "notifications/cancelled", params, credential, version=version, session=self._session
            )

    async def _tell(
        self,
        method: str,
        params: dict[str, Any],
        credential: Shown | None,
        *,
        version: str,
        session: str,
    ) -> None:
        plain = UpstreamRequest(method=method, params={}, credential=credential)
        headers = http_headers(plain, era=Era.LEGACY, version=version, session=session)
        async with self._open(dump({"jsonrpc": "2.0", "method": method, "params": params}), headers) as reply:
            await _whole(reply.chunks())

    def _open(self, body: bytes, headers: Mapping[str, str]) -> "_Told":
        return _Told(self._http.open(self._request(body, headers)))

    def _request(self, body: bytes, headers: Mapping[str, str], *, method: str = "POST") -> ExitRequest:
        return ExitRequest(
            method=method,
            url=self._server.url,
            headers=headers,
            body=body,
            connect=self._timeouts.connect,
            first_byte=self._timeouts.first_byte,
        )

    def _next(self) -> int:
        self._ids += 1
        return self._ids


class _Told:
    """An exchange whose failure is told in the gateway's words."""

    def __init__(self, exchange: AbstractAsyncContextManager[ExitReply]) -> None:
        self._exchange = exchange

    async def __aenter__(self) -> ExitReply:
        try:
            return await self._exchange.__aenter__()
        except ExitFailed as failed:
            raise _as_upstream(failed) from failed

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._exchange.__aexit__(kind, error, trace)
        if isinstance(error, ExitFailed):
            raise _as_upstream(error) from error


def _as_upstream(failed: ExitFailed) -> UpstreamFailed:
    cause = "upstream_timeout" if failed.timed_out else "upstream_unavailable"
    return UpstreamFailed(failed.hint, sent=failed.sent, cause=cause, debug=failed.debug)


async def _from_stream(reply: ExitReply, ident: int, notify: Notify, token: Any) -> dict[str, Any]:
    async for data in sse.events(reply.chunks(), limit=MAX_REPLY):
        message = read_message(data)
        if message is None:
            continue
        if "method" not in message and message.get("id") == ident:
            return message
        if "id" not in message and message.get("method") in _RELAYED:
            await _relay(message, ident, notify, token)
    raise UpstreamFailed("server ended its stream without an answer", sent=True, cause="upstream_ended")


async def _relay(message: dict[str, Any], ident: int, notify: Notify, token: Any) -> None:
    """Pass on what belongs to this request, under the caller's own progress token."""
    params = _object(message.get("params"))
    if message["method"] == "notifications/progress":
        if token is None or params.get("progressToken") != ident:
            return
        params = {**params, "progressToken": token}
    await notify(str(message["method"]), params)


async def _whole(chunks: AsyncIterator[bytes]) -> bytes:
    found = bytearray()
    async for chunk in chunks:
        found += chunk
        if len(found) > MAX_REPLY:
            raise UpstreamFailed(
                f"server sent more than {MAX_REPLY} bytes", sent=True, cause="upstream_too_large"
            )
    return bytes(found)


def _status_failure(status: int) -> UpstreamFailed:
    if 300 <= status < 400:  # noqa: PLR2004 — the class of redirections
        return UpstreamFailed(
            "server redirects, which is not followed", sent=True, cause="upstream_redirected"
        )
    if 400 <= status < 500:  # noqa: PLR2004 — the class of refusals
        return UpstreamFailed(f"server refused with status {status}", sent=True, cause="upstream_refused")
    return UpstreamFailed(f"server answered with status {status}", sent=True, cause="upstream_malformed")


async def _nobody(method: str, params: dict[str, Any]) -> None:
    """First contact has no audience."""


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
