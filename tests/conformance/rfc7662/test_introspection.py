"""Introspection (RFC 7662): exact words for the living, and one word for all others."""

import pytest

from support.oauth import ABSENT, ISSUER, World, claims_in

INACTIVE = {"active": False}


@pytest.mark.spec("RFC 7662", "2.2")
@pytest.mark.req("N24")
async def test_a_living_token_tells_what_it_says_with_its_actors(each_world: World) -> None:
    world = each_world
    token = await world.task_token()
    answer = await world.introspect("calendar-bot", token)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    body, claims = answer.json(), claims_in(token)
    assert body["active"] is True
    assert body["token_type"] == "DPoP"
    for name in ("iss", "sub", "aud", "client_id", "exp", "iat", "jti", "scope", "act", "cnf", "txn"):
        assert body[name] == claims[name]
    assert body["authorization_details"] == claims["authorization_details"]
    assert "dev.remit" not in body


@pytest.mark.attack("RT-07")
@pytest.mark.spec("RFC 7662", "4")
async def test_what_concerns_others_is_inactive(each_world: World) -> None:
    world = each_world
    token = await world.task_token()
    for who in ("mail-bot", "ana", "ben"):
        assert (await world.introspect(who, token)).json() == INACTIVE
    await world.workload("backend", attributes=(("resource_server", f"{ISSUER}/mcp/business"),))
    await world.workload("other", attributes=(("resource_server", f"{ISSUER}/mcp/mail"),))
    assert (await world.introspect("backend", token)).json()["active"] is True
    assert (await world.introspect("other", token)).json() == INACTIVE


@pytest.mark.spec("RFC 7662", "2.2")
async def test_what_is_no_token_of_ours_is_inactive(world: World) -> None:
    for text in ("x", "a.b.c", world.envelope, world.assertion("calendar-bot"), "é", "~" * 100, "." * 30_000):
        answer = await world.introspect("calendar-bot", text)
        assert (answer.status_code, answer.json()) == (200, INACTIVE)


@pytest.mark.spec("RFC 7662", "2.3")
@pytest.mark.attack("RT-07")
async def test_a_caller_that_does_not_prove_itself_learns_nothing(world: World) -> None:
    token = await world.task_token()
    answer = await world.post("/introspect", {"token": token})
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    answer = await world.post("/introspect", {"token": token}, headers=[("authorization", f"DPoP {token}")])
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("DPoP ")
    missing = await world.post("/introspect", world.form("calendar-bot", token=ABSENT))
    assert (missing.status_code, missing.json()["error"]) == (400, "invalid_request")


async def test_an_expired_token_is_inactive(world: World) -> None:
    token = await world.task_token()
    world.clock.advance(300)
    assert (await world.introspect("calendar-bot", token)).json() == INACTIVE
