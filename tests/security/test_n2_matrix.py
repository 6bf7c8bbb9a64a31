"""N2: one question, who lives, at every endpoint: each cause, each endpoint, each kind of token (RT-06)."""

import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest

from remit.app.services import build
from remit.authority.envelope import text_digest
from remit.authority.task_service import StartedTask
from remit.kernel.clock import SystemClock
from remit.kernel.ids import KeyId, PrincipalId
from remit.kernel.jose.keys import KeyClass
from remit.kernel.jose.rotation import compromise
from remit.oversight.containment.kill import TargetKind
from remit.platform.storage.clock_marks import ClockMark
from support.carried import BOOK, GIVE, account
from support.clients import Party, Refused, called
from support.composed import populated
from support.gateway import LEGACY, legacy
from support.house import ACCESS_TOKEN, BOOKING, TOKEN_EXCHANGE, TXN_TOKEN, House
from twins.memory import HeldSnapshots, Immortal, Make, Unrevoked, forgetting, holding


@dataclass(kw_only=True)
class Held:
    """Everything that an agent holds for a task, once: mail-bot, second in the chain of the user's task."""

    house: House
    started: StartedTask
    bot: Party
    envelope: str
    own: str
    delegated: str
    server: Party
    """The tool server's own account, which uses capabilities up."""
    session: str = ""
    capabilities: list[str] = field(default_factory=list)

    def lines(self, path: str) -> dict[str, str]:
        """Headers of a request with the delegated token, and a fresh proof."""
        return {
            "Authorization": f"DPoP {self.delegated}",
            "DPoP": self.bot.proof("POST", f"{self.house.issuer}{path}", self.delegated),
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            "Remit-Envelope": self.envelope,
        }


class TurnedClock(SystemClock):
    """The machine's clock, whose generation a test may move on."""

    turned = 0

    def generation(self) -> int:
        return super().generation() + self.turned


async def hold(house: House) -> Held:
    started = await house.task("calendar-bot")
    assert await house.exchange(house["calendar-bot"], started.envelope)
    bot = house["mail-bot"]
    envelope = house.chained(started, "calendar-bot", "mail-bot")
    own = await house.own_token(bot)
    delegated = await house.exchange(bot, envelope, actor=own)
    server = await account(house, "business-server", serves=f"{house.issuer}/mcp/business")
    held = Held(
        house=house,
        started=started,
        bot=bot,
        envelope=envelope,
        own=own,
        delegated=delegated,
        server=server,
    )
    opening = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}}
    held.session = (await old_wire(held, legacy("initialize", opening))).headers["mcp-session-id"]
    for _ in range(2):
        assert await mint_capability(held)
    return held


# -- endpoints: each says whether it still serves


async def served(asked: Awaitable[str]) -> bool:
    try:
        return bool(await asked)
    except Refused:
        return False


async def new_token(held: Held) -> bool:
    return await served(held.house.own_token(held.bot))


async def exchange_envelope(held: Held) -> bool:
    return await served(held.house.exchange(held.bot, held.envelope, actor=held.own))


async def exchange_token(held: Held) -> bool:
    return await served(held.house.exchange(held.bot, held.delegated, kind=ACCESS_TOKEN, actor=held.own))


async def hand_on(held: Held) -> bool:
    """The next link, by exchange alone."""
    return await served(handed_on(held, subject_token=held.envelope, subject_token_type=TXN_TOKEN))


async def hand_on_token(held: Held) -> bool:
    return await served(
        handed_on(
            held,
            subject_token=held.delegated,
            subject_token_type=ACCESS_TOKEN,
            **{"dev.remit.envelope": held.envelope},
        )
    )


def handed_on(held: Held, **form: str) -> Awaitable[str]:
    return held.house.ask_token(
        held.bot,
        grant_type=TOKEN_EXCHANGE,
        requested_token_type=TXN_TOKEN,
        audience=str(held.house["support-bot"].agent),
        actor_token=held.own,
        actor_token_type=ACCESS_TOKEN,
        **form,
    )


