"""People at the console: an approver is led to their cards and Remit's page; what is lost comes back."""

from contextlib import AsyncExitStack

import pytest

from remit.oversight.approvals.approval import ApprovalState
from support.asking import asked
from support.browsers import browser
from support.console import console_of
from support.house import House

pytestmark = pytest.mark.usefixtures("console_built")


@pytest.mark.req("R70", "N16")
async def test_an_approver_sees_their_cards_and_answers_on_remits_own_page(house: House) -> None:
    async with AsyncExitStack() as stack:
        started = await stack.enter_async_context(browser())
        console = await stack.enter_async_context(console_of(house, started, who="lead", look="phone"))
        page = console.page
        ask = await stack.enter_async_context(asked(house))
        await console.open("/", ".ask")
        assert "/console/approvals" in page.url
        assert await page.locator(".frame-nav a").all_inner_texts() == ["Approvals", "Tasks"]
        assert "refund-over-200" in await page.inner_text(".ask")
        # No button of the console answers: the only way on is the page that asks for the passkey.
        assert await page.locator(".ask button").count() == 0
        await page.click(".ask >> text=Look and answer")
        await page.wait_for_selector("button.approve")
        assert await ask.state() is ApprovalState.PENDING
        await page.click("button.approve")
        await page.wait_for_selector("text=approved by you")
        assert (await ask.waiting).ran
        await console.open(f"/approvals/{ask.approval.id}", ".facts")
        assert "approved" in await page.inner_text("h1")
        # What only operators may see is refused in the server's words, not hidden alone.
        await console.open("/kills?kind=agent&target=calendar-bot")
        await page.click("text=Show what would stop")
        await page.wait_for_selector(".failed code")
        assert console.seen.errors == [each for each in console.seen.errors if "403" in each]


async def test_a_lost_stream_is_said_and_comes_back(house: House) -> None:
    async with AsyncExitStack() as stack:
        started = await stack.enter_async_context(browser())
        console = await stack.enter_async_context(console_of(house, started))
        page, stream = console.page, "**/api/v1/stream*"
        await page.route(stream, lambda route: route.fulfill(status=503, body=""))
        await console.open("/", "text=not live: trying again")
        await page.unroute(stream)
        await page.wait_for_selector("text=Nothing decided yet")
        await stack.enter_async_context(asked(house))
        await page.wait_for_selector(".frame-header .tag-permit")
        await page.wait_for_selector(".table tbody .tag-ask")


async def test_the_keyboard_alone_finds_an_agent(house: House) -> None:
    async with browser() as started, console_of(house, started) as console:
        page = console.page
        await console.open("/")
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.textContent") == "Skip to contents"
        await page.keyboard.press("Control+k")
        await page.wait_for_selector("[role=combobox]")
        await page.keyboard.type("calendar")
        await page.wait_for_selector("[role=option] >> text=calendar-bot")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/console/agents/agt_*")
        # The range that is chosen stays from screen to screen, and in the address.
        await page.goto(f"{console.home}/console/?range=7d")
        await page.click(".frame-nav >> text=Decisions")
        await page.wait_for_url("**/console/decisions?range=7d")
        await page.goto(f"{console.home}/console/decisions?range=__proto__&effect=constructor&__proto__[x]=1")
        await page.wait_for_selector("main h1")
        assert await page.evaluate("({}).x") is None
        assert console.seen.errors == []
