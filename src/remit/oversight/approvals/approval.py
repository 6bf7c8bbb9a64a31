"""One ask: what exactly would run, who may answer, and the one terminal state it ends in (N15, N17)."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from remit.kernel.canonical import Digest, framed_digest
from remit.kernel.ids import ApprovalId, CallId, DecisionId, PrincipalId, TaskId, TenantId, UserId
from remit.oversight.errors import AlreadyAnswered, ApprovalExpired


class ApprovalState(StrEnum):
    """Each is told as itself: an expiry is never a denial."""

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


class Answer(StrEnum):
    """What a person may say."""

    APPROVE = "approve"
    DENY = "deny"


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """An ask about the bytes that will run, and its answer.

    `key` names the material action (`decision.call.digest.action_key`): the same bytes of the same tool
    definition by the same agent in the same task under the same policy version. `arguments` holds the raw
    bytes that the agent sent, as text. `asked` are the people who may answer, resolved when it was asked.
    """

    id: ApprovalId
    tenant: TenantId
    state: ApprovalState
    key: Digest
    decision: DecisionId
    call: CallId
    agent: PrincipalId
    agent_name: str
    instance: PrincipalId
    user: UserId | None
    user_name: str
    task: TaskId | None
    purpose: str
    chain: tuple[str, ...]
    server: str
    tool: str
    tool_digest: Digest
    action: str
    resource: str
    effect: str
    reversible: bool
    arguments: str
    arguments_digest: Digest
    policy_version: str
    rule: str
    reason: str
    approvers: str
    asked: tuple[PrincipalId, ...]
    uses: int = 1
    requested_at: datetime
    expires_at: datetime
    decided_at: datetime | None = None
    decided_by: PrincipalId | None = None
    channel: str = ""
    spent_by: CallId | None = None
    companions: tuple[UserId, ...] = ()
    """Who else the run is for: they gain by a yes as the user does, so none of them gives it."""
    companion_names: tuple[str, ...] = ()
    passkey: bool = False
    """Whether nothing but a passkey says yes to it."""
    amount: int | None = None
    """Money that moves, in minor units of `currency`; None where none does."""
    currency: str = ""

    @property
    def digest(self) -> Digest:
        """What a yes is given to: the action, how often it may run, and until when (security P8)."""
        parts = (self.key, self.id, str(self.uses), self.expires_at.isoformat())
        return framed_digest("remit/approval-digest/v1", [part.encode() for part in parts])


def decide(approval: Approval, *, answer: Answer, by: PrincipalId, channel: str, at: datetime) -> Approval:
    """Give an ask its one answer, or say which terminal state it is in already."""
    if approval.state is not ApprovalState.PENDING:
        raise AlreadyAnswered(f"approval `{approval.id}` is no longer pending: it is {approval.state}")
    if at >= approval.expires_at:
        raise ApprovalExpired(f"approval `{approval.id}` expired at {approval.expires_at.isoformat()}")
    state = ApprovalState.APPROVED if answer is Answer.APPROVE else ApprovalState.DENIED
    return replace(approval, state=state, decided_at=at, decided_by=by, channel=channel)


def expire(approval: Approval, *, at: datetime) -> Approval:
    """End an ask that nobody answered in time."""
    return replace(approval, state=ApprovalState.EXPIRED, decided_at=at)


def cancel(approval: Approval, *, at: datetime) -> Approval:
    """End an ask whose agent, task or tool is no longer there to run it."""
    return replace(approval, state=ApprovalState.CANCELLED, decided_at=at)