async def introspect_own(held: Held) -> bool:
    return bool((await introspection(held, held.own)).get("active"))


async def introspect_delegated(held: Held) -> bool:
    return bool((await introspection(held, held.delegated)).get("active"))


async def introspection(held: Held, token: str) -> dict[str, Any]:
    """By the client itself; if it may not ask any more, that is a refusal too."""
    told = await held.house.introspect(held.bot, token)
    assert told == {"active": False} or told.get("active") or told.get("status") == 401
    return told


async def api_own(held: Held) -> bool:
    """Whether the door takes the token; what it is then good for does not matter here."""
    reply = await held.house.api(held.bot, "GET", "/tasks", token=held.own)
    return reply.status_code != 401


async def gateway_call(held: Held) -> bool:
    called = await held.house.call(held.bot, held.delegated, "rooms_book", BOOKING, envelope=held.envelope)
    return called.ran


async def old_wire(held: Held, message: dict[str, Any]) -> httpx2.Response:
    """One message of MCP 2025-11-25, in the session if one was opened."""
    path = "/mcp/business"
    within = {"Mcp-Session-Id": held.session, "MCP-Protocol-Version": LEGACY} if held.session else {}
    return await held.house.http.post(
        f"{held.house.issuer}{path}",
        content=json.dumps(message).encode(),
        headers={**held.lines(path), **within},
    )


async def legacy_call(held: Held) -> bool:
    message = legacy("tools/call", {"name": "rooms_book", "arguments": BOOKING})
    return called(await old_wire(held, message)).ran


async def mint_capability(held: Held) -> bool:
    asked = {"server": "business", "tool": BOOK, "arguments": BOOKING}
    reply = await held.house.http.post(
        f"{held.house.issuer}{GIVE}", content=json.dumps(asked).encode(), headers=held.lines(GIVE)
    )
    permitted = reply.status_code == 200 and reply.json()["effect"] == "permit"
    if permitted:
        held.capabilities.append(reply.json()["capability"])
    return permitted


async def use_capability(held: Held) -> bool:
    """One that was minted before, by the server that it is for."""
    stated = {
        "capability": held.capabilities.pop(0),
        "server": "business",
        "tool": BOOK,
        "arguments_sha256": hashlib.sha256(json.dumps(BOOKING).encode()).hexdigest(),
        "key": held.bot.key.public.thumbprint,
    }
    try:
        reply = await held.house.api(held.server, "POST", "/capabilities/consume", stated)
    except Refused:  # the server's own account is gone
        return False
    return reply.status_code == 200


async def gateway_with_own(held: Held) -> bool:
    """A token for the API is none for a server, dead or alive."""
    called = await held.house.call(held.bot, held.own, "rooms_book", BOOKING)
    return called.ran


OWN = {"new_token": new_token, "introspect_own": introspect_own, "api_own": api_own}
DELEGATED = {
    "exchange_envelope": exchange_envelope,
    "exchange_token": exchange_token,
    "hand_on": hand_on,
    "hand_on_token": hand_on_token,
    "introspect_delegated": introspect_delegated,
    "gateway_call": gateway_call,
    "legacy_call": legacy_call,
    "mint_capability": mint_capability,
    "use_capability": use_capability,
}
CALLS = frozenset({"gateway_call", "legacy_call", "mint_capability", "use_capability"})
ENDPOINTS = {**OWN, **DELEGATED}


# -- causes: each says what it must take away


def kill(kind: TargetKind, name: str) -> Callable[[Held], Awaitable[Any]]:
    async def act(held: Held) -> None:
        idents = {
            "task": held.started.task.id,
            "chain": text_digest(held.envelope),
            "whole chain": text_digest(held.started.envelope),
            "user": held.house["user"].id,
            "instance": held.bot.id,
            "first instance": held.house["calendar-bot"].id,
        }
        await held.house.kill(kind, idents.get(name, name))

    return act


