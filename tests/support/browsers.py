"""A real browser: Debian's Chromium, talking to nobody but us; and what a page did that it should not."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, CDPSession, Page, async_playwright

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "phone": {"color_scheme": "light", "viewport": {"width": 390, "height": 844}, "is_mobile": True},
}


@dataclass
class Seen:
    """What a page did that it should not."""

    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    """A real browser."""
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        try:
            yield started
        finally:
            await started.close()


@asynccontextmanager
async def page_of(started: Browser, **context: Any) -> AsyncIterator[tuple[Page, Seen]]:
    """A page in a context of its own, watched."""
    opened = await started.new_context(**context)
    page, seen = await opened.new_page(), Seen()
    page.on("console", lambda told: seen.errors.append(told.text))
    page.on("pageerror", lambda error: seen.errors.append(str(error)))
    page.on("dialog", lambda dialog: seen.errors.append(dialog.message))
    page.on("request", lambda request: seen.requests.append(request.url))
    try:
        yield page, seen
    finally:
        await opened.close()


@dataclass
class Virtual:
    """Virtual authenticators of one page (CDP, domain WebAuthn)."""

    session: CDPSession

    async def add(self, *, transport: str = "internal", verified: bool = True) -> str:
        """One more authenticator that keeps keys and verifies its person; returns its id."""
        options = {
            "protocol": "ctap2",
            "transport": transport,
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": verified,
            "automaticPresenceSimulation": True,
        }
        added = await self.session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        return str(added["authenticatorId"])

    async def drop(self, authenticator: str) -> None:
        """Take it away, with its keys."""
        await self.session.send("WebAuthn.removeVirtualAuthenticator", {"authenticatorId": authenticator})

    async def verifies(self, authenticator: str, *, verified: bool) -> None:
        """Whether it knows its person from now on."""
        told = {"authenticatorId": authenticator, "isUserVerified": verified}
        await self.session.send("WebAuthn.setUserVerified", told)


async def virtual(page: Page) -> Virtual:
    """Switch a page to virtual authenticators."""
    session = await page.context.new_cdp_session(page)
    await session.send("WebAuthn.enable")
    return Virtual(session=session)
