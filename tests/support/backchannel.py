"""Agents that ask people behind the scenes, and people who answer on their own page."""

import re
from typing import Any, Self

import httpx2

from remit.authority.oauth.clients.registration import CIBA, GRANTS
from remit.authority.oauth.provider import OAuth
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from remit.surface.web.pages.asks import ASKS, AskPages
from remit.surface.web.pages.mine import Own
from remit.surface.web.pages.paper import Paper
from support.authorizing import AuthorizingWorld, Shown, SignedIn
from support.oauth import ABSENT

ASKING = GRANTS | {CIBA}


class BackchannelWorld(AuthorizingWorld):
    """The world with the page of people who are asked.

    `box` is a registered client, an instance of mail-bot; `calendar-bot` an instance that nobody registered.
    """

    def __init__(self, uow: SqlUnitOfWork, *, pages: type[AskPages] = AskPages, **options: Any) -> None:
        super().__init__(uow, **options)
        own = Own(
            paper=Paper(issuer=self.options.issuer, origin=self.options.issuer),
            door=self.door,
            name_of=lambda ident: ident,
        )
        self.serve(pages(own=own, flow=flow_of(self.oauth), now=self.clock.now).routes())

    async def populate(self) -> Self:
        await super().populate()
        await self.confidential("box", "mail-bot", grant_types=ASKING)
        return self

    async def bc(self, name: str = "calendar-bot", *, proof: Any = ABSENT, **changes: Any) -> httpx2.Response:
        """Ask at the endpoint, as whoever it is."""
        form = {
            **self.form(name),
            "scope": "openid",
            "login_hint": self.actors["ana"].id,
            "resource": self.options.mcp("business"),
            **changes,
        }
        sent = [] if proof is ABSENT else [("dpop", proof)]
        return await self.post(
            "/bc-authorize", {k: v for k, v in form.items() if v is not ABSENT}, headers=sent
        )

    async def asked(self, name: str = "calendar-bot", **changes: Any) -> str:
        """What a client polls with."""
        answer = await self.bc(name, **changes)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["auth_req_id"])

    async def bc_error(self, name: str = "calendar-bot", *, status: int = 400, **changes: Any) -> str:
        answer = await self.bc(name, **changes)
        assert answer.status_code == status, answer.text
        return str(answer.json()["error"])

    async def fetch(self, ident: str, name: str = "calendar-bot", **changes: Any) -> httpx2.Response:
        return await self.ask(name, grant_type=CIBA, auth_req_id=ident, **changes)

    async def fetched(self, ident: str, name: str = "calendar-bot") -> dict[str, Any]:
        answer = await self.fetch(ident, name)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def error(self, ident: str, name: str = "calendar-bot", **changes: Any) -> str:
        """What a client is told that gets nothing."""
        answer = await self.fetch(ident, name, **changes)
        assert answer.status_code == 400, answer.text
        return str(answer.json()["error"])

    async def waiting(self, person: SignedIn) -> list[str]:
        """The pages of what waits for somebody."""
        page = await self.get(ASKS, person)
        assert page.status_code == 200, page.text
        return re.findall(r'href="(/me/asks/[0-9a-f]{64})"', page.text)

    async def see(self, person: SignedIn) -> Shown:
        """Open the newest."""
        return await self.open(person, (await self.waiting(person))[0])

    async def answer(self, person: SignedIn, said: str = "allow") -> httpx2.Response:
        return await self.say(person, await self.see(person), said)


def flow_of(oauth: OAuth) -> Any:
    """The backchannel's parts."""
    assert oauth.backchannel is not None
    return oauth.backchannel
