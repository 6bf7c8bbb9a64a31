"""Two tenants in one store: what belongs to the other looks exactly like what does not exist (P11)."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import quote

import pytest

from remit.identity.errors import UnknownPrincipal
from remit.identity.principals import Principal
from remit.identity.service import IdentityService
from remit.kernel.ids import (
    ApprovalId,
    CallId,
    CapabilityId,
    DecisionId,
    GrantId,
    KillId,
    PrincipalId,
    RecordId,
    TaskId,
    TenantId,
)
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.platform.storage.snapshot import SnapshotKeeper
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork
from support.builders import keyring
from support.house import REFUND, House

OTHER = TenantId("ten_other")
LIFETIME = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))


async def inhabited(house: House) -> dict[str, str]:
    """One of everything: ids of the first tenant."""
    started = await house.task("support-bot", purpose="support")
    bot = house["support-bot"]
    token = await house.exchange(bot, started.envelope)
    await house.call(bot, token, "customers_read", {"customer_id": "C-100"})
    waiting = asyncio.create_task(house.call(bot, token, "refunds_create", REFUND))
    ask = await house.pending()
    await house.answer("lead", ask)
    assert (await waiting).ran
    decision = (await house.services.decisions.page(limit=1))[0]
    records = await house.work.read(lambda tx: tx.ledger.between(*LIFETIME))
    permitted = next(row for row in await house.services.decisions.page(limit=50) if row.capability)
    return {
        "principal": house["admin"].id,
        "task": started.task.id,
        "grant": started.task.grant or "",
        "decision": decision.id,
        "capability": permitted.capability or "",
        "approval": ask.id,
        "record": records[0].record.id,
        "credential": house["admin"].kid,
        "envelope": decision.explanation.agent,
    }


def sees(tx: SqlTransaction, ids: dict[str, str]) -> dict[str, Any]:
    """Everything that a transaction finds under the ids of somebody."""
    return {
        "principal": tx.principals.get(PrincipalId(ids["principal"])),
        "task": tx.tasks.get(TaskId(ids["task"])),
        "grant": tx.grants.get(GrantId(ids["grant"])),
        "decision": tx.decisions.get(DecisionId(ids["decision"])),
        "capability": tx.capabilities.get(CapabilityId(ids["capability"])),
        "approval": tx.approvals.get(ApprovalId(ids["approval"])),
        "record": tx.ledger.record(RecordId(ids["record"])),
        "kill": tx.kills.get(KillId("kil_none")),
        "mentions": tx.ledger.mentioning(ids["task"]),
        "records": tx.ledger.between(*LIFETIME),
        "people": tx.principals.page(limit=10),
        "decisions": tx.decisions.page(limit=10),
        "asks": tx.approvals.page(state=None, asked=None, after="", limit=10),
        "policy": tx.policies.newest(),
        "keys": tx.keys.records(),
        "unspent": tx.approvals.open_for(ids["approval"]),
    }


@pytest.mark.attack("MT-01", "MT-06", "AU-14")
@pytest.mark.promise("P11")
async def test_whatever_is_the_other_tenants_is_not_there(house: House) -> None:
    ids = await inhabited(house)
    own = await house.work.read(lambda tx: sees(tx, ids))
    assert all(own[name] for name in ("principal", "task", "decision", "approval", "record", "mentions"))
    other = SqlUnitOfWork(house.services.ground.store, tenant=OTHER)
    nothing = {name: f"{ident[:4]}01M80ZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZ" for name, ident in ids.items()}
    theirs = await other.read(lambda tx: sees(tx, ids))
    absent = await other.read(lambda tx: sees(tx, nothing))
    assert theirs == absent
    assert not any(theirs.values())


@pytest.mark.attack("MT-01", "MT-06")
@pytest.mark.promise("P11")
async def test_nothing_of_one_tenant_moves_the_other(house: House) -> None:
    ids = await inhabited(house)
    other = SqlUnitOfWork(house.services.ground.store, tenant=OTHER)
    before = await house.work.read(lambda tx: (tx.epoch(), tx.ledger.head(), sees(tx, ids)))
    at = house.now()

    def interfere(tx: SqlTransaction) -> list[Any]:
        tx.advance_epoch("kill")
        return [
            tx.approvals.spend(
                tx.tenant,
                ApprovalId(ids["approval"]),
                call=CallId("call_x"),
                decision=DecisionId("dec_x"),
                at=at,
            ),
            tx.decisions.settle(DecisionId(ids["decision"]), "unused"),
            tx.ledger.erase(house["user"].id, at=at),
        ]

    assert not any(await other.commit(interfere))
    after = await house.work.read(lambda tx: (tx.epoch(), tx.ledger.head(), sees(tx, ids)))
    assert after == before
    # What the other has is numbered from its own beginning: no count of ours shows through.
    assert await other.read(lambda tx: tx.epoch()) == 1
    assert (await other.read(lambda tx: tx.ledger.head())).size == 0


Count = Callable[[SqlUnitOfWork], Awaitable[tuple[int, ...]]]


async def own_counts(work: SqlUnitOfWork) -> tuple[int, ...]:
    """What a tenant is shown: its epoch, the length of its log, and the revision that decisions name."""
    seen = await SnapshotKeeper(work, tenant=work._tenant, keys=keyring()).catch_up()
    return await work.read(lambda tx: (tx.epoch(), tx.ledger.head().size, seen.revision))


async def all_counts(work: SqlUnitOfWork) -> tuple[int, ...]:
    """The numbers that one counter for the whole store would give."""
    counts = [await own_counts(SqlUnitOfWork(work._store, tenant=each)) for each in (DEFAULT_TENANT, OTHER)]
    return tuple(map(sum, zip(*counts, strict=True)))


async def told_by(count: Count, house: House) -> tuple[int, ...]:
    """By how much a tenant's numbers move while another tenant works, and it does not."""
    other = SqlUnitOfWork(house.services.ground.store, tenant=OTHER)
    before = await count(other)
    await house.task("support-bot", purpose="support")
    await house.work.commit(lambda tx: tx.advance_epoch("kill"))
    return tuple(now - then for now, then in zip(await count(other), before, strict=True))


