"""People over the API: administrators enrol, list, revoke and sign out; others see their own alone."""

from dataclasses import replace

import httpx2
import pytest

from support.house import House
from support.visitors import Browser, browser, field, options_of


async def by_api(house: House, one: Browser, who: str = "lead") -> httpx2.Response:
    """Enrol with a link that the API gave."""
    made = await house.api(house["admin"], "POST", f"/users/{who}@company.com/enrolments", {"seconds": 60})
    assert made.status_code == 201, made.text
    assert made.json()["url"].startswith(f"http://localhost:{house.port}/enrol#")
    link = {"secret": made.json()["url"].partition("#")[2]}
    page = (await one.post("/enrol", link)).text
    answer = {"ticket": field(page, "ticket"), "response": one.device.create(options_of(page))}
    return await one.post("/enrol", {**link, **answer, "name": "phone"})


@pytest.mark.req("R17")
async def test_an_administrator_enrols_sees_and_revokes(house: House) -> None:
    admin, path = house["admin"], f"/users/{house['lead'].id}"
    async with browser(house) as one:
        assert (await by_api(house, one)).status_code == 200
        (passkey,) = (await house.api(admin, "GET", f"{path}/passkeys")).json()
        assert (passkey["name"], passkey["state"], passkey["algorithm"]) == ("phone", "active", -7)
        assert not {"public_key", "credential", "user_handle"} & set(passkey)
        (session,) = (await house.api(admin, "GET", f"{path}/sessions")).json()
        assert (session["acr"], session["client"]) == ("urn:remit:acr:passkey-uv", "Test/1")
        assert "secret_digest" not in session
        ended = await house.api(admin, "POST", f"{path}/sessions/end", {"reason": "lost"})
        assert ended.json() == {"ended": 1}
        assert (await one.open("/me/passkeys")).url.path == "/sign-in"
        gone = await house.api(admin, "POST", f"{path}/passkeys/{passkey['id']}/revoke", {"reason": "lost"})
        assert gone.json()["state"] == "revoked"
        assert (await one.sign_in()).status_code == 403
        assert (await house.records("identity.passkey.revoked"))[-1].actor == admin.id


async def test_links_are_taken_back(house: House) -> None:
    admin, path = house["admin"], f"/users/{house['lead'].id}/enrolments"
    made = (await house.api(admin, "POST", path, {})).json()
    assert (await house.api(admin, "POST", f"{path}/withdraw")).json() == {"ended": 1}
    async with browser(house) as one:
        taken = {"secret": made["url"].partition("#")[2]}
        assert (await one.post("/enrol", taken)).status_code == 410


@pytest.mark.attack("CO-09", "AU-14")
async def test_others_see_their_own_and_end_nobody(house: House) -> None:
    lead, user = house["lead"], house["user"]
    async with browser(house) as one:
        await one.enrol("lead")
        (session,) = await one.sessions("lead")
        assert (await house.api(lead, "GET", f"/users/{lead.id}/passkeys")).status_code == 200
        for path in ("passkeys", "sessions"):
            assert (await house.api(user, "GET", f"/users/{lead.id}/{path}")).status_code == 404
        for who in (user, lead):
            refused = [
                await house.api(who, "POST", f"/users/{lead.id}/enrolments", {}),
                await house.api(who, "POST", f"/users/{lead.id}/enrolments/withdraw"),
                await house.api(who, "POST", f"/users/{lead.id}/sessions/end", {"reason": "x"}),
                await house.api(
                    who, "POST", f"/users/{lead.id}/passkeys/{session.means}/revoke", {"reason": "x"}
                ),
            ]
            assert [reply.status_code for reply in refused] == [403] * len(refused)
        assert len(await one.sessions("lead")) == 1


async def test_what_is_malformed_or_not_a_person_is_said(house: House) -> None:
    admin = house["admin"]
    for seconds in (0, 86_401, -1, "60"):
        bad = await house.api(admin, "POST", f"/users/{house['lead'].id}/enrolments", {"seconds": seconds})
        assert bad.status_code == 400, seconds
    for ident in ("nobody", house["support-bot"].id, "usr_none"):
        assert (await house.api(admin, "POST", f"/users/{ident}/enrolments", {})).status_code == 404
    none = f"/users/{house['lead'].id}/passkeys/psk_none/revoke"
    assert (await house.api(admin, "POST", none, {"reason": "x"})).status_code == 404


async def test_a_link_is_told_once_whatever_the_key_says(house: House) -> None:
    """A repeated request does not show the secret again (`Replay.REFUSE`)."""
    admin, path = house["admin"], f"/users/{house['lead'].id}/enrolments"
    key = {"Idempotency-Key": "enrol-lead-once-0001"}
    assert (await house.api(admin, "POST", path, {}, headers=key)).status_code == 201
    again = await house.api(admin, "POST", path, {}, headers=key)
    assert again.status_code == 409
    assert "/enrol#" not in again.text


async def test_a_device_of_another_origin_is_of_no_use(house: House) -> None:
    async with browser(house) as one:
        one.device = replace(one.device, origin="https://evil.example")
        assert (await by_api(house, one)).status_code == 403
