"""What an application demands: how long a session lasts, and what the sign-in behind it must be."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from remit.authority.oauth.clients.registration import SessionLimits
from remit.identity.sessions import (
    ACR_PASSKEY_UV,
    ACR_UPSTREAM,
    ACR_UPSTREAM_MFA,
    AMR_PASSKEY_UV,
    Proof,
    SessionRule,
    begin,
    confirmed,
)
from remit.kernel.canonical import b64u
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.authorizing import AuthorizingWorld, SignedIn, told
from support.oauth import ABSENT, ACCESS_TOKEN, EXCHANGE, claims_in

ASKED: dict[str, Any] = {"resource": ABSENT, "scope": "openid"}
MFA_ON_A_MANAGED_DEVICE = frozenset({"mfa", "managed_device"})


@pytest.fixture
async def world(sqlite_uow: SqlUnitOfWork) -> AuthorizingWorld:
    world = await AuthorizingWorld(sqlite_uow).populate()
    await world.application("wiki")
    return world


async def signed_in(world: AuthorizingWorld, acr: str, *marks: str, name: str = "ana") -> SignedIn:
    """Somebody who came by that way, with what their provider vouches for."""
    proof = Proof(amr=AMR_PASSKEY_UV, acr=acr, at=world.now, marks=marks)
    session, secret = begin(
        world.actors[name].principal.id,
        tenant=DEFAULT_TENANT,
        proof=proof,
        rule=SessionRule(),
        entropy=world.entropy,
    )
    await world.uow.commit(lambda tx: tx.sessions.add(session))
    return SignedIn(session=session, cookie=f"__Host-remit-session={b64u(secret.reveal())}")


async def come(world: AuthorizingWorld, person: SignedIn, name: str = "wiki", **changes: Any) -> Any:
    begun = await world.begin(name, **{**ASKED, **changes})
    return await world.get(begun.headers["location"], person)


# -- R24: how long, how often, how many


async def reasons(world: AuthorizingWorld) -> list[str]:
    """Why tokens were refused, as the ledger has it."""
    return [each.codes[-1] for each in await world.records("authority.token.refused")]


@pytest.mark.req("R24")
@pytest.mark.parametrize(
    ("limits", "within", "beyond", "reason"),
    [
        ({"lifetime": timedelta(minutes=30)}, 30 * 60 - 1, 30 * 60, "family_expired"),
        ({"idle": timedelta(minutes=10)}, 10 * 60 - 1, 10 * 60, "family_idle"),
    ],
)
async def test_a_session_lasts_as_long_as_its_client_allows(
    world: AuthorizingWorld, limits: dict[str, Any], within: int, beyond: int, reason: str
) -> None:
    await world.change("web", limits=SessionLimits(**limits))
    first, second = await world.tokens("web"), await world.tokens("web")
    world.pass_time(seconds=within)
    assert (await world.refresh(first["refresh_token"], "web")).status_code == 200
    world.pass_time(seconds=beyond - within)
    refused = await world.refresh(second["refresh_token"], "web")
    assert refused.json()["error"] == "invalid_grant"
    assert await reasons(world) == [reason]


@pytest.mark.req("R24")
async def test_a_session_is_renewed_and_multiplied_as_often_as_its_client_allows(
    world: AuthorizingWorld,
) -> None:
    await world.change("web", limits=SessionLimits(refresh_count=2, concurrency=2))
    held = await world.tokens("web")
    for _ in range(2):
        answer = await world.refresh(held["refresh_token"], "web")
        assert answer.status_code == 200
        held = answer.json()
    assert (await world.refresh(held["refresh_token"], "web")).json()["error"] == "invalid_grant"
    assert await reasons(world) == ["refresh_count"]
    oldest = await world.tokens("web")
    world.pass_time(seconds=1)
    kept = [await world.tokens("web") for _ in range(2)]
    assert (await world.refresh(oldest["refresh_token"], "web")).json()["error"] == "invalid_grant"
    assert (await reasons(world))[-1] == "family_crowded_out"
    for each in kept:
        assert (await world.refresh(each["refresh_token"], "web")).status_code == 200


@pytest.mark.req("R24")
async def test_a_limit_that_is_made_narrower_counts_for_what_is_open(world: AuthorizingWorld) -> None:
    held = await world.tokens("web")
    world.pass_time(minutes=20)
    await world.change("web", limits=SessionLimits(idle=timedelta(minutes=15)))
    assert (await world.refresh(held["refresh_token"], "web")).json()["error"] == "invalid_grant"
    assert await reasons(world) == ["family_idle"]


# -- R21: what a sign-in must be


@pytest.mark.req("R21")
@pytest.mark.spec("RFC 9470", "5")
async def test_a_sign_in_that_falls_short_is_stepped_up_or_refused(world: AuthorizingWorld) -> None:
    await world.change("wiki", requires=MFA_ON_A_MANAGED_DEVICE)
    weak = await signed_in(world, ACR_UPSTREAM)
    refused = told(await come(world, weak))
    assert refused["error"] == "unmet_authentication_requirements"
    assert "a device that your company manages" in refused["error_description"]
    world.pass_time(seconds=1)
    half = await signed_in(world, ACR_UPSTREAM, "managed_device")
    world.pass_time(seconds=1)
    again = await come(world, half)
    assert again.headers["location"].startswith("/sign-in?")
    assert "again=1" in again.headers["location"]
    assert told(await come(world, half, prompt="none"))["error"] == "login_required"
    begun = await world.begin("wiki", **ASKED)
    fresh = Proof(amr=AMR_PASSKEY_UV, acr=ACR_PASSKEY_UV, at=world.now)
    moved, secret = confirmed(half.session, proof=fresh, entropy=world.entropy)
    await world.uow.commit(lambda tx: tx.sessions.put(moved, was=half.session.secret_digest))
    stepped = SignedIn(session=moved, cookie=f"__Host-remit-session={b64u(secret.reveal())}")
    assert (await world.get(begun.headers["location"], stepped)).status_code == 200
    for acr in (ACR_PASSKEY_UV, ACR_UPSTREAM_MFA):
        strong = await signed_in(world, acr, "managed_device")
        assert (await come(world, strong)).status_code == 200
    vouched = await signed_in(world, ACR_UPSTREAM, "managed_device", "mfa")
    assert (await come(world, vouched)).status_code == 200
    await world.change("wiki", requires=frozenset({"passkey"}))
    world.pass_time(seconds=1)
    assert "again=1" in (await come(world, vouched)).headers["location"]
    # An agent's client is no exception.
    await world.change("strict", requires=frozenset({"managed_device"}))
    answer = await come(world, weak, "strict", resource=world.options.mcp("business"), scope=ABSENT)
    assert told(answer)["error"] == "unmet_authentication_requirements"


@pytest.mark.req("R21")
@pytest.mark.spec("RFC 9470", "3")
async def test_what_is_demanded_now_is_judged_at_each_refresh_and_use(world: AuthorizingWorld) -> None:
    person = await signed_in(world, ACR_UPSTREAM)
    code = told(await world.say(person, await world.show(person, "wiki", **ASKED)))["code"]
    held = (await world.redeem(code, "wiki")).json()
    await world.change("wiki", requires=frozenset({"passkey"}))
    asked = await userinfo(world, held["access_token"])
    assert asked.status_code == 401
    challenge = asked.headers["www-authenticate"]
    assert 'error="insufficient_user_authentication"' in challenge
    assert f'acr_values="{ACR_PASSKEY_UV}"' in challenge
    refused = await world.refresh(held["refresh_token"], "wiki")
    assert refused.json()["error"] == "invalid_grant"
    # The person proves a passkey in that very session: it counts from now on.
    moved = replace(person.session, acr=ACR_PASSKEY_UV, authenticated_at=world.now)
    await world.uow.commit(lambda tx: tx.sessions.put(moved, was=person.session.secret_digest))
    assert (await world.refresh(held["refresh_token"], "wiki")).status_code == 200


async def userinfo(world: AuthorizingWorld, token: str) -> Any:
    url = f"{world.options.issuer}/userinfo"
    proof = world.proof_at(url, token)
    headers = {"authorization": f"DPoP {token}", "dpop": proof}
    return await world.http.get("/userinfo", headers=headers)


# -- R14: what a person proves gives an agent nothing


@pytest.mark.req("R14")
async def test_a_stronger_sign_in_gives_an_agent_nothing_more(world: AuthorizingWorld) -> None:
    rights = []
    for acr in (ACR_UPSTREAM, ACR_PASSKEY_UV):
        person = await signed_in(world, acr, "mfa", "managed_device")
        code = told(await world.say(person, await world.show(person)))["code"]
        held = (await world.redeem(code)).json()
        claims = claims_in(held["access_token"])
        assert claims["acr"] == acr
        details = [
            {name: value for name, value in each.items() if name != "window"}
            for each in held["authorization_details"]
        ]
        rights.append((held["scope"], details))
    assert rights[0] == rights[1]
    # Nor does a person's own token, however strong, turn into an agent's.
    person = await signed_in(world, ACR_PASSKEY_UV)
    code = told(await world.say(person, await world.show(person, "wiki", **ASKED)))["code"]
    own = (await world.redeem(code, "wiki")).json()
    for text in (own["access_token"], own["id_token"]):
        answer = await world.ask(
            "calendar-bot",
            grant_type=EXCHANGE,
            subject_token=text,
            subject_token_type=ACCESS_TOKEN,
            resource=world.options.mcp("business"),
        )
        assert answer.status_code == 400, answer.text


@pytest.mark.req("R14")
async def test_an_agent_can_take_no_step_of_a_person(world: AuthorizingWorld) -> None:
    held = await world.tokens("strict", scope="openid mcp")
    begun = await world.begin("wiki", **ASKED)
    for text in (held["access_token"], held["id_token"]):
        headers = {"authorization": f"DPoP {text}", "cookie": f"__Host-remit-session={text}"}
        page = await world.http.get(begun.headers["location"], headers=headers)
        assert page.headers["location"].startswith("/sign-in?")
