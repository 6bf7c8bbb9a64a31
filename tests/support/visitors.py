"""People at our pages over HTTP: cookies, forms, and an authenticator in software that verifies them."""

import html
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import httpx2

from remit.identity.sessions import Session
from remit.kernel.canonical import b64u
from remit.kernel.ids import PrincipalId
from support.authenticator import Authenticator
from support.house import House
from support.people import ADMIN


class Browser:
    """One browser of one person: cookies, the address bar, and an authenticator."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.home = house.services.people.desk.home
        self.device = Authenticator(origin=self.home)
        self.http = httpx2.AsyncClient(
            base_url=self.home, headers={"user-agent": "Test/1"}, trust_env=False, timeout=30
        )

    async def open(self, path: str) -> httpx2.Response:
        return await self.http.get(path, follow_redirects=True)

    async def post(self, path: str, fields: dict[str, str], **headers: str) -> httpx2.Response:
        sent = {"Origin": self.home, **headers}
        return await self.http.post(path, data=fields, headers={k: v for k, v in sent.items() if v})

    async def enrol(self, who: str, *, device: Authenticator | None = None) -> httpx2.Response:
        _, secret = await self.house.services.people.enrolments.issue(
            PrincipalId(self.house[who].id), by=ADMIN, lifetime=timedelta(minutes=5)
        )
        link = {"secret": b64u(secret.reveal())}
        page = (await self.post("/enrol", link)).text
        made = (device or self.device).create(options_of(page))
        ticket = field(page, "ticket")
        return await self.post("/enrol", {**link, "ticket": ticket, "response": made, "name": "phone"})

    async def sign_in(self, onward: str = "/me/passkeys", *, again: bool = False) -> httpx2.Response:
        query = f"/sign-in?next={quote(onward, safe='')}" + ("&again=1" if again else "")
        page = (await self.open(query)).text
        given = self.device.get(options_of(page))
        fields = {"ticket": field(page, "ticket"), "response": given, "next": field(page, "next")}
        return await self.post("/sign-in", {**fields, **({"again": "1"} if again else {})})

    @property
    def secret(self) -> str | None:
        return self.http.cookies.get("remit-session")

    async def sessions(self, who: str) -> list[Session]:
        return list(await self.house.services.people.sessions.of(PrincipalId(self.house[who].id)))


def field(page: str, name: str) -> str:
    """The value of the first such hidden field."""
    return html.unescape(page.partition(f'name="{name}" value="')[2].partition('"')[0])


def options_of(page: str, value: str = "") -> dict[str, Any]:
    """The options of the page's form, or of one of its buttons."""
    after = page.partition(f'value="{value}"')[2] if value else page
    found: dict[str, Any] = json.loads(html.unescape(after.partition('data-options="')[2].partition('"')[0]))
    return found


@asynccontextmanager
async def browser(house: House) -> AsyncIterator[Browser]:
    """A browser that nobody has used."""
    one = Browser(house)
    try:
        yield one
    finally:
        await one.http.aclose()
