"""What one stage found."""

from typing import NoReturn

from remit.decision.answer.response import (
    Disclose,
    Effect,
    NearestMiss,
    Obligation,
    Observation,
    Reason,
    Stage,
    StepUp,
)
from remit.decision.answer.terms import Terms
from remit.decision.answer.told import Told


class Finding(Told, frozen=True, kw_only=True):
    """The effect of one stage with everything that explains it; there is no default effect."""

    stage: Stage
    effect: Effect
    reasons: tuple[Reason, ...] = ()
    nearest_miss: tuple[NearestMiss, ...] = ()
    """Entries of one `rule` must all hold; entries of different rules are alternatives."""
    obligations: tuple[Obligation, ...] = ()
    approvers: str = ""
    terms: Terms | None = None
    """What the rules that ask say of their question; None where no rule asks."""
    step_up: StepUp | None = None
    observed: tuple[Observation, ...] = ()
    disclose: Disclose = Disclose.FULL
    detail: tuple[str, ...] = ()
    """What was looked at: names of factors, policies, budgets."""
    paths: tuple[str, ...] = ()
    """Through which tuples relations came about; for whoever may see relations, and nobody else (PD-23)."""

    def __bool__(self) -> NoReturn:
        raise TypeError("a finding has no truth value; match on `effect`")
