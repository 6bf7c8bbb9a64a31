"""The vault on both stores: one connection per place, one renewer per version, one end per flow."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from remit.authority.vault.connection import Connection, ConnectionId, ConnectionState, Place
from remit.authority.vault.flow import Flow
from remit.authority.vault.provider import Provider, ProviderId, ProviderKind
from remit.authority.vault.revocation import Outcome, Revocation, RevocationId, finished, postponed
from remit.authority.vault.sealing import (
    Tokens,
    VaultSeal,
    flow_place,
    place_of,
    provider_place,
    revocation_place,
)
from remit.kernel.ids import AgentId, SessionId, UserId, system_entropy
from remit.kernel.sealing import Kek, KekWrong
from remit.kernel.secret import Secret
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.platform.storage.rekey import reseal_all
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork
from support.clock import NOON
from support.stores import TEST_KEK

PLACE = Place(user=UserId("usr_1"), agent=AgentId("agt_1"), provider=ProviderId("prv_1"), scopes=("a", "b"))
HELD = Connection(
    id=ConnectionId("con_1"),
    tenant=DEFAULT_TENANT,
    place=PLACE,
    state=ConnectionState.ACTIVE,
    refreshable=True,
    expires_at=NOON,
    created_at=NOON,
    changed_at=NOON,
)
ACME = Provider(
    id=ProviderId("prv_1"), tenant=DEFAULT_TENANT, name="acme", kind=ProviderKind.STATIC, created_at=NOON
)
FLOW = Flow(
    state="f" * 64,
    tenant=DEFAULT_TENANT,
    session=SessionId("ses_1"),
    user=UserId("usr_1"),
    place=PLACE,
    back="https://remit.company.com/connect/acme/callback",
    expires_at=NOON + timedelta(minutes=10),
)
ORDER = Revocation(
    id=RevocationId("rvk_1"),
    tenant=DEFAULT_TENANT,
    connection=HELD.id,
    place=PLACE,
    outcome=Outcome.OPEN,
    due=NOON,
    created_at=NOON,
)
LATER = NOON + timedelta(seconds=30)


async def test_a_place_has_one_connection_and_no_other_place_has_it(uow: SqlUnitOfWork) -> None:
    assert await uow.commit(lambda tx: tx.vault.add(HELD, b"1"))
    second = replace(HELD, id=ConnectionId("con_2"))
    assert not await uow.commit(lambda tx: tx.vault.add(second, b"2"))
    others = [
        replace(PLACE, user=UserId("usr_2")),
        replace(PLACE, user=None),
        replace(PLACE, agent=AgentId("agt_2")),
        replace(PLACE, provider=ProviderId("prv_2")),
        replace(PLACE, scopes=("a",)),
        replace(PLACE, scopes=()),
    ]
    found = await uow.read(lambda tx: [tx.vault.at(place) for place in others])
    assert found == [None] * len(others)
    ended = replace(HELD, state=ConnectionState.ENDED, ended_at=NOON)
    assert await uow.commit(lambda tx: tx.vault.save(ended, was=1))
    assert await uow.read(lambda tx: tx.vault.at(PLACE)) is None
    kept = await uow.read(lambda tx: tx.vault.get(HELD.id))
    assert kept is not None
    assert kept.sealed is None
    assert await uow.commit(lambda tx: tx.vault.add(second, b"2"))
    assert not await uow.commit(lambda tx: tx.vault.save(HELD, was=1)), "what has ended never goes on"
    assert not await uow.commit(lambda tx: tx.vault.renew(HELD, b"3", was=1))


async def test_of_many_one_renews_a_version(uow: SqlUnitOfWork) -> None:
    await uow.commit(lambda tx: tx.vault.add(HELD, b"1"))

    def lease(tx: SqlTransaction) -> bool:
        return tx.vault.lease(HELD.id, version=1, until=LATER, at=NOON)

    taken = await asyncio.gather(*(uow.commit(lease) for _ in range(16)))
    assert sum(taken) == 1
    assert await uow.commit(lambda tx: tx.vault.lease(HELD.id, version=1, until=LATER, at=LATER)), (
        "it ran out"
    )
    after = replace(HELD, version=2)
    assert await uow.commit(lambda tx: tx.vault.renew(after, b"2", was=1))
    assert not await uow.commit(lambda tx: tx.vault.renew(after, b"3", was=1))
    assert not await uow.commit(lambda tx: tx.vault.lease(HELD.id, version=1, until=LATER, at=LATER))
    assert await uow.commit(lambda tx: tx.vault.lease(HELD.id, version=2, until=LATER, at=NOON))


async def test_a_flow_is_spent_once_and_few_are_open(uow: SqlUnitOfWork) -> None:
    def add(tx: SqlTransaction, *, number: int) -> bool:
        flow = replace(FLOW, state=f"{number:064}")
        return tx.vault.add_flow(flow, b"v", open_at_once=3, at=NOON)

    made = [await uow.commit(partial(add, number=number)) for number in range(4)]
    assert made == [True, True, True, False]
    spent = await asyncio.gather(*(uow.commit(lambda tx: tx.vault.spend_flow("0" * 64)) for _ in range(8)))
    assert len([each for each in spent if each is not None]) == 1
    assert await uow.commit(lambda tx: tx.vault.forget_flows(FLOW.expires_at)) == 2


async def test_a_revocation_is_tried_until_it_is_finished(uow: SqlUnitOfWork) -> None:
    await uow.commit(lambda tx: tx.vault.add_revocation(ORDER, b"s"))
    assert await uow.read(lambda tx: tx.vault.has_due_revocation(NOON))
    put_off = postponed(ORDER, "status_503", at=NOON, wait=timedelta(seconds=60))
    assert await uow.commit(lambda tx: tx.vault.save_revocation(put_off, was=0))
    assert not await uow.commit(lambda tx: tx.vault.save_revocation(put_off, was=0)), "somebody was faster"
    assert not await uow.read(lambda tx: tx.vault.has_due_revocation(NOON))
    assert [each.last for each in await uow.read(lambda tx: tx.vault.open_revocations(limit=9))] == [
        "status_503"
    ]
    done = finished(put_off, Outcome.REVOKED, at=LATER)
    assert await uow.commit(lambda tx: tx.vault.save_revocation(done, was=1))
    assert await uow.read(lambda tx: tx.vault.open_revocations(limit=9)) == []


@pytest.mark.parametrize("tries", [0, 3, 40])
def test_pauses_grow_and_end_at_a_quarter_of_an_hour(tries: int) -> None:
    later = postponed(replace(ORDER, tries=tries), "x" * 100, at=NOON, wait=None)
    assert timedelta(seconds=2) <= later.due - NOON <= timedelta(minutes=15)
    assert len(later.last) == 64
    patient = postponed(ORDER, "busy", at=NOON, wait=timedelta(days=9))
    assert patient.due - NOON == timedelta(minutes=15)


async def test_another_key_opens_everything_of_the_vault_and_the_old_one_nothing(uow: SqlUnitOfWork) -> None:
    old = VaultSeal(kek=TEST_KEK, entropy=system_entropy)
    new = VaultSeal(kek=Kek.of(Secret(bytes(range(100, 132)))), entropy=system_entropy)
    tokens = Tokens(access=Secret(b"access"), refresh=Secret(b"refresh"))

    def fill(tx: SqlTransaction) -> None:
        one = Secret(b"one")
        tx.vault.add_provider(ACME, old.close_one(one, provider_place(DEFAULT_TENANT, ACME.id)))
        tx.vault.add(HELD, old.close(tokens, place_of(HELD)))
        verifier = old.close_one(one, flow_place(DEFAULT_TENANT, FLOW.state))
        tx.vault.add_flow(FLOW, verifier, open_at_once=9, at=NOON)
        tx.vault.add_revocation(ORDER, old.close(tokens, revocation_place(DEFAULT_TENANT, ORDER.id)))

    await uow.commit(fill)
    done = await uow.commit(lambda tx: reseal_all(tx.sql, old=old.kek, new=new.kek, entropy=system_entropy))
    assert done.credentials == 4

    def look(tx: SqlTransaction) -> list[bytes]:
        held, ((order, waiting),) = tx.vault.get(HELD.id), tx.vault.revocations(due=NOON, limit=9)
        spent = tx.vault.spend_flow(FLOW.state)
        secret = tx.vault.provider_secret(ACME.id)
        assert held is not None
        assert held.sealed is not None
        assert spent is not None
        assert secret is not None
        return [
            new.open(held.sealed, place_of(held.connection)).access.reveal(),
            new.open(waiting, revocation_place(DEFAULT_TENANT, order.id)).access.reveal(),
            new.open_one(spent[1], flow_place(DEFAULT_TENANT, FLOW.state)).reveal(),
            new.open_one(secret, provider_place(DEFAULT_TENANT, ACME.id)).reveal(),
        ]

    moved = await uow.read(lambda tx: tx.vault.get(HELD.id))
    assert moved is not None
    assert moved.sealed is not None
    with pytest.raises(KekWrong):
        old.open(moved.sealed, place_of(HELD))
    assert await uow.commit(look) == [b"access", b"access", b"one", b"one"]
