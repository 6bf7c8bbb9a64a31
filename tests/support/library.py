"""A library beside the business: a retrieval server with its own account, and agents that may search it."""

import hashlib
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from remit.authority.rights import Ceiling, Constraint, Right
from remit.authority.task_service import StartedTask
from remit.identity.principals import Environment, Kind
from remit.identity.registration import Registration
from remit.identity.tool_service import Definition
from remit.identity.tools import DocumentMapping, ResourceMapping, ToolMapping
from remit.kernel.ids import PrincipalId
from remit.kernel.jose.algorithms import Algorithm
from remit.kernel.jose.keys import PrivateKey
from support.clients import Party
from support.composed import populated
from support.house import BUSINESS, House, right
from support.upstreams import Scripted, scripted

READ = "library/documents.retrieve"
SEARCH = "library/search"
RULES = """
@id("all") permit (principal, action, resource)
unless { action == Remit::Action::"library/documents.retrieve" };
@id("phoenix") permit (principal, action == Remit::Action::"library/documents.retrieve", resource)
when {
  resource.hasTag("project") && resource.getTag("project") == "Phoenix" &&
  resource.hasTag("sensitivity") && resource.getTag("sensitivity") == "internal"
};
@id("never-financial") forbid (principal, action == Remit::Action::"library/documents.retrieve", resource)
when { resource.hasTag("financial") && resource.getTag("financial") == "true" };
"""
"""R55, word for word: project=Phoenix, sensitivity=internal, never financial=true."""


def rights(*more: Right, constraints: tuple[Constraint, ...] = ()) -> tuple[Right, ...]:
    """Everything of the business, and reading in the library within constraints."""
    return (
        *(right(action) for action in BUSINESS),
        Right(action=READ, resource_type="Document", resources="any", constraints=constraints),
        Right(action=SEARCH, resource_type="Catalogue", resources="any"),
        *more,
    )


def within(*names: str) -> tuple[Constraint, ...]:
    """Only these data sets."""
    return (Constraint(pointer="/dataset", one_of=frozenset(names)),)


def document(ident: str, **tags: str) -> dict[str, Any]:
    """One candidate, with the digest of its words."""
    return {"id": ident, "tags": tags, "digest": hashlib.sha256(ident.encode()).hexdigest()}


PAPERS = [
    document("plan", project="Phoenix", sensitivity="internal"),
    document("board", project="Phoenix", sensitivity="confidential"),
    document("ledger", project="Phoenix", sensitivity="internal", financial="true"),
    document("menu", project="Canteen", sensitivity="internal"),
    document("notes", project="Phoenix", sensitivity="internal", financial="false"),
]


@dataclass
class Library:
    """The installation with its library, and the account of the retrieval server."""

    house: House
    party: Party
    token: str
    upstream: Scripted

    async def begin(
        self, agent: str = "mail-bot", *, limit: Ceiling | None = None, **how: Any
    ) -> StartedTask:
        """A task within a consent that reaches the library."""
        return await self.house.task(agent, limit=limit or self.house.ceiling(*rights(), days=20), **how)

    async def filter(
        self,
        documents: list[dict[str, Any]],
        *,
        agent: str = "mail-bot",
        task: str,
        path: str = "/retrieval/filter",
        **more: Any,
    ) -> httpx2.Response:
        """What the retrieval server asks before it answers."""
        body = {
            "subject": {"type": "agent", "id": self.house[agent].id},
            "server": "library",
            "task": task,
            **({"documents": documents} if path == "/retrieval/filter" else {}),
            **more,
        }
        return await self.house.api(self.party, "POST", path, body, token=self.token)

    async def given(self, documents: list[dict[str, Any]], **how: Any) -> list[str]:
        """Ids of the documents that come back."""
        reply = await self.filter(documents, **how)
        assert reply.status_code == 200, reply.text
        return [each["id"] for each in reply.json()["documents"]]


async def account(house: House, name: str, *, roles: str) -> Party:
    """A service account with a key of its own."""
    admin = PrincipalId(house["admin"].id)
    stated = Registration(
        kind=Kind.SERVICE_ACCOUNT,
        name=name,
        owner=admin,
        purpose="search",
        environment=Environment.PRODUCTION,
        attributes=(("roles", roles),) if roles else (),
    )
    entry = await house.services.identity.register(stated, by=admin, at=house.now())
    key = PrivateKey.generate(Algorithm.ED25519, secrets.token_bytes)
    found = await house.services.credentials.register(entry.id, key.public.jwk(), by=admin, at=house.now())
    active = await house.services.identity.activate(entry.id, by=admin, at=house.now())
    await house.services.ground.snapshots.catch_up()
    return house._known(name, active, found.id, key)


SEARCH_TOOL: dict[str, Any] = {
    "name": "search",
    "description": "Find documents",
    "inputSchema": {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]},
}


@asynccontextmanager
async def library(
    folder: Path, *, rules: str = RULES, documents: DocumentMapping | None = None, **how: Any
) -> AsyncIterator[Library]:
    """Open it; every agent and blueprint may at most do all of the business and read any document."""
    chosen = {"gateway.hold": "1s", **how.pop("chosen", {})}
    async with populated(folder, chosen=chosen, **how) as house, scripted(tools=[SEARCH_TOOL]) as upstream:
        admin = PrincipalId(house["admin"].id)
        await house.services.ground.snapshots.catch_up()
        everybody = house.services.ground.snapshots.current().principals.values()
        for kind, days in ((Kind.BLUEPRINT, 60), (Kind.AGENT, 30)):
            for each in [entry for entry in everybody if entry.kind is kind]:
                limit = house.ceiling(*rights(READING), days=days)
                await house.services.consent.set_ceiling(each.id, limit, by=admin, at=house.now())
        mapping = ToolMapping(
            action="search", resource=ResourceMapping(type="Catalogue", fixed="all"), arguments=("/query",)
        )
        pinned = [Definition(name="search", definition=SEARCH_TOOL, mapping=mapping, consequential=False)]
        await house.server("library", upstream.url, pinned, documents=documents)
        await house.policy(rules)
        party = await account(house, "retriever", roles="pep")
        yield Library(house=house, party=party, token=await house.own_token(party), upstream=upstream)


READING = Right(action="library/resources.read", resource_type="Resource", resources="any")
