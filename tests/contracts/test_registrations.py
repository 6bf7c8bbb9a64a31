"""Registrations of OAuth clients keep what was stored, on both engines."""

from dataclasses import replace
from datetime import timedelta

from remit.authority.oauth.clients.invitations import Invitation
from remit.authority.oauth.clients.registration import RegistrationKind
from remit.authority.oauth.tokens.status_list import StatusEntry
from remit.authority.tasks import Lineage
from remit.kernel.ids import PrincipalId
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.registrations import AT, registration


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


async def test_an_invitation_is_used_as_often_as_it_says_and_forgotten(uow: SqlUnitOfWork) -> None:
    made = Invitation(
        digest="d1",
        tenant=DEFAULT_TENANT,
        agent=PrincipalId("agt_1"),
        by=PrincipalId("usr_1"),
        uses=2,
        expires_at=AT + timedelta(hours=1),
        created_at=AT,
    )
    await uow.commit(lambda tx: tx.invitations.add(made))
    late = AT + timedelta(hours=1)
    assert await uow.commit(lambda tx: tx.invitations.use("d1", late)) is None
    assert await uow.commit(lambda tx: tx.invitations.use("other", AT)) is None
    used = [await uow.commit(lambda tx: tx.invitations.use("d1", AT)) for _ in range(3)]
    assert used == [made, made, None]
    assert await uow.commit(lambda tx: tx.invitations.forget(AT, 10)) == 0
    assert await uow.commit(lambda tx: tx.invitations.forget(late + timedelta(seconds=1), 10)) == 1


async def test_a_place_is_taken_once_and_forgotten_with_its_token(uow: SqlUnitOfWork) -> None:
    lineage = Lineage(
        tenant=DEFAULT_TENANT, user=None, task=None, grant=None, chain=(PrincipalId("ins_1"),),
        principals=frozenset({PrincipalId("ins_1")}), envelope=None, others=frozenset({"tok_1"}),
    )  # fmt: skip
    taken = StatusEntry(list="2026051512-0", idx=7, lineage=lineage, generation=0, expires_at=AT)
    assert await uow.commit(lambda tx: tx.statuses.take(taken))
    assert not await uow.commit(lambda tx: tx.statuses.take(taken))
    assert await uow.read(lambda tx: tx.statuses.of("2026051512-0")) == [taken]
    assert await uow.read(lambda tx: tx.statuses.of("2026051512-1")) == []
    assert await uow.commit(lambda tx: tx.statuses.forget(AT + timedelta(seconds=1), 10)) == 1
    assert await uow.read(lambda tx: tx.statuses.of("2026051512-0")) == []
