"""A tool server that verifies by itself, and an agent that carries capabilities to it."""

import hashlib
import json
import secrets
from dataclasses import dataclass
from typing import Any

import httpx2

from remit.identity.principals import Environment, Kind
from remit.identity.registration import Registration
from remit.kernel.ids import PrincipalId
from remit.kernel.jose.algorithms import Algorithm
from remit.kernel.jose.keys import PrivateKey
from support.clients import Party
from support.house import BOOKING, House

GIVE = "/api/v1/capabilities"
BOOK = "rooms_book"


@dataclass
class Scene:
    """A house with a tool server's account, and calendar-bot on a task."""

    house: House
    account: Party
    token: str

    async def give(
        self,
        tool: str = BOOK,
        arguments: Any = BOOKING,
        *,
        token: str = "",
        who: str = "calendar-bot",
        body: bytes | None = None,
        proof: str = "",
        **headers: Any,
    ) -> httpx2.Response:
        """Ask for one capability; `body` and `proof` replace what would be right."""
        url = f"{self.house.issuer}{GIVE}"
        token = token or self.token
        asked = {"server": "business", "tool": tool, "arguments": arguments}
        lines = {
            "Authorization": f"DPoP {token}",
            "DPoP": proof or self.house[who].proof("POST", url, token),
            "Content-Type": "application/json",
            **headers,
        }
        content = json.dumps(asked).encode() if body is None else body
        return await self.house.http.post(url, content=content, headers=lines)

    async def given(self, **how: Any) -> str:
        """A capability that was permitted."""
        reply = await self.give(**how)
        assert reply.status_code == 200, reply.text
        assert reply.json()["effect"] == "permit", reply.text
        return str(reply.json()["capability"])

    async def use(self, capability: str, *, by: Party | None = None, **changes: Any) -> httpx2.Response:
        """Use it up, as the tool server."""
        stated = {
            "capability": capability,
            "server": "business",
            "tool": BOOK,
            "arguments_sha256": hashlib.sha256(json.dumps(BOOKING).encode()).hexdigest(),
            "key": self.house["calendar-bot"].key.public.thumbprint,
            **changes,
        }
        return await self.house.api(by or self.account, "POST", "/capabilities/consume", stated)


async def account(house: House, name: str, *, serves: str) -> Party:
    admin = PrincipalId(house["admin"].id)
    stated = Registration(
        kind=Kind.SERVICE_ACCOUNT,
        name=name,
        owner=admin,
        purpose="serve tools",
        environment=Environment.PRODUCTION,
        attributes=(("resource_server", serves),),
    )
    entry = await house.services.identity.register(stated, by=admin, at=house.now())
    key = PrivateKey.generate(Algorithm.ED25519, secrets.token_bytes)
    found = await house.services.credentials.register(entry.id, key.public.jwk(), by=admin, at=house.now())
    active = await house.services.identity.activate(entry.id, by=admin, at=house.now())
    return house._known(name, active, found.id, key)


async def set_up(house: House) -> Scene:
    serves = f"https://elsewhere.example/mcp {house.issuer}/mcp/business"
    party = await account(house, "business-server", serves=serves)
    started = await house.task("calendar-bot")
    token = await house.exchange(house["calendar-bot"], started.envelope)
    return Scene(house=house, account=party, token=token)
