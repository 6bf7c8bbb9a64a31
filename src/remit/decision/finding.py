"""What one stage found."""

from dataclasses import dataclass
from typing import NoReturn

from remit.decision.response import (
    Disclose,
    Effect,
    NearestMiss,
    Obligation,
    Observation,
    Reason,
    Stage,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The effect of one stage with everything that explains it; there is no default effect."""

    stage: Stage
    effect: Effect
    reasons: tuple[Reason, ...] = ()
    nearest_miss: tuple[NearestMiss, ...] = ()
    """Entries of one `rule` must all hold; entries of different rules are alternatives."""
    obligations: tuple[Obligation, ...] = ()
    approvers: str = ""
    observed: tuple[Observation, ...] = ()
    disclose: Disclose = Disclose.FULL
    detail: tuple[str, ...] = ()
    """What was looked at: names of factors, policies, budgets."""

    def __bool__(self) -> NoReturn:
        raise TypeError("a finding has no truth value; match on `effect`")
