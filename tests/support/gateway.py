"""A gateway on a real port, with deciders, desks and directories that tests script."""

import asyncio
import json
import secrets
import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx2
import msgspec
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from remit.authority.tokens import VerifiedSubject
from remit.decision.answer.response import (
    Decision,
    Effect,
    Obligation,
    Reason,
    Remedy,
    RemedyAction,
    Stage,
    Verdict,
)
from remit.decision.call.request import ProposedCall
from remit.enforcement.mcp.app import AppOptions, McpApp
from remit.enforcement.mcp.catalogue import Catalogue, CatalogueOptions
from remit.enforcement.mcp.gateway import Gateway
from remit.enforcement.mcp.inbound import Edge
from remit.enforcement.mcp.pins import Sighting
from remit.enforcement.mcp.pool import UpstreamPool
from remit.enforcement.mcp.rounds import Rounds
from remit.enforcement.mcp.schema import check_definition
from remit.enforcement.mcp.sessions import SessionOptions, Sessions
from remit.enforcement.mcp.upstream import Timeouts, UpstreamRequest
from remit.enforcement.pep.decider import (
    Ask,
    AskState,
    CallOutcome,
    CallState,
    Presented,
    RecordedCall,
    Refusal,
    Unauthenticated,
)
from remit.enforcement.pep.gate import Gate, GateOptions
from remit.identity.tools import Pin, Server, Tool, ToolMapping, Transport
from remit.kernel.canonical import JsonObject, sha256
from remit.kernel.clock import Clock, SystemClock
from remit.kernel.ids import (
    AgentId,
    ApprovalId,
    CallId,
    DecisionId,
    InstanceId,
    ServerId,
    TaskId,
    TenantId,
    TokenId,
    ToolId,
    UserId,
)
from remit.kernel.outbound import AddressRule, Destination
from remit.kernel.sealed import SealedBox
from remit.kernel.secret import Secret
from remit.platform.outbound import GuardedHttp
from remit.platform.stdio import ChildProcesses
from remit_demo.business.server import mappings
from support.upstreams import serving

TENANT = TenantId("default")
ISSUER = "http://remit.test"
MODERN = "2026-07-28"
LEGACY = "2025-11-25"
TLS = ssl.create_default_context()
"""Reading the machine's authorities takes a tenth of a second; the tests share one."""


def subject(name: str = "a", *, server: str = "business", **changes: Any) -> VerifiedSubject:
    """A verified subject: instance `ins_<name>` for the user `usr_1`."""
    now = datetime.now(UTC)
    plain = VerifiedSubject(
        tenant=TENANT,
        token=TokenId(f"tok_{name}"),
        instance=InstanceId(f"ins_{name}"),
        agent=AgentId(f"agt_{name}"),
        user=UserId("usr_1"),
        task=TaskId("tsk_1"),
        chain=(InstanceId(f"ins_{name}"),),
        envelope=None,
        ceiling=None,
        audience=f"{ISSUER}/mcp/{server}",
        scopes=frozenset(),
        key=f"key-{name}",
        proof=None,
        issued_at=now,
        expires_at=now + timedelta(minutes=5),
    )
    return replace(plain, **changes)


def verdict(effect: Effect, *, code: str = "scripted", obligations: tuple[Obligation, ...] = ()) -> Verdict:
    reason = Reason(stage=Stage.POLICY, effect=effect, kind=None, code=code, sentence=f"scripted: {effect}")
    return Verdict(
        effect=effect,
        reasons=(reason,),
        nearest_miss=(),
        remedy=Remedy(action=RemedyAction.REQUEST_APPROVAL) if effect is Effect.ASK else None,
        obligations=obligations,
        policy_version="test",
        revision=1,
        epoch=1,
    )


@dataclass
class ScriptedDecider:
    """Answers by `rule`; remembers every question. Nothing is visible that `hidden` names."""

    rule: Callable[[ProposedCall], Verdict] = lambda call: verdict(Effect.PERMIT)
    hidden: Mapping[str, frozenset[str]] = field(default_factory=dict)
    token: Callable[[ProposedCall], str | None] = lambda call: "capability-of-" + call.call
    asked: list[ProposedCall] = field(default_factory=list)

    async def decide(self, call: ProposedCall) -> Decision:
        self.asked.append(call)
        found = self.rule(call)
        permitted = found.effect is Effect.PERMIT
        return Decision(
            id=DecisionId("dec_" + secrets.token_hex(8)),
            at=call.at,
            verdict=found,
            capability_token=self.token(call) if permitted else None,
        )

    async def visible(
        self, subject: VerifiedSubject, server: Server, tools: Sequence[Tool], *, at: datetime
    ) -> frozenset[ToolId]:
        hidden = self.hidden.get(subject.instance, frozenset())
        return frozenset(tool.id for tool in tools if tool.name not in hidden)


