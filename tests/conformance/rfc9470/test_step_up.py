"""RFC 9470: a resource has a person sign in again, and then, and only then, is content."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from remit.authority.tokens import VerifiedSubject
from remit.enforcement.pep.decider import Presented
from remit.identity.sessions import ACR_PASSKEY, ACR_PASSKEY_UV
from support.authorizing import AuthorizingWorld
from support.gateway import modern, modern_headers
from support.house import BOOKING, House
from support.oauth import claims_in
from support.stepping_up import Stepper, challenge_in, stepper

SPEC = "RFC 9470"
DEMAND = f'@id("fresh") @stepup("{ACR_PASSKEY_UV} max_age=300") permit(principal, action, resource);'
NEVER = '@id("never") @stepup("urn:other:acr") permit(principal, action, resource);'
OLD = timedelta(minutes=10)
DENIAL = "dev.remit/denial"


async def late(house: House) -> Stepper:
    """A client with a token of somebody who signed in ten minutes ago."""
    client = await stepper(house)
    await client.sign_in(ago=OLD)
    await client.authorize()
    return client


@pytest.mark.spec(SPEC, "3")
@pytest.mark.spec(SPEC, "4")
@pytest.mark.spec(SPEC, "5")
@pytest.mark.req("N34")
@pytest.mark.attack("MC-30")
async def test_one_more_sign_in_is_enough(house: House) -> None:
    await house.policy(DEMAND)
    client = await late(house)
    refused = await client.call()
    assert refused.status_code == 401
    assert challenge_in(refused) == {
        "resource_metadata": f"{house.issuer}/.well-known/oauth-protected-resource/mcp/business",
        "error": "insufficient_user_authentication",
        "acr_values": ACR_PASSKEY_UV,
        "max_age": "300",
        "algs": "Ed25519 ES256",
    }
    assert len(refused.headers.get_list("www-authenticate")) == 2
    # A younger token of the same sign-in changes nothing: `auth_time` counts, not `iat`.
    signed_in = claims_in(client.token)["auth_time"]
    await client.refresh()
    assert claims_in(client.token)["auth_time"] == signed_in
    assert (await client.call()).status_code == 401
    assert house.hits == []
    answer = await client.insist()
    assert (answer.status_code, client.sign_ins) == (200, 1), answer.text
    assert len(house.hits) == 1
    assert claims_in(client.token)["auth_time"] > signed_in
    await client.refresh()
    assert (await client.call()).status_code == 200
    effects = [record.effect for record in await house.records("decision.action.decided")]
    assert effects.count("step_up") == 3


@pytest.mark.attack("MC-30")
@pytest.mark.req("N34")
async def test_what_nobody_can_meet_is_told_and_not_asked_for(house: House) -> None:
    await house.policy(NEVER)
    client = await late(house)
    answer = await client.insist()
    assert (answer.status_code, client.sign_ins) == (200, 0)
    result = answer.json()["result"]
    assert result["isError"] is True
    assert result["_meta"][DENIAL]["code"] == "step_up_required"
    assert house.hits == []
    # Nor does the authorization server go on asking: it says so at once.
    assert (await client.authorize(acr_values="urn:other:acr"))["error"] == (
        "unmet_authentication_requirements"
    )


class Forgetful:
    """A door that forgets how somebody signed in."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    async def verify(self, presented: Presented) -> VerifiedSubject:
        found: VerifiedSubject = await self._inner.verify(presented)
        return replace(found, acr="")


@pytest.mark.twin("MC-30")
async def test_a_door_that_forgets_the_sign_in_would_ask_for_ever(house: House) -> None:
    await house.policy(DEMAND)
    house.services.gateway._verifier = Forgetful(house.services.gateway._verifier)
    client = await late(house)
    answer = await client.insist(at_most=3)
    assert (answer.status_code, client.sign_ins) == (401, 1)


@pytest.mark.spec(SPEC, "3")
@pytest.mark.spec("MCP 2025-11-25", "authorization")
async def test_both_revisions_are_told_alike(house: House) -> None:
    await house.policy(DEMAND)
    client = await late(house)
    start = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "old", "version": "1"},
        },
    }
    legacy = await client.send(start, {"mcp-protocol-version": "2025-11-25"})
    listed = await client.send(modern("tools/list", {}), modern_headers("tools/list", ""))
    for answer in (legacy, listed):
        assert answer.status_code == 401, answer.text
        assert challenge_in(answer)["error"] == "insufficient_user_authentication"


@pytest.mark.req("N20")
async def test_whoever_has_no_sign_in_to_renew_asks_instead(house: House) -> None:
    """No browser brought this token: the person is asked on the page, as CIBA would."""
    await house.policy(DEMAND)
    bot = house["calendar-bot"]
    started = await house.task("calendar-bot")
    token = await house.exchange(bot, started.envelope)
    calling = asyncio.create_task(house.call(bot, token, "rooms_book", BOOKING))
    approval = await house.pending()
    assert house.hits == []
    assert (await house.answer("user", approval)).status_code == 200
    assert not (await calling).denial
    assert len(house.hits) == 1


@pytest.mark.spec(SPEC, "6.1")
@pytest.mark.spec(SPEC, "6.2")
async def test_how_and_when_is_told_by_token_and_introspection(world: AuthorizingWorld) -> None:
    person = await world.sign_in()
    world.pass_time(minutes=2)
    code = await world.code(person, "web", acr_values=ACR_PASSKEY, max_age="600")
    token = (await world.redeem(code, "web", proof=world.proof("web"))).json()["access_token"]
    told = (await world.post("/introspect", {**world.form("web"), "token": token})).json()
    for claims in (claims_in(token), told):
        assert claims["acr"] == ACR_PASSKEY_UV
        assert claims["auth_time"] == int(person.session.authenticated_at.timestamp())
        assert set(claims["amr"]) == set(person.session.amr)


@pytest.fixture
async def world(sqlite_uow: Any) -> AuthorizingWorld:
    return await AuthorizingWorld(sqlite_uow).populate()
