"""Budgets in every dimension behave alike on every store: reserved, settled, asked about, never passed."""

import asyncio
import os
import random
from dataclasses import replace
from datetime import timedelta

import pytest

from remit.authority.limits import Dimension, Limit, Per
from remit.authority.rights import Caps, Ceiling
from remit.decision.answer.response import Decision, Effect, Handing
from remit.decision.budget.cost import Line, Settlement, lines_of
from remit.decision.facts.assembly import Unassembled, assemble
from remit.decision.facts.snapshot import Snapshot
from remit.decision.making.account import reserve
from remit.decision.making.spending import settle, true_up
from remit.decision.repository import BudgetStore, DecisionTransaction
from remit.kernel.ids import DecisionId, PrincipalId
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.answers import approve
from support.clock import NOON
from support.deciding import Desk, desk
from support.decisions import TASK, call, ceiling, delegated, envelope, office, task
from support.metered import booking, counting, rows

METERED = [each for each in Dimension if each not in {Dimension.RATE, Dimension.MONEY}]
ROUNDS = int(os.environ.get("REMIT_BUDGET_ROUNDS", "12"))
"""Random interleavings per engine: 12 in the gate, thousands in the long mode."""


async def used(made: Desk, snapshot: Snapshot, of: Dimension = Dimension.ROWS) -> int:
    """How much of the task's own account is used."""
    request = assemble(booking(snapshot, 0), snapshot)
    assert not isinstance(request, Unassembled)
    (line,) = [each for each in lines_of(request) if each.dimension is of and each.account == TASK]
    return await made.uow.read(lambda tx: tx.budgets.spent(line))


def codes(decision: Decision) -> list[str]:
    return [said.code for said in decision.verdict.reasons]


@pytest.mark.req("N27", "R150")
@pytest.mark.attack("DE-16")
async def test_64_parallel_charges_of_any_dimension_stop_at_the_limit(uow: SqlUnitOfWork) -> None:
    for of in METERED:
        account = Line(account="tsk_1", factor="task", dimension=of, period=0, cap=100, cost=7, per=Per.DAY)
        charging = [uow.commit(lambda tx, one=account: tx.budgets.reserve(one)) for _ in range(64)]  # type: ignore[misc]  # mypy infers no lambda with a default
        assert sum(await asyncio.gather(*charging)) == 14
        assert await uow.read(lambda tx, one=account: tx.budgets.spent(one)) == 98  # type: ignore[misc]  # as above


@pytest.mark.req("N27", "R150")
@pytest.mark.attack("DE-16")
async def test_64_parallel_calls_that_take_rows_stop_at_the_limit(uow: SqlUnitOfWork) -> None:
    mine = counting(rows(100))
    made = await desk(uow, snapshot=mine)
    told = await asyncio.gather(*(made.service.decide(booking(mine, number, 7)) for number in range(64)))
    permitted = [each for each in told if each.verdict.effect is Effect.PERMIT]
    assert (len(permitted), await used(made, mine)) == (14, 98)
    refused = next(each for each in told if each.verdict.effect is Effect.DENY)
    assert codes(refused) == ["usage_exhausted"]
    assert "7 rows are more than the 2 left to the task of 100" in refused.verdict.reasons[0].sentence
    (miss,) = refused.verdict.nearest_miss
    assert (miss.argument, miss.at_most) == ("/attendees", "2")
    # Each took three, told all at once: what was not used is there again.
    await asyncio.gather(
        *(
            made.service.settle(each.id, Settlement.SPENT, used={Dimension.ROWS: 3}, at=NOON)
            for each in permitted
        )
    )
    assert await used(made, mine) == 14 * 3


@pytest.mark.req("N27")
async def test_what_runs_over_is_charged_and_the_next_call_is_refused(uow: SqlUnitOfWork) -> None:
    mine = counting(rows(10))
    made = await desk(uow, snapshot=mine)
    first = await made.service.decide(booking(mine, 1, 4))
    assert await made.service.settle(first.id, Settlement.SPENT, used={Dimension.ROWS: 25}, at=NOON)
    assert await used(made, mine) == 25
    # Told twice: the first word counts.
    assert not await made.service.settle(first.id, Settlement.SPENT, used={Dimension.ROWS: 0}, at=NOON)
    assert codes(await made.service.decide(booking(mine, 2, 0))) == ["usage_exhausted"]
    refused = await made.service.decide(booking(mine, 2, 1))
    assert codes(refused) == ["usage_exhausted"]
    assert refused.verdict.nearest_miss[0].never
    can = await made.service.explain(booking(mine, 3, 1))
    assert [said.code for said in can.verdict.reasons] == ["usage_exhausted"]


