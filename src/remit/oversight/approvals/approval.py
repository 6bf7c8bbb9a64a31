"""One ask: what exactly would run, who may answer, and the one terminal state it ends in (N15, N17)."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from remit.decision.answer.terms import Bound, Silence
from remit.decision.policy.approvers import Seat, read_chain
from remit.kernel.canonical import Digest, framed_digest
from remit.kernel.ids import ApprovalId, CallId, DecisionId, PrincipalId, TaskId, TenantId, UserId
from remit.oversight.approvals.scope import Choice, Scope
from remit.oversight.errors import AlreadyAnswered, ApprovalExpired, NotRevocable


class ApprovalState(StrEnum):
    """Each is told as itself: an expiry is never a denial."""

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    REVOKED = "revoked"
    """A yes that was taken back before it was used up."""


class Control(StrEnum):
    """Two different controls (N20): that the person means it, and that somebody else agrees."""

    SELF_CONFIRMATION = "self_confirmation"
    FOUR_EYES = "four_eyes"


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
    imperative: str = ""
    """The mapping's phrase for what it would do; the values come from `arguments`, which are sealed."""
    passkey: bool = False
    """Whether nothing but a passkey says yes to it."""
    amount: int | None = None
    """Money that moves, in minor units of `currency`; None where none does."""
    currency: str = ""
    control: Control = Control.FOUR_EYES
    own_benefit: bool = False
    """Whether the requester gains by it, as the tool's mapping tells: then another person answers."""
    seat: int = 0
    """Which link of the chain is asked now."""
    quorum: int = 1
    """How many different people of them must say yes."""
    said: tuple[PrincipalId, ...] = ()
    """Who of them has."""
    asked_before: tuple[PrincipalId, ...] = ()
    """Who was asked, and let it go by."""
    due_at: datetime | None = None
    """When silence is taken for what it is; None where that is the end."""
    silence: Silence = Silence.ESCALATE
    bound: Bound | None = None
    """The widest yes that the rule allows; None for one call."""
    family: Digest = ""
    """What a bounded yes may be for (`decision.call.digest.family_key`)."""
    immaterial: tuple[str, ...] = ()
    resource_at: str = ""
    """Pointer to the argument that names the resource."""
    choice: Choice | None = None
    """The scope that whoever said yes first has chosen; the others of a quorum sign the same."""
    scope: Scope | None = None
    """What was granted; None for one call alone."""
    revoked_by: PrincipalId | None = None

    @property
    def seats(self) -> tuple[Seat, ...]:
        """The chain of who is asked; words that mean nobody are one seat, where `routing` finds nobody."""
        return read_chain(self.approvers) or (Seat(who=self.approvers),)

    @property
    def moves_at(self) -> datetime:
        """When something happens to it by itself: silence, the end of a bounded yes, the end of the ask."""
        if self.scope is not None:
            return self.scope.until
        pending = self.state is ApprovalState.PENDING and self.due_at is not None
        return self.due_at if pending and self.due_at is not None else self.expires_at

    @property
    def is_ended_by_silence(self) -> bool:
        """Whether nobody answered, and the rule takes that for the end of it."""
        return self.state is ApprovalState.EXPIRED and self.silence is Silence.DENY

    @property
    def is_restraining(self) -> bool:
        """Whether nobody answered, and the rule leaves the task with reading alone."""
        return self.state is ApprovalState.EXPIRED and self.silence is Silence.READ_ONLY

    @property
    def digest(self) -> Digest:
        """What a yes is given to: the action, how often it may run, and until when (security P8)."""
        parts = (self.key, self.id, str(self.uses), self.expires_at.isoformat())
        return framed_digest("remit/approval-digest/v1", [part.encode() for part in parts])


def check_open(approval: Approval, *, at: datetime) -> None:
    """Raise `AlreadyAnswered` or `ApprovalExpired` unless an ask can still be answered."""
    if approval.state is not ApprovalState.PENDING:
        raise AlreadyAnswered(f"approval `{approval.id}` is no longer pending: it is {approval.state}")
    if at >= approval.expires_at:
        raise ApprovalExpired(f"approval `{approval.id}` expired at {approval.expires_at.isoformat()}")


def decide(
    approval: Approval,
    *,
    answer: Answer,
    by: PrincipalId,
    channel: str,
    at: datetime,
    scope: Scope | None = None,
) -> Approval:
    """Give an ask its one answer, or say which terminal state it is in already."""
    check_open(approval, at=at)
    state = ApprovalState.APPROVED if answer is Answer.APPROVE else ApprovalState.DENIED
    given = scope if answer is Answer.APPROVE else None
    return replace(approval, state=state, decided_at=at, decided_by=by, channel=channel, scope=given)


def expire(approval: Approval, *, at: datetime) -> Approval:
    """End an ask that nobody answered in time."""
    return replace(approval, state=ApprovalState.EXPIRED, decided_at=at)


def cancel(approval: Approval, *, at: datetime) -> Approval:
    """End an ask whose agent, task or tool is no longer there to run it."""
    return replace(approval, state=ApprovalState.CANCELLED, decided_at=at)


def revoke(approval: Approval, *, by: PrincipalId) -> Approval:
    """Take a yes back. Raises `NotRevocable` where there is none that could still be used."""
    if approval.state is not ApprovalState.APPROVED or approval.spent_by is not None:
        how = "spent" if approval.spent_by is not None else approval.state
        raise NotRevocable(
            f"approval `{approval.id}` is {how}: there is no yes to take back",
            next_step=f"remit approval show {approval.id}",
        )
    return replace(approval, state=ApprovalState.REVOKED, revoked_by=by)
