"""Gateways that lack one defence each; a test passes them to `house` to see its attack get through."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec import structs

from remit.authority.tokens import VerifiedSubject
from remit.decision.answer.response import Decision
from remit.enforcement.mcp import sse
from remit.enforcement.mcp.app import McpApp
from remit.enforcement.mcp.carrier import Carrier
from remit.enforcement.mcp.catalogue import Catalogue
from remit.enforcement.mcp.exit import ExitReply
from remit.enforcement.mcp.gateway import Gateway
from remit.enforcement.mcp.inbound import Edge
from remit.enforcement.mcp.results import Answer
from remit.enforcement.mcp.sessions import Session, Sessions, SessionUnknown
from remit.enforcement.mcp.streams import Hangup
from remit.enforcement.mcp.upstream import Notify, Timeouts, Upstream, UpstreamRequest
from remit.enforcement.mcp.upstream_http import HttpUpstream
from remit.enforcement.mcp.wire import served
from remit.enforcement.pep.gate import Denied, Gate, GateOptions, Permit
from remit.identity.tools import Pin, Server, Tool
from remit.kernel.ids import ServerId, ToolId
from remit.kernel.outbound import Address, Destination
from remit.platform.connections import Connection
from remit.platform.outbound import GuardedHttp, Target
from remit.platform.stdio import ChildProcesses, _Child
from support.gateway import TENANT, subject

FRAMING = {"host", "content-length", "content-type", "accept", "accept-encoding", "connection"}


class Everything:
    """A set in which everything is."""

    def __contains__(self, item: object) -> bool:
        return True


EVERYTHING: Any = Everything()


def with_edge(edge: Edge) -> Any:
    """Applications with another edge than the configured one."""

    def make(**parts: Any) -> McpApp:
        return McpApp(**{**parts, "options": replace(parts["options"], edge=edge)})

    return make


ANY_HOST = with_edge(Edge(hosts=EVERYTHING, origins=EVERYTHING))


class PassesHeaders(Gateway):
    """MC-01, MC-25: whatever headers the caller sent go along."""

    async def _forward(
        self, request: Any, permit: Permit, mirrored: Mapping[str, str], continued: Any
    ) -> Answer:
        theirs = {name: values[0] for name, values in request.headers.items() if name not in FRAMING}
        return await super()._forward(request, permit, {**theirs, **mirrored}, continued)


class TrustsHeaders(McpApp):
    """MC-25: a header of a trusted proxy says who calls; nobody looks whether a proxy wrote it."""

    async def _verify(self, exchange: Any, message: Any) -> VerifiedSubject:
        named = exchange.headers.get("x-remit-user")
        return subject(named[0]) if named else await super()._verify(exchange, message)


class BelievesTheServer(Catalogue):
    """MC-04, MC-06, MC-18..20: the server's list of this moment is what tools are."""

    async def usable(self, server: Server) -> dict[str, Tool]:
        listed = [entry for entry in await self._pages(server) if isinstance(entry, dict)]
        return {str(entry["name"]): _taken(server, entry) for entry in listed}


def _taken(server: Server, entry: Mapping[str, Any]) -> Tool:
    return Tool(
        id=ToolId(f"tol_{entry['name']}"),
        tenant=TENANT,
        server=server.id,
        name=str(entry["name"]),
        definition=json.dumps(entry),
        digest="0" * 64,
        pin=Pin.APPROVED,
        pinned_at=datetime.now(UTC),
        consequential=False,
    )


class RoutesByHeader(McpApp):
    """MC-07: nobody compares; what the headers said is replaced by what the body says."""

    async def _body(self, exchange: Any) -> bytes:
        body = await super()._body(exchange)
        message = json.loads(body)
        name = message["params"].get("name")
        exchange.headers |= {"mcp-method": [message["method"]]} | ({"mcp-name": [name]} if name else {})
        exchange.headers |= {"mcp-protocol-version": ["2026-07-28"]}
        return body


class ComparesNoArgument(Gateway):
    """MC-07: a mirrored argument may say something else than the body."""

    async def _check_mirrored(self, request: Any, declared: Any, arguments: Any) -> None:
        return