@dataclass
class MemoryCalls:
    """Outcomes and refusals, in order."""

    outcomes: list[CallOutcome] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)

    async def finish(self, outcome: CallOutcome) -> None:
        self.outcomes.append(outcome)

    async def refuse(self, refusal: Refusal) -> None:
        self.refusals.append(refusal)

    async def recall(self, tenant: TenantId, instance: InstanceId, call: CallId) -> RecordedCall | None:
        for outcome in reversed(self.outcomes):
            if outcome.call.call == call and outcome.call.subject.instance == instance:
                return RecordedCall(
                    call=call,
                    arguments_digest=outcome.call.arguments_digest,
                    action=outcome.call.action,
                    state=outcome.state,
                    result=outcome.result or None,
                )
        return None

    def of_tools(self) -> list[CallOutcome]:
        return [outcome for outcome in self.outcomes if outcome.call.tool is not None]

    def states(self) -> list[tuple[CallState, str]]:
        return [(outcome.state, outcome.code) for outcome in self.of_tools()]


@dataclass
class ScriptedDesk:
    """A person who has answered `answers[digest]`, or answers while somebody waits."""

    asks: dict[str, Ask] = field(default_factory=dict)
    answered: asyncio.Event = field(default_factory=asyncio.Event)

    async def ask(self, call: ProposedCall, decision: Decision) -> Ask:
        return self.asks.setdefault(
            call.arguments_digest,
            Ask(
                id=ApprovalId("apr_1"),
                state=AskState.PENDING,
                page=f"{ISSUER}/approve",
                sentence="somebody must approve this",
                give_up_at=call.at + timedelta(minutes=5),
            ),
        )

    async def wait(self, ask: Ask, seconds: float) -> Ask:
        try:
            await asyncio.wait_for(self.answered.wait(), seconds)
        except TimeoutError:
            return ask
        return next(known for known in self.asks.values() if known.id == ask.id)

    def answer(self, state: AskState) -> None:
        self.asks = {digest: replace(ask, state=state) for digest, ask in self.asks.items()}
        self.answered.set()


@dataclass
class ScriptedLiveness:
    """An epoch, and who is dead."""

    number: int = 1
    dead: set[str] = field(default_factory=set)

    def epoch(self, tenant: TenantId) -> int:
        return self.number

    async def alive(self, subject: VerifiedSubject) -> bool:
        return subject.instance not in self.dead

    def kill(self, instance: str) -> None:
        self.dead.add(instance)
        self.number += 1


@dataclass
class ScriptedVerifier:
    """Knows tokens by their text."""

    tokens: dict[str, VerifiedSubject] = field(default_factory=dict)
    liveness: ScriptedLiveness | None = None

    async def verify(self, presented: Presented) -> VerifiedSubject:
        found = self.tokens.get(presented.token)
        if found is None or (self.liveness is not None and found.instance in self.liveness.dead):
            raise Unauthenticated("token is not valid")
        return found


@dataclass
class MemoryRegistry:
    """Servers and tools; a quarantine is final until a test approves."""

    servers: dict[str, Server] = field(default_factory=dict)
    pinned: dict[str, dict[str, Tool]] = field(default_factory=dict)
    sightings: list[Sighting] = field(default_factory=list)

    def server(self, name: str) -> Server | None:
        return self.servers.get(name)

    def tools(self, server: Server) -> Mapping[str, Tool]:
        return self.pinned.get(server.name, {})

    async def quarantine(self, sightings: Sequence[Sighting]) -> None:
        for seen in sightings:
            self.sightings.append(seen)
            tools = self.pinned.get(seen.server.name, {})
            if (known := tools.get(seen.name)) is not None:
                doubted = replace(known, pin=Pin.QUARANTINED, seen_definition=seen.definition)
                self.pinned[seen.server.name] = {**tools, seen.name: doubted}

    def approve(self, server: str, definition: Mapping[str, Any], **changes: Any) -> Tool:
        text = check_definition(dict(definition)).decode()
        name = str(definition["name"])
        found = Tool(
            id=ToolId(f"tol_{server}_{name}"),
            tenant=TENANT,
            server=self.servers[server].id,
            name=name,
            definition=text,
            digest=sha256(text.encode()),
            pin=Pin.APPROVED,
            pinned_at=datetime.now(UTC),
            **{"consequential": False, **changes},
        )
        self.pinned[server] = {**self.pinned.get(server, {}), name: found}
        return found


