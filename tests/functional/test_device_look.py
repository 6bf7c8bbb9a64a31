"""The pages of devices in a real browser: a hostile name, every look; nothing runs over the edge."""

import re
from pathlib import Path

import pytest

from remit.platform.storage.unit_of_work import SqlUnitOfWork
from remit.surface.web.pages import paper
from support.browsers import LOOKS, browser, page_of
from support.devices import GIVEN, DeviceWorld

NAME = "Remit\u202eelosnoc\u202c <script>alert(1)</script> " + "W" * 80
CSS = Path(paper.__file__).parent / "assets" / "page.css"


@pytest.mark.usefixtures("chromium")
@pytest.mark.attack("CO-03")
@pytest.mark.spec("RFC 8628", "5.4")
async def test_what_a_device_asks_is_shown_whole_and_within_the_page(sqlite_uow: SqlUnitOfWork) -> None:
    world = await DeviceWorld(sqlite_uow).populate()
    await world.public(NAME, "calendar-bot", grant_types=GIVEN, redirect_uris=())
    person = await world.sign_in()
    typing = (await world.get("/device", person)).text
    asking = (await world.see(person, (await world.asked(NAME))["user_code"])).text
    wrong = (await world.type(person, "BCDF-GHJK")).text
    dressed = f"<style>{CSS.read_text(encoding='utf-8')}</style>"
    async with browser() as started:
        for look in LOOKS.values():
            async with page_of(started, **look) as (page, seen):
                for html in (typing, asking, wrong):
                    await page.set_content(re.sub(r"<link[^>]*stylesheet[^>]*>", lambda _: dressed, html))
                    assert await page.locator("script, img, iframe").count() == 0
                    assert not await page.evaluate("document.documentElement.scrollWidth > innerWidth")
                await page.set_content(re.sub(r"<link[^>]*stylesheet[^>]*>", lambda _: dressed, asking))
                text = await page.inner_text("body")
                assert "⟨U+202E⟩elosnoc" in text
                assert "<script>alert(1)</script>" in text
                assert "The answer goes to the device that showed the code" in text
                assert seen.errors == []
