"""N2 beyond tokens: each cause of an end, at plain decisions and at all that a connection is good for."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from remit.app.services import build
from remit.authority.envelope import text_digest
from remit.authority.task_service import StartedTask
from remit.authority.vault.connection import Connection, ConnectionState
from remit.authority.vault.errors import ConnectionRequired, CredentialNotForThis
from remit.identity.sessions import Session
from remit.kernel.canonical import b64u
from remit.kernel.ids import DecisionId, PrincipalId
from remit.oversight.containment.kill import TargetKind
from support.clients import Party, Refused
from support.upstreams import answer, eventually
from support.vault import AGENT, Scene, register, vaulted
from twins.memory import HeldSnapshots, Immortal, Make, Unrevoked, forgetting, holding

LINK = f"/connect/beta?server=business&agent={AGENT}"


class Held:
    """What an agent and its person hold of a provider, once; each place says whether it still serves."""

    started: StartedTask
    token: str
    connection: Connection
    decision: DecisionId
    """Of a call that is at the server now."""
    session: Session
    back: str
    """Where the provider has sent the person's browser, which has not come back yet."""

    def __init__(self, on: Scene) -> None:
        self.on, self.house = on, on.house
        self.go = asyncio.Event()
        self.home = on.services.people.desk.home

    @property
    def bot(self) -> Party:
        return self.house[AGENT]

    async def gather(self) -> None:
        self.connection = await self.on.connect()
        self.started = await self.house.task(AGENT)
        self.token = await self.house.exchange(self.bot, self.started.envelope, server="slow")
        self.session, secret = await self.on.signed_in("user")
        self.http = httpx2.AsyncClient(base_url=self.home, trust_env=False, timeout=30)
        self.house.stack.push_async_callback(self.http.aclose)
        self.http.cookies.set("remit-session", b64u(secret.reveal()))
        self.back = await self._way_back()
        await self._under_way()

    async def _way_back(self) -> str:
        onward = await self._begin()
        link = onward.text.partition('<a href="')[2].partition('"')[0].replace("&amp;", "&")
        sent = urlsplit((await self.house.http.get(link)).headers["location"])
        return f"{sent.path}?{sent.query}"

    async def _begin(self) -> httpx2.Response:
        page = (await self.http.get(LINK)).text
        form = {
            "csrf": page.partition('name="csrf" value="')[2].partition('"')[0],
            "server": "business",
            "agent": AGENT,
        }
        return await self.http.post(LINK, data=form, headers={"Origin": self.home})

    async def _under_way(self) -> None:
        """A call that stays at the server until `go`."""

        async def wait(_: Any, send: Any, message: dict[str, Any]) -> None:
            await self.go.wait()
            await answer(send, message, {"resultType": "complete", **self.on.upstream.result})

        self.on.upstream.on_call = wait
        self.calling = asyncio.create_task(self._call())
        await eventually(lambda: bool(self.on.upstream.calls))
        self.on.upstream.on_call = None
        self.decision = DecisionId((await self.on.records("decision.action.decided"))[-1].decision)

    async def _call(self) -> bool:
        return (await self.house.call(self.bot, self.token, "act", {"item": "x"}, server="slow")).ran

    # -- places

    async def decided(self) -> bool:
        """What a call would be answered, asked by somebody who reads."""
        asked = {"agent": AGENT, "task": self.started.task.id, "server": "slow", "tool": "act"}
        asked |= {"arguments": {"item": "x"}}  # type: ignore[dict-item]  # JSON
        try:
            reply = await self.house.api(self.house["auditor"], "POST", "/decisions/explain", asked)
        except Refused:  # nobody asks anything here any more
            return False
        return bool(reply.json().get("effect") == "permit")

    async def used(self) -> bool:
        """By a call that carries it."""
        before = len(self.on.shown)
        return await self._call() and any(self.on.shown[before:])

    async def opened(self) -> bool:
        """For the call that was permitted before, by the gateway's own desk."""
        try:
            await self.on.services.vault.desk.open(self.decision)
        except (CredentialNotForThis, ConnectionRequired):
            return False
        return True

    async def renewed(self) -> bool:
        """Once it has run out: whether the provider is asked for another one."""
        stands = await self.on.stored(self.connection)
        if stands.state is not ConnectionState.ACTIVE:
            return False
        await self.on.age(stands, timedelta(hours=2))
        await self._call()
        return (await self.on.stored(stands)).version > stands.version

    async def listed(self) -> bool:
        try:
            reply = await self.house.api(self.house["auditor"], "GET", "/connections")
        except Refused:
            return False
        return any(
            each["id"] == self.connection.id and each["state"] == "active" for each in reply.json()["items"]
        )

    async def begun(self) -> bool:
        return (await self._begin()).status_code == 200

    async def finished(self) -> bool:
        await self.http.get(self.back)
        made = [each for each in await self.on.stored_all() if each.id != self.connection.id]
        return any(each.state is ConnectionState.ACTIVE for each in made)