class TakesAnyFraming(McpApp):
    """MC-09: the body is whatever the transport made of it, however many lengths it had."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        plain = [(name, value) for name, value in scope["headers"] if name != b"transfer-encoding"]
        if b"content-length" not in dict(plain):
            plain.append((b"content-length", b"0"))
        await super().__call__({**scope, "headers": plain}, receive, send)

    async def _body(self, exchange: Any) -> bytes:
        body, more = b"", True
        while more:
            part = await exchange.receive()
            body += part.get("body", b"")
            more = part.get("more_body", False)
        return body


class Unbound(Sessions):
    """MC-11: a session belongs to whoever knows its id, and the id may be chosen by its user."""

    def use(self, ident: str, subject: VerifiedSubject, server: ServerId, *, at: datetime) -> Session:
        session = self._open.get(ident)
        if session is None:
            raise SessionUnknown("session is unknown")
        return session


def unbound(**parts: Any) -> McpApp:
    """The application over `Unbound`."""
    known = parts["sessions"]
    return McpApp(**{**parts, "sessions": Unbound(options=known._options, entropy=known._entropy)})


class BelievesRequestState(Gateway):
    """MC-12: whatever comes back as request state says that a person has agreed."""

    def __init__(self, **parts: Any) -> None:
        super().__init__(**parts)
        self.believed: set[str] = set()

    async def answer(self, request: Any) -> Answer:
        params = dict(request.message.params)
        if params.pop("requestState", None) is not None:
            self.believed.add(request.call)
        return await super().answer(replace(request, message=replace(request.message, params=params)))

    async def _admit(self, call: Any) -> Permit | Denied:
        if call.call not in self.believed:
            return await super()._admit(call)
        return Permit(call=call, decision=await self._decider.decide(call))


class DropsDuties(Gate):
    """MC-17, PD-18: a permit is a permit, whatever it obliges to."""

    async def _within_obligations(self, call: Any, decision: Decision) -> Permit | Denied:
        return Permit(
            call=call,
            decision=structs.replace(decision, verdict=structs.replace(decision.verdict, obligations=())),
        )


def gated_by(kind: type[Gate]) -> Any:
    """Gateways behind another gate."""

    def make(**parts: Any) -> Gateway:
        gate = kind(
            decider=parts["decider"],
            desk=parts["gate"]._desk,
            calls=parts["calls"],
            options=GateOptions(hold_seconds=0.1),
        )
        return Gateway(**{**parts, "gate": gate})

    return make


class CallsTheHidden(Gateway):
    """MC-22: a list is a list, and a name is a name."""

    async def _visible_tool(self, request: Any, name: str) -> Tool | None:
        return (await self._catalogue.usable(request.server)).get(name)


class RunsAgain(Gateway):
    """CA-14: a call that comes twice is two calls."""

    async def _recorded(self, request: Any, call: Any) -> Answer | None:
        return None


class HangsOn(McpApp):
    """MC-26: nobody notices that the caller has gone."""

    async def _hangup(self, exchange: Any, era: Any, gone: Hangup) -> None:
        await asyncio.Event().wait()


class ForwardsAnything(Gateway):
    """MC-28: what is not known here is the server's to answer."""

    async def answer(self, request: Any) -> Answer:
        message = request.message
        if served(message.method, request.era):
            return await super().answer(request)
        outgoing = UpstreamRequest(method=message.method, params={})
        reply = await self._carrier.upstreams.of(request.server).exchange(outgoing, notify=request.notify)
        return Answer(result=reply.result or {})


class Gossiping(HttpUpstream):
    """MC-27: whatever a server says on a stream is for whoever happens to listen."""

    async def _answer(self, reply: ExitReply, ident: int, notify: Notify, token: Any) -> dict[str, Any]:
        if "event-stream" not in reply.headers.get("content-type", ""):
            return await super()._answer(reply, ident, notify, token)
        found: dict[str, Any] = {}
        async for data in sse.events(reply.chunks(), limit=1 << 20):
            message = json.loads(data)
            if "method" in message:
                await notify(message["method"], message.get("params", {}))
            else:
                found = message
        return found


class GossipingPool:
    """Such upstreams, over the guarded exit."""

    def __init__(self, http: GuardedHttp) -> None:
        self._http = http

    def of(self, server: Server) -> Upstream:
        return Gossiping(server, self._http, Timeouts())

    async def close(self) -> None:
        """Nothing is kept."""


def gossiping(**parts: Any) -> Gateway:
    """The gateway over such a pool."""
    return Gateway(**{**parts, "upstreams": GossipingPool(parts["upstreams"]._http)})


class AnywhereRule:
    """MC-15: every address may be connected to."""

    registered: Any = EVERYTHING

    def check(self, destination: Destination, address: Address) -> None:
        """Checks nothing."""


class ResolvesAgain(GuardedHttp):
    """MC-15: what was judged is forgotten, and the name is looked up once more."""

    async def _first(self, target: Target, addresses: Sequence[Address], seconds: float) -> Connection:
        again = await self._resolver.resolve(target.destination.host, target.destination.port)
        return await super()._first(target, again, seconds)


class Shell(ChildProcesses):
    """MC-23: the words of a command are a line for the shell, which inherits everything."""

    async def spawn(self, argv: tuple[str, ...], environment: tuple[tuple[str, str], ...]) -> Any:
        process = await asyncio.create_subprocess_shell(
            " ".join(argv),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            cwd=self._directory,
        )
        return _Child(process)


async def spoken(spawner: ChildProcesses, *argv: str) -> list[bytes]:
    """Every line that a command says until its end."""
    child = await spawner.spawn(argv, ())
    found = [line async for line in _lines(child)]
    await child.stop()
    return found


async def _lines(child: Any) -> AsyncIterator[bytes]:
    while line := await child.read():
        yield line


def files_in(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


class AsItWasWritten(Carrier):
    """Carries what a server asks to the person as it came."""

    def _asked(self, request: Any, reply: Any) -> Any:
        return reply


class PassesQuestions(Gateway):
    """CB-18: what a server asks goes to the person as the server wrote it."""

    def __init__(self, **parts: Any) -> None:
        super().__init__(**parts)
        known = self._carrier
        self._carrier = AsItWasWritten(
            gate=known.gate,
            upstreams=known.upstreams,
            rounds=known.rounds,
            credentials=known.credentials,
            shelf=known.shelf,
            clock=known.clock,
        )


class ContinuesAnyRound(Gateway):
    """MC-12: a state is believed whatever it was issued for."""

    def _continued(self, request: Any) -> Any:
        params = request.message.params
        return {name: params[name] for name in ("requestState", "inputResponses") if name in params}
