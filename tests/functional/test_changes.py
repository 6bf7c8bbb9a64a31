"""Administration that takes two: proposed by one, confirmed by another natural person, done exactly so."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from remit.kernel.ids import ChangeId, PrincipalId
from support.composed import populated
from support.house import House
from support.visitors import Browser, browser, field, options_of

POLICY = {"text": '// <script>x</script>\u202e\n@id("all") permit (principal, action, resource);'}
OTHER = {"text": '@id("none") permit (principal, action, resource) when { false };'}
SECOND = "second@company.com"


@asynccontextmanager
async def two(house: House) -> AsyncIterator[Browser]:
    """A second administrator with a passkey, at their browser."""
    await house.person(SECOND, roles="admin")
    async with browser(house) as one:
        assert (await one.enrol("second")).status_code == 200
        yield one


async def proposed(house: House, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """A policy that the first administrator wants to publish, and that waits."""
    found = await house.api(house["admin"], "POST", "/policies", body or POLICY)
    assert found.status_code == 202, found.text
    line: dict[str, Any] = found.json()
    assert line["state"] == "pending"
    return line


async def answered(one: Browser, ident: str, answer: str, **changed: str) -> httpx2.Response:
    """Answer on the page, with the passkey of whoever sits there."""
    page = (await one.open(f"/me/changes/{ident}")).text
    given = one.device.get(options_of(page, answer))
    fields = {"csrf": field(page, "csrf"), "ticket": field(page, "ticket"), "response": given}
    return await one.post(f"/me/changes/{ident}", {**fields, "answer": answer, **changed})


async def version(house: House) -> int:
    found = await house.api(house["admin"], "GET", "/policies")
    return int(found.json()["items"][0]["version"])


async def state(house: House, ident: str) -> str:
    return str((await house.api(house["admin"], "GET", f"/changes/{ident}")).json()["change"]["state"])


VERBS = ("proposed", "unconfirmed", "confirmed", "refused", "cancelled", "expired", "done", "failed")


async def kinds(house: House) -> list[str]:
    """What is on record of changes, kind by kind."""
    return [verb for verb in VERBS for _ in await house.records(f"oversight.change.{verb}")]


@pytest.mark.req("N16")
async def test_what_one_proposes_another_confirms_and_exactly_that_is_done(house: House) -> None:
    before = await version(house)
    async with two(house) as one:
        line = await proposed(house)
        assert await version(house) == before
        assert (await proposed(house))["id"] == line["id"]
        whole = (await house.api(house["admin"], "GET", f"/changes/{line['id']}")).json()
        assert (whole["mine"], '@id(\\"all\\")' in whole["body"]) == (True, True)
        assert line["says"] in (await one.open("/me/changes")).text
        page = (await one.open(f"/me/changes/{line['id']}")).text
        assert line["digest"] in page
        assert "&lt;script&gt;x&lt;/script&gt;⟨U+202E⟩" in page
        assert (await answered(one, line["id"], "confirm")).status_code == 303
        assert await state(house, line["id"]) == "done"
        assert await version(house) == before + 1
        # Once, and never again.
        assert "Confirm</button>" not in (await one.open(f"/me/changes/{line['id']}")).text
        published = (await house.records("decision.policy.published"))[-1]
        assert published.actor == house["admin"].id
        (confirmed,) = await house.records("oversight.change.confirmed")
        assert (confirmed.actor, dict(confirmed.digests)["change"]) == (house["second"].id, line["digest"])
        assert dict(confirmed.detail)["passkey"].startswith("psk_")
        assert await kinds(house) == ["proposed", "confirmed", "done"]


@pytest.mark.req("N16")
async def test_nobody_confirms_their_own_under_whatever_account_or_without_the_passkey(house: House) -> None:
    admin = PrincipalId(house["admin"].id)
    await house.person("alter@company.com", roles="admin", person=admin)
    async with two(house) as one, browser(house) as own, browser(house) as alter, browser(house) as low:
        await own.enrol("admin")
        await alter.enrol("alter")
        await low.enrol("lead")
        line = await proposed(house)
        path = f"/me/changes/{line['id']}"
        assert "Confirm</button>" not in (await own.open(path)).text
        for other in (alter, low):
            assert (await other.open(path)).status_code == 403
        page = (await one.open(path)).text
        asked = {"csrf": field(page, "csrf"), "ticket": field(page, "ticket")}
        signed = one.device.get(options_of(page, "refuse"))
        for sent in (
            {"answer": "confirm"},
            {"answer": "confirm", "ticket": asked["ticket"], "response": ""},
            # A signature under "refuse" is none under "confirm".
            {"answer": "confirm", "ticket": asked["ticket"], "response": signed},
        ):
            assert (await one.post(path, {"csrf": asked["csrf"], **sent})).status_code in {400, 403, 409, 410}
        foreign = {"answer": "confirm", **asked, "response": one.device.get(options_of(page, "confirm"))}
        assert (await one.post(path, foreign, Origin="https://evil.example")).status_code == 403
        assert await state(house, line["id"]) == "pending"
        # Their own they take back; by the API too, but there nothing confirms.
        took = await house.api(house["admin"], "POST", f"/changes/{line['id']}/refuse", {"reason": "no"})
        assert took.json()["state"] == "refused"
        assert await kinds(house) == ["proposed", "refused"]


async def test_a_change_dies_with_what_it_stood_on(house: House) -> None:
    async with two(house) as one:
        first, second = await proposed(house), await proposed(house, OTHER)
        assert (await answered(one, first["id"], "confirm")).status_code == 303
        late = await answered(one, second["id"], "confirm")
        assert (late.status_code, "cancelled" in late.text) == (409, True)
        assert await state(house, second["id"]) == "cancelled"
        third = await proposed(house, OTHER)
        ident = PrincipalId(house["admin"].id)
        await house.services.identity.suspend(ident, by=ident, because="left", at=house.now())
        assert (await answered(one, third["id"], "confirm")).status_code in {403, 409}
        kept = await house.work.read(lambda tx: tx.pending_changes.get(ChangeId(third["id"])))
        assert kept.state != "done"


async def test_what_gives_authority_waits_and_what_takes_it_away_does_not(house: House) -> None:
    admin, user = house["admin"], house["user"]
    async with two(house):
        waits = [
            await house.api(admin, "POST", "/roles/security/grant", {"user": user.id}),
            await house.api(admin, "PUT", f"/users/{user.id}", {"attributes": {"roles": "admin"}}),
            await house.api(
                admin,
                "POST",
                "/users",
                {"name": "new", "email": "new@company.com", "purpose": "work", "environment": "production",
                 "attributes": {"roles": "admin"}},
            ),
            await house.api(admin, "POST", "/keys/rotate"),
            await house.api(admin, "POST", "/policies/rollback", {"to": 1}),
        ]  # fmt: skip
        assert [each.status_code for each in waits] == [202] * len(waits), [each.text for each in waits]
        at_once = [
            await house.api(admin, "POST", "/keys/policy/rotate", {"compromised": True}),
            await house.api(admin, "POST", "/roles/approver/revoke", {"user": house["lead"].id}),
            await house.api(admin, "PUT", f"/users/{user.id}", {"purpose": "other work"}),
        ]
        assert [each.status_code for each in at_once] == [200] * len(at_once), [e.text for e in at_once]
        assert (await house.api(user, "GET", "/changes")).status_code == 403


@pytest.mark.parametrize(("mode", "status"), [("off", 201), ("when_possible", 201), ("required", 202)])
async def test_one_administrator_alone(tmp_path: Path, mode: str, status: int) -> None:
    async with populated(tmp_path, chosen={"administration.second_person": mode}) as house:
        put = await house.api(house["admin"], "POST", "/policies", POLICY)
        assert put.status_code == status
        why = {"off": "second_person_off", "when_possible": "nobody_else"}.get(mode)
        alone = await house.records("oversight.change.unconfirmed")
        assert [dict(each.detail)["because"] for each in alone] == ([why] if why else [])
