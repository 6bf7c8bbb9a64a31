"""A person signs in to an application: the code flow of OpenID Connect, from the request to the ID token."""

import hashlib
import json
from dataclasses import replace
from typing import Any

import pytest

from remit.authority.oauth.clients.registration import ApplicationType
from remit.authority.oauth.consenting.sign_ons import SignOnService
from remit.authority.oidc import id_token
from remit.identity.sessions import ACR_PASSKEY_UV
from remit.kernel.canonical import b64u
from remit.kernel.ids import UserId
from remit.kernel.jose.dpop import make_proof
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.authorizing import LOOPBACK, AuthorizingWorld, SignedIn, told
from support.oauth import ABSENT, OPTIONS, claims_in


@pytest.fixture
async def world(sqlite_uow: SqlUnitOfWork) -> AuthorizingWorld:
    world = await AuthorizingWorld(sqlite_uow).populate()
    await world.application("wiki")
    return world


async def sign_in(world: AuthorizingWorld, name: str = "wiki", **changes: Any) -> dict[str, Any]:
    """The first tokens of an application, by the whole way."""
    asked: dict[str, Any] = {
        "resource": ABSENT,
        "scope": "openid profile email",
        "nonce": "a nonce",
        **changes,
    }
    return await world.tokens(name, **asked)


@pytest.mark.spec("OIDC Core", "2")
@pytest.mark.spec("OIDC Core", "3.1.3.3")
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


@pytest.mark.spec("OIDC Core", "12.2")
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


@pytest.mark.spec("OIDC Core", "5.5")
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


@pytest.mark.spec("OIDC Core", "3.1.3.7")
async def test_an_id_token_is_read_back_as_it_was_meant(world: AuthorizingWorld) -> None:
    text = (await sign_in(world))["id_token"]
    audience = world.clients["wiki"].client_id
    token = id_token.read(text, keys=world.keyring, audience=audience, at=world.now)
    assert (token.subject, token.nonce) == (world.actors["ana"].id, "a nonce")
    assert id_token.audience_of(text) == audience


async def userinfo(world: AuthorizingWorld, token: str, *, method: str = "GET", **header: str) -> Any:
    """Ask at the endpoint, with a proof of the session's key."""
    url = f"{world.options.issuer}/userinfo"
    proof = make_proof(
        world.device, method=method, target=url, jti=world.fresh(), at=world.now, access_token=token
    )
    headers = {"authorization": f"DPoP {token}", "dpop": proof, **header}
    return await world.http.request(method, "/userinfo", headers={k: v for k, v in headers.items() if v})


@pytest.mark.spec("OIDC Core", "5.3")
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_the_userinfo_endpoint_tells_what_the_scopes_open(world: AuthorizingWorld, method: str) -> None:
    answer = await sign_in(world, scope="openid profile")
    found = await userinfo(world, answer["access_token"], method=method)
    assert found.status_code == 200, found.text
    assert found.json() == {"sub": world.actors["ana"].id, "name": "ana", "preferred_username": "ana"}
    assert found.headers["cache-control"] == "no-store"


@pytest.mark.spec("OIDC Core", "5.3.3")
@pytest.mark.spec("RFC 6750", "3.1")
async def test_the_userinfo_endpoint_refuses_with_a_challenge(world: AuthorizingWorld) -> None:
    answer = await sign_in(world)
    task = await world.tokens("strict")
    bare = await world.http.get("/userinfo")
    assert bare.status_code == 401
    assert "error=" not in bare.headers["www-authenticate"]
    assert "oauth-protected-resource/userinfo" in bare.headers["www-authenticate"]
    held = answer["access_token"]
    for token, header in ((task["access_token"], {}), (held, {"authorization": f"Bearer {held}"})):
        refused = await userinfo(world, token, **header)
        assert refused.status_code == 401
        assert 'error="invalid_token"' in refused.headers["www-authenticate"]
    unproven = await userinfo(world, held, dpop="")
    assert 'error="invalid_dpop_proof"' in unproven.headers["www-authenticate"]


# -- prompts, and what is remembered


@pytest.mark.attack("OA-26")
@pytest.mark.spec("OIDC Core", "3.1.2.1")
async def test_a_yes_counts_again_only_for_what_was_shown(world: AuthorizingWorld) -> None:
    person = await world.sign_in()
    asked: dict[str, Any] = {"resource": ABSENT, "scope": "openid profile", "prompt": "none"}
    assert told(await come(world, person, **asked))["error"] == "consent_required"
    await world.code(person, "wiki", resource=ABSENT, scope="openid profile email")
    assert "code" in told(await come(world, person, **asked))
    assert "code" in told(await come(world, person, **{**asked, "prompt": ABSENT}))
    for changes in ({"scope": "openid groups"}, {"claims": '{"userinfo":{"groups":null}}'}):
        assert told(await come(world, person, **{**asked, **changes}))["error"] == "consent_required"
    for prompt in ("consent", "select_account"):
        page = await come(world, person, **{**asked, "prompt": prompt})
        assert page.status_code == 200
    other = await world.sign_in("ben")
    assert told(await come(world, other, **asked))["error"] == "consent_required"
    await world.change("wiki", digest="0" * 64)
    assert told(await come(world, person, **asked))["error"] == "consent_required"


@pytest.mark.attack("OA-26")
async def test_an_agent_is_never_let_in_by_an_earlier_yes(world: AuthorizingWorld) -> None:
    person = await world.sign_in()
    await world.code(person, "strict", scope="openid mcp")
    answer = await come(world, person, "strict", scope="openid mcp", prompt="none")
    assert told(answer)["error"] == "consent_required"
    assert (await come(world, person, "strict", scope="openid mcp")).status_code == 200


