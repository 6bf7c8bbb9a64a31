"""Passkeys in a real browser with a virtual authenticator: enrol, sign in, confirm, add, answer, sign out."""

from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.async_api import Page

from remit.kernel.canonical import b64u
from remit.kernel.ids import PrincipalId
from remit.oversight.approvals.approval import ApprovalState
from support.asking import asked
from support.browsers import LOOKS, Seen, Virtual, browser, page_of, virtual
from support.house import House
from support.people import ADMIN, grow_old

pytestmark = pytest.mark.usefixtures("chromium")


async def enrolment(house: House, who: str) -> str:
    """The address that an administrator hands over."""
    people = house.services.people
    _, secret = await people.enrolments.issue(
        PrincipalId(house[who].id), by=ADMIN, lifetime=timedelta(minutes=10)
    )
    return f"{people.desk.home}/enrol#{b64u(secret.reveal())}"


async def enrol(house: House, page: Page, who: str = "lead") -> None:
    await page.goto(await enrolment(house, who))
    await page.fill("input[name=name]", "laptop")
    await page.click("button.approve")
    await page.wait_for_url("**/me/passkeys")


async def looked_at(page: Page, folder: Path, name: str) -> None:
    """Nothing runs over the edge, on a screen of any width."""
    await page.screenshot(path=str(folder / f"{name}.png"), full_page=True)
    assert not await page.evaluate("document.documentElement.scrollWidth > innerWidth")


class Stage:
    """A browser, one page in it, and its authenticators."""

    page: Page
    seen: Seen
    keys: Virtual
    key: str

    def __init__(self, stack: AsyncExitStack) -> None:
        self.stack = stack

    async def set(self, look: str = "light") -> "Stage":
        started = await self.stack.enter_async_context(browser())
        self.page, self.seen = await self.stack.enter_async_context(page_of(started, **LOOKS[look]))
        self.keys = await virtual(self.page)
        self.key = await self.keys.add()
        return self


@pytest.mark.req("R17")
@pytest.mark.spec("WebAuthn", "7.1")
@pytest.mark.spec("WebAuthn", "7.2")
async def test_a_person_enrols_signs_in_steps_up_and_adds_a_key(house: House, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        stage = await Stage(stack).set()
        page, home = stage.page, house.services.people.desk.home
        await enrol(house, page)
        assert "laptop" in await page.inner_text("main")
        assert await page.locator("input[type=password]").count() == 0
        # The same authenticator makes no second passkey for the same person.
        await page.click("button.approve")
        await page.wait_for_selector("[role=alert]:not([hidden])")
        assert "holds a passkey for you already" in await page.inner_text("[role=alert]")
        await page.goto(f"{home}/sign-out")
        await page.click("button.deny")
        await page.wait_for_url("**/sign-in")
        await page.goto(f"{home}/me/grants")
        assert "/sign-in?next=" in page.url
        await page.click("button.approve")
        await page.wait_for_url("**/me/grants")
        # Step-up: what is older than five minutes needs a fresh proof.
        await grow_old(house.services.people.desk, PrincipalId(house["lead"].id))
        await page.goto(f"{home}/me/passkeys")
        await page.click("text=Confirm that it is you")
        await page.click("button.approve")
        await page.wait_for_url("**/me/passkeys")
        await stage.keys.drop(stage.key)
        await stage.keys.add(transport="usb")
        await page.fill("input[name=name]", "key on the ring")
        await page.click("button.approve")
        await page.wait_for_selector("text=key on the ring")
        found = await house.services.people.passkeys.of(PrincipalId(house["lead"].id))
        assert [each.name for each in found] == ["laptop", "key on the ring"]
        for path in ("me/passkeys", "me/sessions", "me/grants", "sign-in?again=1", "sign-out"):
            await page.goto(f"{home}/{path}")
            await looked_at(page, tmp_path, path.replace("/", "-").partition("?")[0])
        assert stage.seen.errors == []
        assert {url.split("/")[2] for url in stage.seen.requests} == {f"localhost:{house.port}"}


@pytest.mark.req("R70", "N15")
@pytest.mark.attack("CB-06")
async def test_an_ask_is_answered_with_the_passkey_and_not_without(house: House, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        stage = await Stage(stack).set("phone")
        page = stage.page
        await enrol(house, page)
        ask = await stack.enter_async_context(asked(house))
        # Without the person's finger the authenticator says nothing, so nothing is answered.
        await page.goto(ask.url)
        await looked_at(page, tmp_path, "ask")
        await stage.keys.verifies(stage.key, verified=False)
        await page.click("button.approve")
        await page.wait_for_selector("[role=alert]:not([hidden])")
        assert await ask.state() is ApprovalState.PENDING
        # The bell leads whoever was asked, and is signed in, to their own card.
        await stage.keys.verifies(stage.key, verified=True)
        await page.goto(f"{house.services.people.desk.home}/approvals/{ask.approval.id}")
        await page.click("button.approve")
        await page.wait_for_selector("text=approved by you")
        assert (await ask.waiting).ran
        granted = (await house.records("oversight.approval.approved"))[-1]
        assert dict(granted.detail)["channel"] == "passkey"
        assert stage.seen.errors == []


async def test_pages_tell_what_to_do_without_script(house: House, tmp_path: Path) -> None:
    async with browser() as started:
        for look, how in LOOKS.items():
            async with page_of(started, java_script_enabled=False, **how) as (page, seen):
                await page.goto(await enrolment(house, "lead"))
                assert "needs JavaScript" in await page.inner_text("main")
                await page.screenshot(path=str(tmp_path / f"enrol-{look}.png"), full_page=True)
                await page.goto(f"{house.services.people.desk.home}/sign-in")
                assert "needs JavaScript" in await page.inner_text("main")
                await page.screenshot(path=str(tmp_path / f"sign-in-{look}.png"), full_page=True)
                assert seen.errors == []
