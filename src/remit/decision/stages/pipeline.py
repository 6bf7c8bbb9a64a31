"""The decision: a fold over stages. The strongest effect wins, an error denies, nothing at all denies.

Pure: the same request and snapshot give the same findings, on every node, today and in a year.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from msgspec import structs

from remit.decision.answer.finding import Finding
from remit.decision.answer.response import (
    Disclose,
    Effect,
    NearestMiss,
    Obligation,
    Observation,
    Reason,
    Stage,
    Verdict,
)
from remit.decision.answer.terms import Terms
from remit.decision.call.footing import Footing
from remit.decision.call.request import ActionRequest
from remit.decision.codes.catalogue import Code, reason
from remit.decision.facts.glass import Glass
from remit.decision.facts.snapshot import Snapshot
from remit.decision.stages.egress import egress_stage
from remit.decision.stages.grounding import KNOWN
from remit.decision.stages.lifting import spared
from remit.decision.stages.lineage import lineage_stage
from remit.decision.stages.policy import policy_stage, unforbidden
from remit.decision.stages.relation import relation_stage
from remit.decision.stages.standing import alive_stage, authority_stage, restraint_stage
from remit.decision.trail.explain import remedy_for

Judge: TypeAlias = Callable[[ActionRequest, Snapshot], Finding | None]
"""What a stage finds; None where the call asks nothing of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One stage and its rule."""

    stage: Stage
    judge: Judge


STEPS: Final = (
    Step(stage=Stage.ALIVE, judge=alive_stage),
    Step(stage=Stage.AUTHORITY, judge=authority_stage),
    Step(stage=Stage.AUTHORITY, judge=restraint_stage),
    Step(stage=Stage.POLICY, judge=policy_stage),
    Step(stage=Stage.RELATIONS, judge=relation_stage),
    Step(stage=Stage.HISTORY, judge=lineage_stage),
    Step(stage=Stage.HISTORY, judge=egress_stage),
)
"""The stages that need only the snapshot; budget and oversight follow inside the transaction."""


def judge(
    request: ActionRequest,
    snapshot: Snapshot,
    *,
    steps: Sequence[Step] = STEPS,
    thorough: bool = False,
    footing: Footing | None = None,
    glasses: tuple[Glass, ...] = (),
) -> tuple[Finding, ...]:
    """Run the stages in order, up to the first denial unless `thorough`.

    With a footing of this request, a stage is only run where the footing does not tell what it would say.
    """
    found: list[Finding] = []
    for step in steps:
        try:
            finding: Finding | None = None
            if footing is not None and (known := KNOWN.get(step.judge)) is not None:
                finding = known(footing, request, snapshot)
            if finding is None:
                finding = step.judge(request, snapshot)
            if glasses and finding is not None:
                finding = spared(finding, glasses, request, snapshot, unforbidden)
        except Exception:  # noqa: BLE001 — N39: whatever goes wrong in a stage, the answer is no, and says so
            finding = refusal(structs.replace(reason(Code.STAGE_ERROR, failed=step.stage), stage=step.stage))
        if finding is None:
            continue
        found.append(finding)
        if finding.effect is Effect.DENY and not thorough:
            break
    return tuple(found)


def denied(findings: Iterable[Finding]) -> bool:
    """Whether some stage refused for good."""
    # A loop: this is asked of every call several times, and a generator costs more than what it finds.
    for finding in findings:  # noqa: SIM110
        if finding.effect is Effect.DENY:
            return True
    return False


def permitted(findings: Sequence[Finding]) -> bool:
    """Whether some stage was asked, and none has anything against it: of no findings nothing follows."""
    for finding in findings:
        if finding.effect is not Effect.PERMIT:
            return False
    return bool(findings)


def refusal(said: Reason) -> Finding:
    """A finding that denies for one reason that nothing about the call could change."""
    return Finding(
        stage=said.stage,
        effect=Effect.DENY,
        reasons=(said,),
        nearest_miss=(NearestMiss(never=True, rule=said.rule),),
    )


def fold(findings: Sequence[Finding], *, snapshot: Snapshot) -> Verdict:
    """Make one verdict: the strongest effect wins; of no findings at all the verdict is a denial."""
    if permitted(findings):
        return agreed(findings, snapshot=snapshot)
    return strongest(findings, snapshot=snapshot)


def agreed(findings: Sequence[Finding], *, snapshot: Snapshot) -> Verdict:
    """The verdict where every stage permits: what `strongest` says of them, with less to look at."""
    said: list[Reason] = []
    duties: list[Obligation] = []
    seen: list[Observation] = []
    secrecy = Disclose.FULL
    for finding in findings:
        # Most findings hold none of these, and a permit is what is said most often.
        if finding.reasons:
            said[:0] = finding.reasons
        if finding.obligations:
            duties += finding.obligations
        if finding.observed:
            seen += finding.observed
        if finding.disclose is not Disclose.FULL:
            secrecy = _most_secret((secrecy, finding.disclose))
    return Verdict(
        effect=Effect.PERMIT,
        reasons=tuple(
            [why for why in said if why.effect is Effect.PERMIT]
            + [why for why in said if why.effect is not Effect.PERMIT]
        ),
        nearest_miss=(),
        remedy=None,
        obligations=tuple(duties),
        observed=tuple(seen),
        disclose=secrecy,
        policy_version=str(snapshot.bundle.version),
        revision=snapshot.revision,
        epoch=snapshot.epoch,
    )


def strongest(findings: Sequence[Finding], *, snapshot: Snapshot) -> Verdict:
    """The verdict of any findings at all, step by step."""
    whole = _reached(findings) or (refusal(reason(Code.STAGE_ERROR, failed="none")),)
    effect = max((finding.effect for finding in whole), key=lambda found: found.strength)
    deciding = [finding for finding in whole if finding.effect is effect]
    reasons = _reasons(whole, effect)
    misses = tuple(dict.fromkeys(miss for finding in reversed(deciding) for miss in finding.nearest_miss))
    return Verdict(
        effect=effect,
        reasons=reasons,
        nearest_miss=() if effect is Effect.PERMIT else misses,
        remedy=None if effect is Effect.PERMIT else remedy_for(reasons[0], misses),
        obligations=_duties(whole) if effect is Effect.PERMIT else (),
        approvers=next((f.approvers for f in deciding if f.approvers), "") if effect is Effect.ASK else "",
        terms=_terms(deciding) if effect is Effect.ASK else None,
        step_up=next((f.step_up for f in deciding if f.step_up), None) if effect is Effect.STEP_UP else None,
        observed=tuple(seen for finding in whole for seen in finding.observed),
        disclose=_most_secret(finding.disclose for finding in deciding),
        policy_version=str(snapshot.bundle.version),
        revision=snapshot.revision,
        epoch=snapshot.epoch,
    )


def _terms(deciding: Sequence[Finding]) -> Terms | None:
    """Those of the rules; where another stage asks as well, a yes is for once."""
    said = next((found.terms for found in deciding if found.terms is not None), None)
    alone = all(found.stage in {Stage.POLICY, Stage.OVERSIGHT} for found in deciding)
    return said if said is None or alone else structs.replace(said, bound=None)


def _reached(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Up to the first denial: an explanation that ran on says the same as the decision that stopped."""
    found: list[Finding] = []
    for finding in findings:
        found.append(finding)
        if finding.effect is Effect.DENY:
            break
    return tuple(found)


_SECRECY: Final = (Disclose.FULL, Disclose.REMEDY, Disclose.CODE)


def _most_secret(levels: Iterable[Disclose]) -> Disclose:
    return max(levels, key=_SECRECY.index)


def _duties(findings: Iterable[Finding]) -> tuple[Obligation, ...]:
    return tuple(duty for finding in findings for duty in finding.obligations)


def _reasons(findings: Sequence[Finding], effect: Effect) -> tuple[Reason, ...]:
    """Those that decided, the latest stage first: a pending ask says more than the rule that wanted it."""
    said = [why for finding in reversed(findings) for why in finding.reasons]
    deciding = [why for why in said if why.effect is effect]
    return (*deciding, *(why for why in said if why.effect is not effect and why.effect is not Effect.PERMIT))
