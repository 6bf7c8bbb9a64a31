"""Who is asked in which order, how many of them, and what their silence means (N17, N18, N20)."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from remit.decision.answer.response import Effect
from remit.enforcement.pep.decider import CannotAsk
from remit.identity.lifecycle import State
from remit.kernel.errors import RemitError
from remit.kernel.ids import PrincipalId
from remit.oversight.approvals.approval import Answer, Approval, ApprovalState, Control
from remit.oversight.approvals.scope import Choice
from remit.oversight.errors import (
    AlreadyAnswered,
    AnsweredByYou,
    NotAnApprover,
    RosterRefused,
    WiderThanAllowed,
)
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.approving import Office, approving, lead
from support.clock import NOON

REFUND: dict[str, Any] = {"order": "8812", "amount": "480.00", "currency": "EUR"}
HOUR = timedelta(hours=1)
BOSS = PrincipalId("usr_owner")


def asking(approval: str, *more: str) -> str:
    notes = " ".join(more)
    return f'@id("ask") @approval("{approval}") {notes} permit(principal, action, resource);'


async def refund(house: Office) -> Approval:
    return await house.ask("refunds.create", **REFUND)


@pytest.mark.req("N16")
@pytest.mark.attack("CB-06")
async def test_a_quorum_counts_people_not_accounts(uow: SqlUnitOfWork) -> None:
    twin = lead("second", person=PrincipalId("usr_lead"))
    house = await approving(uow, lead("lead"), twin, lead("third"), policy=asking("2 of team:leads"))
    ask = await refund(house)
    first = await house.answer(ask)
    assert (first.state, first.said) == (ApprovalState.PENDING, ("usr_lead",))
    assert (await house.decide("refunds.create", **REFUND)).verdict.effect is Effect.ASK
    for again in ("lead", "second"):
        with pytest.raises(AnsweredByYou):
            await house.answer(ask, by=again)
    second = await house.answer(ask, by="third")
    assert second.state is ApprovalState.APPROVED
    assert (await house.decide("refunds.create", **REFUND)).verdict.effect is Effect.PERMIT


@pytest.mark.req("N16")
async def test_a_seat_is_not_filled_by_two_accounts_of_one_person(uow: SqlUnitOfWork) -> None:
    twin = lead("second", person=PrincipalId("usr_lead"))
    house = await approving(uow, lead("lead"), twin, policy=asking("2 of team:leads"))
    with pytest.raises(CannotAsk) as refused:
        await refund(house)
    assert refused.value.reason == "no_approver"


@pytest.mark.attack("CB-04")
async def test_of_a_quorum_that_answers_at_once_each_is_counted(uow: SqlUnitOfWork) -> None:
    people = [lead(f"p{n}") for n in range(4)]
    house = await approving(uow, *people, policy=asking("3 of team:leads"))
    ask = await refund(house)
    given = await asyncio.gather(*(house.answer(ask, by=f"p{n}") for n in range(4)), return_exceptions=True)
    states = [each.state for each in given if isinstance(each, Approval)]
    assert sorted(states) == ["approved", "pending", "pending"]
    assert [type(each) for each in given if isinstance(each, RemitError)] == [AlreadyAnswered]


async def test_one_no_ends_it_whatever_the_quorum(uow: SqlUnitOfWork) -> None:
    house = await approving(uow, policy=asking("2 of team:leads"))
    ask = await refund(house)
    await house.answer(ask)
    settled = await house.answer(ask, by="second", answer=Answer.DENY)
    assert settled.state is ApprovalState.DENIED


async def test_a_quorum_agrees_on_one_scope(uow: SqlUnitOfWork) -> None:
    policy = asking("2 of team:leads", '@bound("calls=5 minutes=60")')
    house = await approving(uow, policy=policy)
    ask = await house.ask(room="R1")
    await house.answer(ask, choice=Choice(calls=2, minutes=5))
    for other in (None, Choice(calls=3, minutes=5)):
        with pytest.raises(WiderThanAllowed, match="agreed to before"):
            await house.answer(ask, by="second", choice=other)
    settled = await house.answer(ask, by="second", choice=Choice(calls=2, minutes=5))
    assert settled.scope is not None
    assert settled.scope.choice.calls == 2


@pytest.mark.req("N18")
async def test_silence_goes_up_the_chain_each_with_a_clock_of_its_own(uow: SqlUnitOfWork) -> None:
    policy = asking("owner > oncall:payments > team:leads", '@silence("escalate")')
    house = await approving(uow, lead("lead"), lead("night", attributes=()), policy=policy)
    await house.rosters.set_shift(
        "payments", person=PrincipalId("usr_night"), starts_at=NOON, ends_at=NOON + HOUR, by=BOSS
    )
    ask = await refund(house)
    assert ask.asked == ("usr_owner",)
    digest = ask.digest
    seen: list[tuple[PrincipalId, ...]] = [ask.asked]
    for _ in range(2):
        house.clock.advance(timedelta(minutes=15))
        assert await house.asks.expire_due() == 0
        ask = await house.get(ask.id)
        seen.append(ask.asked)
    assert seen == [("usr_owner",), ("usr_night",), ("usr_lead",)]
    # The question is the same one; who let it go by is told where it went.
    assert ask.digest == digest
    with pytest.raises(NotAnApprover, match="went on to `team:leads`"):
        await house.answer(ask, by="owner")
    mine = [
        await house.asks.page(state=None, asked=PrincipalId(f"usr_{name}"), after="", limit=9)
        for name in ("owner", "night", "lead")
    ]
    assert [len(each) for each in mine] == [0, 0, 1]
    house.clock.advance(timedelta(minutes=15))
    assert await house.asks.expire_due() == 1
    assert (await house.get(ask.id)).state is ApprovalState.EXPIRED
    kinds = [e.record.kind for e in await uow.read(lambda tx: tx.ledger.mentioning(ask.id))]
    assert [kind.rpartition(".")[2] for kind in kinds] == ["requested", "escalated", "escalated", "expired"]


@pytest.mark.req("N18")
async def test_a_seat_where_nobody_sits_is_passed_over_at_once(uow: SqlUnitOfWork) -> None:
    house = await approving(uow, policy=asking("oncall:nights > 2 of team:absent > team:leads"))
    ask = await refund(house)
    assert (ask.seat, ask.asked) == (2, ("usr_lead", "usr_second"))


@pytest.mark.req("N18")
async def test_who_is_away_is_asked_through_a_deputy_and_on_their_return_themselves(
    uow: SqlUnitOfWork,
) -> None:
    house = await approving(uow, lead("lead"), lead("stand-in", attributes=()))
    await house.rosters.leave(
        PrincipalId("usr_lead"),
        starts_at=None,
        ends_at=NOON + HOUR,
        deputy=PrincipalId("usr_stand-in"),
        by=PrincipalId("usr_lead"),
    )
    assert (await house.ask(room="R1")).asked == ("usr_stand-in",)
    house.clock.advance(HOUR)
    assert (await house.ask(room="R2")).asked == ("usr_lead",)
    # Away without a deputy: nobody is asked in their place, and that is said at once.
    await house.rosters.leave(
        PrincipalId("usr_lead"),
        starts_at=None,
        ends_at=NOON + 3 * HOUR,
        deputy=None,
        by=PrincipalId("usr_lead"),
    )
    with pytest.raises(CannotAsk):
        await house.ask(room="R3")


@pytest.mark.attack("CB-06")
async def test_a_deputy_who_is_the_requester_answers_nothing(uow: SqlUnitOfWork) -> None:
    house = await approving(uow, lead("lead", state=State.SUSPENDED, deputy=PrincipalId("usr_ada")))
    with pytest.raises(CannotAsk):
        await refund(house)


@pytest.mark.req("N17", "N18")
async def test_silence_that_denies_ends_this_call_and_is_told_as_an_expiry(uow: SqlUnitOfWork) -> None:
    house = await approving(uow, policy=asking("team:leads", '@silence("deny")'))
    ask = await refund(house)
    house.clock.advance(timedelta(minutes=15))
    assert await house.asks.expire_due() == 1
    said = (await house.decide("refunds.create", **REFUND)).verdict
    assert (said.effect, said.reasons[0].code) == (Effect.DENY, "approval_lapsed")
    assert said.reasons[0].kind == "approval_expired"
    other = await house.decide("refunds.create", **{**REFUND, "amount": "1.00"})
    assert other.verdict.effect is Effect.ASK
    assert (await house.get(ask.id)).state is ApprovalState.EXPIRED


@pytest.mark.req("N18")
async def test_silence_that_leaves_reading_stops_what_can_do_harm_in_this_task(uow: SqlUnitOfWork) -> None:
    house = await approving(uow, policy=asking("team:leads", '@silence("read_only")'))
    reads = '@id("read") permit(principal, action == Remit::Action::"business/rooms.read", resource);'
    change = asking("team:leads", '@silence("read_only")').replace(
        "permit(principal, action,", 'permit(principal, action == Remit::Action::"business/refunds.create",'
    )
    free = '@id("book") permit(principal, action == Remit::Action::"business/rooms.book", resource);'
    await house.desk.publish(reads + change + free)
    await refund(house)
    assert (await house.decide(room="R1")).verdict.effect is Effect.PERMIT
    house.clock.advance(timedelta(minutes=15))
    await house.asks.expire_due()
    said = (await house.decide(room="R2")).verdict
    assert (said.effect, said.reasons[0].code) == (Effect.DENY, "task_read_only")
    assert (await house.decide("rooms.read", room="R1")).verdict.effect is Effect.PERMIT


@pytest.mark.req("N18")
async def test_by_default_what_can_be_undone_waits_and_what_can_not_expires(uow: SqlUnitOfWork) -> None:
    house = await approving(uow, policy=asking("team:leads"))
    booking, paying = await house.ask(room="R1"), await refund(house)
    assert (booking.silence, paying.silence) == ("wait", "escalate")
    house.clock.advance(HOUR)
    assert await house.asks.expire_due() == 1
    assert (await house.get(booking.id)).state is ApprovalState.PENDING
    assert (await house.get(paying.id)).state is ApprovalState.EXPIRED
    house.clock.advance(24 * HOUR)
    assert await house.asks.expire_due() == 1
    assert (await house.get(booking.id)).state is ApprovalState.EXPIRED


@pytest.mark.fault("F19")
async def test_a_clock_that_ran_ahead_ends_no_question(uow: SqlUnitOfWork) -> None:
    house = await approving(uow, policy=asking("team:leads"))
    ask = await refund(house)
    house.clock.step(HOUR)
    house.clock.is_suspect = True
    assert await house.asks.expire_due() == 0
    assert (await house.get(ask.id)).state is ApprovalState.PENDING


@pytest.mark.req("N20")
async def test_confirming_and_overseeing_are_different_controls(uow: SqlUnitOfWork) -> None:
    house = await approving(uow, policy=asking("self > owner"))
    booking, paying = await house.ask(room="R1"), await refund(house)
    assert (booking.control, booking.asked) == (Control.SELF_CONFIRMATION, ("usr_ada",))
    assert (paying.control, paying.asked) == (Control.FOUR_EYES, ("usr_owner",))
    with pytest.raises(NotAnApprover):
        await house.answer(paying, by="ada")
    assert (await house.answer(booking, by="ada")).state is ApprovalState.APPROVED
    for ask, control in ((booking, "self_confirmation"), (paying, "four_eyes")):
        entries = await uow.read(lambda tx, ask=ask: tx.ledger.mentioning(ask.id))  # type: ignore[misc]  # bound now
        assert dict(entries[0].record.detail)["control"] == control


@pytest.mark.req("N20")
@pytest.mark.attack("CB-06")
async def test_nobody_confirms_what_they_gain_by_however_they_are_named(uow: SqlUnitOfWork) -> None:
    twin = lead("adas-other", person=PrincipalId("usr_ada"), email="other@company.com")
    house = await approving(uow, twin, policy=asking("self > owner"))
    snapshot = house.desk.keeper.current()
    tool = next(each for each in snapshot.tools.values() if each.name == "rooms.book")
    assert tool.mapping is not None
    gaining = replace(tool, mapping=replace(tool.mapping, beneficiary="/note"))
    for who, control in (
        ("user@company.com", Control.FOUR_EYES),
        (" USR_ADA ", Control.FOUR_EYES),
        ("other@company.com", Control.FOUR_EYES),
        ("somebody@company.com", Control.SELF_CONFIRMATION),
    ):
        call = replace(house.call(room=f"R-{who.strip()}", note=who), tool=gaining)
        decided = await house.desk.service.decide(replace(call, tool=tool))
        opened = await house.opens.ask(call, decided)
        ask = await house.get(opened.id)
        assert (ask.control, ask.own_benefit) == (control, control is Control.FOUR_EYES), who


@pytest.mark.req("N18")
@pytest.mark.parametrize(
    ("starts", "ends", "person"),
    [
        (HOUR, HOUR, "usr_lead"),
        (-2 * HOUR, -HOUR, "usr_lead"),
        (HOUR, 800 * HOUR, "usr_lead"),
        (HOUR, 2 * HOUR, "agt_mail"),
    ],
)
async def test_a_shift_that_is_none_is_refused(
    uow: SqlUnitOfWork, starts: timedelta, ends: timedelta, person: str
) -> None:
    house = await approving(uow)
    with pytest.raises(RosterRefused):
        await house.rosters.set_shift(
            "nights", person=PrincipalId(person), starts_at=NOON + starts, ends_at=NOON + ends, by=BOSS
        )
    with pytest.raises(RosterRefused, match="themselves"):
        await house.rosters.leave(
            PrincipalId("usr_lead"),
            starts_at=None,
            ends_at=NOON + HOUR,
            deputy=PrincipalId("usr_lead"),
            by=BOSS,
        )
