"""Attention on both stores: what lies on one card, one answer to it, budgets, and how well people answer."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from remit.app.bindings.attention import attention_desk
from remit.authority.tokens import Proof
from remit.identity.principals import Principal
from remit.kernel.ids import ApprovalId, PrincipalId, UserId, system_entropy
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.oversight.approvals.approval import Answer, Approval, ApprovalState
from remit.oversight.approvals.service import AnswerProof, ApprovalService, Patience
from remit.oversight.attention.budget import ApproverBudget
from remit.oversight.attention.fold import ITEMS, fold_digest
from remit.oversight.attention.repository import AttentionTransaction
from remit.oversight.attention.service import FOLD, AttentionService
from remit.oversight.errors import (
    AlreadyAnswered,
    AnswerNotProven,
    ApproversBusy,
    NoSuchApproval,
    NotAlike,
    NotAnApprover,
)
from remit.platform.settings.options import ApprovalChoices
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork
from support.asks import AT, ask, person
from support.clock import FixedClock

LEAD = PrincipalId("usr_lead")
SECOND = PrincipalId("usr_second")


def draft(number: int, *, amount: str = "10.00", **changes: Any) -> Approval:
    """An ask that can be undone, alike but for its order and amount."""
    arguments = {"amount": amount, "order": str(number), "to": "ana@company.com"}
    return ask(
        **{
            "id": ApprovalId(""),
            "key": f"{number:064}",
            "resource": f"Order:{number}",
            "arguments": json.dumps(arguments),
            "reversible": True,
            "approvers": "team:leads",
            "asked": (),
            "user": UserId(f"usr_user{number}"),
            **changes,
        }
    )


def member(name: str, **changes: Any) -> Principal:
    return person(name, attributes=(("teams", "leads"),), **changes)


class Office:
    """The services over one store, and two leads."""

    def __init__(self, uow: SqlUnitOfWork, clock: FixedClock) -> None:
        self.uow, self.clock = uow, clock
        choices = ApprovalChoices(per_user_per_minute=100, pending_per_agent=50)
        desk = attention_desk(choices, entropy=system_entropy)
        self.asks = ApprovalService(
            work=uow, clock=clock, entropy=system_entropy, attention=desk, patience=Patience()
        )
        self.asks.follow(desk)
        self.cards = self.service(AttentionService, desk)

    def service(self, kind: type[AttentionService], desk: Any) -> AttentionService:
        self.desk = desk.desk
        return kind(
            work=self.uow,
            desk=desk.desk,
            taking=self.asks,
            clock=self.clock,
            entropy=system_entropy,
            tenant=DEFAULT_TENANT,
        )

    async def ask(self, *numbers: int, **changes: Any) -> list[Approval]:
        return [await self.asks.ask(draft(number, **changes), owner=None) for number in numbers]

    async def inbox(self, who: PrincipalId = LEAD) -> list[list[str]]:
        found = await self.cards.inbox(who, after=None, limit=50)
        return [sorted(each.resource for each in card.items) for card in found.cards]

    def proof(self, asks: Sequence[Approval], *, by: PrincipalId = LEAD, jti: str = "one") -> AnswerProof:
        return AnswerProof(
            by=by,
            tenant=DEFAULT_TENANT,
            approval=FOLD,
            digest=fold_digest(asks),
            channel="signed",
            once=Proof(key=f"signed:{by}", jti=jti, keep_until=AT + timedelta(hours=1)),
        )

    async def answer(self, asks: Sequence[Approval], answer: Answer = Answer.APPROVE, **how: Any) -> Any:
        idents = [each.id for each in asks]
        return await self.cards.answer(idents, answer=answer, proof=self.proof(asks, **how))

    async def states(self, asks: Sequence[Approval]) -> list[ApprovalState]:
        return [(await self.asks.get(each.id)).state for each in asks]

    async def kinds(self, ident: str) -> list[str]:
        found = await self.uow.read(lambda tx: tx.ledger.mentioning(ident))
        return [entry.record.kind for entry in found]


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(now=AT)


@pytest.fixture
async def office(uow: SqlUnitOfWork, clock: FixedClock) -> Office:
    def people(tx: SqlTransaction) -> None:
        for entry in (member("lead"), member("second"), person("deputy"), person("user")):
            assert tx.principals.add(entry)

    await uow.commit(people)
    return Office(uow, clock)


@pytest.mark.req("N19")
async def test_alike_asks_lie_on_one_card_and_the_odd_one_beside_it(office: Office) -> None:
    await office.ask(*range(14))
    await office.ask(90, amount="480.00")
    final = await office.ask(91, reversible=False)
    together = sorted(f"Order:{number}" for number in range(14))
    assert await office.inbox() == [["Order:91"], ["Order:90"], together]
    first = await office.cards.inbox(LEAD, after=None, limit=1)
    assert [card.items for card in first.cards] == [tuple(final)]
    rest = await office.cards.inbox(LEAD, after=first.last, limit=1)
    assert ([len(card.items) for card in rest.cards], rest.last) == ([1, 14], None)
    assert await office.inbox(PrincipalId("usr_user")) == []


@pytest.mark.req("N19")
@pytest.mark.attack("CB-17")
async def test_one_answer_settles_each_item_by_itself_and_leaves_out_what_ended(office: Office) -> None:
    asks = await office.ask(*range(6))
    gone = asks[2]
    proof = replace(office.proof([gone], jti="alone"), approval=gone.id, digest=gone.digest)
    await office.asks.answer(gone.id, answer=Answer.DENY, proof=proof)
    outcome = await office.answer(asks)
    assert [each.id for each in outcome.left_out] == [gone.id]
    assert outcome.left_out[0].state is ApprovalState.DENIED
    assert (await office.states(asks)).count(ApprovalState.APPROVED) == 5
    for settled in outcome.settled:
        assert await office.kinds(settled.id) == [
            "oversight.approval.requested",
            "oversight.approval.approved",
        ]
    assert await office.inbox() == []
    with pytest.raises(AlreadyAnswered):
        await office.answer(asks, jti="again")


@pytest.mark.attack("CB-17")
async def test_one_answer_is_to_exactly_the_items_that_were_listed(office: Office) -> None:
    asks = await office.ask(*range(4))
    more = await office.ask(5)
    idents = [each.id for each in [*asks, *more]]
    with pytest.raises(AnswerNotProven):
        await office.cards.answer(idents, answer=Answer.APPROVE, proof=office.proof(asks))
    with pytest.raises(NotAnApprover):
        await office.answer(asks, by=PrincipalId("usr_user"))
    with pytest.raises(NoSuchApproval):
        await office.answer([*asks, replace(asks[0], id=ApprovalId("apr_none"))])
    with pytest.raises(NotAlike, match=str(ITEMS)):
        await office.answer([])
    assert set(await office.states([*asks, *more])) == {ApprovalState.PENDING}
    await office.answer(asks)
    with pytest.raises(AnswerNotProven, match="given before"):
        await office.answer(more)
    assert await office.states(more) == [ApprovalState.PENDING]


async def _different(office: Office) -> list[Approval]:
    """Asks that a client lists as one card, though they are none."""
    return [
        *(await office.ask(*range(5))),
        *(await office.ask(6, amount="9999.00")),
        *(await office.ask(7, reversible=False)),
        *(await office.ask(8, agent=PrincipalId("agt_2"), action="business/accounts.close")),
    ]


@pytest.mark.attack("CB-17")
async def test_one_click_is_none_for_different_calls(office: Office) -> None:
    asks = await _different(office)
    alike, (large, final, other) = asks[:5], asks[5:]
    for odd in (large, final, other):
        with pytest.raises(NotAlike):
            await office.answer([*alike, odd], jti=odd.id)
        with pytest.raises(NotAlike):
            await office.cards.card(LEAD, [each.id for each in [*alike, odd]])
    assert set(await office.states(asks)) == {ApprovalState.PENDING}


class Trusting(AttentionService):
    """It takes the client's word for what belongs on one card."""

    def judge(self, tx: AttentionTransaction, asks: Sequence[Approval]) -> None:
        """Nothing is judged."""


