"""Two tenants in one store: what belongs to the other looks exactly like what does not exist (P11)."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest

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
from remit.platform.storage.snapshot import SnapshotKeeper
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork
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


@pytest.mark.attack("MT-03", "MT-04")
@pytest.mark.promise("P11", "P7")
async def test_a_snapshot_and_the_keys_of_another_tenant_know_nobody_of_ours(house: House) -> None:
    other = SqlUnitOfWork(house.services.ground.store, tenant=OTHER)
    keeper = SnapshotKeeper(other, tenant=OTHER)
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