PLACES = ("decided", "used", "opened", "renewed", "listed", "begun", "finished")
EVERYTHING = frozenset(PLACES)
CALLS = frozenset({"decided", "used", "opened", "renewed"})
"""A call of this task; the connection, which serves others, stays."""
OF_CREDENTIALS = CALLS - {"decided"}
"""Who asks what a call would be answered shows no envelope, no key and no credential of its own."""
ASLEEP = EVERYTHING - {"listed"}
"""What can be woken up again keeps its connection, and nothing opens it."""
Cause = Callable[[Held], Awaitable[Any]]


def kill(kind: TargetKind, who: Callable[[Held], str]) -> Cause:
    return lambda held: held.house.kill(kind, who(held))


def suspend(who: Callable[[Held], str]) -> Cause:
    async def act(held: Held) -> None:
        # Of two administrators one may go.
        await held.house.person("second@company.com", roles="admin")
        await held.house.services.identity.suspend(
            PrincipalId(who(held)), by=admin(held), because="test", at=held.house.now()
        )

    return act


def retire(who: Callable[[Held], str]) -> Cause:
    async def act(held: Held) -> None:
        await held.house.services.identity.retire(
            PrincipalId(who(held)), by=admin(held), because="test", at=held.house.now()
        )

    return act


def admin(held: Held) -> PrincipalId:
    return PrincipalId(held.house["admin"].id)


def user(held: Held) -> str:
    return held.house["user"].id


def agent(held: Held) -> str:
    return str(held.bot.agent)


def instance(held: Held) -> str:
    return held.bot.id


async def office(held: Held) -> str:
    return str((await held.house.services.identity.get(PrincipalId(held.bot.agent))).blueprint)


async def suspend_office(held: Held) -> None:
    ident = await office(held)
    await suspend(lambda _: ident)(held)


async def end_task(held: Held) -> None:
    await held.house.services.tasks.end(held.started.task.id, by=PrincipalId(user(held)), at=held.house.now())


async def withdraw(held: Held) -> None:
    grant = held.started.task.grant
    assert grant is not None
    await held.house.services.consent.withdraw(grant, by=PrincipalId(user(held)), at=held.house.now())


async def bury_tenant(held: Held) -> None:
    ident = str(held.house.services.ground.tenant)

    def work(tx: Any) -> None:
        tx.lineage.bury("tenant", ident, cause="killed", epoch=tx.advance_epoch("test"), at=held.house.now())
        tx.touch("tombstone", ident)

    await held.house.work.commit(work)


async def quarantine(held: Held) -> None:
    tool = await held.house.work.read(lambda tx: tx.tools.named(tx.servers.named("slow").id, "act").id)
    await held.house.services.tools.quarantine(tool, by=admin(held), because="odd", at=held.house.now())


async def retire_server(held: Held) -> None:
    server = await held.house.work.read(lambda tx: tx.servers.named("slow").id)
    await retire(lambda _: server)(held)


async def retire_other_server(held: Held) -> None:
    server = await held.house.work.read(lambda tx: tx.servers.named("business").id)
    await retire(lambda _: server)(held)


async def retire_provider(held: Held) -> None:
    await held.on.services.vault.providers.retire("acme", by=admin(held), at=held.house.now())


async def release_server(held: Held) -> None:
    await held.on.services.vault.providers.require("slow", "", (), by=admin(held), at=held.house.now())


async def disconnect(held: Held) -> None:
    await held.on.services.vault.connections.disconnect(
        held.connection.id, by=PrincipalId(user(held)), because="asked"
    )