@pytest.mark.twin("CB-17")
async def test_without_judging_one_click_is_one_for_different_calls(office: Office) -> None:
    asks = await _different(office)
    office.cards = office.service(Trusting, attention_desk(ApprovalChoices(), entropy=system_entropy))
    await office.answer(asks)
    assert set(await office.states(asks)) == {ApprovalState.APPROVED}


@pytest.mark.req("N19")
async def test_who_has_been_asked_enough_is_asked_no_more_and_a_deputy_is(
    office: Office, clock: FixedClock
) -> None:
    await office.cards.set_budget(ApproverBudget(name=LEAD, per_hour=1), by=PrincipalId("usr_admin"))
    both, lone = [*(await office.ask(1, rule="a")), *(await office.ask(2, rule="b"))]
    assert (both.asked, lone.asked) == ((LEAD, SECOND), (SECOND,))
    await office.cards.set_budget(ApproverBudget(name=SECOND, per_day=2), by=PrincipalId("usr_admin"))
    with pytest.raises(ApproversBusy, match="the limit is 1; 2 cards within a day, the limit is 2"):
        await office.ask(3, rule="c")
    # What goes onto a card that lies there takes no more attention.
    (joined,) = await office.ask(4, rule="a")
    assert joined.asked == (LEAD, SECOND)

    def deputize(tx: SqlTransaction) -> None:
        lead = tx.principals.get(LEAD)
        assert lead is not None
        assert tx.principals.save(replace(lead, deputy=PrincipalId("usr_deputy")), was=lead.state)

    await office.uow.commit(deputize)
    assert (await office.ask(5, rule="d"))[0].asked == ("usr_deputy",)
    # A deputy never stands in where they would gain themselves.
    with pytest.raises(ApproversBusy):
        await office.ask(6, rule="e", user=UserId("usr_deputy"))
    clock.advance(3601)
    assert (await office.ask(7, rule="f"))[0].asked == (LEAD,)
    default = await office.cards.unset_budget(LEAD, by=PrincipalId("usr_admin"))
    assert default.per_hour == 20


