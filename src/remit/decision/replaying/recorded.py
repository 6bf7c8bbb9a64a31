"""Decisions as a replay reads them: of what is stored, only what it looks at."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from remit.authority.tasks import Task
from remit.decision.answer.assessment import Assessment
from remit.decision.answer.response import Effect, Stage
from remit.decision.answer.told import Told
from remit.decision.budget.cost import Settlement
from remit.decision.history.past import Footprint
from remit.identity.principals import Principal
from remit.identity.tools import Server, Tool
from remit.kernel.building import builder
from remit.kernel.canonical import Digest
from remit.kernel.ids import ApprovalId, BreakGlassId, CallId, DecisionId, TaskId, TenantId, UserId


class RecordedReason(Told, frozen=True, kw_only=True):
    """Of a reason: its code, and the rule that gave it."""

    code: str
    rule: str = ""


class RecordedFinding(Told, frozen=True, kw_only=True):
    """Of a finding: what it said, and because of what."""

    stage: Stage
    effect: Effect
    reasons: tuple[RecordedReason, ...] = ()
    detail: tuple[str, ...] = ()


class RecordedVerdict(Told, frozen=True, kw_only=True):
    """Of a verdict: what it was, and by which version."""

    effect: Effect
    policy_version: str


class RecordedTrace(Told, frozen=True, kw_only=True):
    """Of an explanation: who asked for what, and what each stage said. See `trace.Explanation`."""

    at: datetime
    tenant: TenantId
    call: CallId
    action: str
    resource: str
    agent: str
    agent_name: str
    instance: str
    chain: tuple[str, ...]
    user: UserId | None
    task: TaskId | None
    purpose: str
    arguments: Digest
    verdict: RecordedVerdict
    stages: tuple[RecordedFinding, ...]
    companions: tuple[UserId, ...] = ()
    token: str = ""
    glasses: tuple[BreakGlassId, ...] = ()
    labels: tuple[str, ...] = ()
    outward: tuple[str, ...] = ()
    risk: Assessment | None = None
    facts: tuple[tuple[str, str], ...] = ()


class RecordedDecision(Told, frozen=True, kw_only=True):
    """Of a stored decision; what is stored of it beside these is passed over unread."""

    id: DecisionId
    explanation: RecordedTrace
    outcome: Settlement | None = None
    approval: ApprovalId | None = None
    footprints: tuple[Footprint, ...] = ()
    record: str = ""
    tool: str = ""
    definition: Digest = ""


class OutlinedVerdict(Told, frozen=True, kw_only=True):
    """Of a verdict: by which version."""

    policy_version: str


class OutlinedTrace(Told, frozen=True, kw_only=True):
    """Of a trace: whom and what it names, so that they can be looked up."""

    action: str
    agent: str
    user: UserId | None
    task: TaskId | None
    arguments: Digest
    verdict: OutlinedVerdict
    companions: tuple[UserId, ...] = ()
    token: str = ""


class OutlinedDecision(Told, frozen=True, kw_only=True):
    """Of a stored decision: what has to be read beside it."""

    id: DecisionId
    explanation: OutlinedTrace
    record: str = ""
    tool: str = ""
    definition: Digest = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """One decision with what is on record beside it; None for what is gone."""

    stored: RecordedDecision
    arguments: str | None
    server: Server | None
    tool: Tool | None
    """As it is pinned now, if that is what was called then."""
    named_tool: bool
    agent: Principal | None
    blueprint: Principal | None
    user: Principal | None
    companions: tuple[Principal | None, ...]
    task: Task | None
    key: str | None
    """What the token was bound to; None where it is not known."""


remembered: Final = builder(Remembered)
"""Makes one, at the price of a mutable value: a replay makes a million."""