async def sign_out(held: Held) -> None:
    session = held.session
    await held.on.services.people.sessions.end(
        session.id, of=session.human, by=session.human, because="signed out"
    )


async def revoke_key(held: Held) -> None:
    await held.house.services.credentials.revoke(
        held.bot.kid, by=admin(held), because="lost", at=held.house.now()
    )


CAUSES: dict[str, tuple[Cause, frozenset[str]]] = {
    "kill agent": (kill(TargetKind.AGENT, agent), EVERYTHING),
    "kill instance": (kill(TargetKind.INSTANCE, instance), CALLS),
    "kill task": (kill(TargetKind.TASK, lambda held: held.started.task.id), CALLS),
    "kill chain": (kill(TargetKind.CHAIN, lambda held: text_digest(held.started.envelope)), OF_CREDENTIALS),
    "kill user": (kill(TargetKind.USER, user), EVERYTHING),
    "kill blueprint": (kill(TargetKind.BLUEPRINT, lambda _: "office"), EVERYTHING),
    "kill tool": (kill(TargetKind.TOOL, lambda _: "slow/act"), CALLS),
    "tenant ended": (bury_tenant, EVERYTHING),
    "suspend agent": (suspend(agent), ASLEEP),
    "suspend instance": (suspend(instance), CALLS),
    "suspend blueprint": (suspend_office, ASLEEP),
    "suspend user": (suspend(user), ASLEEP),
    "suspend owner": (suspend(lambda held: str(admin(held))), ASLEEP),
    "retire agent": (retire(agent), ASLEEP),
    "retire instance": (retire(instance), CALLS),
    "retire user": (retire(user), ASLEEP),
    "task ended": (end_task, CALLS),
    "consent withdrawn": (withdraw, ASLEEP),
    "tool quarantined": (quarantine, CALLS),
    "key revoked": (revoke_key, OF_CREDENTIALS),
    "server retired": (retire_server, CALLS),
    "another server retired": (retire_other_server, frozenset({"begun"})),
    "provider retired": (retire_provider, OF_CREDENTIALS | {"listed"}),
    "server released": (release_server, OF_CREDENTIALS),
    "disconnected": (disconnect, OF_CREDENTIALS | {"listed"}),
    "signed out": (sign_out, frozenset({"begun", "finished"})),
}


@asynccontextmanager
async def holder(folder: Path, make: Make = build) -> AsyncIterator[Held]:
    async with vaulted(folder, make=make) as on:
        await on.house.person("auditor@company.com", roles="reader")
        await register(on.house, on.acme, "beta", server="business")
        held = Held(on)
        await held.gather()
        try:
            yield held
        finally:
            held.go.set()
            await held.calling


async def open_places(folder: Path, cause: str, *, make: Make = build) -> set[str]:
    async with holder(folder, make) as held:
        snapshots: Any = held.house.services.ground.snapshots
        if isinstance(snapshots, HeldSnapshots):
            snapshots.hold()
        if cause:
            await CAUSES[cause][0](held)
        await snapshots.catch_up()
        return {name for name in PLACES if await getattr(held, name)()}


async def test_everything_goes_on_before_anything_happens(tmp_path: Path) -> None:
    assert await open_places(tmp_path / "data", "") == EVERYTHING


@pytest.mark.req("N2", "N3")
@pytest.mark.attack("RT-06")
@pytest.mark.promise("P1", "P12")
@pytest.mark.parametrize("cause", CAUSES)
async def test_what_ends_opens_no_connection_and_nothing_else_ends(tmp_path: Path, cause: str) -> None:
    ends = CAUSES[cause][1]
    found = await open_places(tmp_path / "data", cause)
    assert (sorted(found & ends), sorted(EVERYTHING - ends - found)) == ([], [])


@pytest.mark.twin("RT-06", "P1", "P12")
@pytest.mark.parametrize("cause", ["suspend owner", "task ended"])
async def test_a_vault_that_goes_by_its_memory_would_open_at_every_place(tmp_path: Path, cause: str) -> None:
    remembering = forgetting(lineage=Immortal, tokens=Unrevoked, then=holding)
    assert await open_places(tmp_path / "data", cause, make=remembering) >= CAUSES[cause][1]