@pytest.mark.req("N19")
async def test_quiet_hours_are_kept_and_said(office: Office, clock: FixedClock) -> None:
    night = ApproverBudget(name=LEAD, quiet_from="13:00", quiet_to="07:00", zone="Europe/Berlin")
    await office.cards.set_budget(night, by=PrincipalId("usr_admin"))
    assert (await office.ask(1))[0].asked == (SECOND,)  # noon UTC is two o'clock there
    await office.cards.set_budget(replace(night, name=SECOND), by=PrincipalId("usr_admin"))
    with pytest.raises(ApproversBusy, match=r"quiet hours until 07:00 Europe/Berlin"):
        await office.ask(2, rule="b")
    clock.advance(19 * 3600)
    assert (await office.ask(3, rule="c"))[0].asked == (LEAD, SECOND)


@pytest.mark.req("N19")
async def test_a_yes_within_two_seconds_is_an_alarm_and_measures_add_up(
    office: Office, clock: FixedClock
) -> None:
    hasty, slow, unseen = await office.ask(1), await office.ask(2, rule="b"), await office.ask(3, rule="c")
    await office.cards.show(LEAD, [hasty[0].id])
    clock.advance(1.9)
    await office.answer(hasty, jti="1")
    await office.cards.show(LEAD, [slow[0].id])
    clock.advance(30)
    await office.answer(slow, Answer.DENY, jti="2")
    await office.answer(unseen, jti="3")
    found = await office.cards.quality(LEAD)
    assert (found.asks, found.cards, found.answers, found.approved) == (3, 3, 3, 2)
    assert (found.hasty, found.unseen, found.think_median) == (1, 1, 15.95)
    assert "within two seconds" in found.alarms[0]
    assert "oversight.attention.hasty" in await office.kinds(hasty[0].id)
    assert "oversight.attention.hasty" not in await office.kinds(slow[0].id)
    everybody = await office.cards.qualities(after="", limit=10)
    assert [each.person for each in everybody] == [LEAD, SECOND]
    assert everybody[1].answers == 0


async def test_what_is_over_waits_in_no_inbox_and_is_forgotten_in_time(
    office: Office, clock: FixedClock
) -> None:
    await office.ask(1, 2)
    clock.advance(15 * 60)
    assert await office.asks.expire_due() == 2
    assert await office.inbox() == []
    forgotten = await office.uow.commit(lambda tx: tx.inboxes.forget(clock.now(), 100))
    assert forgotten == 4
    assert (await office.cards.quality(LEAD)).asks == 0