async def office_of(held: Held) -> PrincipalId:
    entry = await held.house.services.identity.get(PrincipalId(held.bot.agent))
    return PrincipalId(str(entry.blueprint))


def suspend(who: Callable[[Held], Any]) -> Callable[[Held], Awaitable[Any]]:
    async def act(held: Held) -> None:
        ident = who(held)
        ident = PrincipalId(await ident if not isinstance(ident, str) else ident)
        # Of two administrators one may go.
        await held.house.person("second@company.com", roles="admin")
        await held.house.services.identity.suspend(ident, by=admin(held), because="test", at=held.house.now())

    return act


def retire(who: Callable[[Held], str]) -> Callable[[Held], Awaitable[Any]]:
    async def act(held: Held) -> None:
        await held.house.services.identity.retire(
            PrincipalId(who(held)), by=admin(held), because="test", at=held.house.now()
        )

    return act


def admin(held: Held) -> PrincipalId:
    return PrincipalId(held.house["admin"].id)


async def end_task(held: Held) -> None:
    await held.house.services.tasks.end(
        held.started.task.id, by=PrincipalId(held.house["user"].id), at=held.house.now()
    )


async def withdraw(held: Held) -> None:
    grant = held.started.task.grant
    assert grant is not None
    await held.house.services.consent.withdraw(
        grant, by=PrincipalId(held.house["user"].id), at=held.house.now()
    )


async def revoke_key(held: Held) -> None:
    await held.house.services.credentials.revoke(
        held.bot.kid, by=admin(held), because="lost", at=held.house.now()
    )


async def quarantine(held: Held) -> None:
    def work(tx: Any) -> Any:
        return tx.tools.named(tx.servers.named("business").id, "rooms_book").id

    tool = await held.house.work.read(work)
    await held.house.services.tools.quarantine(tool, by=admin(held), because="odd", at=held.house.now())


async def retire_server(held: Held) -> None:
    server = await held.house.work.read(lambda tx: tx.servers.named("business").id)
    await held.house.services.identity.retire(
        PrincipalId(server), by=admin(held), because="gone", at=held.house.now()
    )


async def turn_the_clock(held: Held) -> None:
    clock = held.house.clock
    assert isinstance(clock, TurnedClock)
    clock.turned += 1


async def compromise_our_key(held: Held) -> None:
    keys = held.house.services.ground.keys
    kid = KeyId(keys.signer(KeyClass.ACCESS_TOKEN).kid)
    record = next(each for each in keys.records() if each.kid == kid)
    await held.house.work.commit(lambda tx: tx.keys.change(compromise(record, at=held.house.now())))
    await keys.rotate(held.house.now())


