"""Enforcement points of others have people asked: a denial, a task, a new evaluation (ARAP draft 1).

A yes permits nothing by itself. It lifts the question of the very same action, once, in a new evaluation that
names it; the denial is bound by its evaluation, which is on record here.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from remit.app.access.desk import AccessDesk
from remit.app.access.errors import ExpiredDenial, InvalidDenialBinding, NotRequestable, UnknownTask
from remit.app.access.question import Asked
from remit.decision.answer.response import Decision, Effect
from remit.decision.call.request import ProposedCall
from remit.decision.service import DecisionUnknown
from remit.decision.trail.trace import Explanation, StoredDecision
from remit.enforcement.pep.decider import Ask, CannotAsk
from remit.kernel.ids import ApprovalId, DecisionId, PrincipalId
from remit.oversight.approvals.approval import Approval
from remit.oversight.errors import NoSuchApproval

FRESH: Final = timedelta(minutes=10)
"""How long after a denial people can be asked about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Denied:
    """What an enforcement point says of the denial that it was told."""

    evaluation: str
    expires_at: datetime


class Decided(Protocol):
    """Decisions on record."""

    async def why(self, decision: DecisionId) -> StoredDecision:
        """One; raises `DecisionUnknown`."""


class Opens(Protocol):
    """Opens questions to people."""

    async def ask(self, call: ProposedCall, decision: Decision) -> Ask:
        """Open it, or find the open one for the same bytes; raises `CannotAsk`."""


class Asks(Protocol):
    """Questions as they stand."""

    async def get(self, ident: ApprovalId) -> Approval:
        """One; raises `NoSuchApproval`."""


class AccessRequests:
    """One tenant's access requests."""

    def __init__(self, *, desk: AccessDesk, decisions: Decided, opens: Opens, asks: Asks) -> None:
        self._desk = desk
        self._decisions = decisions
        self._opens = opens
        self._asks = asks

    async def submit(self, asked: Asked, denied: Denied, *, by: PrincipalId, at: datetime) -> Approval:
        """Have people asked about what was denied; the same task for the same action while it is open.

        1 the denial is on record and was told to this enforcement point   2 it is one that asks   3 it is
        fresh, by the expiry that it was told with   4 the question is still that of the denial, argument for
        argument.
        """
        told = (await self._denial(denied, by=by)).explanation
        if told.verdict.effect is not Effect.ASK:
            raise NotRequestable("nobody can lift this denial", next_step=f"remit why {denied.evaluation}")
        expiry = expiry_of(told.at)
        if denied.expires_at != expiry:
            raise InvalidDenialBinding("`denial.expires_at` is not what the denial said")
        if at >= expiry:
            raise ExpiredDenial("the denial is too old", next_step="evaluate again")
        call = await self._desk.call(asked, by=by)
        if not _same(call, told):
            raise InvalidDenialBinding("subject, action, resource or context are not those of the denial")
        decision = Decision(id=DecisionId(denied.evaluation), at=told.at, verdict=told.verdict, key=told.key)
        try:
            ask = await self._opens.ask(call, decision)
        except CannotAsk as unable:
            raise NotRequestable(
                unable.hint, next_step="try again later, or ask an administrator"
            ) from unable
        return await self._asks.get(ask.id)

    async def task(self, ident: str, *, by: PrincipalId) -> Approval:
        """How a request stands, for the enforcement point that may know it. Raises `UnknownTask`."""
        try:
            approval = await self._asks.get(ApprovalId(ident))
            told = (await self._decisions.why(approval.decision)).explanation
        except (NoSuchApproval, DecisionUnknown) as absent:
            raise UnknownTask("no such task", next_step="submit the request again") from absent
        # A question that our own gateway opened about the same bytes is the same task.
        if told.asked_by not in {"", by}:
            raise UnknownTask("no such task", next_step="submit the request again")
        return approval

    async def _denial(self, denied: Denied, *, by: PrincipalId) -> StoredDecision:
        try:
            stored = await self._decisions.why(DecisionId(denied.evaluation))
        except DecisionUnknown as unknown:
            raise InvalidDenialBinding("`denial.evaluation_id` is not known") from unknown
        if stored.explanation.asked_by != by:
            raise InvalidDenialBinding("`denial.evaluation_id` is not known")
        return stored


def expiry_of(at: datetime) -> datetime:
    """Until when people can be asked about a denial of that moment, in whole seconds as it is told."""
    return (at + FRESH).replace(microsecond=0)


def _same(call: ProposedCall, told: Explanation) -> bool:
    subject, touched = call.subject, call.resource
    return (
        call.action,
        f"{touched.type}:{touched.id}",
        call.arguments_digest,
        subject.instance,
        subject.user,
        subject.task,
        tuple(subject.chain),
    ) == (
        told.action,
        told.resource,
        told.arguments,
        told.instance,
        told.user,
        told.task,
        told.chain,
    )
