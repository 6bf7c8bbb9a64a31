"""Registrations of OAuth clients keep what was stored, on both engines."""

from dataclasses import replace
from datetime import timedelta

from remit.authority.oauth.registration import RegistrationKind
from remit.kernel.ids import PrincipalId
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.registrations import registration


async def test_what_was_registered_is_read_back_whole(uow: SqlUnitOfWork) -> None:
    stored = registration(certificate=("san_dns", "a.example"), fresh_until=registration().created_at)
    assert await uow.commit(lambda tx: tx.registrations.add(stored))
    assert await uow.read(lambda tx: tx.registrations.get(stored.client_id)) == stored
    assert await uow.read(lambda tx: tx.registrations.of(stored.principal)) == [stored]
    assert await uow.read(lambda tx: tx.registrations.of(PrincipalId("ins_other"))) == []


async def test_an_id_is_used_once(uow: SqlUnitOfWork) -> None:
    stored = registration()
    assert await uow.commit(lambda tx: tx.registrations.add(stored))
    assert not await uow.commit(lambda tx: tx.registrations.add(replace(stored, name="Another")))
    kept = await uow.read(lambda tx: tx.registrations.get(stored.client_id))
    assert kept == stored


async def test_what_was_revoked_stays_revoked(uow: SqlUnitOfWork) -> None:
    stored = registration()
    await uow.commit(lambda tx: tx.registrations.add(stored))
    renamed = replace(stored, name="Renamed", changed_at=stored.changed_at + timedelta(seconds=1))
    assert await uow.commit(lambda tx: tx.registrations.put(renamed))
    revoked = replace(renamed, revoked_at=renamed.changed_at)
    assert await uow.commit(lambda tx: tx.registrations.put(revoked))
    assert not await uow.commit(lambda tx: tx.registrations.put(stored))
    assert await uow.read(lambda tx: tx.registrations.get(stored.client_id)) == revoked


async def test_clients_are_listed_by_id_and_kind(uow: SqlUnitOfWork) -> None:
    kinds = [RegistrationKind.PRE_REGISTERED, RegistrationKind.DYNAMIC, RegistrationKind.DYNAMIC]
    made = [
        registration(client_id=f"cli_{number}", principal=PrincipalId(f"ins_{number}"), kind=kind)
        for number, kind in enumerate(kinds)
    ]
    for each in made:
        await uow.commit(lambda tx, each=each: tx.registrations.add(each))  # type: ignore[misc]  # a loop's value
    assert await uow.read(lambda tx: tx.registrations.list()) == made
    assert await uow.read(lambda tx: tx.registrations.list(kind=RegistrationKind.DYNAMIC)) == made[1:]
    assert await uow.read(lambda tx: tx.registrations.list(after="ins_0", limit=1)) == [made[1]]
