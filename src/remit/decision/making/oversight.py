"""Has a person said yes to exactly this? An unspent approval lifts a question; nothing else does."""

from collections.abc import Sequence
from datetime import datetime

from remit.decision.answer.finding import Finding
from remit.decision.answer.response import Effect, NearestMiss, Stage
from remit.decision.codes.catalogue import Code, reason
from remit.decision.repository import ApprovalStanding
from remit.kernel.ids import ApprovalId

_TOLD = {
    "pending": Code.APPROVAL_PENDING,
    "denied": Code.APPROVAL_DENIED,
    "expired": Code.APPROVAL_EXPIRED,
    "lapsed": Code.APPROVAL_LAPSED,
    "cancelled": Code.APPROVAL_CANCELLED,
}


def asks(findings: Sequence[Finding]) -> bool:
    """Whether some stage wants a person's yes."""
    for finding in findings:  # noqa: SIM110 — every call is asked; a generator costs more than what it finds
        if finding.effect is Effect.ASK:
            return True
    return False


def lifted(
    findings: Sequence[Finding], approval: ApprovalId, *, left: int = 0, until: datetime | None = None
) -> tuple[Finding, ...]:
    """The findings with every question answered; a step-up stays, for a yes does not authenticate anybody.

    `left` calls are covered after this one, `until` then, where the yes is for several.
    """
    said = (
        reason(Code.APPROVED, approval=approval)
        if until is None
        else reason(
            Code.APPROVED_WITHIN, approval=approval, left=left, until=until.isoformat(timespec="seconds")
        )
    )
    kept = tuple(_answered(finding) if finding.effect is Effect.ASK else finding for finding in findings)
    return (
        *kept,
        Finding(
            stage=Stage.OVERSIGHT,
            effect=Effect.PERMIT,
            reasons=(said,),
            detail=(approval,),
        ),
    )


def unanswered(findings: Sequence[Finding], standing: ApprovalStanding | None) -> Finding:
    """Nobody was asked yet, or how the newest ask stands: pending, denied, expired are told apart."""
    asking = next(finding for finding in findings if finding.effect is Effect.ASK)
    if standing is None or standing.state not in _TOLD:
        return Finding(stage=Stage.OVERSIGHT, effect=Effect.ASK, approvers=asking.approvers)
    said = reason(_TOLD[standing.state], rule=asking.reasons[0].rule, approval=standing.id)
    return Finding(
        stage=Stage.OVERSIGHT,
        effect=said.effect,
        reasons=(said,),
        approvers=asking.approvers,
        nearest_miss=(NearestMiss(never=True),) if said.effect is Effect.DENY else (),
        detail=(standing.id,),
    )


def nothing_asked() -> Finding:
    """No stage wants a person."""
    return Finding(stage=Stage.OVERSIGHT, effect=Effect.PERMIT)


def _answered(finding: Finding) -> Finding:
    """What is left of a finding once its questions are answered: the strongest of its other reasons."""
    left = tuple(said for said in finding.reasons if said.effect is not Effect.ASK)
    strongest = max((said.effect for said in left), key=lambda effect: effect.strength, default=Effect.PERMIT)
    return Finding(
        stage=finding.stage,
        effect=strongest,
        reasons=left,
        obligations=finding.obligations,
        observed=finding.observed,
        disclose=finding.disclose,
        detail=finding.detail,
    )
