"""What people have answered about one action, put straight into the store."""

from remit.kernel.ids import ApprovalId, CallId, DecisionId, PrincipalId, UserId
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.oversight.approvals.approval import Answer, Approval, ApprovalState
from remit.oversight.approvals.evidence import Evidence
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork
from support.clock import NOON
from support.decisions import HOUR, task


async def approve(uow: SqlUnitOfWork, key: str, *, state: str = "approved", ident: str = "") -> ApprovalId:
    """An ask about exactly this action, in some state."""
    ask = Approval(
        id=ApprovalId(ident or f"apr_{state}"),
        tenant=DEFAULT_TENANT,
        state=ApprovalState(state),
        key=key,
        decision=DecisionId("dec_0"),
        call=CallId("call_1"),
        agent=PrincipalId("agt_calendar"),
        agent_name="calendar-bot",
        instance=PrincipalId("ins_calendar"),
        user=UserId("usr_ada"),
        user_name="ada",
        task=task().id,
        purpose="booking",
        chain=("ins_calendar",),
        server="business",
        tool="refunds.create",
        tool_digest="0" * 64,
        action="business/refunds.create",
        resource="Order:8812",
        effect="money leaves",
        reversible=False,
        arguments="{}",
        arguments_digest="0" * 64,
        policy_version="v1",
        rule="big",
        reason="",
        approvers="team:leads",
        asked=(PrincipalId("usr_owner"),),
        requested_at=NOON - HOUR,
        expires_at=NOON + HOUR,
        decided_at=None if state == "pending" else NOON,
    )

    def work(tx: SqlTransaction) -> None:
        tx.approvals.add(ask)
        if ask.state is ApprovalState.APPROVED:
            tx.approvals.keep(agreed(ask))

    await uow.commit(work)
    return ask.id


def agreed(ask: Approval, by: str = "usr_owner") -> Evidence:
    """What is kept of somebody's yes to exactly this."""
    person = PrincipalId(by)
    return Evidence(
        approval=ask.id,
        tenant=ask.tenant,
        seat=ask.seat,
        person=person,
        human=person,
        answer=Answer.APPROVE,
        choice=ask.choice,
        digest=ask.digest,
        channel="link",
        at=NOON,
    )
