"""The console in a real browser, with somebody signed in by a passkey."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page

from remit.kernel.canonical import b64u
from remit.kernel.ids import PrincipalId
from support.browsers import LOOKS, Seen, Virtual, page_of, virtual
from support.house import House
from support.people import ADMIN

AXE = Path(__file__).parents[2] / "console/node_modules/axe-core/axe.min.js"
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


@dataclass
class OpenConsole:
    """One browser window in which somebody is signed in."""

    house: House
    page: Page
    seen: Seen
    keys: Virtual

    @property
    def home(self) -> str:
        return str(self.house.services.people.desk.home)

    async def open(self, path: str, until: str = "main h1") -> None:
        """Go to an address of the console and wait for what must be there."""
        await self.page.goto(f"{self.home}/console{path}")
        await self.page.wait_for_selector(until)

    async def violations(self) -> list[str]:
        """What axe finds wrong with the page as it is, as `rule: where`."""
        # What a test injects is no script of the page: it goes in through the debugger, past its policy.
        await self.page.evaluate(f"() => {{ {AXE.read_text()} }}")
        found = await self.page.evaluate(
            "(tags) => axe.run(document, {runOnly: {type: 'tag', values: tags}})", WCAG
        )
        return [
            f"{each['id']}: {node['html'][:160]} {node['any'][:1]}"
            for each in found["violations"]
            for node in each["nodes"]
        ]

    async def overflows(self) -> bool:
        """Whether the page is wider than its window."""
        return bool(await self.page.evaluate("document.documentElement.scrollWidth > innerWidth"))


@asynccontextmanager
async def console_of(
    house: House, started: Browser, who: str = "admin", look: str = "light", **context: Any
) -> AsyncIterator[OpenConsole]:
    """Enrol a passkey in a window of its own; what follows is signed in with it."""
    people = house.services.people
    async with page_of(started, **LOOKS[look], **context) as (page, seen):
        page.set_default_timeout(10_000)
        keys = await virtual(page)
        await keys.add()
        _, secret = await people.enrolments.issue(
            PrincipalId(house[who].id), by=ADMIN, lifetime=timedelta(minutes=10)
        )
        await page.goto(f"{people.desk.home}/enrol#{b64u(secret.reveal())}")
        await page.fill("input[name=name]", "laptop")
        await page.click("button.approve")
        await page.wait_for_url("**/me/passkeys")
        yield OpenConsole(house=house, page=page, seen=seen, keys=keys)