@pytest.mark.attack("MT-06")
@pytest.mark.promise("P11")
async def test_how_much_a_tenant_does_shows_in_no_number_of_another(house: House) -> None:
    assert not any(await told_by(own_counts, house))


@pytest.mark.twin("MT-06")
async def test_one_counter_for_all_tells_how_much_another_does(house: House) -> None:
    assert all(await told_by(all_counts, house))


@pytest.mark.attack("MT-03", "MT-04")
@pytest.mark.promise("P11", "P7")
async def test_a_snapshot_and_the_keys_of_another_tenant_know_nobody_of_ours(house: House) -> None:
    other = SqlUnitOfWork(house.services.ground.store, tenant=OTHER)
    keeper = SnapshotKeeper(other, tenant=OTHER, keys=keyring())
    snapshot = await keeper.catch_up()
    assert not snapshot.principals
    assert not snapshot.tasks
    assert not snapshot.envelopes
    assert str(snapshot.bundle.version) == "v0"
    kid = house["admin"].kid
    assert await house.work.read(lambda tx: tx.credentials.get(kid)) is not None
    assert await other.read(lambda tx: tx.credentials.get(kid)) is None


@pytest.mark.attack("MT-10")
@pytest.mark.parametrize("odd", ["*", ">", "agt_*", "%", "_", "agt_%", "' OR 1=1 --", "tsk_.>"])
async def test_no_wildcard_in_an_id_finds_anything(house: House, odd: str) -> None:
    admin = house["admin"]
    for path in (f"/agents/{quote(odd, safe='')}", f"/decisions/{quote(odd, safe='')}"):
        answer = await house.api(admin, "GET", path)
        assert 400 <= answer.status_code < 500, answer.text
    found = await house.api(admin, "GET", f"/ledger/records?mentions={quote(odd, safe='')}")
    assert found.status_code == 400 or found.json() == []


class Matching(IdentityService):
    """Takes an id for a pattern, as the name of a channel on a bus is."""

    async def get(self, ident: PrincipalId) -> Principal:
        every = await self.page()
        return next((each for each in every if fnmatchcase(each.id, ident)), None) or await super().get(ident)


async def reached(identity: IdentityService) -> list[str]:
    """What ids with wildcards find."""
    found: list[str] = []
    for odd in ("*", ">", "agt_*", "agt_?*", "%", "agt_%", "agt_.>"):
        try:
            found.append((await identity.get(PrincipalId(odd))).id)
        except UnknownPrincipal:
            continue
    return found


@pytest.mark.attack("MT-10")
async def test_an_id_is_never_a_pattern(house: House) -> None:
    assert not await reached(house.services.identity)


@pytest.mark.twin("MT-10")
async def test_where_ids_are_patterns_one_finds_whom_it_does_not_name(house: House) -> None:
    ground = house.services.ground
    lax = Matching(uow=house.work, entropy=ground.entropy, tenant=ground.tenant)
    assert len(await reached(lax)) >= 3
