"""The authorization code grant, from the browser to the token and on (RFC 6749 §4.1, OAuth 2.1 §4.1)."""

import pytest

from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.authorizing import BACK, MCP, AuthorizingWorld, told
from support.oauth import ISSUER, claims_in


@pytest.fixture
async def world(uow: SqlUnitOfWork) -> AuthorizingWorld:
    return await AuthorizingWorld(uow).populate()


@pytest.mark.spec("RFC 6749", "4.1")
@pytest.mark.spec("RFC 9207", "2")
@pytest.mark.req("R26", "R35")
async def test_a_person_allows_a_client_and_the_agent_acts_for_them(world: AuthorizingWorld) -> None:
    person = await world.sign_in()
    page = await world.show(person)
    assert "the strict client" in page.text
    assert "business/rooms.book" in page.text
    answer = await world.say(person, page)
    assert answer.headers["location"].startswith(f"{BACK}?")
    found = told(answer)
    assert (found["state"], found["iss"]) == ("a state", ISSUER)
    issued = await world.redeem(found["code"])
    assert issued.status_code == 200, issued.text
    body = issued.json()
    claims = claims_in(body["access_token"])
    assert claims["sub"] == world.actors["ana"].id
    assert claims["act"]["sub"].endswith(world.clients["strict"].principal)
    assert claims["client_id"] == world.clients["strict"].principal
    assert claims["aud"] == MCP
    assert claims["acr"] == "urn:remit:acr:passkey-uv"
    again = await world.refresh(body["refresh_token"])
    assert again.status_code == 200, again.text
