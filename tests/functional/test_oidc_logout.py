"""Signing out of an application, and of all that a session let in, by whoever may end it."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from remit.authority.oidc.logout import EVENT, KEEP_TRYING
from remit.identity.upstream.linked import UpstreamSession
from remit.identity.upstream.provider import IdentityProvider, OidcClient, Proves
from remit.kernel.ids import PrincipalId
from remit.kernel.jose import jwt
from remit.kernel.jose.errors import TokenRejected
from remit.kernel.jose.profiles import TokenType
from remit.oversight.containment.kill import TargetKind
from remit.platform.storage.unit_of_work import SqlTransaction
from support.companies import beside
from support.house import House
from support.oauth import claims_in
from support.portals import (
    BACK,
    GONE,
    TOLD,
    Listener,
    Visitor,
    come,
    portal,
    settle,
    sign_in,
    sign_out,
    telling,
    token,
    told,
    userinfo,
    visitor,
)


async def by_an_administrator(house: House, who: Visitor) -> None:
    admin = PrincipalId(house["admin"].id)
    await house.services.people.sessions.end_all(who.session.human, by=admin, because="lost laptop")


async def by_a_kill(house: House, who: Visitor) -> None:
    await house.kill(TargetKind.USER, str(who.session.human))


async def by_retirement(house: House, who: Visitor) -> None:
    admin = PrincipalId(house["admin"].id)
    await house.services.identity.retire(who.session.human, by=admin, because="left", at=house.now())


ENDS: dict[str, Callable[[House, Visitor], Awaitable[None]]] = {
    "signed out": sign_out,
    "an administrator": by_an_administrator,
    "a kill": by_a_kill,
    "retirement": by_retirement,
}


@pytest.mark.spec("OIDC Back-Channel Logout", "2.4")
@pytest.mark.spec("OIDC Back-Channel Logout", "2.5")
async def test_every_end_of_a_session_reaches_its_clients(house: House) -> None:
    wiki = await portal(house)
    for number, end in enumerate(ENDS):
        await house.person(f"p{number}@company.com")
        who = await visitor(house, f"p{number}")
        held = await sign_in(house, wiki, who)
        assert (await userinfo(house, held["access_token"])).status_code == 200
        await ENDS[end](house, who)
        assert (await userinfo(house, held["access_token"])).status_code == 401, end
        refused = await token(house, wiki, grant_type="refresh_token", refresh_token=held["refresh_token"])
        assert refused.json()["error"] == "invalid_grant"
        await settle(house)
        listener = Listener()
        assert await telling(house, listener).run_due() == 1, end
        (heard,) = listener.heard
        claims = claims_in(heard["logout_token"])
        assert heard["url"] == TOLD
        said = (claims["aud"], claims["sid"], claims["sub"])
        assert said == (wiki.client_id, who.session.id, who.session.human)
        assert claims["events"] == {EVENT: {}}
        assert "nonce" not in claims
    assert len(await house.records("authority.logout.delivered")) == len(ENDS)
    assert len(await house.records("authority.family.ended")) == len(ENDS)


@pytest.mark.spec("OIDC Back-Channel Logout", "2.8")
async def test_a_client_is_told_until_it_has_heard(house: House) -> None:
    wiki, who = await portal(house), await visitor(house)
    held = await sign_in(house, wiki, who)
    await sign_out(house, who)
    await settle(house)
    await settle(house)
    listener = Listener(answers=[503, 204])
    service = telling(house, listener)
    assert await service.run_due() == 0
    assert await service.run_due() == 0, "not before its time"
    await age(house, timedelta(seconds=2))
    assert await service.run_due() == 1
    assert len(listener.heard) == 2
    assert len({claims_in(each["logout_token"])["jti"] for each in listener.heard}) == 2
    assert await service.run_due() == 0
    assert held


@pytest.mark.spec("OIDC Back-Channel Logout", "2.8")
async def test_what_became_of_a_notice_is_on_record(house: House) -> None:
    wiki = await portal(house)
    for status, passed, outcome in ((400, timedelta(0), "refused"), (500, KEEP_TRYING, "abandoned")):
        who = await visitor(house)
        await sign_in(house, wiki, who)
        await sign_out(house, who)
        await settle(house)
        await age(house, passed)
        await telling(house, Listener(answers=[status])).run_due()
        assert len(await house.records(f"authority.logout.{outcome}")) == 1


async def test_nobody_is_told_at_an_address_of_our_own_network(house: House) -> None:
    wiki, who = await portal(house, backchannel_logout_uri="https://localhost/logout"), await visitor(house)
    await sign_in(house, wiki, who)
    await sign_out(house, who)
    await settle(house)
    service = house.services.openid.logouts
    assert await service.run_due() == 0
    (notice,) = await house.work.read(lambda tx: tx.logouts.due(house.now() + timedelta(hours=1), 9))
    assert notice.last == "outbound_refused"


async def age(house: House, by: timedelta) -> None:
    """Make every open notice older."""

    def work(tx: Any) -> None:
        for each in tx.logouts.due(house.now() + timedelta(days=2), 9):
            older = replace(each, due=each.due - by, created_at=each.created_at - by)
            assert tx.logouts.save(older, was=each.tries)

    await house.work.commit(work)


# -- at the wish of a client


SPEAKS = OidcClient(
    client_id="remit",
    proves=Proves.KEY,
    scopes=("openid",),
    authorization_endpoint="https://login.company.example/in",
    token_endpoint="https://login.company.example/token",
    jwks_uri="https://login.company.example/jwks",
    end_session_endpoint="https://login.company.example/out",
)


async def leave(who: Visitor, **asked: str) -> Any:
    return await who.get(f"/end_session?{urlencode(asked)}")


@pytest.mark.spec("OIDC RP-Initiated Logout", "2")
@pytest.mark.spec("OIDC RP-Initiated Logout", "3")
async def test_a_client_that_proves_the_session_signs_out_at_once(house: House) -> None:
    wiki, who = await portal(house), await visitor(house)
    held = await sign_in(house, wiki, who)
    asked = {"id_token_hint": held["id_token"], "post_logout_redirect_uri": GONE, "state": "x y"}
    gone = await leave(who, **asked)
    assert gone.status_code == 303
    assert gone.headers["location"] == f"{GONE}?state=x+y"
    assert 'remit-session=""' in gone.headers["set-cookie"]
    assert (await userinfo(house, held["access_token"])).status_code == 401
    again = await leave(who, **asked)
    assert again.headers["location"] == f"{GONE}?state=x+y", "nobody is signed in: on to where it said"
    posted = await house.http.post(f"{house.issuer}/end_session", data=asked)
    assert posted.headers["location"].startswith("/end_session?")


@pytest.mark.attack("OA-13")
@pytest.mark.spec("OIDC RP-Initiated Logout", "6")
async def test_whoever_proves_nothing_is_asked_about(house: House) -> None:
    wiki, ana, lead = await portal(house), await visitor(house), await visitor(house, "lead")
    held = await sign_in(house, wiki, ana)
    pages = [
        await leave(lead),
        await leave(lead, client_id=wiki.client_id, post_logout_redirect_uri=GONE),
        await leave(lead, id_token_hint=held["id_token"], post_logout_redirect_uri=GONE),
    ]
    assert all(page.status_code == 200 and "Sign out?" in page.text for page in pages)
    assert len(await house.services.people.sessions.of(lead.session.human)) == 1
    forged = await lead.post("/end_session/confirm", csrf="0" * 64)
    assert forged.status_code == 403
    csrf = re.search(r'name="csrf" value="([0-9a-f]{64})"', pages[-1].text)
    assert csrf is not None
    answered = await lead.post(
        "/end_session/confirm",
        csrf=csrf.group(1),
        client_id=wiki.client_id,
        post_logout_redirect_uri=GONE,
        state="z",
    )
    assert answered.headers["location"] == f"{GONE}?state=z"
    assert not await house.services.people.sessions.of(lead.session.human)
    assert len(await house.services.people.sessions.of(ana.session.human)) == 1


@pytest.mark.spec("OIDC RP-Initiated Logout", "3")
async def test_who_came_from_a_provider_is_shown_its_own_way_out(house: House) -> None:
    wiki, lead = await portal(house), PrincipalId(house["lead"].id)
    await beside(house.work, lead, house.now())

    def known(tx: SqlTransaction) -> IdentityProvider:
        found = tx.identity_providers.named("company")
        assert found is not None
        there = replace(found, oidc=SPEAKS)
        assert tx.identity_providers.put(there, was=found)
        return there

    company = await house.work.commit(known)
    for onward in ("", GONE):
        who = await visitor(house, "lead", means=str(company.id))
        standing = UpstreamSession(
            tenant=company.tenant,
            session=who.session.id,
            provider=company.id,
            sid="theirs",
            expires_at=who.session.expires_at,
        )
        await house.work.commit(lambda tx, standing=standing: tx.upstream_sessions.add(standing, None))
        held = await sign_in(house, wiki, who)
        asked = {"id_token_hint": held["id_token"], "post_logout_redirect_uri": onward}
        gone = await leave(who, **{name: value for name, value in asked.items() if value})
        assert 'remit-session=""' in gone.headers["set-cookie"]
        if onward:
            assert gone.headers["location"] == GONE, "a client that waits is not held up"
        else:
            assert "Sign out at <bdi>company</bdi> too" in gone.text
            assert "https://login.company.example/out?client_id=remit" in gone.text


@pytest.mark.attack("OA-01")
@pytest.mark.spec("OIDC RP-Initiated Logout", "3")
async def test_nobody_is_sent_where_a_client_did_not_register(house: House) -> None:
    wiki, who = await portal(house), await visitor(house)
    other = await portal(house, "Other", post_logout_redirect_uris=["https://other.example/bye"])
    held = await sign_in(house, wiki, who)
    wrong: list[dict[str, str]] = [
        {"id_token_hint": held["id_token"], "post_logout_redirect_uri": f"{GONE}/"},
        {"id_token_hint": held["id_token"], "post_logout_redirect_uri": BACK},
        {"id_token_hint": held["id_token"], "post_logout_redirect_uri": "https://other.example/bye"},
        {"id_token_hint": held["id_token"], "client_id": other.client_id},
        {"id_token_hint": held["access_token"], "post_logout_redirect_uri": GONE},
        {"id_token_hint": held["id_token"] + "x", "post_logout_redirect_uri": GONE},
        {"client_id": "app_unknown", "post_logout_redirect_uri": GONE},
        {"post_logout_redirect_uri": GONE},
    ]
    for asked in wrong:
        answer = await leave(who, **asked)
        assert answer.status_code == 400, asked
        assert "location" not in answer.headers
    assert (await userinfo(house, held["access_token"])).status_code == 200, "nothing ended"


@pytest.mark.req("R35")
async def test_a_person_takes_an_application_back(house: House) -> None:
    wiki, who = await portal(house), await visitor(house)
    held = await sign_in(house, wiki, who)
    page = await who.get("/me/grants")
    assert "I sign in to Wiki, which can:" in page.text
    action = re.search(r'action="(/me/grants/applications/[^"]+)"', page.text)
    csrf = re.search(r'name="csrf" value="([0-9a-f]{64})"', page.text)
    assert action is not None
    assert csrf is not None
    assert (await who.post(action.group(1), csrf=csrf.group(1))).status_code == 303
    assert (await userinfo(house, held["access_token"])).status_code == 401
    assert "I sign in to Wiki" not in (await who.get("/me/grants")).text
    other = await visitor(house)
    assert told(await come(house, wiki, other, prompt="none"))["error"] == "consent_required"


@pytest.mark.attack("JW-24")
async def test_a_logout_token_is_nothing_else(house: House) -> None:
    wiki, who = await portal(house), await visitor(house)
    held = await sign_in(house, wiki, who)
    await sign_out(house, who)
    await settle(house)
    listener = Listener()
    await telling(house, listener).run_due()
    text = listener.heard[0]["logout_token"]
    keys, at = house.services.ground.keys, house.now()
    jwt.verify(text, as_type=TokenType.LOGOUT_TOKEN, keys=keys, at=at, audience=wiki.client_id)
    for other in TokenType:
        if other is not TokenType.LOGOUT_TOKEN:
            with pytest.raises(TokenRejected):
                jwt.verify(text, as_type=other, keys=keys, at=at, audience=wiki.client_id)
    with pytest.raises(TokenRejected):
        jwt.verify(
            held["id_token"],
            as_type=TokenType.LOGOUT_TOKEN,
            keys=keys,
            at=at,
            audience=wiki.client_id,
        )
    assert (await userinfo(house, text)).status_code == 401
    assert (await userinfo(house, held["id_token"])).status_code == 401
