"""What the service does when the world moves while it decides."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import pytest

from remit.decision.answer.response import Effect
from remit.decision.facts.snapshot import Snapshot
from remit.decision.repository import DecisionTransaction
from remit.decision.service import DecisionService
from remit.kernel.ids import system_entropy
from remit.kernel.uow import Lane
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork
from support.deciding import Minter, desk
from support.decisions import call, office

T = TypeVar("T")


class Behind:
    """Snapshots that never catch up with the epoch."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.asked = 0

    def current(self) -> Snapshot:
        return self.snapshot

    async def catch_up(self, at_least: int | None = None) -> Snapshot:
        self.asked += 1
        return self.snapshot


@pytest.mark.req("N39")
@pytest.mark.promise("P9")
async def test_who_never_catches_up_permits_nothing(uow: SqlUnitOfWork) -> None:
    made = await desk(uow)
    await uow.commit(lambda tx: tx.advance_epoch("somebody was stopped"))
    stuck = Behind(office())
    service = DecisionService(
        uow=uow, snapshots=stuck, capabilities=Minter(), entropy=system_entropy, node="nod_1"
    )
    decision = await service.decide(call())
    assert decision.verdict.effect is Effect.DENY
    assert decision.verdict.reasons[0].code == "snapshot_stale"
    assert stuck.asked >= 3
    assert (await made.service.decide(call())).verdict.effect is Effect.PERMIT


class Unmindful:
    """A unit of work whose transactions always claim the epoch that the snapshot has."""

    def __init__(self, uow: SqlUnitOfWork, epoch: int) -> None:
        self._uow = uow
        self._epoch = epoch

    async def commit(self, work: Callable[[DecisionTransaction], T], *, lane: Lane = Lane.NORMAL) -> T:
        def blind(tx: SqlTransaction) -> T:
            return work(Blind(tx, self._epoch))

        return await self._uow.commit(blind, lane=lane)

    async def read(self, work: Callable[[DecisionTransaction], T]) -> T:
        return await self._uow.read(work)


class Blind(SqlTransaction):
    """Does not look at the epoch."""

    def __init__(self, tx: SqlTransaction, epoch: int) -> None:
        super().__init__(tx._batch, tx.tenant)
        self._claimed = epoch

    def epoch(self) -> int:
        return self._claimed


@pytest.mark.twin("PD-08")
async def test_the_race_test_bites_where_the_commit_does_not_look_at_the_epoch(uow: SqlUnitOfWork) -> None:
    made = await desk(uow)
    known = made.keeper.current()
    await uow.commit(lambda tx: tx.advance_epoch("somebody was stopped"))
    service = DecisionService(
        uow=Unmindful(uow, known.epoch),
        snapshots=Behind(known),
        capabilities=Minter(),
        entropy=system_entropy,
        node="nod_1",
    )
    assert (await service.decide(call())).verdict.effect is Effect.PERMIT


async def test_an_older_snapshot_is_brought_up_to_the_demanded_revision(uow: SqlUnitOfWork) -> None:
    made = await desk(uow)
    before = made.keeper.current()
    await uow.commit(lambda tx: tx.touch("principal", "usr_ada"))
    await made.service.decide(call(), at_least=before.revision + 1)
    assert made.keeper.current().revision == before.revision + 1
    assert replace(before, revision=0) != made.keeper.current()
