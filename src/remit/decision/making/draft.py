"""A decision in the making: what the stages found, what it came to, and what of that goes on record."""

from collections.abc import Sequence

from msgspec import structs

from remit.authority.capability import Capability, Minted
from remit.decision.answer.finding import Finding
from remit.decision.answer.response import Decision, Handing, Verdict
from remit.decision.answer.told import Told
from remit.decision.budget.cost import Line
from remit.decision.call.footing import Footing
from remit.decision.call.request import ActionRequest, Facts, ProposedCall
from remit.decision.codes.catalogue import Code, reason
from remit.decision.facts.glass import Glass
from remit.decision.facts.snapshot import Snapshot
from remit.decision.history.past import Footprint
from remit.decision.stages.history import Recollection
from remit.decision.stages.lifting import glasses_of
from remit.decision.stages.pipeline import denied, fold, refusal
from remit.decision.trail.trace import Explanation, Otherwise, StoredDecision
from remit.kernel.canonical import Digest, canonical_json
from remit.kernel.ids import ApprovalId, DecisionId, PrincipalId, UserId
from remit.ledger.record import Content, Record


class Draft(Told, frozen=True, kw_only=True):
    """A decision made on one snapshot, before anything is recorded."""

    id: DecisionId
    call: ProposedCall
    request: ActionRequest | None
    snapshot: Snapshot
    findings: tuple[Finding, ...]
    key: Digest
    handing: Handing = Handing.USED
    footing: Footing | None = None
    recollection: Recollection | None = None
    """What the transaction has to ask the past; None where no rule looks at it."""
    glasses: tuple[Glass, ...] = ()
    """Break glass that is open for the call, whether or not it makes a difference."""
    generation: int = 0
    """Of the clock that ends of yeses for several calls are told by."""
    firsts: tuple[Footprint, ...] = ()
    """The marks that the call leaves, if it is permitted, of what its agent does for the first time."""


class Outcome(Told, frozen=True, kw_only=True):
    """What the unit of work came to."""

    verdict: Verdict
    findings: tuple[Finding, ...]
    lines: tuple[Line, ...] = ()
    minted: Minted | None = None
    approval: ApprovalId | None = None


class Prepared(Told, frozen=True, kw_only=True):
    """An outcome as it goes on record and back to the caller: nothing of it depends on the transaction."""

    lines: tuple[Line, ...]
    stored: StoredDecision
    records: tuple[tuple[Record, Sequence[Content]], ...]
    capability: Capability | None
    decision: Decision


def for_holder(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """As found, and refused where a duty on the result would be left to nobody."""
    for finding in findings:
        if finding.obligations and not denied(findings):
            return (*findings, refusal(reason(Code.GATEWAY_ONLY, duty=finding.obligations[0].type)))
    return findings


def concluded(draft: Draft, findings: tuple[Finding, ...], *, approval: ApprovalId | None = None) -> Outcome:
    """Make the findings one verdict."""
    return Outcome(verdict=fold(findings, snapshot=draft.snapshot), findings=findings, approval=approval)


def explanation_of(draft: Draft, outcome: Outcome, *, decision: DecisionId | None) -> Explanation:
    """Tell what was asked and found; `decision` is None for a call that was not made."""
    call, request = draft.call, draft.request
    subject = call.subject
    agent = draft.snapshot.principals.get(PrincipalId(subject.agent))
    company = request.companions if request else ()
    user = draft.snapshot.principals.get(PrincipalId(subject.user)) if subject.user else None
    return Explanation(
        decision=decision,
        at=call.at,
        tenant=subject.tenant,
        call=call.call,
        action=call.action,
        resource=f"{call.resource.type}:{call.resource.id}",
        agent=subject.agent,
        agent_name=agent.name if agent else subject.agent,
        instance=subject.instance,
        chain=tuple(subject.chain),
        user=subject.user,
        user_name=(user.email or user.name) if user else "",
        task=subject.task,
        purpose=request.purpose if request else "",
        arguments=call.arguments_digest,
        verdict=outcome.verdict,
        stages=outcome.findings,
        key=draft.key,
        companions=tuple(UserId(each.id) for each in company),
        companion_names=tuple(each.email or each.name for each in company),
        token=subject.token,
        asked_by=call.asked_by or "",
        glasses=glasses_of(outcome.findings) if draft.glasses else (),
        labels=tuple(sorted(request.known.labels)) if request and request.known else (),
        outward=request.known.destinations if request and request.known else (),
        risk=request.risk if request else None,
        facts=_facts(request.facts) if request and request.facts else (),
    )


def _facts(facts: Facts) -> tuple[tuple[str, str], ...]:
    return tuple((name, canonical_json(said).decode()) for name, said in sorted(facts.known.items()))


def beside(told: Explanation, other: Explanation | None = None) -> Explanation:
    """An explanation with the answer of the other version that is in use, where it is another one."""
    if other is None or other.verdict.effect is told.verdict.effect:
        return told
    found = other.verdict
    first = found.reasons[0] if found.reasons else None
    otherwise = Otherwise(
        policy_version=found.policy_version,
        effect=found.effect,
        rule=first.rule if first else "",
        sentence=first.sentence if first else "",
    )
    return structs.replace(told, otherwise=otherwise)