class PlainExplainer:
    """A denial with what every denial has."""

    def denial(self, decision: Decision, *, call_key: str) -> JsonObject:
        reason = decision.verdict.reasons[-1]
        action = decision.verdict.remedy.action if decision.verdict.remedy else RemedyAction.NONE
        remedy: JsonObject = {"action": action, "call_key": call_key}
        return {"version": 1, "code": reason.code, "message": reason.sentence, "remedy": remedy}


@dataclass
class House:
    """A running gateway with every part within a test's reach."""

    decider: ScriptedDecider
    calls: MemoryCalls
    desk: ScriptedDesk
    liveness: ScriptedLiveness
    verifier: ScriptedVerifier
    registry: MemoryRegistry
    pool: UpstreamPool
    app: McpApp
    rule: "RegisteredByTest"
    port: int = 0

    def url(self, server: str = "business") -> str:
        return f"http://127.0.0.1:{self.port}/mcp/{server}"

    def token(self, name: str = "a", *, server: str = "business", **changes: Any) -> str:
        """A token that this gateway will know."""
        text = f"token-{name}-{server}"
        self.verifier.tokens[text] = subject(name, server=server, **changes)
        return text

    def add(
        self, name: str, *, url: str = "", argv: tuple[str, ...] = (), legacy: bool = True, **changes: Any
    ) -> Server:
        """Register a server, without tools."""
        transport = Transport.HTTP if url else Transport.STDIO
        if url:
            self.rule.allow(int(url.split(":")[2].split("/", maxsplit=1)[0]))
        server = Server(
            id=ServerId(f"srv_{name}"),
            tenant=TENANT,
            name=name,
            transport=transport,
            url=url,
            argv=argv,
            allow_legacy=legacy,
            **changes,
        )
        self.registry.servers[name] = server
        return server

    async def approve_all(self, server: str, **changes: Any) -> None:
        """Approve whatever the server lists now."""

        async def nobody(method: str, params: dict[str, Any]) -> None:
            return None

        upstream = self.pool.of(self.registry.servers[server])
        reply = await upstream.exchange(UpstreamRequest(method="tools/list", params={}), notify=nobody)
        for entry in (reply.result or {})["tools"]:
            self.registry.approve(server, entry, **changes)

    async def hurry(self, timeouts: Timeouts) -> None:
        """From now on wait for servers only so long; what went before had its time."""
        await self.pool.close()
        self.pool._timeouts = timeouts

    async def add_business(self, url: str) -> None:
        """Register the demo's business server with the mappings that it ships."""
        self.add("business", url=url)
        await self.approve_all("business")
        tools = dict(self.registry.pinned["business"])
        for entry in mappings():
            mapping = msgspec.convert(entry["mapping"], ToolMapping)
            tools[entry["tool"]] = replace(
                tools[entry["tool"]], mapping=mapping, consequential=entry["consequential"]
            )
        self.registry.pinned["business"] = tools

    async def post(
        self,
        message: Any,
        *,
        server: str = "business",
        token: str | None = None,
        headers: Mapping[str, str] | Sequence[tuple[str, str]] | None = None,
    ) -> httpx2.Response:
        """Send one body as it is: bytes, or a value that becomes JSON."""
        body = message if isinstance(message, bytes) else json.dumps(message).encode()
        lines = [
            ("Content-Type", "application/json"),
            ("Accept", "application/json, text/event-stream"),
            ("Authorization", f"DPoP {token or self.token(server=server)}"),
            *(headers.items() if isinstance(headers, Mapping) else headers or ()),
        ]
        async with httpx2.AsyncClient(trust_env=False, timeout=60, verify=TLS) as client:
            return await client.post(self.url(server), content=body, headers=lines)

    async def call(
        self,
        name: str = "act",
        arguments: Any = None,
        *,
        raw: bytes | None = None,
        meta: Any = None,
        **how: Any,
    ) -> httpx2.Response:
        """Call a tool on the modern wire; `raw` are the bytes of the arguments."""
        given = json.dumps(arguments or {}).encode() if raw is None else raw
        body = modern("tools/call", {"name": name}, meta=meta)
        whole = json.dumps(body).encode().replace(b'"name":', b'"arguments": ' + given + b', "name":', 1)
        headers = {**modern_headers("tools/call", name), **how.pop("headers", {})}
        return await self.post(whole, headers=headers, **how)

    @asynccontextmanager
    async def client(
        self, server: str = "business", *, mode: str = "auto", token: str | None = None, **how: Any
    ) -> AsyncIterator[Client]:
        """The SDK's client, through the gateway."""
        headers = {"Authorization": f"DPoP {token or self.token(server=server)}"}
        async with (
            httpx2.AsyncClient(trust_env=False, headers=headers, timeout=30, verify=TLS) as http,
            Client(streamable_http_client(self.url(server), http_client=http), mode=mode, **how) as client,
        ):
            yield client


