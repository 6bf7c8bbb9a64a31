"""N39: whatever fails, at whichever stage there is, nothing is permitted; a new stage can't be forgotten."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import pytest

from remit.app.bindings.risk import lookout_of, steps_of
from remit.authority.rights import Caps
from remit.decision.answer.response import Effect, Stage
from remit.decision.service import DecisionService
from remit.decision.stages.pipeline import Step
from remit.kernel.uow import Lane
from remit.platform.settings.risk import RiskChoices
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork
from support.deciding import Desk, desk
from support.decisions import PERMIT_ALL, call, ceiling, task
from support.decisions import office as office_

T = TypeVar("T")
STEPS = tuple(steps_of(RiskChoices()))
"""Every stage that judges by what is in memory, as an installation has them."""
IN_THE_TRANSACTION = {
    Stage.HISTORY: "history",
    Stage.BUDGET: "budgets",
    Stage.OVERSIGHT: "approvals",
}
"""Stages that ask the transaction, and what they ask of it."""


class Failing:
    """A transaction in which one repository is gone."""

    def __init__(self, tx: SqlTransaction, name: str) -> None:
        self._tx, self._name = tx, name

    def __getattr__(self, name: str) -> Any:
        if name == self._name:
            raise RuntimeError(f"{name} is gone")
        return getattr(self._tx, name)


@dataclass
class Faulty:
    """A unit of work whose transactions have that fault."""

    uow: SqlUnitOfWork
    name: str

    async def commit(self, work: Callable[[Any], T], *, lane: Lane = Lane.NORMAL) -> T:
        return await self.uow.commit(lambda tx: work(Failing(tx, self.name)), lane=lane)

    async def read(self, work: Callable[[Any], T]) -> T:
        return await self.uow.read(lambda tx: work(Failing(tx, self.name)))


BOOK = 'action == Remit::Action::"business/rooms.book"'
POLICIES = {
    Stage.HISTORY: f'{PERMIT_ALL} @id("m") @remember("booked by=user") permit(principal, {BOOK}, resource);'
    f'@id("once") forbid(principal, {BOOK}, resource) when {{ context.past.booked.user.count > 9 }};',
    Stage.BUDGET: PERMIT_ALL,
    Stage.OVERSIGHT: '@id("asked") @approval("team:leads") permit(principal, action, resource);',
}
"""What makes the stage have something to ask."""


def broken(*_: object) -> Any:
    raise RuntimeError("a stage fails")


def service(office: Desk, uow: Any, steps: tuple[Step, ...] = STEPS) -> DecisionService:
    return DecisionService(
        uow=uow,
        snapshots=office.keeper,
        capabilities=office.minter,
        entropy=secrets.token_bytes,
        node="nod_test",
        steps=steps,
        lookout=lookout_of(RiskChoices(), None),
    )


@pytest.mark.req("N39")
@pytest.mark.parametrize("stage", Stage)
async def test_a_fault_at_any_stage_permits_nothing(sqlite_uow: SqlUnitOfWork, stage: Stage) -> None:
    capped = task(ceiling=ceiling(caps=Caps(calls=10)))
    office = await desk(sqlite_uow, snapshot=office_(tasks=office_().tasks.set(capped.id, capped)))
    assert (await service(office, sqlite_uow).decide(call())).verdict.effect is Effect.PERMIT
    by_snapshot = [step.stage for step in STEPS]
    assert set(by_snapshot) | set(IN_THE_TRANSACTION) == set(Stage), "a stage has no fault in this test"
    if stage in by_snapshot:
        steps = tuple(replace(each, judge=broken) if each.stage is stage else each for each in STEPS)
        refused = await service(office, sqlite_uow, steps).decide(call())
        assert (refused.verdict.effect, refused.verdict.reasons[0].code) == (Effect.DENY, "stage_error")
        return
    await office.publish(POLICIES[stage])
    await office.keeper.catch_up()
    faulty = Faulty(sqlite_uow, IN_THE_TRANSACTION[stage])
    before = {each.id for each in await sqlite_uow.read(lambda tx: tx.decisions.page(limit=50))}
    # Whatever is raised is a no to the enforcement point, as every answer that is none.
    with pytest.raises(RuntimeError, match="is gone"):
        await service(office, faulty).decide(call())
    # Nothing of it is on record as permitted: what was refused is, what could not be recorded is not.
    after = await sqlite_uow.read(lambda tx: tx.decisions.page(limit=50))
    assert [each for each in after if each.id not in before and each.outcome is not None] == []
