"""N2, RT-06: every cause of death at every place that could forget it; a new one adds its cells."""

from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Any

import pytest

from remit.authority.oauth.proving.verifier import AccessTokenVerifier
from remit.authority.oauth.wire.errors import OAuthError
from remit.authority.tasks import TaskState
from remit.identity.principals import Kind
from remit.kernel.ids import KeyId, PrincipalId
from support.oauth import ACCESS_TOKEN, EXCHANGE, ISSUER, World, claims_in


class Cause(StrEnum):
    """What can end authority."""

    TASK_ENDED = "task_ended"
    TASK_KILLED = "task_killed"
    CONSENT_WITHDRAWN = "consent_withdrawn"
    ENVELOPE_KILLED = "envelope_killed"
    ENVELOPE_DIGEST_KILLED = "envelope_digest_killed"
    USER_SUSPENDED = "user_suspended"
    USER_KILLED = "user_killed"
    AGENT_SUSPENDED = "agent_suspended"
    AGENT_RETIRED = "agent_retired"
    AGENT_KILLED = "agent_killed"
    INSTANCE_RETIRED = "instance_retired"
    INSTANCE_KILLED = "instance_killed"
    BLUEPRINT_SUSPENDED = "blueprint_suspended"
    KEY_REVOKED = "key_revoked"
    TENANT_KILLED = "tenant_killed"
    TOKEN_REVOKED = "token_revoked"
    PARENT_REVOKED = "parent_revoked"
    EXPIRED = "expired"
    CLOCK_BACK = "clock_back"


class Place(StrEnum):
    """Where a dead thing could come back."""

    OWN_TOKEN = "own_token"
    EXCHANGE_ENVELOPE = "exchange_envelope"
    EXCHANGE_TOKEN = "exchange_token"
    NEXT_HOP = "next_hop"
    INTROSPECTION = "introspection"
    RESOURCE = "resource"
    """A verifier that has seen the token before."""
    RESOURCE_ELSEWHERE = "resource_elsewhere"
    """A verifier that has not."""


OF_THE_TASK = {
    Cause.TASK_ENDED,
    Cause.TASK_KILLED,
    Cause.CONSENT_WITHDRAWN,
    Cause.ENVELOPE_KILLED,
    Cause.ENVELOPE_DIGEST_KILLED,
}
OF_TOKENS = {Cause.TOKEN_REVOKED, Cause.PARENT_REVOKED, Cause.EXPIRED, Cause.CLOCK_BACK}
LAWFUL = {
    *((cause, Place.OWN_TOKEN) for cause in OF_THE_TASK | OF_TOKENS),
    *((cause, Place.NEXT_HOP) for cause in OF_TOKENS),
    (Cause.TOKEN_REVOKED, Place.EXCHANGE_ENVELOPE),
}
"""What goes on by right: an agent lives longer than its task, a hop longer than another agent's token."""


