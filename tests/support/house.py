"""An open installation seen by its people, agents and clients: short ways to register, ask, call, kill."""

import asyncio
import itertools
import json
import secrets
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import httpx2
from starlette.types import ASGIApp

from remit.app.bootstrap import SYSTEM
from remit.app.services import Services
from remit.authority.envelope import Delegation, next_hop, sign_hop
from remit.authority.rights import ANY_PURPOSE, Caps, Ceiling, Constraint, Money, Right, Window
from remit.authority.task_service import StartedTask, StartTask
from remit.decision.policy_service import PolicyService
from remit.identity.principals import Environment, Kind, Principal
from remit.identity.registration import Registration
from remit.identity.tool_service import Definition
from remit.identity.tools import Server, Transport
from remit.kernel.clock import Clock
from remit.kernel.ids import (
    AgentId,
    BlueprintId,
    InstanceId,
    KeyId,
    PrincipalId,
    ServerId,
    TaskId,
    UserId,
    mint_id,
)
from remit.kernel.jose.algorithms import Algorithm
from remit.kernel.jose.keys import KeyClass, PrivateKey
from remit.ledger.encoding import decode_record
from remit.ledger.record import Record
from remit.oversight.approvals.answers import issue_link
from remit.oversight.approvals.approval import Approval, ApprovalState
from remit.oversight.containment.kill import Kill, Target, TargetKind
from support.clients import Called, Party, Refused, called
from support.gateway import modern, modern_headers
from support.upstreams import Business

TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
TXN_TOKEN = "urn:ietf:params:oauth:token-type:txn_token"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
BOOKING = {
    "room": "Room-401",
    "start": "2026-05-15T14:00Z",
    "end": "2026-05-15T15:00Z",
    "title": "Review",
}
REFUND = {"order_id": "8812", "amount": "480.00", "currency": "EUR"}
BUSINESS = {
    "business/rooms.read": "Calendar",
    "business/rooms.book": "Room",
    "business/mail.send": "Recipient",
    "business/customers.read": "Customer",
    "business/refunds.create": "Order",
    "slow/rooms.read": "Calendar",
    "slow/subscriptions.listen": "Server",
}
"""What everybody of the world may do at most; `slow` is the scripted server of `composed.beside`."""
DAY = timedelta(days=1)


