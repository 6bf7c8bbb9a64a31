"""N2 where a person began it: each cause of an end, at each place where a session could go on."""

import pkgutil
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from remit.authority.oauth import endpoints, grants
from remit.authority.oauth.enrolling import enrolment
from remit.authority.oauth.enrolling.enrolment import Act
from remit.authority.oauth.provider import OAuth
from remit.kernel.ids import GrantId, KeyId, PrincipalId
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.authorizing import with_codes
from support.oauth import EXCHANGE
from support.sessions import (
    APPLICATION,
    BEGUN,
    BEN,
    CLIENT,
    FAMILY,
    GRANTS_OF_PLACES,
    PLACES,
    TOKEN,
    USES_OF_EXCHANGE,
    Held,
    SessionWorld,
)
from twins.memory import ForgetfulWork, Immortal, Unrevoked

Cause = Callable[[SessionWorld, Held], Awaitable[Any]]
SYSTEM = PrincipalId("system")
AGENT = CLIENT | BEGUN | FAMILY
ASKED = frozenset({"backchannel_page", "backchannel_poll"})
FETCHED = frozenset({"redeem", "poll", "backchannel_poll"})
"""What a person gave, and its client has still to fetch."""
PERSON = BEGUN | FAMILY | APPLICATION


def person(world: SessionWorld) -> PrincipalId:
    return world.actors[BEN].principal.id


def instance(world: SessionWorld) -> PrincipalId:
    return world.clients["web"].principal


def agent(world: SessionWorld) -> PrincipalId:
    return PrincipalId(str(world.actors["mail-bot"].principal.parent))


def blueprint(world: SessionWorld) -> PrincipalId:
    return PrincipalId(world.blueprints["bot-production"])


def owner(world: SessionWorld) -> PrincipalId:
    return world.actors["ana"].principal.id


def application(world: SessionWorld) -> PrincipalId:
    return world.clients["wiki"].principal


def suspended(who: Callable[[SessionWorld], PrincipalId]) -> Cause:
    async def act(world: SessionWorld, _: Held) -> None:
        await world.identities.suspend(who(world), by=SYSTEM, because="test", at=world.now)

    return act


def retired(who: Callable[[SessionWorld], PrincipalId]) -> Cause:
    async def act(world: SessionWorld, _: Held) -> None:
        await world.identities.retire(who(world), by=SYSTEM, because="test", at=world.now)

    return act


def killed(kind: str, who: Callable[[SessionWorld], str]) -> Cause:
    async def act(world: SessionWorld, _: Held) -> None:
        await bury(world, kind, who(world))

    return act


async def bury(world: SessionWorld, kind: str, *idents: str) -> None:
    def work(tx: Any) -> None:
        epoch = tx.advance_epoch("test")
        for ident in idents:
            tx.lineage.bury(kind, ident, cause="killed", epoch=epoch, at=world.now)

    await world.uow.commit(work)


async def tasks_killed(world: SessionWorld, _: Held) -> None:
    await bury(world, "task", *[each.task for each in await world.records("authority.task.started")])


async def tasks_ended(world: SessionWorld, _: Held) -> None:
    flow = world.oauth.code_flow
    assert flow is not None
    for each in await world.records("authority.task.started"):
        await flow.consent._tasks.end(each.task, by=person(world), at=world.now)  # type: ignore[arg-type]  # a TaskId


async def consent_withdrawn(world: SessionWorld, _: Held) -> None:
    flow = world.oauth.code_flow
    assert flow is not None
    for given in await world.records("authority.grant.given"):
        await flow.consent._consents.withdraw(GrantId(given.grant), by=person(world), at=world.now)


async def key_revoked(world: SessionWorld, _: Held) -> None:
    kid = KeyId(world.actors["web"].kid)
    await world.credentials.revoke(kid, by=SYSTEM, because="lost", at=world.now)


async def signed_out(world: SessionWorld, held: Held) -> None:
    session = held.person.session
    await world.sessions.end(session.id, of=session.human, by=session.human, because="signed out")


async def signed_out_everywhere(world: SessionWorld, _: Held) -> None:
    await world.sessions.end_all(person(world), by=SYSTEM, because="signed out")


async def refresh_reused(world: SessionWorld, held: Held) -> None:
    """Whoever stole it comes after its owner."""
    for _ in range(2):
        answer = await world.refresh(held.renewal, "web", proof=world.proof("web"))
        held.renewal = answer.json().get("refresh_token", held.renewal)
    stolen = held.issued["refresh_token"]
    world.pass_time(seconds=61)
    assert (await world.refresh(stolen, "web", proof=world.proof("web"))).status_code == 400


async def code_replayed(world: SessionWorld, held: Held) -> None:
    assert await held.redeem()
    assert not await held.redeem()


async def revoked(world: SessionWorld, token: str) -> None:
    assert (await world.revoke("web", token)).status_code == 200


def client_revoked(name: str) -> Cause:
    async def act(world: SessionWorld, _: Held) -> None:
        done = Act(tenant=DEFAULT_TENANT, by=SYSTEM, at=world.now, entropy=world.entropy)
        await world.uow.commit(lambda tx: enrolment.revoke(tx, world.clients[name], done, because="test"))

    return act


async def time_passed(world: SessionWorld, _: Held) -> None:
    world.pass_time(seconds=301)


async def clock_back(world: SessionWorld, _: Held) -> None:
    world.clock.step(-6)