@pytest.mark.attack("OA-26")
@pytest.mark.spec("RFC 8252", "8.6")
async def test_a_program_on_a_persons_machine_is_asked_about_each_time(world: AuthorizingWorld) -> None:
    await world.application("desk", redirect_uris=(LOOPBACK,), application_type=ApplicationType.NATIVE)
    person = await world.sign_in()
    asked: dict[str, Any] = {"resource": ABSENT, "scope": "openid", "redirect_uri": LOOPBACK}
    await world.code(person, "desk", **asked)
    assert told(await come(world, person, "desk", prompt="none", **asked))["error"] == "consent_required"


@pytest.mark.spec("OIDC Core", "3.1.2.6")
async def test_a_client_that_wants_no_page_is_told_what_is_missing(world: AuthorizingWorld) -> None:
    ana, ben = await world.sign_in(), await world.sign_in("ben")
    asked: dict[str, Any] = {"resource": ABSENT, "scope": "openid", "prompt": "none"}
    first = await sign_in(world, scope="openid")
    begun = await world.begin("wiki", **asked)
    nobody = await world.get(begun.headers["location"])
    assert told(nobody)["error"] == "login_required"
    hinted = {**asked, "id_token_hint": first["id_token"]}
    assert "code" in told(await come(world, ana, **hinted))
    assert told(await come(world, ben, **hinted))["error"] == "login_required"
    broken = {**asked, "id_token_hint": first["access_token"]}
    assert told(await come(world, ana, **broken))["error"] == "invalid_request"
    meant = {**asked, "claims": json.dumps({"id_token": {"sub": {"value": world.actors["ben"].id}}})}
    assert told(await come(world, ana, **meant))["error"] == "login_required"
    demanded = {**asked, "claims": '{"id_token":{"acr":{"essential":true,"values":["urn:other"]}}}'}
    assert told(await come(world, ana, **demanded))["error"] == "unmet_authentication_requirements"
    world.pass_time(minutes=10)
    assert told(await come(world, ana, **asked, max_age="60"))["error"] == "login_required"


async def come(world: AuthorizingWorld, person: SignedIn, name: str = "wiki", **changes: Any) -> Any:
    """Come to the page of a request, as somebody who is signed in."""
    begun = await world.begin(name, **changes)
    return await world.get(begun.headers["location"], person)


# -- discovery


@pytest.mark.spec("OIDC Discovery", "4")
@pytest.mark.spec("RFC 8414", "5")
@pytest.mark.req("N34")
async def test_the_documents_agree_wherever_they_are_asked_for(sqlite_uow: SqlUnitOfWork) -> None:
    issuer = "https://remit.example/t/blue"
    world = AuthorizingWorld(sqlite_uow, options=replace(OPTIONS, issuer=issuer))
    places = (
        "/.well-known/oauth-authorization-server/t/blue",
        "/.well-known/openid-configuration/t/blue",
        # Appended to the issuer (OpenID Connect Discovery §4), whose path is cut before it comes here.
        "/.well-known/openid-configuration",
    )
    found = [(await world.http.get(f"https://remit.example{place}")).json() for place in places]
    assert found[0] == found[1] == found[2]
    assert found[0]["issuer"] == issuer
    assert found[0]["code_challenge_methods_supported"] == ["S256"]
    assert found[0]["userinfo_endpoint"] == f"{issuer}/userinfo"
    assert set(found[0]["scopes_supported"]) >= {"openid", "profile", "email", "groups"}


# -- N2: whatever ends what a token stands on ends it here too


async def person_suspended(world: AuthorizingWorld, _held: dict[str, Any]) -> None:
    ana = world.actors["ana"].principal.id
    await world.identities.suspend(ana, by=world.actors["ben"].principal.id, because="test", at=world.now)


async def application_retired(world: AuthorizingWorld, _held: dict[str, Any]) -> None:
    by = world.actors["ben"].principal.id
    await world.identities.retire(world.clients["wiki"].principal, by=by, because="test", at=world.now)


async def token_revoked(world: AuthorizingWorld, held: dict[str, Any]) -> None:
    await world.send("/revoke", "wiki", {"token": held["refresh_token"]}, proof=ABSENT)


async def session_ended(world: AuthorizingWorld, _held: dict[str, Any]) -> None:
    ana = world.actors["ana"].principal.id
    await world.sessions.end_all(ana, by=ana, because="test")


async def taken_back(world: AuthorizingWorld, _held: dict[str, Any]) -> None:
    ana = world.actors["ana"].principal.id
    service = SignOnService(uow=world.uow, entropy=world.entropy)
    for each in await service.of(UserId(ana)):
        await service.withdraw(each.id, by=ana, at=world.now)


async def time_passed(world: AuthorizingWorld, _held: dict[str, Any]) -> None:
    world.pass_time(minutes=6)


CAUSES = {
    "the person is suspended": (person_suspended, True),
    "the application is retired": (application_retired, True),
    "the refresh token is revoked": (token_revoked, True),
    "the session is ended": (session_ended, True),
    "the yes is taken back": (taken_back, True),
    "time": (time_passed, False),
}
"""Each cause, and whether it ends what renews the token too."""


@pytest.mark.req("N2")
@pytest.mark.parametrize("cause", CAUSES)
async def test_a_cause_of_death_ends_an_applications_tokens(world: AuthorizingWorld, cause: str) -> None:
    held = await sign_in(world)
    assert (await userinfo(world, held["access_token"])).status_code == 200
    act, ends_all = CAUSES[cause]
    await act(world, held)
    refused = await userinfo(world, held["access_token"])
    assert refused.status_code == 401
    assert 'error="invalid_token"' in refused.headers["www-authenticate"]
    renewed = await world.refresh(held["refresh_token"], "wiki")
    assert (renewed.status_code == 200) is not ends_all, renewed.text
