"""A decision as it is kept and told: what was asked, what each stage found, what came of it."""

from datetime import datetime

from remit.decision.answer.assessment import Assessment
from remit.decision.answer.finding import Finding
from remit.decision.answer.response import Effect, Verdict
from remit.decision.answer.told import Told
from remit.decision.budget.cost import Line, Settlement
from remit.decision.history.past import Footprint
from remit.kernel.canonical import Digest
from remit.kernel.ids import (
    ApprovalId,
    BreakGlassId,
    CallId,
    CapabilityId,
    DecisionId,
    TaskId,
    TenantId,
    UserId,
)


class Otherwise(Told, frozen=True, kw_only=True):
    """What the other version says of the same call, while one is tried on a part."""

    policy_version: str
    effect: Effect
    rule: str
    sentence: str


class Explanation(Told, frozen=True, kw_only=True):
    """Why an answer is what it is, stage by stage; never taken from a cache (N12).

    `decision` is None for an explanation of a call that was not made. A decision that was refused early
    holds the stages up to the refusal; the others were not reached.
    """

    decision: DecisionId | None
    at: datetime
    tenant: TenantId
    call: CallId
    action: str
    resource: str
    """`Type:id`."""
    agent: str
    agent_name: str
    instance: str
    chain: tuple[str, ...]
    user: UserId | None
    user_name: str
    task: TaskId | None
    purpose: str
    arguments: Digest
    verdict: Verdict
    stages: tuple[Finding, ...]
    key: Digest
    companions: tuple[UserId, ...] = ()
    """Who else the run is for."""
    companion_names: tuple[str, ...] = ()
    token: str = ""
    """Id of the access token that was shown: its end is the end of a capability that is not used yet."""
    asked_by: str = ""
    """The enforcement point that asked for somebody else."""
    glasses: tuple[BreakGlassId, ...] = ()
    """Break glass that made a difference."""
    labels: tuple[str, ...] = ()
    """Of the data in the agent's context, where a rule looked at them."""
    outward: tuple[str, ...] = ()
    """Who and what outside the house the arguments named, where a rule looked at it."""
    facts: tuple[tuple[str, str], ...] = ()
    """What plugins said, as JSON by name."""
    risk: Assessment | None = None
    """As it was assessed then; None where risk was not, or the call was refused before."""
    otherwise: Otherwise | None = None
    """Only of a call that was not made, and only where the other version answers otherwise."""


class StoredDecision(Told, frozen=True, kw_only=True):
    """An explanation on record, with what the call used up."""

    id: DecisionId
    explanation: Explanation
    lines: tuple[Line, ...] = ()
    """What was reserved; empty unless permitted."""
    outcome: Settlement | None = None
    """None unless permitted."""
    capability: CapabilityId | None = None
    approval: ApprovalId | None = None
    footprints: tuple[Footprint, ...] = ()
    """The marks that it left; empty unless permitted."""
    record: str = ""
    """Id of its record, beside which its arguments are sealed; empty on those from before this was noted."""
    tool: str = ""
    definition: Digest = ""
    """Digest of the tool as it was pinned then."""
