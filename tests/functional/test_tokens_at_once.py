"""What a node holds in memory lets a token request through, and never past what was taken away since."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from remit.app.bindings.standing import SnapshotStandings
from remit.authority.oauth.endpoints.token import TokenEndpoint
from remit.authority.oauth.provider import OAuth
from remit.identity.credentials import CredentialState
from remit.kernel.ids import KeyId, PrincipalId
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.platform.storage.snapshot import SnapshotKeeper
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.blindness import CutOff
from support.builders import keyring
from support.oauth import ISSUER, World

BUSINESS = f"{ISSUER}/mcp/business"


class Counted(SqlUnitOfWork):
    """Counts how often somebody opened a view of the store."""

    def __init__(self, inner: SqlUnitOfWork) -> None:
        self._inner = inner
        self.views = 0

    async def commit(self, work: Any, **options: Any) -> Any:
        return await self._inner.commit(work, **options)

    async def read(self, work: Any) -> Any:
        self.views += 1
        return await self._inner.read(work)


class Node:
    """An installation whose memory can be stopped, as by a partition."""

    def __init__(self, uow: SqlUnitOfWork, *, build: Callable[..., OAuth] = OAuth.build) -> None:
        self.memory = CutOff(SnapshotKeeper(uow, tenant=DEFAULT_TENANT, keys=keyring()))
        self.uow = Counted(uow)
        self.world = World(self.uow, views=SnapshotStandings(self.memory), build=build)

    async def stopped(self) -> "Node":
        """Everything there is, as of now, and nothing that comes."""
        await self.memory.catch_up()
        await self.world.populate()
        await self.memory.catch_up()
        self.memory.freeze()
        self.uow.views = 0
        return self

    async def ask(self) -> tuple[int, str]:
        answer = await self.world.ask("calendar-bot", grant_type="client_credentials", resource=BUSINESS)
        return answer.status_code, answer.json().get("error", "")


async def key_revoked(world: World) -> None:
    actor = world.actors["calendar-bot"]
    await world.credentials.revoke(KeyId(actor.kid), by=actor.principal.id, because="lost", at=world.now)


async def agent_suspended(world: World) -> None:
    parent = world.actors["calendar-bot"].principal.parent
    assert parent is not None
    await world.identities.suspend(parent, by=parent, because="test", at=world.now)


async def server_retired(world: World) -> None:
    server = await world.uow.read(lambda tx: tx.servers.named("business"))
    assert server is not None
    await world.identities.retire(
        PrincipalId(server.id), by=PrincipalId(server.id), because="test", at=world.now
    )


REMOVALS: dict[Callable[[World], Awaitable[None]], tuple[int, str]] = {
    key_revoked: (401, "invalid_client"),
    agent_suspended: (400, "access_denied"),
    server_retired: (400, "invalid_target"),
}


async def test_memory_answers_without_a_view_of_the_store(sqlite_uow: SqlUnitOfWork) -> None:
    node = await Node(sqlite_uow).stopped()
    assert await node.ask() == (200, "")
    assert node.uow.views == 0


@pytest.mark.attack("TX-08")
@pytest.mark.promise("P1")
@pytest.mark.parametrize("take_away", REMOVALS, ids=lambda each: each.__name__)
async def test_what_was_taken_away_since_is_refused(
    sqlite_uow: SqlUnitOfWork, take_away: Callable[[World], Awaitable[None]]
) -> None:
    node = await Node(sqlite_uow).stopped()
    await take_away(node.world)
    assert await node.ask() == REMOVALS[take_away]


async def test_what_came_since_is_asked_of_the_store(sqlite_uow: SqlUnitOfWork) -> None:
    node = await Node(sqlite_uow).stopped()
    agent = node.world.actors["calendar-bot"].principal.parent
    assert agent is not None
    await node.world.instance("younger", agent)
    await node.world.own_token("younger", resource=BUSINESS)
    assert node.uow.views > 0


async def test_memory_carries_keys_as_a_fresh_reading_finds_them(sqlite_uow: SqlUnitOfWork) -> None:
    node = await Node(sqlite_uow).stopped()
    node.memory.frozen = None
    await key_revoked(node.world)
    await node.world.register_key(node.world.actors["mail-bot"].principal)
    carried = await node.memory.catch_up()
    fresh = await SnapshotKeeper(sqlite_uow, tenant=DEFAULT_TENANT, keys=keyring()).catch_up()
    held = {owner: keys for owner, keys in carried.credentials.items() if keys}
    assert held == dict(fresh.credentials)
    assert all(key.state is CredentialState.ACTIVE for keys in held.values() for key in keys)


async def test_what_was_found_of_a_client_ends_with_its_view(sqlite_uow: SqlUnitOfWork) -> None:
    node = await Node(sqlite_uow).stopped()
    assert await node.ask() == (200, "")
    node.memory.frozen = None
    await key_revoked(node.world)
    await node.memory.catch_up()
    # The client's own keys say no; were they still the former view's, only its tombstone would: 400.
    assert await node.ask() == (401, "invalid_client")


class _TrustsItsMemory(TokenEndpoint):
    """Forgets to ask whether the epoch of its memory is still in force."""

    def _issue(self, tx: Any, request: Any, judged: Any) -> Any:
        return super()._issue(tx, request, replace(judged, epoch=None))


def _trusting(**parts: Any) -> OAuth:
    whole = OAuth.build(**parts)
    whole.token.__class__ = _TrustsItsMemory
    return whole


@pytest.mark.twin("TX-08")
async def test_without_the_epoch_memory_lets_a_retired_server_live_on(sqlite_uow: SqlUnitOfWork) -> None:
    node = await Node(sqlite_uow, build=_trusting).stopped()
    await server_retired(node.world)
    assert await node.ask() == (200, "")
