"""A yes for several calls, on both stores: as wide as shown, spent one by one, taken back at once (N15)."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from remit.decision.answer.response import Effect
from remit.decision.answer.terms import ArgumentLimit
from remit.oversight.approvals.approval import Answer, ApprovalState
from remit.oversight.approvals.scope import Choice
from remit.oversight.errors import NotRevocable, WiderThanAllowed
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.approving import BOUNDED, approving

ROOM: dict[str, Any] = {"room": "R1", "start": "9", "attendees": 4}
TEN = (ArgumentLimit(pointer="/attendees", at_most="10"),)
FIVE = (ArgumentLimit(pointer="/attendees", at_most="5"),)


def choice(calls: int = 3, minutes: int = 30, **more: object) -> Choice:
    return Choice(calls=calls, minutes=minutes, **more)  # type: ignore[arg-type]  # named by the test


@pytest.mark.req("N15")
async def test_a_bounded_yes_covers_what_it_says_and_no_more(uow: SqlUnitOfWork) -> None:
    house = await approving(uow)
    ask = await house.ask(**ROOM)
    settled = await house.answer(ask, choice=choice(limits=FIVE, resources=("Room:R2",)))
    assert settled.state is ApprovalState.APPROVED
    within = [ROOM, {**ROOM, "attendees": 5}, {**ROOM, "room": "R2", "note": "immaterial"}]
    beyond = [{**ROOM, "attendees": 6}, {**ROOM, "room": "R3"}, {**ROOM, "start": "10"}, {**ROOM, "end": "1"}]
    for arguments in beyond:
        assert (await house.decide(**arguments)).verdict.effect is Effect.ASK, arguments
    made = [await house.decide(**arguments) for arguments in within]
    assert [each.verdict.effect for each in made] == [Effect.PERMIT] * 3
    assert {each.approval for each in made} == {ask.id}
    said = made[-1].verdict.reasons[0]
    assert (said.code, "0 more until" in said.sentence) == ("approved_within", True)
    # All three are used up: the same again is asked about, and the question is a new one.
    assert (await house.decide(**ROOM)).verdict.effect is Effect.ASK
    assert (await house.ask(**ROOM)).id != ask.id
    left, uses = await house.asks.uses(ask.id, limit=9)
    assert (left, {each.decision for each in uses}) == (0, {each.id for each in made})


@pytest.mark.req("N15")
@pytest.mark.attack("CB-04")
async def test_of_raced_uses_at_most_as_many_run(uow: SqlUnitOfWork) -> None:
    house = await approving(uow)
    ask = await house.ask(**ROOM)
    await house.answer(ask, choice=choice(calls=3))
    made = await asyncio.gather(*(house.decide(**ROOM) for _ in range(16)))
    effects = [each.verdict.effect for each in made]
    assert (effects.count(Effect.PERMIT), effects.count(Effect.ASK)) == (3, 13)


@pytest.mark.req("N15")
async def test_it_ends_with_its_time_with_the_clock_and_when_it_is_taken_back(uow: SqlUnitOfWork) -> None:
    house = await approving(uow)
    late = await house.ask(**ROOM)
    await house.answer(late, choice=choice(minutes=30))
    house.clock.advance(timedelta(minutes=29))
    assert (await house.decide(**ROOM)).verdict.effect is Effect.PERMIT
    house.clock.advance(timedelta(minutes=1))
    assert (await house.decide(**ROOM)).verdict.effect is Effect.ASK

    gone = await house.ask(**ROOM)
    await house.answer(gone, choice=choice())
    assert (await house.decide(**ROOM)).verdict.effect is Effect.PERMIT
    back = await house.asks.revoke(gone.id, by=gone.asked[0])
    assert back.state is ApprovalState.REVOKED
    assert (await house.decide(**ROOM)).verdict.effect is Effect.ASK
    with pytest.raises(NotRevocable):
        await house.asks.revoke(gone.id, by=gone.asked[0])

    # A clock that is set back would make it last longer: it ends instead.
    again = await house.ask(**ROOM)
    await house.answer(again, choice=choice())
    house.clock.step(timedelta(minutes=-10))
    house.desk.service._generation = house.clock.generation
    assert (await house.decide(**ROOM)).verdict.effect is Effect.ASK


@pytest.mark.req("N15")
@pytest.mark.parametrize(
    "wide",
    [
        choice(calls=6),
        choice(minutes=61),
        choice(limits=(ArgumentLimit(pointer="/attendees", at_most="11"),)),
        choice(limits=(ArgumentLimit(pointer="/attendees"),)),
        choice(limits=(ArgumentLimit(pointer="/start"),)),
        choice(limits=(ArgumentLimit(pointer="/attendees", at_most="3"),)),
        choice(resources=("Room:R2", "Room:R3", "Room:R4")),
        choice(resources=("Order:1",)),
    ],
    ids=str,
)
async def test_nobody_gives_a_wider_yes_than_the_rule_allows(uow: SqlUnitOfWork, wide: Choice) -> None:
    house = await approving(uow)
    ask = await house.ask(**ROOM)
    with pytest.raises(WiderThanAllowed):
        await house.answer(ask, choice=wide)
    assert (await house.get(ask.id)).state is ApprovalState.PENDING


async def test_what_can_not_be_undone_or_no_rule_bounds_is_approved_once(uow: SqlUnitOfWork) -> None:
    house = await approving(uow)
    refund = await house.ask("refunds.create", order="1", amount="5.00", currency="EUR")
    assert refund.bound is None
    with pytest.raises(WiderThanAllowed, match="one call alone"):
        await house.answer(refund, choice=choice())
    once = await house.answer(refund)
    assert (once.state, once.scope) == (ApprovalState.APPROVED, None)


@pytest.mark.attack("CB-14")
async def test_another_policy_version_asks_anew(uow: SqlUnitOfWork) -> None:
    house = await approving(uow)
    ask = await house.ask(**ROOM)
    await house.answer(ask, choice=choice())
    await house.desk.publish(BOUNDED.replace("calls=5", "calls=4"))
    assert (await house.decide(**ROOM)).verdict.effect is Effect.ASK


async def test_a_no_covers_nothing_whatever_scope_came_with_it(uow: SqlUnitOfWork) -> None:
    house = await approving(uow)
    ask = await house.ask(**ROOM)
    settled = await house.answer(ask, answer=Answer.DENY, choice=choice())
    assert (settled.state, settled.scope) == (ApprovalState.DENIED, None)
    assert (await house.decide(**ROOM)).verdict.effect is Effect.DENY


@pytest.mark.req("N12")
async def test_explain_says_what_the_call_would_get_and_uses_nothing_up(uow: SqlUnitOfWork) -> None:
    house = await approving(uow)
    ask = await house.ask(**ROOM)
    await house.answer(ask, choice=choice(calls=2))
    for _ in range(4):
        told = await house.desk.service.explain(house.call(**ROOM))
        assert told.verdict.effect is Effect.PERMIT
    assert (await house.asks.uses(ask.id, limit=1))[0] == 2
