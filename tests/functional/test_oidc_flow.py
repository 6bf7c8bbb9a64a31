"""A person signs in to an application: the code flow of OpenID Connect, from the request to the ID token."""

import hashlib
from typing import Any

import pytest

from remit.authority.oidc import id_token
from remit.identity.sessions import ACR_PASSKEY_UV
from remit.kernel.canonical import b64u
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.authorizing import AuthorizingWorld, told
from support.oauth import ABSENT, claims_in


@pytest.fixture
async def world(sqlite_uow: SqlUnitOfWork) -> AuthorizingWorld:
    world = await AuthorizingWorld(sqlite_uow).populate()
    await world.application("wiki")
    return world


async def sign_in(world: AuthorizingWorld, name: str = "wiki", **changes: Any) -> dict[str, Any]:
    """The first tokens of an application, by the whole way."""
    asked = {"resource": ABSENT, "scope": "openid profile email", "nonce": "a nonce", **changes}
    return await world.tokens(name, **asked)


@pytest.mark.spec("OpenID Connect Core", "2")
@pytest.mark.spec("OpenID Connect Core", "3.1.3.3")
@pytest.mark.req("R22")
async def test_a_person_signs_in_and_the_application_learns_who_it_is(world: AuthorizingWorld) -> None:
    answer = await sign_in(world)
    claims = claims_in(answer["id_token"])
    ana = world.actors["ana"].id
    assert (claims["iss"], claims["sub"], claims["aud"]) == (
        world.options.issuer,
        ana,
        world.clients["wiki"].client_id,
    )
    assert claims["nonce"] == "a nonce"
    assert claims["azp"] == claims["aud"]
    assert claims["acr"] == ACR_PASSKEY_UV
    assert claims["auth_time"] == claims["iat"] == int(world.now.timestamp())
    half = hashlib.sha256(answer["access_token"].encode()).digest()[:16]
    assert claims["at_hash"] == b64u(half)
    assert "email" not in claims, "claims by scope are told at the userinfo endpoint (Core §5.4)"
    access = claims_in(answer["access_token"])
    assert (access["aud"], access["sub"]) == (world.options.userinfo, ana)
    assert answer["scope"] == "email openid profile"
    assert "act" not in access


@pytest.mark.spec("OpenID Connect Core", "12.2")
async def test_a_refresh_brings_the_same_sign_in_without_its_nonce(world: AuthorizingWorld) -> None:
    first = await sign_in(world)
    world.pass_time(minutes=5)
    again = await world.refresh(first["refresh_token"], "wiki")
    assert again.status_code == 200, again.text
    before, after = (claims_in(each["id_token"]) for each in (first, again.json()))
    same = {"iss", "sub", "aud", "azp", "auth_time", "sid", "acr"}
    assert {name: before[name] for name in same} == {name: after[name] for name in same}
    assert after["iat"] > before["iat"]
    assert "nonce" not in after


@pytest.mark.spec("OpenID Connect Core", "5.5")
async def test_a_claim_that_is_wanted_in_the_token_is_there_and_was_said(world: AuthorizingWorld) -> None:
    person = await world.sign_in()
    wanted = '{"id_token":{"email":{"essential":true},"shoe_size":null},"userinfo":{"groups":null}}'
    changes = {"resource": ABSENT, "scope": "openid", "claims": wanted}
    page = await world.show(person, "wiki", **changes)
    assert "See your e-mail address." in page.text
    assert "See which teams you are in." in page.text
    code = told(await world.say(person, page))["code"]
    answer = (await world.redeem(code, "wiki")).json()
    assert claims_in(answer["id_token"])["email"] == "user@company.com"
    assert answer["scope"] == "email groups openid"


async def test_an_agents_client_may_learn_who_it_is_for_beside_its_task(world: AuthorizingWorld) -> None:
    answer = await world.tokens("strict", scope="openid mcp")
    access, claims = claims_in(answer["access_token"]), claims_in(answer["id_token"])
    assert access["scope"] == "mcp"
    assert claims["sub"] == access["sub"]
    assert claims["dev.remit"]["task"] == access["txn"]
    assert "id_token" not in await world.tokens("strict")


@pytest.mark.spec("OpenID Connect Core", "3.1.3.7")
async def test_an_id_token_is_read_back_as_it_was_meant(world: AuthorizingWorld) -> None:
    text = (await sign_in(world))["id_token"]
    audience = world.clients["wiki"].client_id
    token = id_token.read(text, keys=world.keyring, audience=audience, at=world.now)
    assert (token.subject, token.nonce) == (world.actors["ana"].id, "a nonce")
    assert id_token.audience_of(text) == audience