CAUSES: dict[str, tuple[Cause, frozenset[str]]] = {
    "person suspended": (suspended(person), PERSON | {"backchannel_request"}),
    "person retired": (retired(person), PERSON | {"backchannel_request"}),
    "person killed": (killed("user", person), PERSON | {"backchannel_request"}),
    "agent suspended": (suspended(agent), AGENT),
    "agent retired": (retired(agent), AGENT),
    "agent killed": (killed("agent", agent), AGENT),
    "instance suspended": (suspended(instance), AGENT),
    "instance retired": (retired(instance), AGENT),
    "instance killed": (killed("instance", instance), AGENT),
    "blueprint suspended": (suspended(blueprint), AGENT),
    "blueprint killed": (killed("blueprint", blueprint), AGENT),
    "owner suspended": (suspended(owner), PLACES),
    "application suspended": (suspended(application), APPLICATION),
    "application retired": (retired(application), APPLICATION),
    "tenant killed": (killed("tenant", lambda _: DEFAULT_TENANT), PLACES),
    "client revoked": (client_revoked("web"), AGENT),
    "application revoked": (client_revoked("wiki"), APPLICATION),
    "key revoked": (key_revoked, AGENT - {"consent_page", "backchannel_page"}),
    "consent withdrawn": (consent_withdrawn, FAMILY | FETCHED),
    "tasks killed": (tasks_killed, FAMILY | FETCHED),
    "tasks ended": (tasks_ended, FAMILY | FETCHED),
    "signed out": (signed_out, PERSON),
    "signed out everywhere": (signed_out_everywhere, PERSON),
    "refresh token stolen": (refresh_reused, FAMILY | {"redeem"}),
    "refresh token revoked": (lambda world, held: revoked(world, held.renewal), FAMILY),
    "access token revoked": (lambda world, held: revoked(world, held.access), TOKEN),
    "time passed": (time_passed, TOKEN - {"status_list"} | {"redeem", "userinfo"} | ASKED),
    "clock set back": (clock_back, TOKEN | {"userinfo"}),
}


@pytest.fixture
async def world(sqlite_uow: SqlUnitOfWork) -> SessionWorld:
    return await SessionWorld(sqlite_uow).populate()


async def open_places(held: Held) -> set[str]:
    return {name for name in sorted(PLACES) if await getattr(held, name)()}


async def test_everything_goes_on_before_anything_happens(world: SessionWorld) -> None:
    assert await open_places(await Held(world).gather()) == PLACES
    exchange: Any = world.oauth.token._grants[EXCHANGE]
    # What else than access tokens can be had by exchange here; what goes abroad has matrices of its own.
    assert set(exchange._elsewhere) == set(USES_OF_EXCHANGE)


@pytest.mark.req("N2")
@pytest.mark.attack("RT-05", "RT-06")
@pytest.mark.promise("P1", "P12")
@pytest.mark.parametrize("cause", CAUSES)
async def test_what_ends_ends_at_every_place_and_nothing_else_does(world: SessionWorld, cause: str) -> None:
    act, ends = CAUSES[cause]
    held = await Held(world).gather()
    await act(world, held)
    found = await open_places(held)
    assert (sorted(found & ends), sorted(PLACES - ends - found)) == ([], [])


def immortal(**parts: Any) -> OAuth:
    """An authorization server that asks nobody who lives."""
    forgetful: Any = ForgetfulWork(parts["uow"], lineage=Immortal, tokens=Unrevoked)
    return with_codes(**{**parts, "uow": forgetful})


@pytest.mark.twin("RT-05", "RT-06")
@pytest.mark.parametrize("cause", ["agent killed", "instance suspended", "tasks killed", "owner suspended"])
async def test_a_server_that_asks_nobody_who_lives_would_go_on_at_every_place(
    sqlite_uow: SqlUnitOfWork, cause: str
) -> None:
    world = await SessionWorld(sqlite_uow, build=immortal).populate()
    act, ends = CAUSES[cause]
    held = await Held(world).gather()
    await act(world, held)
    # A resource asks for itself, by what its own node holds; three offer nothing for who is not active, and a
    # link is put to the verifier of envelopes, which asks who lives too.
    twice = {"hand_on", "resource", "resource_elsewhere", "par", "device_request", "backchannel_request"}
    assert ends - await open_places(held) <= twice


ENDPOINTS = {
    "authorize": "consent_page",
    "backchannel": "backchannel_poll",
    "backchannel_authentication": "backchannel_request",
    "consent": "consent_page",
    "device": "poll",
    "device_authorization": "device_request",
    "introspect": "introspect_access",
    "par": "par",
    "status": "status_list",
    "token": "own",
    "userinfo": "userinfo",
}
"""By the module of each endpoint: where it is asked here."""
GIVES_NOTHING = {"register", "revoke", "end_session"}
"""Endpoints at which nothing dead could go on: they make clients, or end things."""
BY_ASSERTION = {"jwt_bearer", "saml2_bearer"}
"""Grants that begin with somebody else's word: `test_n2_assertions`, cause by cause."""


def test_every_way_to_a_token_has_its_place() -> None:
    """A grant or an endpoint that is new fails here until each cause has been tried on it."""
    found = {module.name for module in pkgutil.iter_modules(grants.__path__)}
    assert found == {*GRANTS_OF_PLACES, *BY_ASSERTION}
    served = {module.name for module in pkgutil.iter_modules(endpoints.__path__)}
    assert served - GIVES_NOTHING == set(ENDPOINTS)
    assert {*USES_OF_EXCHANGE.values(), *GRANTS_OF_PLACES.values(), *ENDPOINTS.values()} <= PLACES
