"""The pages of who is asked, in a real browser: a hostile name, every look; nothing runs over the edge."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from remit.platform.storage.unit_of_work import SqlUnitOfWork
from remit.surface.web.pages import paper
from support.backchannel import ASKING, BackchannelWorld
from support.browsers import LOOKS, browser, page_of

NAME = "Remit\u202eelosnoc\u202c <script>alert(1)</script> " + "W" * 80
MESSAGE = "<b>Approved by IT</b> " + "W" * 42
CSS = Path(paper.__file__).parent / "assets" / "page.css"


@pytest.mark.usefixtures("chromium")
@pytest.mark.attack("CO-03", "CB-02")
@pytest.mark.spec("CIBA Core", "8")
async def test_what_is_asked_is_shown_whole_and_within_the_page(sqlite_uow: SqlUnitOfWork) -> None:
    world = await BackchannelWorld(sqlite_uow).populate()
    world.clients["box"] = replace(world.clients["box"], name=NAME)
    await world.change("box", grant_types=ASKING)
    person = await world.sign_in()
    empty = (await world.get("/me/asks", person)).text
    await world.asked("box", binding_message=MESSAGE)
    listed = (await world.get("/me/asks", person)).text
    asking = (await world.see(person)).text
    dressed = f"<style>{CSS.read_text(encoding='utf-8')}</style>"

    async def draw(page: Any, html: str) -> None:
        await page.set_content(re.sub(r"<link[^>]*stylesheet[^>]*>", lambda _: dressed, html))

    async with browser() as started:
        for name, look in LOOKS.items():
            async with page_of(started, **look) as (page, seen):
                for html in (empty, listed, asking):
                    await draw(page, html)
                    assert await page.locator("script, img, iframe, b").count() == 0
                    assert not await page.evaluate("document.documentElement.scrollWidth > innerWidth"), name
                text = await page.inner_text("body")
                for words in ("⟨U+202E⟩elosnoc", "<script>alert(1)</script>", MESSAGE, "its own words"):
                    assert words in text
                assert seen.errors == []