class RegisteredByTest:
    """An address rule that learns ports as tests open them."""

    def __init__(self) -> None:
        self.registered: frozenset[Destination] = frozenset()

    def allow(self, port: int) -> None:
        self.registered |= {Destination(host="127.0.0.1", port=port)}

    def check(self, destination: Destination, address: Any) -> None:
        AddressRule(registered=self.registered).check(destination, address)


@asynccontextmanager
async def house(
    *,
    hold: float = 0.2,
    freshness: float = 0.0,
    timeouts: Timeouts | None = None,
    sessions: SessionOptions | None = None,
    http: str = "httptools",
    make_app: Callable[..., McpApp] = McpApp,
    make_gateway: Callable[..., Gateway] = Gateway,
    make_catalogue: Callable[..., Catalogue] = Catalogue,
    clock: Clock | None = None,
) -> AsyncIterator[House]:
    """Build and serve a gateway; the `make_…` arguments let a twin leave a defence out."""
    async with AsyncExitStack() as stack:
        rule = RegisteredByTest()
        exit_ = GuardedHttp(rule=rule, tls=TLS)
        stack.push_async_callback(exit_.close)
        directory = Path(stack.enter_context(TemporaryDirectory()))
        spawner = ChildProcesses(directory=directory)
        pool = UpstreamPool(http=exit_, spawner=spawner, timeouts=timeouts)
        stack.push_async_callback(pool.close)
        clock, registry = clock or SystemClock(), MemoryRegistry()
        decider, calls, desk, liveness = ScriptedDecider(), MemoryCalls(), ScriptedDesk(), ScriptedLiveness()
        verifier = ScriptedVerifier(liveness=liveness)
        gateway = make_gateway(
            gate=Gate(decider=decider, desk=desk, calls=calls, options=GateOptions(hold_seconds=hold)),
            decider=decider,
            calls=calls,
            explainer=PlainExplainer(),
            catalogue=make_catalogue(
                registry=registry,
                upstreams=pool,
                clock=clock,
                options=CatalogueOptions(freshness=freshness),
            ),
            upstreams=pool,
            rounds=Rounds(
                box=SealedBox(key=Secret(secrets.token_bytes(32)), entropy=secrets.token_bytes), clock=clock
            ),
            clock=clock,
            entropy=secrets.token_bytes,
        )
        hosts: Any = set()
        origins: Any = set()
        app = make_app(
            gateway=gateway,
            registry=registry,
            verifier=verifier,
            sessions=Sessions(options=sessions or SessionOptions(), entropy=secrets.token_bytes),
            liveness=liveness,
            clock=clock,
            options=AppOptions(issuer=ISSUER, edge=Edge(hosts=hosts, origins=origins)),
        )
        built = House(
            decider=decider,
            calls=calls,
            desk=desk,
            liveness=liveness,
            verifier=verifier,
            registry=registry,
            pool=pool,
            app=app,
            rule=rule,
        )
        built.port = await stack.enter_async_context(serving(app, lifespan="off", http=http))
        hosts |= {f"127.0.0.1:{built.port}", f"localhost:{built.port}"}
        origins.add(f"http://127.0.0.1:{built.port}")
        yield built


def modern(
    method: str, params: Mapping[str, Any] | None = None, *, ident: Any = 1, meta: Any = None
) -> dict[str, Any]:
    """A request of MCP 2026-07-28."""
    stated = {
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    return {
        "jsonrpc": "2.0",
        "id": ident,
        "method": method,
        "params": {**(params or {}), "_meta": {**stated, **(meta or {})}},
    }


def modern_headers(method: str, name: str = "") -> dict[str, str]:
    """The headers that mirror it."""
    return {"MCP-Protocol-Version": MODERN, "Mcp-Method": method} | ({"Mcp-Name": name} if name else {})


def legacy(method: str, params: Mapping[str, Any] | None = None, *, ident: Any = 1) -> dict[str, Any]:
    """A request of MCP 2025-11-25."""
    return {"jsonrpc": "2.0", "id": ident, "method": method, "params": dict(params or {})}
