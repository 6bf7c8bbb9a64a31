"""What was permitted, carried out: sent once, as the server may see it; answered as the caller may.

INVARIANT: it begins after the permit is on record, and whatever becomes of it is put on record too.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from remit.enforcement.mcp import forward, results
from remit.enforcement.mcp.frames import dump
from remit.enforcement.mcp.questions import Mode, QuestionRefused, offered, questions_of
from remit.enforcement.mcp.request import Request
from remit.enforcement.mcp.results import Answer
from remit.enforcement.mcp.rounds import Rounds
from remit.enforcement.mcp.upstream import Reply, UpstreamFailed, Upstreams
from remit.enforcement.mcp.wire import ASKABLE, Era
from remit.enforcement.pep import obligations
from remit.enforcement.pep.credentials import CredentialMissing, Credentials, Shown
from remit.enforcement.pep.decider import CallState
from remit.enforcement.pep.gate import Gate, Permit
from remit.enforcement.retrieval import lists
from remit.enforcement.retrieval.shelf import Shelf
from remit.kernel.canonical import JsonObject
from remit.kernel.clock import Clock
from remit.kernel.errors import Invalid, RemitError


@dataclass(frozen=True, slots=True, kw_only=True)
class Carrier:
    """Carries out permitted requests of any server."""

    gate: Gate
    upstreams: Upstreams
    rounds: Rounds
    credentials: Credentials
    shelf: Shelf
    clock: Clock

    async def fulfil(
        self, request: Request, permit: Permit, own: Callable[[Request], Awaitable[dict[str, Any]]]
    ) -> Answer:
        """Answer a request that the gateway fulfils by itself."""
        try:
            result = await own(request)
        except UpstreamFailed as failed:
            return await self._unfinished(request, permit, failed)
        except asyncio.CancelledError:
            closed = Reply(result={}, error=None, era=Era.MODERN)
            await asyncio.shield(self._settle(permit, closed))
            raise
        reply = Reply(result=result, error=None, era=Era.MODERN)
        await self._settle(permit, reply)
        return self.tell(request, reply)

    async def send(
        self, request: Request, permit: Permit, mirrored: Mapping[str, str], continued: JsonObject
    ) -> Answer:
        """Send a request to its server, once, and tell what came of it."""
        try:
            credential = await self._open(request, permit)
        except CredentialMissing as missing:
            unsent = UpstreamFailed(missing.hint, sent=False, cause=missing.code)
            await self._unfinished(request, permit, unsent)
            return connect_first(request, missing)
        except UpstreamFailed as failed:
            return await self._unfinished(request, permit, failed)
        outgoing = forward.prepare(
            request.message,
            request.headers if request.era is Era.MODERN else {},
            mirrored=mirrored,
            capability=permit.decision.capability_token,
            credential=credential,
            offers={mode.value: {} for mode in sorted(modes_of(request))},
            continued=continued,
        )
        try:
            reply = await self.upstreams.of(request.server).exchange(outgoing, notify=request.notify)
            reply = _obliged(permit, await self._sifted(request, permit, reply))
            reply = self._asked(request, reply)
        except UpstreamFailed as failed:
            return await self._unfinished(request, permit, failed)
        except asyncio.CancelledError:
            # CRASH: the server may have acted; what it would have said is lost with the connection.
            cancelled = UpstreamFailed("cancelled", sent=True, cause="cancelled")
            await asyncio.shield(self._unfinished(request, permit, cancelled))
            raise
        try:
            await self._settle(permit, reply)
        except RemitError:
            return results.unfinished(
                "call ran, and its outcome could not be recorded", call_key=request.call_key, sent=True
            )
        return self.tell(request, reply)

    def tell(self, request: Request, reply: Reply) -> Answer:
        """A reply as the caller's era has it."""
        if reply.result is None:
            return results.adapt_error(reply.error or {}, era=request.era)
        if _asks(reply):
            return Answer(result=reply.result)  # Written by us; see `_asked`.
        return Answer(result=results.adapt(reply.result, method=request.message.method, era=request.era))

    async def _open(self, request: Request, permit: Permit) -> Shown | None:
        """The credential of this call; nothing was sent if there is none. Raises `UpstreamFailed`."""
        if request.server.credential is None:
            return None
        try:
            return await self.credentials.open(permit.decision)
        except asyncio.CancelledError:
            cancelled = UpstreamFailed("cancelled", sent=False, cause="cancelled")
            await asyncio.shield(self._unfinished(request, permit, cancelled))
            raise
        except CredentialMissing:
            raise
        except RemitError as failed:
            raise UpstreamFailed(failed.hint, sent=False, cause=failed.code) from failed

    async def _sifted(self, request: Request, permit: Permit, reply: Reply) -> Reply:
        """Leave out the documents and resources that the caller may not see. Raises `UpstreamFailed`."""
        result, method = reply.result, request.message.method
        if result is None:
            return reply
        shape = lists.shape_of(permit.decision.verdict.obligations)
        try:
            if shape is not None:
                found = lists.offered(result, shape)
                readable = [each for each in found if each is not None]
                stay = iter(await self.shelf.given(permit.call, readable))
                given = [each is not None and next(stay) for each in found]
                result = lists.kept(result, shape, given)
            if named := lists.addresses(method, result):
                at = self.clock.now()
                seen = await self.shelf.listed(request.subject, request.server, named, at=at)
                result = lists.listed(method, result, seen)
        except RemitError as failed:
            raise UpstreamFailed(failed.hint, sent=True, cause=failed.code) from failed
        return replace(reply, result=result)

    async def _settle(self, permit: Permit, reply: Reply) -> None:
        failed = reply.error is not None or bool((reply.result or {}).get("isError"))
        code = "upstream_error" if reply.error is not None else "tool_error" if failed else _ended(reply)
        await self.gate.settle(
            permit,
            state=CallState.FAILED if failed else CallState.DONE,
            code=code,
            sent=True,
            result=dump({"result": reply.result, "error": reply.error}),
            resources=results.touched(reply.result or {}),
            at=self.clock.now(),
        )

    async def _unfinished(self, request: Request, permit: Permit, failed: UpstreamFailed) -> Answer:
        """INVARIANT: what may have reached the server is `unknown`, and nobody tries it a second time."""
        refused = failed.cause in {"upstream_refused", "upstream_redirected", QuestionRefused.code}
        state = CallState.UNKNOWN if failed.sent and not refused else CallState.FAILED
        await self.gate.settle(
            permit,
            state=state,
            code=failed.cause,
            sent=failed.sent,
            result=b"",
            resources=(),
            at=self.clock.now(),
        )
        sent = state is CallState.UNKNOWN
        return results.unfinished(failed.hint, call_key=request.call_key, sent=sent)

    def _asked(self, request: Request, reply: Reply) -> Reply:
        """Write a server's questions anew for the person who reads them. Raises `UpstreamFailed`.

        INVARIANT: nothing that a server asks goes on but what passed `questions`, and no state but ours.
        """
        if reply.result is None or not _asks(reply):
            return reply
        try:
            asked = questions_of(reply.result, server=request.server, modes=modes_of(request))
            result = self.rounds.close(request, asked, reply.result.get("requestState"))
        except Invalid as refused:
            raise UpstreamFailed(refused.hint, sent=True, cause=QuestionRefused.code) from refused
        return replace(reply, result=result)


def modes_of(request: Request) -> frozenset[Mode]:
    """How the person behind this request can be asked: on the modern wire, for requests that allow it."""
    askable = request.era is Era.MODERN and request.message.method in ASKABLE
    return offered(request.message.meta) if askable else frozenset()


def _asks(reply: Reply) -> bool:
    return reply.result is not None and reply.result.get("resultType", "complete") != "complete"


def _ended(reply: Reply) -> str:
    return "input_required" if _asks(reply) else "ok"


def connect_first(request: Request, missing: CredentialMissing) -> Answer:
    """The person connects, once; the call can then be sent again as it is."""
    action = "connect" if missing.link else "contact_owner"
    remedy: JsonObject = {"action": action, **({"link": missing.link} if missing.link else {})}
    denial: JsonObject = {
        "version": 1,
        "kind": missing.code,
        "code": missing.code,
        "message": missing.hint,
        "remedy": remedy,
    }
    return results.denied(denial, method=request.message.method, era=request.era)


def _obliged(permit: Permit, reply: Reply) -> Reply:
    if reply.result is None:
        return reply
    return replace(reply, result=obligations.fulfil(permit.decision.verdict.obligations, reply.result))
