"""Who assesses the risk of calls, and what is done about it, as the installation wants it."""

from collections.abc import Sequence

from remit.app.bindings.intent import intent_desk_of
from remit.app.bindings.plugins import panel
from remit.decision.answer.response import Stage
from remit.decision.making.beforehand import Lookout
from remit.decision.provenance.watch import Watch
from remit.decision.risk.desk import RiskDesk
from remit.decision.stages.pipeline import STEPS, Step
from remit.decision.stages.risk import RiskStage
from remit.platform.settings.risk import RiskChoices, RiskMode


def lookout_of(chosen: RiskChoices, watch: Watch | None) -> Lookout:
    """Who looks at a call before it is judged."""
    off = chosen.mode is RiskMode.OFF
    risk = None if off else RiskDesk(measure=chosen.measure())
    return Lookout(watch=watch, risk=risk, intent=intent_desk_of(chosen), plugins=panel())


def steps_of(chosen: RiskChoices) -> Sequence[Step]:
    """The stages, with that of risk unless it is off."""
    if chosen.mode is RiskMode.OFF:
        return STEPS
    return (*STEPS, Step(stage=Stage.RISK, judge=RiskStage(rule=chosen.rule())))
