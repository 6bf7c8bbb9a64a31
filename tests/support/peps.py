"""Enforcement points of others: a workload with its own key, and what it asks about."""

import json
import secrets
from dataclasses import dataclass
from typing import Any

import httpx2

from remit.authority.task_service import StartedTask
from remit.identity.principals import Environment, Kind
from remit.identity.registration import Registration
from remit.kernel.ids import PrincipalId
from remit.kernel.jose.algorithms import Algorithm
from remit.kernel.jose.keys import PrivateKey
from support.clients import Party
from support.house import House

BOOK = "business/rooms.book"


@dataclass
class Pep:
    """An enforcement point of somebody else, and what it asks about."""

    house: House
    party: Party
    token: str
    started: StartedTask

    async def ask(self, path: str, body: Any, **headers: str) -> httpx2.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self._send("POST", path, content, {"Content-Type": "application/json", **headers})

    async def get(self, path: str) -> httpx2.Response:
        return await self._send("GET", path, b"", {})

    async def _send(self, method: str, path: str, content: bytes, headers: dict[str, str]) -> httpx2.Response:
        url = f"{self.house.issuer}/access/v1{path}"
        lines = {
            "Authorization": f"DPoP {self.token}",
            "DPoP": self.party.proof(method, url, self.token),
            **headers,
        }
        return await self.house.http.request(method, url, content=content, headers=lines)

    async def says(self, body: Any) -> dict[str, Any]:
        reply = await self.ask("/evaluation", body)
        assert reply.status_code == 200, reply.text
        found: dict[str, Any] = reply.json()
        return found

    def agent(
        self, action: str = BOOK, kind: str = "Room", ident: str = "Room-401", **more: Any
    ) -> dict[str, Any]:
        """calendar-bot, in its task."""
        return {
            "subject": {"type": "agent", "id": self.house["calendar-bot"].id},
            "action": {"name": action},
            "resource": {"type": kind, "id": ident},
            "context": {"task": self.started.task.id, **more},
        }


async def registered(house: House, name: str, *, roles: str, bearer: bool = False) -> Party:
    """A service account with a key of its own; `bearer` where its tokens may be bound to none."""
    admin = PrincipalId(house["admin"].id)
    stated = Registration(
        kind=Kind.SERVICE_ACCOUNT,
        name=name,
        owner=admin,
        purpose="enforce",
        environment=Environment.PRODUCTION,
        attributes=(
            *((("roles", roles),) if roles else ()),
            *((("token_binding", "bearer"),) if bearer else ()),
        ),
    )
    entry = await house.services.identity.register(stated, by=admin, at=house.now())
    key = PrivateKey.generate(Algorithm.ED25519, secrets.token_bytes)
    found = await house.services.credentials.register(entry.id, key.public.jwk(), by=admin, at=house.now())
    active = await house.services.identity.activate(entry.id, by=admin, at=house.now())
    await house.services.ground.snapshots.catch_up()
    return house._known(name, active, found.id, key)


async def pep_of(house: House) -> Pep:
    """A gateway of the payments team, and a running task of calendar-bot."""
    party = await registered(house, "payments-gateway", roles="pep")
    started = await house.task("calendar-bot")
    return Pep(house=house, party=party, token=await house.own_token(party), started=started)
