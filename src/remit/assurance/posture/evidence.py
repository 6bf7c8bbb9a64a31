"""What a proposal stands on: how often, when, in how many tasks; and what may still be unseen."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from remit.assurance.posture.use import Use

CONFIDENCE: Final = 0.95
_STEPS: Final = 60
"""Halvings of the interval in which the bound lies: far below what is shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """From when on something is a habit, and not an accident or an attack: tasks and days, never calls.

    One task that calls a thousand times is one task.
    """

    tasks: int = 3
    days: int = 2

    def passes(self, uses: Sequence[Use]) -> bool:
        """Whether these uses are enough of a habit."""
        tasks, days = {use.run for use in uses}, {use.at.date() for use in uses}
        return len(tasks) >= self.tasks and len(days) >= self.days


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What was seen. Days are UTC days; `examples` are decisions, the first and the last among them."""

    uses: int
    tasks: int
    days: int
    users: int
    approved: int
    first: datetime
    last: datetime
    examples: tuple[str, ...]

    @property
    def otherwise_at_most(self) -> float:
        """With 95 % confidence, the part of tasks like these that would need something else: none so far did.

        Assumes that the tasks to come are like those that were; exact binomial (Clopper and Pearson 1934).
        """
        return at_most(0, self.tasks)


def evidence_of(uses: Sequence[Use]) -> Evidence:
    """Sum up uses; there is at least one."""
    ordered = sorted(uses, key=lambda use: (use.at, use.decision))
    places = sorted({0, len(ordered) // 2, len(ordered) - 1})
    return Evidence(
        uses=len(ordered),
        tasks=len({use.run for use in ordered}),
        days=len({use.at.date() for use in ordered}),
        users=len({use.user for use in ordered if use.user}),
        approved=sum(use.approved for use in ordered),
        first=ordered[0].at,
        last=ordered[-1].at,
        examples=tuple(ordered[place].decision for place in places),
    )


def at_most(seen: int, trials: int, confidence: float = CONFIDENCE) -> float:
    """Upper bound of a rate of which `seen` in `trials` were observed, one-sided, exact binomial."""
    if trials <= 0 or seen >= trials:
        return 1.0
    if seen == 0:
        return float(1.0 - (1.0 - confidence) ** (1.0 / trials))
    low, high = seen / trials, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (
            (middle, high) if _at_least_so_few(seen, trials, middle) > 1 - confidence else (low, middle)
        )
    return high


def _at_least_so_few(seen: int, trials: int, rate: float) -> float:
    """The chance of at most `seen` in `trials`, at that rate."""
    if rate >= 1.0:
        return 0.0
    logs = (
        math.lgamma(trials + 1) - math.lgamma(count + 1) - math.lgamma(trials - count + 1)
        + count * math.log(rate) + (trials - count) * math.log1p(-rate)
        for count in range(seen + 1)
    )  # fmt: skip
    return math.fsum(math.exp(each) for each in logs)
