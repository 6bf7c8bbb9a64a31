"""People and asks as tests state them: every field has a lawful value until a test names another."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from remit.identity.lifecycle import State
from remit.identity.principals import Environment, Kind, Principal
from remit.kernel.ids import ApprovalId, CallId, DecisionId, PrincipalId, TaskId, TenantId, UserId
from remit.oversight.approvals.approval import Approval, ApprovalState

AT = datetime(2026, 5, 15, 12, 0, tzinfo=UTC)


def person(name: str, **changes: object) -> Principal:
    base = Principal(
        id=PrincipalId(f"usr_{name}"),
        tenant=TenantId("default"),
        kind=Kind.HUMAN,
        name=name,
        state=State.ACTIVE,
        owner=None,
        purpose="",
        environment=Environment.PRODUCTION,
        email=f"{name}@company.com",
        created_at=AT,
        changed_at=AT,
    )
    return replace(base, **changes)  # type: ignore[arg-type]  # a builder: fields are named by the test


def ask(**changes: object) -> Approval:
    base = Approval(
        id=ApprovalId("apr_1"),
        tenant=TenantId("default"),
        state=ApprovalState.PENDING,
        key="0" * 64,
        decision=DecisionId("dec_1"),
        call=CallId("cal_1"),
        agent=PrincipalId("agt_1"),
        agent_name="support-bot",
        instance=PrincipalId("ins_1"),
        user=UserId("usr_user"),
        user_name="user@company.com",
        task=TaskId("tsk_1"),
        purpose="support",
        chain=("ins_1",),
        server="business",
        tool="refunds_create",
        tool_digest="1" * 64,
        action="business/refunds.create",
        resource="Order:8812",
        effect="money leaves",
        reversible=False,
        arguments='{"order_id":"8812","amount":"480.00"}',
        arguments_digest="2" * 64,
        policy_version="3",
        rule="refund-over-200",
        reason="amount above 200",
        approvers="team:support-leads",
        asked=(PrincipalId("usr_lead"),),
        requested_at=AT,
        expires_at=AT + timedelta(minutes=15),
    )
    return replace(base, **changes)  # type: ignore[arg-type]  # as above