async def test_a_counter_that_runs_over_for_ever_stays_a_number(uow: SqlUnitOfWork) -> None:
    most = (1 << 53) - 1
    line = Line(account="tsk_1", factor="task", dimension=Dimension.TOKENS, period=0, cap=most, cost=most)
    for _ in range(3):
        await uow.commit(lambda tx: tx.budgets.charge(line))
    near = line.costing(1 << 61)
    for _ in range(9):
        await uow.commit(lambda tx: tx.budgets.charge(near))
    assert await uow.read(lambda tx: tx.budgets.spent(line)) == 1 << 62
    assert not await uow.commit(lambda tx: tx.budgets.reserve(line))


@pytest.mark.req("N27")
@pytest.mark.parametrize(("per", "seconds"), [(Per.MINUTE, 60), (Per.HOUR, 3_600), (Per.DAY, 86_400)])
async def test_every_dimension_has_the_spans_of_the_clock(uow: SqlUnitOfWork, per: Per, seconds: int) -> None:
    mine = counting(rows(10, per=per))
    made = await desk(uow, snapshot=mine)
    first = await made.service.decide(booking(mine, 1, 8))
    refused = await made.service.decide(booking(mine, 2, 8))
    assert refused.verdict.nearest_miss[0].at_most == "2"
    assert f"per {per}" in refused.verdict.reasons[0].sentence
    later = NOON + timedelta(seconds=seconds)
    assert (await made.service.decide(booking(mine, 3, 8, at=later))).verdict.effect is Effect.PERMIT
    # A call of the span before that ran over is charged where the clock is now: a long call is no way round.
    await made.service.settle(first.id, Settlement.SPENT, used={Dimension.ROWS: 10}, at=later)
    full = await made.service.decide(booking(mine, 4, 1, at=later))
    again = full.verdict.nearest_miss[0].at
    assert (codes(full), again is not None) == (["usage_exhausted"], True)
    assert again is not None
    assert (again.timestamp() % seconds, timedelta() < again - later <= timedelta(seconds=seconds)) == (
        0,
        True,
    )


ASKING = rows(10, ask_above=5)


@pytest.mark.req("N27")
async def test_a_person_is_asked_before_the_hard_stop(uow: SqlUnitOfWork) -> None:
    mine = counting(ASKING)
    made = await desk(uow, snapshot=mine)
    assert (await made.service.decide(booking(mine, 1, 5))).verdict.effect is Effect.PERMIT
    told = await made.service.explain(booking(mine, 2, 2))
    asked = await made.service.decide(booking(mine, 2, 2))
    assert (told.verdict.effect, told.key) == (asked.verdict.effect, asked.key) == (Effect.ASK, asked.key)
    assert (asked.verdict.approvers, codes(asked)) == ("self", ["budget_asks"])
    said = asked.verdict.reasons[0].sentence
    assert "has used 5 rows, 5 of 10 left; with the 2 of this call it passes 5" in said
    await approve(uow, asked.key, ident="apr_1")
    assert (await made.service.explain(booking(mine, 2, 2))).verdict.effect is Effect.PERMIT
    done = await made.service.decide(booking(mine, 2, 2))
    assert (done.verdict.effect, done.approval, await used(made, mine)) == (Effect.PERMIT, "apr_1", 7)
    # One yes, one call.
    again = await made.service.decide(booking(mine, 3, 2))
    assert (again.verdict.effect, again.key) == (Effect.ASK, asked.key)
    # Nobody can say yes to what passes the cap.
    over = await made.service.decide(booking(mine, 4, 4))
    assert (over.verdict.effect, codes(over)) == (Effect.DENY, ["usage_exhausted"])
    await approve(uow, asked.key, ident="apr_2")
    await made.service.decide(booking(mine, 5, 2))
    await approve(uow, asked.key, ident="apr_3")
    last = await made.service.decide(booking(mine, 6, 2))
    assert (last.verdict.effect, await used(made, mine)) == (Effect.DENY, 9)