class Held:
    """What calendar-bot and mail-bot hold before the cause strikes."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def gather(self) -> "Held":
        world = self.world
        self.own = await world.own_token("calendar-bot")
        self.token = await world.task_token(actor_token=self.own)
        self.longer = world.hop(world.envelope, world.task.ceiling, by="calendar-bot", to="mail-bot")
        await world.verify(self.token)
        return self

    async def own_token(self) -> bool:
        answer = await self.world.ask("calendar-bot", grant_type="client_credentials")
        return answer.status_code == 200

    async def exchange_envelope(self) -> bool:
        return (await self.world.exchange("calendar-bot", actor_token=self.own)).status_code == 200

    async def exchange_token(self) -> bool:
        answer = await self.world.ask(
            "calendar-bot",
            grant_type=EXCHANGE,
            subject_token=self.token,
            subject_token_type=ACCESS_TOKEN,
            resource=f"{ISSUER}/mcp/mail",
        )
        return answer.status_code == 200

    async def next_hop(self) -> bool:
        answer = await self.world.ask("mail-bot", grant_type="client_credentials")
        if answer.status_code != 200:
            return False
        own = answer.json()["access_token"]
        answer = await self.world.exchange(
            "mail-bot", subject_token=self.longer, actor_token=own, resource=f"{ISSUER}/mcp/mail"
        )
        return answer.status_code == 200

    async def introspection(self) -> bool:
        answer = await self.world.introspect("calendar-bot", self.token)
        assert answer.status_code == 401 or answer.json()["active"] or answer.json() == {"active": False}
        return answer.status_code == 200 and bool(answer.json()["active"])

    async def resource(self) -> bool:
        return await self._present(self.world.verifier)

    async def resource_elsewhere(self) -> bool:
        world = self.world
        return await self._present(
            AccessTokenVerifier(keys=world.keyring, standings=world.view, clock=world.clock)
        )

    async def _present(self, verifier: AccessTokenVerifier) -> bool:
        try:
            await self.world.verify(self.token, verifier=verifier)
        except OAuthError:
            return False
        return True

    async def goes_on_at(self, place: Place) -> bool:
        ask: Callable[[], Awaitable[bool]] = getattr(self, place.value)
        return await ask()


async def strike(world: World, held: Held, cause: Cause) -> None:  # noqa: C901, PLR0912 — one arm per cause
    """Let the cause happen, through the service whose business it is where there is one."""
    ana = PrincipalId(world.actors["ana"].id)
    bot = world.actors["calendar-bot"].principal
    assert bot.parent is not None
    assert world.task.grant is not None
    grant = world.task.grant
    match cause:
        case Cause.TASK_ENDED:
            await change(world, lambda tx: tx.tasks.finish(world.task.id, TaskState.ENDED, world.now))
        case Cause.TASK_KILLED:
            await bury(world, "task", world.task.id)
        case Cause.CONSENT_WITHDRAWN:
            await change(world, lambda tx: tx.grants.withdraw(grant, world.now))
        case Cause.ENVELOPE_KILLED:
            await bury(world, "envelope", world.task.root)
        case Cause.ENVELOPE_DIGEST_KILLED:
            known = await world.uow.read(lambda tx: tx.envelopes.get(world.task.root))
            assert known is not None
            await bury(world, "envelope", known.digest)
        case Cause.USER_SUSPENDED:
            await world.identities.suspend(ana, by=ana, because="test", at=world.now)
        case Cause.USER_KILLED:
            await bury(world, "user", ana)
        case Cause.AGENT_SUSPENDED:
            await world.identities.suspend(bot.parent, by=ana, because="test", at=world.now)
        case Cause.AGENT_RETIRED:
            await world.identities.retire(bot.parent, by=ana, because="test", at=world.now)
        case Cause.AGENT_KILLED:
            await bury(world, "agent", bot.parent)
        case Cause.INSTANCE_RETIRED:
            await world.identities.retire(bot.id, by=ana, because="test", at=world.now)
        case Cause.INSTANCE_KILLED:
            await bury(world, "instance", bot.id)
        case Cause.BLUEPRINT_SUSPENDED:
            blueprint = await world.identities.find(Kind.BLUEPRINT, "bot-production")
            await world.identities.suspend(blueprint.id, by=ana, because="test", at=world.now)
        case Cause.KEY_REVOKED:
            kid = KeyId(world.actors["calendar-bot"].kid)
            await world.credentials.revoke(kid, by=ana, because="test", at=world.now)
        case Cause.TENANT_KILLED:
            await bury(world, "tenant", "default")
        case Cause.TOKEN_REVOKED:
            await world.revoke("calendar-bot", held.token)
        case Cause.PARENT_REVOKED:
            await world.revoke("calendar-bot", held.own)
        case Cause.EXPIRED:
            world.clock.advance(301)
        case Cause.CLOCK_BACK:
            world.clock.step(-6)


async def change(world: World, work: Callable[[Any], Any]) -> None:
    def both(tx: Any) -> None:
        work(tx)
        tx.advance_epoch("test")

    await world.uow.commit(both)


async def bury(world: World, kind: str, ident: str) -> None:
    await change(world, lambda tx: tx.lineage.bury(kind, ident, cause="killed", epoch=1, at=world.now))


async def test_everything_goes_on_before_anything_happens(world: World) -> None:
    held = await Held(world).gather()
    for place in Place:
        assert await held.goes_on_at(place), place


@pytest.mark.attack("RT-06")
@pytest.mark.req("N2")
@pytest.mark.promise("P1", "P12")
@pytest.mark.parametrize("cause", Cause)
async def test_nothing_dead_goes_on_anywhere(world: World, cause: Cause) -> None:
    held = await Held(world).gather()
    await strike(world, held, cause)
    for place in Place:
        lawful = (cause, place) in LAWFUL
        assert await held.goes_on_at(place) == lawful, f"{cause} at {place}"


@pytest.mark.twin("RT-06")
async def test_a_verifier_that_trusts_its_memory_would_forget_a_death(world: World) -> None:
    class Trusting(AccessTokenVerifier):
        """Never looks whether the epoch has moved."""

        def _living(self, text: str, audience: str, standing: Any, at: Any) -> Any:
            return self._read(text, audience, at)

    held = await Held(world).gather()
    await strike(world, held, Cause.TASK_KILLED)
    lax = Trusting(keys=world.keyring, standings=world.view, clock=world.clock)
    assert (await world.verify(held.token, verifier=lax)).task == claims_in(held.token)["txn"]
