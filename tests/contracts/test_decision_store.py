"""Counters, decisions and policies behave alike on every store."""

import asyncio
from typing import Any

import pytest
from msgspec import structs

from remit.authority.rights import Caps, Money
from remit.decision.budget.cost import Dimension, Line, Settlement
from remit.decision.policy.admission import version_of
from remit.decision.policy.seal import PublishedPolicy
from remit.kernel.ids import PrincipalId
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.clock import NOON
from support.deciding import desk, numbered
from support.decisions import ceiling, office, task


def line(account: str = "tsk_1", **changes: Any) -> Line:
    made = Line(account=account, factor="task", dimension=Dimension.CALLS, period=0, cap=10, cost=1)
    return structs.replace(made, **changes)


@pytest.mark.req("N27")
async def test_a_counter_stops_at_its_cap_under_64_parallel_charges(uow: SqlUnitOfWork) -> None:
    charged = await asyncio.gather(*(uow.commit(lambda tx: tx.budgets.reserve(line())) for _ in range(64)))
    assert sum(charged) == 10
    assert await uow.read(lambda tx: tx.budgets.spent(line())) == 10


async def test_a_new_period_starts_at_nothing_and_an_old_one_never_comes_back(uow: SqlUnitOfWork) -> None:
    today, tomorrow = line(period=5, cap=2), line(period=6, cap=2)
    for expected in (True, True, False):
        assert await uow.commit(lambda tx: tx.budgets.reserve(today)) is expected
    assert await uow.commit(lambda tx: tx.budgets.reserve(tomorrow))
    # The clock stepped back: what tomorrow counted still counts.
    assert await uow.commit(lambda tx: tx.budgets.reserve(today))
    assert not await uow.commit(lambda tx: tx.budgets.reserve(today))
    await uow.commit(lambda tx: tx.budgets.release(today))
    assert await uow.read(lambda tx: tx.budgets.spent(tomorrow)) == 2


@pytest.mark.attack("CA-19")
@pytest.mark.parametrize("cost", [-1, 11, 2**60])
async def test_an_impossible_cost_is_never_charged(uow: SqlUnitOfWork, cost: int) -> None:
    assert not await uow.commit(lambda tx: tx.budgets.reserve(line(cost=cost)))
    assert await uow.read(lambda tx: tx.budgets.spent(line())) == 0


async def test_a_release_never_goes_below_zero(uow: SqlUnitOfWork) -> None:
    await uow.commit(lambda tx: tx.budgets.reserve(line()))
    for _ in range(3):
        await uow.commit(lambda tx: tx.budgets.release(line()))
    assert await uow.read(lambda tx: tx.budgets.spent(line())) == 0


async def test_accounts_and_currencies_are_counted_apart(uow: SqlUnitOfWork) -> None:
    lines = [
        line(),
        line("tsk_2"),
        line(dimension=Dimension.MONEY, currency="EUR"),
        line(dimension=Dimension.MONEY, currency="USD"),
    ]
    for one in lines:
        await uow.commit(lambda tx, one=one: tx.budgets.reserve(one))  # type: ignore[misc]  # mypy infers no lambda with a default
    for one in lines:
        assert await uow.read(lambda tx, one=one: tx.budgets.spent(one)) == 1  # type: ignore[misc]  # as above


async def test_a_decision_reads_back_as_it_was_stored(uow: SqlUnitOfWork) -> None:
    caps = Caps(calls=9, per_minute=5, money=(Money(currency="EUR", minor=99_999),))
    made = await desk(
        uow, snapshot=office(tasks=office().tasks.set(task().id, task(ceiling=ceiling(caps=caps))))
    )
    decisions = [await made.service.decide(numbered("refunds.create", number)) for number in range(3)]
    stored = await made.service.why(decisions[0].id)
    assert stored.explanation.verdict == decisions[0].verdict
    assert [one.dimension for one in stored.lines] == ["calls", "money", "rate"]
    newest = await made.service.page(limit=2)
    assert [entry.id for entry in newest] == sorted((one.id for one in decisions), reverse=True)[:2]
    rest = await made.service.page(limit=5, after=newest[-1].id)
    assert len(rest) == 1
    assert len(await made.service.page(limit=9, agent="agt_calendar", effect="deny")) == 1
    assert await made.service.page(limit=9, agent="agt_other") == []
    await made.service.settle(decisions[0].id, Settlement.UNKNOWN)
    assert (await made.service.why(decisions[0].id)).outcome is Settlement.UNKNOWN
    about = await uow.read(lambda tx: tx.decisions.of_call(numbered("rooms.book", 1).call))
    assert [entry.id for entry in about] == [decisions[1].id]


async def test_a_version_is_stored_once(uow: SqlUnitOfWork) -> None:
    def published(text: str) -> PublishedPolicy:
        return PublishedPolicy(
            version=version_of(text, 1), text=text, published_by=PrincipalId("usr_1"), published_at=NOON
        )

    assert await uow.commit(lambda tx: tx.policies.add(published("// one")))
    assert not await uow.commit(lambda tx: tx.policies.add(published("// two")))
    newest = await uow.read(lambda tx: tx.policies.newest())
    assert newest == published("// one")
    assert await uow.read(lambda tx: tx.policies.get(2)) is None
    assert await uow.read(lambda tx: tx.policies.page(before=9, limit=5)) == [published("// one")]