@pytest.mark.req("N27")
async def test_a_yes_for_another_reason_does_not_answer_for_the_budget(uow: SqlUnitOfWork) -> None:
    mine = counting(ASKING)
    policy = '@id("ask") @approval("team:leads") permit(principal, action, resource);'
    made = await desk(uow, snapshot=mine, policy=policy)
    first = await made.service.decide(booking(mine, 1, 4))
    assert codes(first) == ["approval_required"]
    await approve(uow, first.key, ident="apr_1")
    await approve(uow, first.key, ident="apr_2")
    assert (await made.service.decide(booking(mine, 1, 4))).verdict.effect is Effect.PERMIT
    # The same action, with the account nearly used up meanwhile: another question.
    asked = await made.service.decide(booking(mine, 2, 4))
    assert asked.verdict.effect is Effect.ASK
    assert {"budget_asks", "approval_required"} <= set(codes(asked))
    assert (asked.key != first.key, asked.verdict.approvers) == (True, "team:leads")
    await approve(uow, asked.key, ident="apr_3")
    assert (await made.service.decide(booking(mine, 2, 4))).approval == "apr_3"


async def test_asks_stand_beside_the_caps_of_calls_and_money(uow: SqlUnitOfWork) -> None:
    asks = Limit(of=Dimension.CALLS, ask_above=1)
    mine = counting(Caps(calls=2, limits=(asks,)))
    made = await desk(uow, snapshot=mine)
    assert (await made.service.decide(booking(mine, 1))).verdict.effect is Effect.PERMIT
    asked = await made.service.decide(booking(mine, 2))
    assert codes(asked) == ["budget_asks"]
    assert "has used 1 calls, 1 of 2 left" in asked.verdict.reasons[0].sentence
    euros = Limit(of=Dimension.MONEY, currency="EUR", ask_above=30_000)
    paying = counting(Caps(limits=(euros,)))
    request = assemble(call("refunds.create", snapshot=paying), paying)
    assert not isinstance(request, Unassembled)
    found = await uow.commit(lambda tx: reserve(tx.budgets, request, lines_of(request)))
    assert "480.00" in found.reasons[0].sentence
    assert "300.00" in found.reasons[0].sentence


@pytest.mark.req("N27")
async def test_the_owner_is_asked_about_the_budget_of_an_agent(uow: SqlUnitOfWork) -> None:
    mine = counting(Caps())
    mine = replace(mine, ceilings=mine.ceilings.set(PrincipalId("agt_calendar"), ceiling(caps=ASKING)))
    made = await desk(uow, snapshot=mine)
    asked = await made.service.decide(booking(mine, 1, 6))
    assert (asked.verdict.effect, asked.verdict.approvers) == (Effect.ASK, "owner")


async def test_what_another_enforcement_point_lets_pass_stays_as_it_was_reserved(uow: SqlUnitOfWork) -> None:
    mine = counting(rows(10))
    made = await desk(uow, snapshot=mine)
    told = await made.service.decide(booking(mine, 1, 4), handing=Handing.TOLD)
    assert told.verdict.effect is Effect.PERMIT
    assert not await made.service.settle(told.id, Settlement.SPENT, used={Dimension.ROWS: 0}, at=NOON)
    assert await used(made, mine) == 4


@pytest.mark.req("N27")
@pytest.mark.attack("DE-16")
async def test_parallel_children_never_exceed_the_parent(uow: SqlUnitOfWork) -> None:
    """Random calls of the agent and of a delegate, settled and given back in any order, all at once."""
    dice = random.Random(27)  # noqa: S311 - a repeatable generator, no secret
    for turn in range(ROUNDS):
        parent, child = dice.randrange(0, 60), dice.randrange(0, 60)
        lines = [line_of(f"parent {turn}", parent), line_of(f"child {turn}", child)]
        results = await asyncio.gather(*(one_call(uow, dice, lines) for _ in range(16)))
        reserved = [cost for cost, _ in results if cost is not None]
        kept = sum(took for cost, took in results if cost is not None)
        spent = [await uow.read(lambda tx, each=each: tx.budgets.spent(each)) for each in lines]  # type: ignore[misc]  # mypy infers no lambda with a default
        assert spent == [kept, kept]
        assert kept <= min(parent, child)
        assert len(reserved) <= 16