@dataclass
class House:
    """The installation, and its clients."""

    services: Services
    app: ASGIApp
    port: int
    http: httpx2.AsyncClient
    parties: dict[str, Party] = field(default_factory=dict)
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    upstream: Business | None = None

    @property
    def issuer(self) -> str:
        return self.services.ground.issuer

    @property
    def clock(self) -> Clock:
        return self.services.ground.clock

    @property
    def work(self) -> Any:
        return self.services.ground.work

    def now(self) -> datetime:
        return self.clock.now()

    def __getitem__(self, name: str) -> Party:
        return self.parties[name]

    @property
    def hits(self) -> list[dict[str, Any]]:
        """Tool calls that the business has carried out."""
        assert self.upstream is not None
        return self.upstream.hits

    # -- the directory

    async def person(
        self, name: str, *, roles: str = "", team: str = "", person: PrincipalId | None = None
    ) -> Party:
        """A human with a device key."""
        stated = Registration(
            kind=Kind.HUMAN,
            name=name,
            email=name,
            attributes=tuple((key, value) for key, value in (("roles", roles), ("teams", team)) if value),
            person=person,
        )
        entry = await self.services.identity.register(stated, by=SYSTEM, at=self.now())
        key = PrivateKey.generate(Algorithm.ED25519, secrets.token_bytes)
        found = await self.services.credentials.register(entry.id, key.public.jwk(), by=SYSTEM, at=self.now())
        active = await self.services.identity.activate(entry.id, by=SYSTEM, at=self.now())
        return self._known(name.partition("@")[0], active, found.id, key)

    async def blueprint(self, name: str = "office", limit: Ceiling | None = None) -> PrincipalId:
        """An active blueprint."""
        admin = PrincipalId(self["admin"].id)
        stated = Registration(
            kind=Kind.BLUEPRINT, name=name, owner=admin, purpose="work", environment=Environment.PRODUCTION
        )
        entry = await self.services.identity.register(stated, by=admin, at=self.now())
        await self.services.consent.set_ceiling(
            entry.id, limit or self.ceiling(days=60), by=admin, at=self.now()
        )
        await self.services.identity.activate(entry.id, by=admin, at=self.now())
        return entry.id

    async def agent(
        self, name: str, *, blueprint: PrincipalId, owner: str = "admin", limit: Ceiling | None = None
    ) -> Party:
        """An active agent and its one instance."""
        admin = PrincipalId(self["admin"].id)
        stated = Registration(
            kind=Kind.AGENT,
            name=name,
            owner=PrincipalId(self[owner].id),
            purpose="work",
            environment=Environment.PRODUCTION,
            blueprint=BlueprintId(blueprint),
        )
        entry = await self.services.identity.register(stated, by=admin, at=self.now())
        await self.services.consent.set_ceiling(entry.id, limit or self.ceiling(), by=admin, at=self.now())
        party = await self.instance(name, entry.id)
        await self.services.identity.activate(entry.id, by=admin, at=self.now())
        return party

    async def instance(
        self, name: str, agent: PrincipalId, *, attributes: tuple[tuple[str, str], ...] = ()
    ) -> Party:
        """One more instance of an agent, known by `name`."""
        key = PrivateKey.generate(Algorithm.ED25519, secrets.token_bytes)
        entry, credential = await self.services.credentials.instantiate(
            agent, key.public.jwk(), by=PrincipalId(self["admin"].id), at=self.now(), attributes=attributes
        )
        return self._known(name, entry, credential.id, key)

    async def server(self, name: str, url: str, tools: Sequence[Definition], **changes: Any) -> Server:
        """A server with pinned tools."""
        admin = PrincipalId(self["admin"].id)
        server = Server(
            id=ServerId(mint_id("srv", at=self.now(), entropy=secrets.token_bytes)),
            tenant=self.services.ground.tenant,
            name=name,
            transport=Transport.HTTP,
            url=url,
            allow_legacy=True,
            **changes,
        )
        await self.services.tools.register_server(
            server,
            owner=admin,
            purpose="work",
            environment=Environment.PRODUCTION,
            by=admin,
            at=self.now(),
        )
        await self.services.tools.pin(server.id, tools, by=admin, at=self.now())
        await self.services.ground.snapshots.catch_up()
        return server

    async def policy(self, text: str) -> None:
        """Publish a policy text."""
        ground = self.services.ground
        service = PolicyService(
            uow=ground.work,
            snapshots=ground.snapshots,
            entropy=ground.entropy,
            tenant=ground.tenant,
            keys=ground.keys,
        )
        await service.publish(text, by=PrincipalId(self["admin"].id), at=self.now())

    def _known(self, name: str, entry: Principal, kid: KeyId, key: PrivateKey) -> Party:
        party = Party(principal=entry, kid=kid, key=key, issuer=self.issuer, now=self.now)
        self.parties[name] = party
        return party

    # -- authority

    def ceiling(
        self,
        *rights: Right,
        days: int = 30,
        depth: int = 8,
        purpose: str = ANY_PURPOSE,
        calls: int | None = None,
        money: tuple[Money, ...] = (),
    ) -> Ceiling:
        """The most that somebody may do; without rights, everything of the business."""
        now = self.now().replace(microsecond=0)
        everything = [right(action) for action in BUSINESS]
        return Ceiling(
            rights=frozenset(rights or everything),
            window=Window(start=now - timedelta(minutes=5), end=now + days * DAY),
            caps=Caps(calls=calls, money=money),
            depth=depth,
            purpose=purpose,
        )

    async def task(
        self,
        agent: str,
        *,
        user: str = "user",
        purpose: str = "scheduling",
        limit: Ceiling | None = None,
        life: timedelta = timedelta(hours=1),
        goal: str = "get it done",
    ) -> StartedTask:
        """A running task; the consent is given with it."""
        who, bot = UserId(self[user].id), self[agent].agent
        if limit is not None or not await self._consented(who, bot):
            await self.services.consent.give(
                user=who,
                agent=bot,
                ceiling=limit or self.ceiling(days=20),
                text=f"{agent} may work for you",
                by=PrincipalId(who),
                at=self.now(),
            )
        wanted = StartTask(
            user=who,
            agent=bot,
            goal=goal,
            purpose=purpose,
            ceiling=None,
            deadline=self.now() + life,
        )
        started = await self.services.tasks.start(wanted, by=PrincipalId(who), at=self.now())
        await self.services.ground.snapshots.catch_up()
        return started

    async def _consented(self, user: UserId, agent: AgentId) -> bool:
        grants = await self.services.consent.of_user(user)
        return any(grant.agent == agent and grant.state.value == "given" for grant in grants)

    def hop(
        self,
        text: str,
        parent: Ceiling,
        giver: str,
        taker: str,
        *,
        task: TaskId,
        wanted: Ceiling | None = None,
        kind: Delegation = Delegation.ATTENUATE,
        life: timedelta = timedelta(minutes=20),
    ) -> str:
        """What the giver hands to the taker."""
        hop = next_hop(
            text,
            parent,
            by=InstanceId(self[giver].id),
            to=self[taker].agent,
            kind=kind,
            wanted=wanted or parent,
            task=task,
            at=self.now(),
            expires_at=self.now() + life,
        )
        return sign_hop(text, hop, signer=self[giver].signer(KeyClass.HOP))

    def hop_on(self, text: str, started: StartedTask, *, giver: str, taker: str, hops: int) -> str:
        """The envelope with one hop more, its `hops`-th, that narrows nothing but depth and time."""
        allowed = replace(started.task.ceiling, depth=started.task.ceiling.depth - hops)
        life = timedelta(minutes=20 - hops)
        return self.hop(text, allowed, giver, taker, task=started.task.id, life=life)

    def chained(self, started: StartedTask, *names: str) -> str:
        """The envelope of a task handed on along `names`, the first of whom has it."""
        text = started.envelope
        for hops, (giver, taker) in enumerate(itertools.pairwise(names), start=1):
            text = self.hop_on(text, started, giver=giver, taker=taker, hops=hops)
        return text

    # -- what clients send

    async def ask_token(self, who: Party, **form: str) -> str:
        """POST /token; raises `Refused`."""
        url = f"{self.issuer}/token"
        body = {"client_assertion_type": ASSERTION, "client_assertion": who.assertion(), **form}
        reply = await self.http.post(url, data=body, headers={"DPoP": who.proof("POST", url)})
        if reply.status_code != httpx2.codes.OK:
            raise Refused(reply.status_code, str(reply.json().get("error")))
        return str(reply.json()["access_token"])

    async def own_token(self, who: Party) -> str:
        """Client credentials, for the API."""
        return await self.ask_token(who, grant_type="client_credentials", resource=f"{self.issuer}/api")

    async def exchange(
        self,
        who: Party,
        subject: str,
        *,
        kind: str = TXN_TOKEN,
        actor: str = "",
        server: str = "business",
        **form: str,
    ) -> str:
        """Token exchange of an envelope, or of an own token, for one server."""
        return await self.ask_token(
            who,
            grant_type=TOKEN_EXCHANGE,
            subject_token=subject,
            subject_token_type=kind,
            actor_token=actor or await self.own_token(who),
            actor_token_type=ACCESS_TOKEN,
            resource=f"{self.issuer}/mcp/{server}",
            **form,
        )

    async def api(
        self,
        who: Party,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> httpx2.Response:
        """One request of the API, with a fresh proof."""
        token = token or await self.own_token(who)
        url = f"{self.issuer}/api/v1{path}"
        lines = {
            "Authorization": f"DPoP {token}",
            "DPoP": who.proof(method, url.partition("?")[0], token),
            **(headers or {}),
        }
        return await self.http.request(method, url, json=body, headers=lines)

    def call_request(
        self,
        who: Party,
        token: str,
        tool: str,
        arguments: Mapping[str, Any],
        *,
        envelope: str = "",
        server: str = "business",
        key: str = "",
        meta: Mapping[str, Any] | None = None,
    ) -> tuple[str, bytes, dict[str, str]]:
        """Address, body and headers of one tool call."""
        url = f"{self.issuer}/mcp/{server}"
        stated = {**(meta or {}), **({"dev.remit/call": key} if key else {})}
        body = modern("tools/call", {"name": tool, "arguments": dict(arguments)}, meta=stated)
        headers = {
            **modern_headers("tools/call", tool),
            "Authorization": f"DPoP {token}",
            "DPoP": who.proof("POST", url, token),
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            **({"Remit-Envelope": envelope} if envelope else {}),
        }
        return url, json.dumps(body).encode(), headers

    async def call(
        self, who: Party, token: str, tool: str, arguments: Mapping[str, Any], **how: Any
    ) -> Called:
        """Call a tool through the gateway."""
        url, body, headers = self.call_request(who, token, tool, arguments, **how)
        return called(await self.http.post(url, content=body, headers=headers))

    async def introspect(self, who: Party, token: str) -> dict[str, Any]:
        """What the server says about a token of this client."""
        url = f"{self.issuer}/introspect"
        form = {"client_assertion_type": ASSERTION, "client_assertion": who.assertion(), "token": token}
        reply = await self.http.post(url, data=form, headers={"DPoP": who.proof("POST", url)})
        found: dict[str, Any] = reply.json()
        return found if reply.status_code == httpx2.codes.OK else {"status": reply.status_code, **found}

    # -- oversight

    async def kill(self, kind: TargetKind, ident: str, *, by: str = "admin") -> Kill:
        """Stop something, through the service."""
        return await self.services.containment.kill(
            Target(kind=kind, ident=ident, name=""),
            tenant=self.services.ground.tenant,
            by=PrincipalId(self[by].id),
            reason="a test",
        )

    async def pending(self, *, seconds: float = 30) -> Approval:
        """The newest open ask, once there is one."""
        async with asyncio.timeout(seconds):
            while True:
                found = await self.services.approvals.page(
                    state=ApprovalState.PENDING, asked=None, after="", limit=1
                )
                if found:
                    return found[0]
                await asyncio.sleep(0.01)

    async def answer(self, who: str, approval: Approval, answer: str = "approve") -> httpx2.Response:
        """Answer over the API."""
        signature = self[who].answer(approval, answer)
        return await self.api(self[who], "POST", f"/approvals/{approval.id}/answer", {"signature": signature})

    def link(self, approval: Approval, to: str) -> str:
        """The address of the approval page for one person."""
        ground = self.services.ground
        secret = issue_link(
            approval,
            to=PrincipalId(self[to].id),
            signer=ground.keys.signer(KeyClass.APPROVAL_LINK),
            issuer=self.issuer,
            at=self.now(),
            entropy=ground.entropy,
        )
        return f"{self.issuer}/approve/{secret}"

    async def records(self, kind: str) -> list[Record]:
        """Everything of one kind in the log, oldest first."""
        return [entry for entry in await self.log() if entry.kind == kind]

    async def log(self) -> list[Record]:
        """The whole log as records."""

        def work(tx: Any) -> list[Record]:
            return [decode_record(entry) for entry in tx.ledger.entries(0, tx.ledger.head().size)]

        return list(await self.work.read(work))


def right(action: str, *resources: str, constraints: tuple[Constraint, ...] = ()) -> Right:
    """One action of the business, on named resources or on any."""
    return Right(
        action=action,
        resource_type=BUSINESS[action],
        resources=frozenset(resources) or "any",
        constraints=constraints,
    )
