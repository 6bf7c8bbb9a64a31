"""A house whose server `slow` needs a credential of a provider beside it, and people who connect."""

import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2

from remit.app.services import Services
from remit.authority.vault.connection import Connection
from remit.authority.vault.flow import Returned
from remit.authority.vault.provider import ClientAuth, ProviderKind
from remit.authority.vault.provider_service import NewProvider
from remit.identity.sessions import Proof, Session, SessionRule, begin
from remit.kernel.ids import PrincipalId
from remit.kernel.secret import Secret
from remit.ledger.record import Record
from support.clients import Called
from support.composed import beside, populated
from support.house import House
from support.providers import CLIENT, SECRET, Provider, answered, provider
from support.upstreams import Scripted, scripted

SCOPES = ("files.read", "files.write")
AGENT = "calendar-bot"
CONNECTED = "authority.connection.made"
OPENED = "authority.connection.opened"
ENDED = "authority.connection.ended"


@dataclass
class Scene:
    """The house, its server that wants a bearer token, and the provider that gives them."""

    house: House
    upstream: Scripted
    acme: Provider

    @property
    def services(self) -> Services:
        return self.house.services

    async def session(self, who: str) -> Session:
        """A session of a person, as a sign-in makes it."""
        return (await self.signed_in(who))[0]

    async def signed_in(self, who: str) -> tuple[Session, Secret]:
        ground = self.services.ground
        session, secret = begin(
            PrincipalId(self.house[who].id),
            tenant=ground.tenant,
            proof=Proof(amr=("pop", "user", "mfa"), acr="urn:remit:acr:passkey-uv", at=self.house.now()),
            rule=SessionRule(),
            entropy=secrets.token_bytes,
        )
        await self.house.work.commit(lambda tx: tx.sessions.add(session))
        return session, secret

    async def begin(self, session: Session, agent: str = AGENT) -> str:
        """Where a person is sent."""
        return await self.services.vault.connections.begin(
            "acme", server="slow", agent=agent, session=session
        )

    async def visit(self, url: str) -> Returned:
        """What the provider sends back with the person's browser."""
        reply = await self.house.http.get(url)
        assert reply.status_code == httpx2.codes.FOUND, reply.text
        return returned(reply.headers["location"])

    async def finish(self, back: Returned, session: Session) -> Connection:
        return await self.services.vault.connections.finish("acme", back, session=session)

    async def connect(self, who: str = "user", agent: str = AGENT) -> Connection:
        """The whole flow of one person for one agent, who may work for them."""
        await self.house.task(agent, user=who)
        session = await self.session(who)
        return await self.finish(await self.visit(await self.begin(session, agent)), session)

    async def call(self, who: str = AGENT, *, user: str = "user", **how: Any) -> Called:
        """One call of the server's tool by an agent on a new task of a person."""
        started = await self.house.task(who, user=user)
        token = await self.house.exchange(self.house[who], started.envelope, server="slow")
        return await self.house.call(self.house[who], token, "act", {"item": "x"}, server="slow", **how)

    @property
    def shown(self) -> list[str]:
        """The `Authorization` of each tool call that reached the server."""
        return [headers.get("authorization", [""])[0] for headers, _, _ in self.upstream.calls]

    async def age(self, connection: Connection, by: timedelta) -> None:
        """Make a credential older."""

        def work(tx: Any) -> None:

            held = tx.vault.get(connection.id)
            ends = held.connection.expires_at
            older = replace(held.connection, expires_at=None if ends is None else ends - by)
            assert tx.vault.renew(older, held.sealed, was=older.version)

        await self.house.work.commit(work)

    async def records(self, kind: str) -> list[Record]:
        return await self.house.records(kind)

    async def stored(self, connection: Connection) -> Connection:
        found: Connection = (await self.house.work.read(lambda tx: tx.vault.get(connection.id))).connection
        return found

    async def stored_all(self) -> list[Connection]:
        """Every connection there ever was."""
        made = [each.subject for each in await self.records(CONNECTED)]
        return [(await self.house.work.read(lambda tx, i=i: tx.vault.get(i))).connection for i in made]

    async def due_now(self) -> None:
        """Let every postponed revocation be due."""

        def work(tx: Any) -> None:
            for each in tx.vault.open_revocations(limit=100):
                assert tx.vault.save_revocation(replace(each, due=each.created_at), was=each.tries)

        await self.house.work.commit(work)


def returned(location: str) -> Returned:
    """An answer, as our redirect URI gets it."""
    asked = answered(location)
    return Returned(
        state=asked.get("state", ""),
        code=asked.get("code", ""),
        iss=asked.get("iss", ""),
        error=asked.get("error", ""),
    )


async def register(house: House, acme: Provider, name: str = "acme", *, server: str = "slow") -> None:
    """An administrator's part: the provider, and which server needs it."""
    admin = PrincipalId(house["admin"].id)
    stated = NewProvider(
        name=name,
        kind=ProviderKind.OAUTH,
        issuer=acme.issuer,
        client_id=CLIENT,
        auth=ClientAuth.BASIC if acme.basic else ClientAuth.NONE,
    )
    secret = Secret(SECRET.encode()) if acme.basic else None
    vault = house.services.vault
    await vault.providers.register(stated, secret, by=admin, at=house.now())
    await vault.providers.require(server, name, SCOPES, by=admin, at=house.now())
    await house.services.ground.snapshots.catch_up()


@asynccontextmanager
async def vaulted(folder: Path, *, acme: dict[str, Any] | None = None, **how: Any) -> AsyncIterator[Scene]:
    """`populated`, with the server and the provider."""
    async with AsyncExitStack() as stack:
        upstream = await stack.enter_async_context(scripted())
        made = await stack.enter_async_context(provider(**(acme or {})))
        house = await stack.enter_async_context(populated(folder, **how))
        await beside(house, upstream)
        await register(house, made)
        yield Scene(house=house, upstream=upstream, acme=made)
