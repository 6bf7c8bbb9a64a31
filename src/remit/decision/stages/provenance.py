"""What provenance says of a call, as a finding of the decision."""

from dataclasses import dataclass
from typing import Final

from remit.decision.answer.finding import Finding
from remit.decision.answer.response import Effect, Mode, NearestMiss, Observation, Reason, Stage
from remit.decision.call.request import ActionRequest
from remit.decision.codes.catalogue import Code, reason
from remit.decision.provenance.labels import Label
from remit.decision.provenance.rules import Cause, Ground, Ruling

RULE: Final = "provenance"
_ORIGINS: Final = {
    Label.USER: "the user named it, but not for this",
    Label.TOOL: "a record of `{source}` that the user's words do not select",
    Label.TEXT: "a text from `{source}`",
    Label.AGENT: "another agent",
    Label.UNKNOWN: "it was seen nowhere",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighing:
    """How far provenance weighs, and who is asked where it asks."""

    mode: Mode = Mode.ENFORCE
    approvers: str = "owner"
    """As in a policy's `@approval`; what can be taken back, the user may approve."""


def provenance_finding(ruling: Ruling, weighing: Weighing, request: ActionRequest) -> Finding:
    """Tell a ruling; only `enforce` lets it weigh, the other modes note what it would have been."""
    mode = weighing.mode
    by_user = request.user is not None and request.tool is not None and request.tool.reversible
    approvers = "self" if by_user else weighing.approvers
    if ruling.effect is Effect.PERMIT:
        return Finding(stage=Stage.HISTORY, effect=Effect.PERMIT, detail=(RULE,))
    reasons = tuple(_reason(ground, ruling) for ground in ruling.grounds)
    if mode is not Mode.ENFORCE:
        seen = Observation(rule=RULE, mode=mode, effect=ruling.effect, sentence=reasons[0].sentence)
        return Finding(stage=Stage.HISTORY, effect=Effect.PERMIT, observed=(seen,), detail=(RULE,))
    asks = ruling.effect is Effect.ASK
    return Finding(
        stage=Stage.HISTORY,
        effect=ruling.effect,
        reasons=reasons,
        nearest_miss=tuple(
            NearestMiss(argument=ground.argument, approval_from=approvers if asks else "", rule=RULE)
            for ground in ruling.grounds
            if ground.argument or asks
        )
        or (NearestMiss(never=True, rule=RULE),),
        approvers=approvers if asks else "",
        detail=(RULE,),
    )


def _reason(ground: Ground, ruling: Ruling) -> Reason:
    if ground.cause is Cause.UNASKED:
        return reason(Code.EFFECT_UNASKED, rule=RULE)
    origin = _ORIGINS.get(ground.label, str(ground.label)).format(source=ground.source or "nowhere")
    if ruling.effect is Effect.DENY:
        imitates = ground.cause is Cause.IMITATION
        why = "and imitates what the user named" if imitates else "and the goal asks for no such effect"
        return reason(
            Code.ARGUMENT_REFUSED,
            rule=RULE,
            kind=ground.kind,
            argument=ground.argument,
            origin=origin,
            why=why,
        )
    return reason(
        Code.ARGUMENT_UNTRUSTED, rule=RULE, kind=ground.kind, argument=ground.argument, origin=origin
    )
