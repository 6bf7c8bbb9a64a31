"""The consent page in a real browser: a hostile name, every look; nothing runs over the edge."""

import re
from pathlib import Path

import pytest

from remit.platform.storage.unit_of_work import SqlUnitOfWork
from remit.surface.web.pages import paper
from support.authorizing import AuthorizingWorld
from support.browsers import LOOKS, browser, page_of

NAME = "Remit\u202eelosnoc\u202c <script>alert(1)</script> " + "W" * 80
CSS = Path(paper.__file__).parent / "assets" / "page.css"


@pytest.mark.usefixtures("chromium")
@pytest.mark.attack("CO-03")
async def test_a_hostile_name_is_shown_whole_and_within_the_page(
    sqlite_uow: SqlUnitOfWork, tmp_path: Path
) -> None:
    world = await AuthorizingWorld(sqlite_uow).populate()
    await world.public(NAME, "calendar-bot", redirect_uris=("http://127.0.0.1/back",))
    shown = await world.show(await world.sign_in(), NAME, redirect_uri="http://127.0.0.1:5123/back")
    dressed = f"<style>{CSS.read_text(encoding='utf-8')}</style>"
    html = re.sub(r"<link[^>]*stylesheet[^>]*>", lambda _: dressed, shown.text)
    async with browser() as started:
        for name, look in LOOKS.items():
            async with page_of(started, **look) as (page, seen):
                await page.set_content(html)
                await page.screenshot(path=str(tmp_path / f"{name}.png"), full_page=True)
                text = await page.inner_text("body")
                assert "⟨U+202E⟩elosnoc" in text
                assert "<script>alert(1)</script>" in text
                assert "nobody can say which" in text
                assert await page.locator("script, img, iframe").count() == 0
                assert not await page.evaluate("document.documentElement.scrollWidth > innerWidth")
                assert seen.errors == []
