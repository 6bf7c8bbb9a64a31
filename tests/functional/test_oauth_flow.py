"""The whole way of a token: own token, exchange, use; and what does not fit."""

import dataclasses
import json

import pytest

from remit.authority.oauth.proving.possession import NoNonceKey, PossessionCheck
from remit.authority.oauth.wire.rar import details_of
from remit.authority.rights import Ceiling
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.oauth import BOOK, ISSUER, OPTIONS, World, claims_in


async def test_an_instance_gets_its_own_token(world: World) -> None:
    answer = await world.ask("calendar-bot", grant_type="client_credentials")
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["token_type"] == "DPoP"
    assert body["expires_in"] == 300
    assert body["scope"] == "remit.act"
    claims = claims_in(body["access_token"])
    assert claims["sub"].startswith("spiffe://remit.example/agent/calendar-bot/ins_")
    assert claims["aud"] == f"{ISSUER}/api"
    assert "act" not in claims


async def test_an_exchange_gives_a_delegated_token(world: World) -> None:
    answer = await world.exchange("calendar-bot")
    assert answer.status_code == 200, answer.text
    claims = claims_in(answer.json()["access_token"])
    assert claims["sub"] == world.actors["ana"].id
    assert claims["act"]["sub"].endswith(world.actors["calendar-bot"].id)
    subject = await world.verify(answer.json()["access_token"])
    assert subject.user == world.actors["ana"].id
    assert subject.task == world.task.id


@pytest.mark.promise("P13", "P5")
async def test_rights_that_no_token_can_hold_are_refused_not_cut(world: World) -> None:
    names = frozenset(f"room-{number:04}-{'x' * 20}" for number in range(344))
    big = await world.start_task(ceiling=world.ceiling(BOOK, resources=names))
    answer = await world.exchange("calendar-bot", subject_token=world.root(big))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_authorization_details")
    assert "fewer" in answer.json()["error_description"]
    one = wish(world, world.ceiling(BOOK, resources=frozenset(sorted(names)[:1])))
    answer = await world.exchange("calendar-bot", subject_token=world.root(big), authorization_details=one)
    assert answer.status_code == 200
    await world.verify(answer.json()["access_token"])


@pytest.mark.promise("P5")
async def test_nonces_that_nobody_can_make_keep_it_from_starting(sqlite_uow: SqlUnitOfWork) -> None:
    with pytest.raises(NoNonceKey):
        PossessionCheck(options=dataclasses.replace(OPTIONS, require_nonce=True), nonces=None)


@pytest.mark.req("R31", "N24")
async def test_four_agents_over_two_servers_only_narrow(world: World) -> None:
    """calendar-bot → mail-bot → third → fourth: each signs its hop, each acts at a server of its own."""
    text, ceiling, chain = world.envelope, world.task.ceiling, ["calendar-bot"]
    for name in ("third-bot", "fourth-bot"):
        await world.agent(name)
    for to in ("mail-bot", "third-bot", "fourth-bot"):
        text = world.hop(text, ceiling, by=chain[-1], to=to)
        ceiling = dataclasses.replace(ceiling, depth=ceiling.depth - 1)
        chain.append(to)
        server = "business" if len(chain) % 2 else "mail"
        answer = await world.exchange(to, subject_token=text, resource=f"{ISSUER}/mcp/{server}")
        claims, nested = claims_in(answer.json()["access_token"]), []
        act = claims["act"]
        while act:
            nested.append(act["sub"].rpartition("/")[2])
            act = act.get("act")
        assert nested == [world.actors[name].id for name in reversed(chain)]
        assert claims["sub"] == world.actors["ana"].id
        assert claims["authorization_details"][0]["depth"] == ceiling.depth
        subject = await world.verify(answer.json()["access_token"], who=to, audience=f"{ISSUER}/mcp/{server}")
        assert [str(member) for member in subject.chain] == [world.actors[name].id for name in chain]


def wish(world: World, ceiling: Ceiling) -> str:
    return json.dumps(details_of(ceiling))
