"""RT-10: a revocation that was answered with 200 holds, however the process ends in the next moment."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from remit.authority.oauth.wire.errors import InvalidToken
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.platform.storage.engine import open_store
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.composed import composed, populated
from support.house import ASSERTION, BOOKING, House
from support.mortal import Mortals
from support.oauth import ACCESS_TOKEN, EXCHANGE, World
from support.stores import journals

REVOKE = "RevocationEndpoint.answer"


@pytest.fixture(scope="module")
def mortals() -> Iterator[Mortals]:
    found = Mortals()
    yield found
    found.close()


@dataclass(frozen=True, kw_only=True)
class Held:
    """What a killed process leaves to its successor, and what the client still holds."""

    parties: dict[str, Any]
    port: int
    envelope: str
    tokens: tuple[str, str]
    """The agent's own, and the one for the task that was exchanged beside it."""


async def hold(folder: Path) -> Held:
    async with populated(folder) as house:
        bot, started = house["calendar-bot"], await house.task("calendar-bot")
        own = await house.own_token(bot)
        delegated = await house.exchange(bot, started.envelope, actor=own)
        assert await serves(house, started.envelope, (own, delegated)) == [True, True]
        return Held(
            parties=house.parties, port=house.port, envelope=started.envelope, tokens=(own, delegated)
        )


async def serves(house: House, envelope: str, tokens: tuple[str, str]) -> list[bool]:
    """Whether the API takes the agent's own token, and the gateway the task's; introspection agrees."""
    bot, (own, delegated) = house["calendar-bot"], tokens
    found = [
        (await house.api(bot, "GET", "/tasks", token=own)).status_code != 401,
        (await house.call(bot, delegated, "rooms_read", {"room": BOOKING["room"]}, envelope=envelope)).status
        != 401,
    ]
    active = [bool((await house.introspect(bot, token)).get("active")) for token in tokens]
    assert found == active
    return found


async def revoked_and_killed(held: Held, folder: Path, mortals: Mortals, lost: str = "") -> None:
    """Revoke both at a process that is killed as soon as its last 200 is there."""
    run = await asyncio.to_thread(mortals.run, f"serve {folder} {held.port} never {lost}")
    await asyncio.to_thread(run.ready)
    bot = held.parties["calendar-bot"]
    async with httpx2.AsyncClient(trust_env=False, timeout=30) as http:
        for token in held.tokens:
            form = {
                "client_assertion_type": ASSERTION,
                "client_assertion": bot.assertion(),
                "token": token,
            }
            answer = await http.post(f"{bot.issuer}/revoke", data=form)
            assert answer.status_code == 200, answer.text
        await asyncio.to_thread(run.kill)


async def after_a_restart(held: Held, folder: Path) -> list[bool]:
    async with composed(folder, port=held.port) as again:
        again.parties = {name: replace(party, now=again.now) for name, party in held.parties.items()}
        return await serves(again, held.envelope, held.tokens)


@pytest.mark.attack("RT-10")
@pytest.mark.promise("P3", "P1")
@pytest.mark.spec("RFC 7009", "2")
async def test_what_was_revoked_is_dead_after_kill_9(tmp_path: Path, mortals: Mortals) -> None:
    folder = tmp_path / "data"
    held = await hold(folder)
    await revoked_and_killed(held, folder, mortals)
    assert await after_a_restart(held, folder) == [False, False]


@pytest.mark.twin("RT-10")
async def test_a_server_that_answers_before_it_has_written_forgets(tmp_path: Path, mortals: Mortals) -> None:
    folder = tmp_path / "data"
    held = await hold(folder)
    await revoked_and_killed(held, folder, mortals, REVOKE)
    assert await after_a_restart(held, folder) == [True, True]


@pytest.mark.attack("RT-10")
@pytest.mark.promise("P3")
async def test_what_one_node_has_answered_is_dead_at_the_other(postgres_url: str) -> None:
    stores = [await open_store(postgres_url, journals=journals) for _ in range(2)]
    try:
        here, there = (
            World(SqlUnitOfWork(store, tenant=DEFAULT_TENANT), seed=store.node) for store in stores
        )
        await here.populate()
        there.actors, there._count = here.actors, 1000  # what is used up at one is used up at the other
        token = await here.task_token()
        assert (await there.introspect("calendar-bot", token)).json()["active"]
        assert (await there.verify(token)).client == here.actors["calendar-bot"].id
        onward = {
            "grant_type": EXCHANGE,
            "subject_token": token,
            "subject_token_type": ACCESS_TOKEN,
            "resource": f"{there.options.issuer}/mcp/mail",
        }
        assert (await there.ask("calendar-bot", **onward)).status_code == 200
        assert (await here.revoke("calendar-bot", token)).status_code == 200
        assert (await there.introspect("calendar-bot", token)).json() == {"active": False}
        with pytest.raises(InvalidToken):
            await there.verify(token)
        again = await there.ask("calendar-bot", **onward)
        # RFC 8693 §2.2.2 says it so of a subject token that is none.
        assert (again.status_code, again.json()["error"]) == (400, "invalid_request")
    finally:
        for store in stores:
            await store.close()
