"""R29: a person takes one delegation back; the agent is denied at once, and nothing of theirs is touched."""

from datetime import timedelta

import pytest

from support.clients import Refused
from support.house import ACCESS_TOKEN, BOOKING, House
from support.oauth import claims_in
from support.portals import Visitor, portal, sign_in, token, userinfo
from support.visitors import browser, field

SPAN = {"start": "2026-05-15T14:00Z", "end": "2026-05-15T15:00Z"}
OPEN = '@id("open") permit(principal, action, resource);'


@pytest.mark.req("R29", "R35")
@pytest.mark.promise("P1", "P12")
async def test_one_agent_is_denied_and_everything_else_of_the_person_goes_on(house: House) -> None:
    await house.policy(OPEN)
    person, ended, kept = house["user"], house["calendar-bot"], house["support-bot"]
    async with browser(house) as one:
        # Everything that is the person's: passkey, session, device key, an application that knows them.
        await one.enrol("user")
        (session,) = await one.sessions("user")
        cookie = f"remit-session={one.secret}"
        wiki = await portal(house, token_endpoint_auth_method="none")
        signed_in = await sign_in(house, wiki, Visitor(house=house, session=session, cookie=cookie))
        own = await house.own_token(person)
        # Two delegations, each at work; the first agent has handed its task on as well.
        going, staying = await house.task("calendar-bot"), await house.task("support-bot")
        dying, living = (
            await house.exchange(ended, going.envelope),
            await house.exchange(kept, staying.envelope),
        )
        chain = house.chained(going, "calendar-bot", "mail-bot")
        handed = await house.exchange(house["mail-bot"], chain)
        for who, text, envelope in (
            (ended, dying, ""),
            (kept, living, ""),
            (house["mail-bot"], handed, chain),
        ):
            assert (await house.call(who, text, "rooms_free", SPAN, envelope=envelope)).ran
        grant = going.task.grant
        page = (await one.open("/me/grants")).text
        taken = await one.post(f"/me/grants/{grant}/withdraw", {"csrf": field(page, "csrf")})
        assert taken.status_code == 303
        await house.services.ground.snapshots.catch_up()

        # Denied: with what it holds, with what it handed on, and with anything new.
        assert not (await house.call(ended, dying, "rooms_free", SPAN)).ran
        assert not (await house.call(house["mail-bot"], handed, "rooms_free", SPAN, envelope=chain)).ran
        with pytest.raises(Refused):
            await house.exchange(ended, going.envelope)
        with pytest.raises(Refused):
            await house.exchange(ended, dying, kind=ACCESS_TOKEN)
        later = (house.now() + timedelta(minutes=5)).isoformat()
        begun = {"agent": str(ended.agent), "goal": "again", "purpose": "scheduling", "deadline": later}
        assert (await house.api(person, "POST", "/tasks", begun)).json()["code"] == "no_consent"
        # Untouched: the session, the passkey, the device key and its token, the application, the other agent.
        assert [each.id for each in await one.sessions("user")] == [session.id]
        assert (await one.open("/me/sessions")).url.path == "/me/sessions"
        assert (await one.sign_in(again=True)).status_code == 200
        assert (await house.api(person, "GET", "/tasks", token=own)).status_code == 200
        assert await house.own_token(person)
        assert (await userinfo(house, signed_in["access_token"])).json()["sub"] == person.id
        renewed = await token(
            house, wiki, grant_type="refresh_token", refresh_token=signed_in["refresh_token"]
        )
        assert renewed.status_code == 200, renewed.text
        assert (await house.call(kept, living, "rooms_free", SPAN)).ran
        assert (
            await house.call(kept, await house.exchange(kept, staying.envelope), "rooms_book", BOOKING)
        ).ran
        # And the agent itself: it is no worse off for anybody else.
        other = await house.task("calendar-bot", user="lead")
        assert (await house.call(ended, await house.exchange(ended, other.envelope), "rooms_free", SPAN)).ran
        assert claims_in(await house.own_token(ended))["client_id"] == ended.id
