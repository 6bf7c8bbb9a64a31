"""Sessions of people over every engine: recognized by a secret, ended by everything that must end them."""

from dataclasses import replace
from datetime import timedelta

import pytest

from remit.identity.errors import UnknownSession
from remit.identity.principals import Principal
from remit.identity.session_service import SessionService
from remit.identity.sessions import (
    ACR_PASSKEY_UV,
    AMR_PASSKEY_UV,
    Proof,
    Session,
    SessionRule,
    begin,
    confirmed,
    digest_of,
    is_fresh,
)
from remit.kernel.ids import PrincipalId, SessionId, system_entropy
from remit.kernel.secret import Secret
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.builders import World
from support.clock import NOON, FixedClock

RULE = SessionRule()
PROOF = Proof(amr=AMR_PASSKEY_UV, acr=ACR_PASSKEY_UV, at=NOON)


def service(uow: SqlUnitOfWork, clock: FixedClock) -> SessionService:
    return SessionService(uow=uow, clock=clock, entropy=system_entropy, rule=RULE)


async def signed_in(uow: SqlUnitOfWork, human: Principal) -> tuple[Session, Secret]:
    session, secret = begin(
        human.id, tenant=DEFAULT_TENANT, proof=PROOF, rule=RULE, entropy=system_entropy, client="Test/1"
    )
    await uow.commit(lambda tx: tx.sessions.add(session))
    return session, secret


async def test_a_session_is_known_by_its_secret_alone(uow: SqlUnitOfWork) -> None:
    human = await World(uow).human()
    session, secret = await signed_in(uow, human)
    sessions = service(uow, FixedClock())
    assert await sessions.current(secret) == session
    assert await sessions.current(Secret(bytes(32))) is None
    assert await sessions.current(Secret(session.secret_digest.encode())) is None
    assert await uow.read(lambda tx: tx.sessions.get(session.id)) == session
    assert secret.reveal() not in repr(session).encode()


@pytest.mark.parametrize(
    ("step", "lives"),
    [
        (RULE.idle - timedelta(seconds=1), True),
        (RULE.idle, False),
    ],
)
async def test_it_ends_by_rest_at_the_limit(uow: SqlUnitOfWork, step: timedelta, *, lives: bool) -> None:
    _, secret = await signed_in(uow, await World(uow).human())
    clock = FixedClock()
    clock.advance(step)
    assert (await service(uow, clock).current(secret) is not None) is lives


async def test_use_keeps_it_awake_up_to_its_end(uow: SqlUnitOfWork) -> None:
    session, secret = await signed_in(uow, await World(uow).human())
    clock = FixedClock()
    sessions, half = service(uow, clock), RULE.idle / 2
    while clock.now() + half < session.expires_at:
        clock.advance(half)
        seen = await sessions.current(secret)
        assert seen is not None
        assert seen.seen_at == clock.now()
    clock.advance(session.expires_at - clock.now())
    assert await sessions.current(secret) is None


async def test_a_person_is_signed_out_by_suspension_and_stays_so(uow: SqlUnitOfWork) -> None:
    world = World(uow)
    human = await world.human()
    _, secret = await signed_in(uow, human)
    sessions = service(uow, FixedClock())
    await world.identity.suspend(human.id, by=human.id, because="left", at=NOON)
    assert await sessions.current(secret) is None
    assert list(await sessions.of(human.id)) == []
    await world.identity.resume(human.id, by=human.id, at=NOON)
    assert await sessions.current(secret) is None


async def test_a_person_is_signed_out_by_retirement(uow: SqlUnitOfWork) -> None:
    world = World(uow)
    human = await world.human()
    _, secret = await signed_in(uow, human)
    await world.identity.retire(human.id, by=human.id, because="left", at=NOON)
    assert await service(uow, FixedClock()).current(secret) is None


async def test_a_tombstone_is_the_end_of_sessions(uow: SqlUnitOfWork) -> None:
    human = await World(uow).human()
    _, secret = await signed_in(uow, human)
    await uow.commit(lambda tx: tx.lineage.bury("user", human.id, cause="kill", epoch=1, at=NOON))
    sessions = service(uow, FixedClock())
    assert await sessions.current(secret) is None
    assert list(await sessions.of(human.id)) == []


async def test_one_session_ends_and_the_other_goes_on(uow: SqlUnitOfWork) -> None:
    human = await World(uow).human()
    first, opens_first = await signed_in(uow, human)
    second, opens_second = await signed_in(uow, human)
    sessions = service(uow, FixedClock())
    assert {each.id for each in await sessions.of(human.id)} == {first.id, second.id}
    ended = await sessions.end(first.id, of=human.id, by=human.id, because="signed out")
    assert ended.ended_at == NOON
    assert await sessions.end(first.id, of=human.id, by=human.id, because="again") == ended
    assert await sessions.current(opens_first) is None
    assert await sessions.current(opens_second) is not None
    with pytest.raises(UnknownSession):
        await sessions.end(second.id, of=PrincipalId("usr_other"), by=human.id, because="not mine")
    with pytest.raises(UnknownSession):
        await sessions.end(SessionId("ses_none"), of=human.id, by=human.id, because="none")
    assert await sessions.end_all(human.id, by=human.id, because="lost phone") == 1
    assert await sessions.current(opens_second) is None


async def test_what_ended_is_never_stored_as_open_again(uow: SqlUnitOfWork) -> None:
    session, secret = await signed_in(uow, await World(uow).human())
    moved, fresh = confirmed(session, proof=replace(PROOF, at=NOON), entropy=system_entropy)
    assert await uow.commit(lambda tx: tx.sessions.put(moved, was=session.secret_digest))
    # Whoever still holds the old secret, or read the row before, changes nothing.
    assert not await uow.commit(lambda tx: tx.sessions.put(session, was=session.secret_digest))
    assert await service(uow, FixedClock()).current(secret) is None
    assert await service(uow, FixedClock()).current(fresh) == moved
    assert await uow.commit(lambda tx: tx.sessions.end(replace(moved, ended_at=NOON)))
    assert not await uow.commit(lambda tx: tx.sessions.put(moved, was=moved.secret_digest))
    with pytest.raises(ValueError, match="says when"):
        await uow.commit(lambda tx: tx.sessions.end(moved))


async def test_old_sessions_are_forgotten(uow: SqlUnitOfWork) -> None:
    session, _ = await signed_in(uow, await World(uow).human())
    assert await uow.commit(lambda tx: tx.sessions.forget(session.expires_at, 10)) == 0
    assert await uow.commit(lambda tx: tx.sessions.forget(session.expires_at + timedelta(days=1), 10)) == 1
    assert await uow.read(lambda tx: tx.sessions.get(session.id)) is None


def test_a_confirmed_session_keeps_its_end_and_changes_its_secret() -> None:
    session, secret = begin(
        PrincipalId("usr_a"), tenant=DEFAULT_TENANT, proof=PROOF, rule=RULE, entropy=system_entropy
    )
    later = NOON + timedelta(minutes=10)
    moved, fresh = confirmed(session, proof=replace(PROOF, at=later), entropy=system_entropy)
    assert (moved.id, moved.expires_at, moved.authenticated_at) == (session.id, session.expires_at, later)
    assert digest_of(fresh) == moved.secret_digest != digest_of(secret)
    assert is_fresh(moved, within=timedelta(minutes=5), at=later + timedelta(minutes=5))
    assert not is_fresh(moved, within=timedelta(minutes=5), at=later + timedelta(minutes=5, seconds=1))
