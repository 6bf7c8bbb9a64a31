"""Asks and answers on both stores: one ask per action, one answer per ask, one use per yes."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from remit.authority.tokens import Proof
from remit.identity.principals import Principal
from remit.kernel.errors import RemitError
from remit.kernel.ids import ApprovalId, CallId, DecisionId, PrincipalId, system_entropy
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.oversight.approvals.approval import Answer, Approval, ApprovalState
from remit.oversight.approvals.service import AnswerProof, ApprovalService, Patience
from remit.oversight.attention.share import Attention
from remit.oversight.errors import AlreadyAnswered, AnswerNotProven, NoApprover, NotAnApprover
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork
from support.asks import AT, ask, person
from support.clock import FixedClock


def draft(key: str = "a" * 64) -> Approval:
    """An ask as the desk hands it in: without id, people and times."""
    return ask(id=ApprovalId(""), key=key, approvers="team:leads", asked=())


def member(name: str) -> Principal:
    return person(name, attributes=(("teams", "leads"),))


def proof(approval: Approval, *, by: str = "usr_lead", jti: str = "one") -> AnswerProof:
    return AnswerProof(
        by=PrincipalId(by),
        tenant=DEFAULT_TENANT,
        approval=approval.id,
        digest=approval.digest,
        channel="signed",
        once=Proof(key=f"signed:{by}", jti=jti, keep_until=AT + timedelta(hours=1)),
    )


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(now=AT)


@pytest.fixture
async def desk(uow: SqlUnitOfWork, clock: FixedClock) -> ApprovalService:
    def people(tx: SqlTransaction) -> None:
        for entry in (member("lead"), member("second"), member("user")):
            assert tx.principals.add(entry)

    await uow.commit(people)
    return ApprovalService(
        work=uow, clock=clock, entropy=system_entropy, attention=Attention(), patience=Patience()
    )


async def test_the_same_action_is_asked_once(desk: ApprovalService) -> None:
    first = await desk.ask(draft(), owner=None)
    second = await desk.ask(draft(), owner=None)
    other = await desk.ask(draft("b" * 64), owner=None)
    assert first.id == second.id != other.id
    assert first.asked == ("usr_lead", "usr_second")


@pytest.mark.attack("CB-04")
@pytest.mark.req("N17")
async def test_of_racing_answers_one_wins_and_the_others_are_told(desk: ApprovalService) -> None:
    opened = await desk.ask(draft(), owner=None)
    answers = await asyncio.gather(
        *(
            desk.answer(opened.id, answer=verdict, proof=proof(opened, by=by, jti=f"{by}{turn}{verdict}"))
            for turn in range(8)
            for by in ("usr_lead", "usr_second")
            for verdict in Answer
        ),
        return_exceptions=True,
    )
    won = [answer for answer in answers if isinstance(answer, Approval)]
    assert len(won) == 1
    assert all(isinstance(answer, AlreadyAnswered) for answer in answers if answer is not won[0])
    assert (await desk.get(opened.id)).state is won[0].state


@pytest.mark.promise("P8")
@pytest.mark.attack("CB-03", "CB-08")
async def test_an_answer_to_another_digest_changes_nothing(desk: ApprovalService) -> None:
    opened = await desk.ask(draft(), owner=None)
    other = replace(opened, key="c" * 64)
    with pytest.raises(AnswerNotProven):
        await desk.answer(opened.id, answer=Answer.APPROVE, proof=proof(other))
    assert (await desk.get(opened.id)).state is ApprovalState.PENDING


@pytest.mark.req("N16")
@pytest.mark.attack("CB-06")
@pytest.mark.parametrize("by", ["usr_user", "agt_1", "ins_1", "usr_nobody"])
async def test_who_was_not_asked_can_not_answer(desk: ApprovalService, by: str) -> None:
    opened = await desk.ask(draft(), owner=None)
    with pytest.raises(NotAnApprover):
        await desk.answer(opened.id, answer=Answer.APPROVE, proof=proof(opened, by=by))


async def test_a_proof_serves_once(desk: ApprovalService) -> None:
    first = await desk.ask(draft(), owner=None)
    await desk.answer(first.id, answer=Answer.DENY, proof=proof(first))
    second = await desk.ask(draft("b" * 64), owner=None)
    with pytest.raises(AnswerNotProven, match="given before"):
        await desk.answer(second.id, answer=Answer.APPROVE, proof=proof(second))


@pytest.mark.req("N17")
async def test_an_ask_expires_as_itself_and_a_late_answer_is_refused(
    desk: ApprovalService, clock: FixedClock
) -> None:
    opened = await desk.ask(draft(), owner=None)
    clock.advance(15 * 60)
    assert await desk.expire_due() == 1
    assert (await desk.get(opened.id)).state is ApprovalState.EXPIRED
    with pytest.raises(AlreadyAnswered, match="expired"):
        await desk.answer(opened.id, answer=Answer.APPROVE, proof=proof(opened))


async def test_a_yes_is_spent_once(desk: ApprovalService, uow: SqlUnitOfWork) -> None:
    opened = await desk.ask(draft(), owner=None)
    await desk.answer(opened.id, answer=Answer.APPROVE, proof=proof(opened))
    tenant = DEFAULT_TENANT
    assert await uow.read(lambda tx: tx.approvals.unspent(tenant, opened.key, AT)) == opened.id
    spent = await asyncio.gather(
        *(
            uow.commit(
                lambda tx, n=n: tx.approvals.spend(  # type: ignore[misc]  # a default binds the loop's value
                    tenant, opened.id, call=CallId(f"cal_{n}"), decision=DecisionId("dec_2"), at=AT
                )
            )
            for n in range(16)
        )
    )
    assert sum(spent) == 1
    assert await uow.read(lambda tx: tx.approvals.unspent(tenant, opened.key, AT)) is None


async def test_nobody_to_ask_is_said_at_once(desk: ApprovalService) -> None:
    with pytest.raises(NoApprover, match="nobody is left"):
        await desk.ask(replace(draft(), approvers="team:nobody"), owner=None)


async def test_waiting_ends_with_the_answer(desk: ApprovalService) -> None:
    opened = await desk.ask(draft(), owner=None)
    waiting = asyncio.create_task(desk.wait(opened.id, seconds=60))
    await asyncio.sleep(0)
    await desk.answer(opened.id, answer=Answer.APPROVE, proof=proof(opened))
    assert (await waiting).state is ApprovalState.APPROVED


async def test_an_inbox_holds_what_a_person_was_asked(desk: ApprovalService) -> None:
    opened = await desk.ask(draft(), owner=None)
    page = desk.page
    mine = await page(state=ApprovalState.PENDING, asked=PrincipalId("usr_lead"), after="", limit=10)
    theirs = await page(state=None, asked=PrincipalId("usr_user"), after="", limit=10)
    assert [found.id for found in mine] == [opened.id]
    assert theirs == ()


@pytest.mark.req("R72")
async def test_each_outcome_is_on_record(desk: ApprovalService, uow: SqlUnitOfWork) -> None:
    opened = await desk.ask(draft(), owner=None)
    await desk.answer(opened.id, answer=Answer.DENY, proof=proof(opened))
    entries = await uow.read(lambda tx: tx.ledger.mentioning(opened.id))
    kinds = [entry.record.kind for entry in entries]
    assert kinds == ["oversight.approval.requested", "oversight.approval.denied"]
    assert dict(entries[1].record.detail)["channel"] == "signed"
    assert isinstance(entries[1].record.actor, str)
    assert issubclass(AlreadyAnswered, RemitError)
