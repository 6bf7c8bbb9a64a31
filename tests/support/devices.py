"""Devices without a browser, and people who type what they show."""

import re
from dataclasses import replace
from typing import Any

import httpx2

from remit.authority.oauth.clients.registration import DEVICE, GRANTS
from remit.authority.oauth.provider import OAuth
from remit.platform.settings.options import HttpOptions
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from remit.platform.telemetry.metrics import Metrics
from remit.surface.web.app import build_app
from remit.surface.web.pages.paper import Paper
from remit.surface.web.routes.device import DeviceRoutes
from remit.surface.web.routes.oauth import OAuthRoutes
from support.authorizing import AuthorizingWorld, Shown, SignedIn
from support.oauth import ABSENT, OPTIONS

GIVEN = GRANTS | {DEVICE}


class DeviceWorld(AuthorizingWorld):
    """The world, where devices may ask."""

    def __init__(
        self, uow: SqlUnitOfWork, *, pages: type[DeviceRoutes] = DeviceRoutes, **options: Any
    ) -> None:
        values = {"options": replace(OPTIONS, devices=True), **options}
        super().__init__(uow, **values)
        issuer = self.options.issuer
        flow = self.oauth.devices
        assert flow is not None
        shown = pages(self.oauth, flow, door=self.door, paper=Paper(issuer=issuer, origin=issuer))
        self.app = build_app(
            [*OAuthRoutes(self.oauth).routes(), *shown.routes()],
            options=HttpOptions(),
            issuer=issuer,
            metrics=Metrics(),
            entropy=self.entropy,
        )
        self.http = httpx2.AsyncClient(transport=httpx2.ASGITransport(app=self.app), base_url=issuer)

    async def populate(self) -> "DeviceWorld":
        await super().populate()
        await self.public("tv", grant_types=GIVEN, redirect_uris=())
        await self.confidential("box", "mail-bot", grant_types=GIVEN)
        return self

    async def ask_device(self, name: str = "tv", *, proof: Any = None, **changes: Any) -> httpx2.Response:
        form = {"resource": self.options.mcp("business"), **changes}
        return await self.send("/device_authorization", name, form, proof=proof)

    async def asked(self, name: str = "tv", **changes: Any) -> dict[str, Any]:
        """What a device shows."""
        answer = await self.ask_device(name, **changes)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def poll(
        self, code: str, name: str = "tv", *, proof: Any = None, **changes: Any
    ) -> httpx2.Response:
        form = {"grant_type": DEVICE, "device_code": code, **changes}
        return await self.send("/token", name, form, proof=proof)

    async def type(self, person: SignedIn, code: str, **form: Any) -> httpx2.Response:
        """Open the page and type a code."""
        page = await self.get("/device", person)
        found = re.search(r'name="csrf" value="([0-9a-f]{64})"', page.text)
        assert found is not None, page.text
        fields = {"csrf": found.group(1), "user_code": code, **form}
        return await self.post(
            "/device",
            {name: value for name, value in fields.items() if value is not ABSENT},
            headers=[("cookie", person.cookie)],
        )

    async def see(self, person: SignedIn, code: str) -> Shown:
        """Type a code and come as far as what the device asks."""
        typed = await self.type(person, code)
        assert typed.status_code == 303, typed.text
        return await self.open(person, typed.headers["location"])

    async def answer(self, person: SignedIn, code: str, said: str = "allow") -> httpx2.Response:
        return await self.say(person, await self.see(person, code), said)

    async def error(self, code: str, name: str = "tv", **changes: Any) -> str:
        """What a device is told that gets nothing."""
        answer = await self.poll(code, name, **changes)
        assert answer.status_code == 400, answer.text
        return str(answer.json()["error"])


def without_devices(**parts: Any) -> OAuth:
    """An authorization server as it comes."""
    return OAuth.build(**parts)
