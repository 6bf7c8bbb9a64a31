"""Is the risk of the call low enough for what it can do? The stage after history."""

from dataclasses import dataclass
from typing import Final

from remit.decision.answer.assessment import Assessment, known
from remit.decision.answer.finding import Finding
from remit.decision.answer.response import Effect, Mode, NearestMiss, Observation, Stage
from remit.decision.call.request import ActionRequest
from remit.decision.codes.catalogue import Code, reason
from remit.decision.facts.snapshot import Snapshot
from remit.decision.policy.evaluate import is_headless
from remit.decision.policy.step_up import is_met
from remit.decision.risk.limits import RiskRule, class_of

RULE: Final = "risk"
_SELF: Final = "self"
_NAMED: Final = 6
"""How many contributions a sentence names; `why` shows all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskStage:
    """Holds the score of a request against the limits of its class."""

    rule: RiskRule

    def __call__(self, request: ActionRequest, _snapshot: Snapshot) -> Finding:
        """The control that the score calls for; a run for several people has the risk of all of them."""
        found = known(request.risk)
        kind = class_of(request)
        limits = self.rule.of(kind)
        wanted = limits.effect(found.score)
        if wanted is Effect.PERMIT:
            return _passed(found)
        effect = self._asked_of(request, wanted)
        if effect is Effect.PERMIT:
            return _passed(found)
        return self._controlled(request, found, effect, limits.limit_of(wanted), str(kind))

    def _asked_of(self, request: ActionRequest, wanted: Effect) -> Effect:
        """A fresh sign-in counts; where nobody can be sent to sign in, somebody is asked instead.

        INVARIANT: no refusal, so that a higher score, which asks, is never controlled less.
        """
        if wanted is not Effect.STEP_UP:
            return wanted
        if request.call.subject.user is None or is_headless(request.call) or request.companions:
            return Effect.ASK
        return Effect.PERMIT if is_met(self.rule.step_up, request.call.subject, request.call.at) else wanted

    def _controlled(
        self, request: ActionRequest, found: Assessment, effect: Effect, limit: int, kind: str
    ) -> Finding:
        said = reason(
            _CODES[effect], rule=RULE, score=found.score, limit=limit, kind=kind, parts=parts(found)
        )
        if self.rule.mode is not Mode.ENFORCE:
            seen = Observation(rule=RULE, mode=self.rule.mode, effect=effect, sentence=said.sentence)
            return Finding(
                stage=Stage.RISK, effect=Effect.PERMIT, observed=(seen,), detail=_passed(found).detail
            )
        return Finding(
            stage=Stage.RISK,
            effect=effect,
            reasons=(said,),
            nearest_miss=(self._nearest(request, effect),),
            approvers=self._approvers(request) if effect is Effect.ASK else "",
            step_up=self.rule.step_up if effect is Effect.STEP_UP else None,
            detail=_passed(found).detail,
        )

    def _approvers(self, request: ActionRequest) -> str:
        """The person, where only their sign-in was wanted and can't be had; else whom the rule names."""
        limits, score = self.rule.of(class_of(request)), known(request.risk).score
        wanted_sign_in = limits.effect(score) is Effect.STEP_UP
        alone = request.call.subject.user is not None and not request.companions
        return _SELF if wanted_sign_in and alone else self.rule.approvers

    def _nearest(self, request: ActionRequest, effect: Effect) -> NearestMiss:
        if effect is not Effect.ASK:
            return NearestMiss(never=effect is Effect.DENY, rule=RULE)
        approvers = self._approvers(request)
        beyond = (f"user:{request.user.name}",) if request.user is not None and approvers != _SELF else ()
        return NearestMiss(approval_from=approvers, except_=beyond, rule=RULE)


def parts(found: Assessment) -> str:
    """The gravest contributions, for people: `money 15 (money against the cap), bearer 15 (…)`."""
    told = [f"{each.part} {each.points}" for each in found.contributions[:_NAMED]]
    rest = sum(each.points for each in found.contributions[_NAMED:])
    return ", ".join([*told, *([f"others {rest}"] if rest else [])]) or "nothing"


_CODES: Final = {
    Effect.STEP_UP: Code.RISK_NEEDS_SIGN_IN,
    Effect.ASK: Code.RISK_ASKS,
    Effect.DENY: Code.RISK_TOO_HIGH,
}


def _passed(found: Assessment) -> Finding:
    told = (f"{found.score} of 100", *(f"{each.part} {each.points}" for each in found.contributions))
    return Finding(stage=Stage.RISK, effect=Effect.PERMIT, detail=told)