def line_of(account: str, cap: int) -> Line:
    return Line(account=account, factor="task", dimension=Dimension.TOKENS, period=0, cap=cap, cost=0)


async def one_call(uow: SqlUnitOfWork, dice: random.Random, lines: list[Line]) -> tuple[int | None, int]:
    """Reserve and settle to no more than was reserved; what was reserved (None if refused), what was used."""
    cost = dice.randrange(0, 20)
    took = dice.randrange(0, cost + 1)
    wanted = [each.costing(cost) for each in sorted(lines, key=lambda each: each.id)]
    request = assemble(call(), office())
    assert not isinstance(request, Unassembled)
    found = await uow.commit(lambda tx: reserve(tx.budgets, request, wanted))
    if found.effect is Effect.DENY:
        return None, 0
    await uow.commit(lambda tx: true_up(tx.budgets, wanted, {Dimension.TOKENS: took}, at=NOON))
    return cost, took


@pytest.mark.req("N27")
async def test_a_delegate_is_charged_to_every_account_of_its_chain(uow: SqlUnitOfWork) -> None:
    def limited(most: int) -> Ceiling:
        return ceiling(caps=rows(most), depth=1)

    chain = envelope(limited(6))
    mine = counting(rows(10))
    mine = replace(mine, envelopes=mine.envelopes.set(chain.digest, chain))
    made = await desk(uow, snapshot=mine)
    wide = task(ceiling=ceiling(caps=rows(10)))
    assert wide.id == TASK
    by_mail = {"subject": delegated()}
    both = [
        *(made.service.decide(booking(mine, number, 2, **by_mail)) for number in range(8)),
        *(made.service.decide(booking(mine, number, 2)) for number in range(8, 16)),
    ]
    told = await asyncio.gather(*both)
    mail = sum(each.verdict.effect is Effect.PERMIT for each in told[:8])
    assert mail <= 3
    assert sum(each.verdict.effect is Effect.PERMIT for each in told) == 5
    assert await used(made, mine) == 10


@pytest.mark.req("N27")
async def test_of_a_settlement_and_a_retirement_only_one_counts(uow: SqlUnitOfWork) -> None:
    mine = counting(rows(100))
    made = await desk(uow, snapshot=mine)
    permitted = [await made.service.decide(booking(mine, number, 5)) for number in range(8)]

    def unused(ident: DecisionId) -> asyncio.Future[bool]:
        return asyncio.ensure_future(uow.commit(lambda tx: settle(tx, ident, Settlement.UNUSED)))

    def told(ident: DecisionId) -> asyncio.Future[bool]:
        return asyncio.ensure_future(
            made.service.settle(ident, Settlement.SPENT, used={Dimension.ROWS: 2}, at=NOON)
        )

    pairs = [(told(each.id), unused(each.id)) for each in permitted]
    winners = [(await first, await second) for first, second in pairs]
    assert all(sum(each) == 1 for each in winners)
    assert await used(made, mine) == 2 * sum(first for first, _ in winners)


class Blind:
    """Counters that look first and charge afterwards: the planted bug."""

    def __init__(self, store: BudgetStore, seen: dict[str, int]) -> None:
        self._store = store
        self._seen = seen

    def reserve(self, line: Line) -> bool:
        known = self._seen.setdefault(line.id, self._store.spent(line))
        if known + line.cost > line.cap:
            return False
        self._store.charge(line)
        return True

    def release(self, line: Line) -> None:
        self._store.release(line)

    def charge(self, line: Line) -> None:
        self._store.charge(line)

    def spent(self, line: Line) -> int:
        return self._store.spent(line)


@pytest.mark.twin("DE-16")
async def test_counters_that_look_first_let_children_exceed_their_parent(uow: SqlUnitOfWork) -> None:
    seen: dict[str, int] = {}
    request = assemble(call(), office())
    assert not isinstance(request, Unassembled)
    wanted = [line_of("parent", 10).costing(4)]

    def blindly(tx: DecisionTransaction) -> Effect:
        return reserve(Blind(tx.budgets, seen), request, wanted).effect

    for _ in range(8):
        assert await uow.commit(blindly) is Effect.PERMIT
    assert await uow.read(lambda tx: tx.budgets.spent(wanted[0])) == 32
