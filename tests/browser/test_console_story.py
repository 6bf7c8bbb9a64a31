"""The operator's journey in a real browser: sign in, see what happens, ask why, stop it."""

from contextlib import AsyncExitStack
from urllib.parse import urlsplit

import pytest

from support.browsers import browser
from support.console import console_of
from support.house import BOOKING, House

pytestmark = pytest.mark.usefixtures("console_built")


async def booked(house: House, times: int = 1) -> None:
    """calendar-bot books a room, for a user."""
    started = await house.task("calendar-bot", purpose="scheduling")
    token = await house.exchange(house["calendar-bot"], started.envelope)
    for _ in range(times):
        called = await house.call(
            house["calendar-bot"], token, "rooms_book", BOOKING, envelope=started.envelope
        )
        assert called.ran


@pytest.mark.req("R20")
async def test_sign_in_overview_decision_kill(house: House) -> None:
    async with AsyncExitStack() as stack:
        started = await stack.enter_async_context(browser())
        console = await stack.enter_async_context(console_of(house, started))
        page = console.page
        await console.open("/")
        # Live: a call made now is there without a reload, and the row leads to why.
        await page.wait_for_selector("text=Nothing decided yet")
        await page.wait_for_selector(".frame-header .tag-permit")
        await booked(house)
        await page.click(".table tbody a >> nth=0")
        await page.wait_for_selector(".policy .lit")
        assert "/console/decisions/dec_" in page.url
        assert "calendar-bot" in await page.inner_text("h1")
        assert '@id("rooms.book")' in await page.inner_text(".policy .lit >> nth=0")
        stages = await page.inner_text(".stages")
        assert all(stage in stages for stage in ("alive", "authority", "policy", "budget"))
        assert await page.locator("h1").evaluate("each => each === document.activeElement")
        # From the agent to its kill: seen before, named once more, told plane by plane.
        await page.click("dd a:has-text('calendar-bot')")
        await page.click("text=Kill…")
        await page.click("text=Show what would stop")
        stop = page.get_by_role("button", name="Stop it now")
        await stop.wait_for()
        await page.get_by_label("Why").fill("drill")
        await page.get_by_label("to go on").fill("calendar")
        assert await stop.is_disabled()
        await page.get_by_label("to go on").fill("calendar-bot")
        await stop.click()
        await page.wait_for_selector("h1 .tag-permit")
        told = await page.inner_text("[role=status]:has(.mantine-Progress-root), .stages")
        assert "waiting" not in told
        killed = (await house.records("oversight.kill.committed"))[-1]
        assert killed.actor == house["admin"].id
        assert console.seen.errors == []
        assert {urlsplit(url).netloc for url in console.seen.requests} == {f"localhost:{house.port}"}