EVERYTHING = frozenset(ENDPOINTS)
TASKS = frozenset(DELEGATED)
MINTED = EVERYTHING - {"new_token", "use_capability"}
"""What stands on the clock's generation, or on the key of access tokens; a capability has its own."""
CAUSES: dict[str, tuple[Callable[[Held], Awaitable[Any]], frozenset[str]]] = {
    "kill agent": (kill(TargetKind.AGENT, "mail-bot"), EVERYTHING),
    "kill instance": (kill(TargetKind.INSTANCE, "instance"), EVERYTHING),
    "kill delegator": (kill(TargetKind.AGENT, "calendar-bot"), TASKS),
    "kill delegating instance": (kill(TargetKind.INSTANCE, "first instance"), TASKS),
    "kill task": (kill(TargetKind.TASK, "task"), TASKS),
    "kill hop": (kill(TargetKind.CHAIN, "chain"), TASKS),
    "kill whole chain": (kill(TargetKind.CHAIN, "whole chain"), TASKS),
    "kill user": (kill(TargetKind.USER, "user"), TASKS),
    "kill blueprint": (kill(TargetKind.BLUEPRINT, "office"), EVERYTHING),
    "kill tool": (kill(TargetKind.TOOL, "business/rooms_book"), CALLS),
    "suspend agent": (suspend(lambda held: str(held.bot.agent)), EVERYTHING),
    "suspend instance": (suspend(lambda held: held.bot.id), EVERYTHING),
    "suspend blueprint": (suspend(office_of), EVERYTHING),
    "suspend user": (suspend(lambda held: held.house["user"].id), TASKS),
    "suspend owner": (suspend(lambda held: held.house["admin"].id), EVERYTHING),
    "retire agent": (retire(lambda held: str(held.bot.agent)), EVERYTHING),
    "retire delegator": (retire(lambda held: str(held.house["calendar-bot"].agent)), TASKS),
    "retire user": (retire(lambda held: held.house["user"].id), TASKS),
    "task ended": (end_task, TASKS),
    "consent withdrawn": (withdraw, TASKS),
    "key revoked": (revoke_key, EVERYTHING),
    "tool quarantined": (quarantine, CALLS),
    "server retired": (retire_server, CALLS | {"exchange_envelope", "exchange_token"}),
    "clock set back": (turn_the_clock, MINTED),
    "our key compromised": (compromise_our_key, MINTED - {"exchange_envelope"}),
}
NOT_SPARED = {
    # The actor token that the exchange needs is of the dead generation, or signed by the dead key.
    "clock set back": {"exchange_envelope"},
    "our key compromised": {"exchange_envelope"},
    # Nobody is left to ask for a token of that server; whether one that is out is active does not matter.
    "server retired": {"introspect_delegated"},
}


async def still_open(folder: Path, cause: str, *, make: Make = build) -> set[str]:
    """The endpoints that served before the cause, which is all of them, and still do after it."""

    def make_clock(mark: ClockMark | None) -> TurnedClock:
        return TurnedClock()

    async with populated(folder, make_clock=make_clock, make=make) as house:
        held = await hold(house)
        for name, endpoint in ENDPOINTS.items():
            assert await endpoint(held), f"{name} did not serve before"
        assert not await gateway_with_own(held)
        snapshots: Any = house.services.ground.snapshots
        if isinstance(snapshots, HeldSnapshots):
            snapshots.hold()
        await CAUSES[cause][0](held)
        await snapshots.catch_up()
        return {name for name, endpoint in ENDPOINTS.items() if await endpoint(held)}


@pytest.mark.req("N2")
@pytest.mark.attack("RT-06", "CA-16")
@pytest.mark.promise("P1", "P12")
@pytest.mark.parametrize("cause", CAUSES)
async def test_what_a_cause_ends_is_ended_at_every_endpoint(tmp_path: Path, cause: str) -> None:
    ends = CAUSES[cause][1]
    found = await still_open(tmp_path / "data", cause)
    assert found & ends == set()
    assert found | ends | NOT_SPARED.get(cause, set()) == set(ENDPOINTS), "it ended more than it should"


@pytest.mark.twin("RT-06", "CA-16", "P1", "P12")
@pytest.mark.parametrize("cause", ["suspend owner", "kill hop"])
async def test_an_installation_that_goes_by_its_memory_would_be_open_at_every_endpoint(
    tmp_path: Path, cause: str
) -> None:
    """The matrix can fail in each column: so it is seen where one endpoint alone forgets to ask."""
    remembering = forgetting(lineage=Immortal, tokens=Unrevoked, then=holding)
    assert await still_open(tmp_path / "data", cause, make=remembering) >= CAUSES[cause][1]


@pytest.mark.twin("RT-06")
async def test_an_installation_that_forgets_in_one_place_is_open_there(tmp_path: Path) -> None:
    views = await still_open(tmp_path / "views", "kill agent", make=holding)
    # A view that lies about its own epoch: a client's own token is judged on it too, an exchange is not.
    assert views == {"api_own", "gateway_call", "legacy_call", "new_token"}
    issuance = await still_open(tmp_path / "issuance", "kill agent", make=forgetting(lineage=Immortal))
    assert issuance == {"new_token", "exchange_token"}
