"""How well a person answers: how soon, how often with yes, how many of how many; measures, not verdicts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Final

from remit.kernel.ids import PrincipalId
from remit.oversight.attention.desk import is_hasty
from remit.oversight.attention.repository import Given

WINDOW: Final = timedelta(days=30)
"""What measures are over."""
KEPT: Final = timedelta(days=90)
"""How long it is kept who was asked what, and when they answered; the log keeps the answers for ever."""
MOST_ANSWERS: Final = 1_000
"""The answers that they are made from, the last ones."""
_ENOUGH: Final = 20
"""Answers below which a rate says nothing."""
_ALWAYS_YES: Final = 0.98
_TOO_MANY_A_DAY: Final = 40.0
_HASTY_SHARE: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """Measures of one person over a window."""

    person: PrincipalId
    since: datetime
    asks: int
    cards: int
    answers: int
    approved: int
    hasty: int
    unseen: int
    """Yeses to cards that were never shown here: on the command line of somebody who shows them elsewhere."""
    think_median: float | None
    """Seconds from the card to the answer; None where no card was shown."""
    days: float

    @property
    def approval_rate(self) -> float | None:
        """Share of answers that were yes; None without answers."""
        return self.approved / self.answers if self.answers else None

    @property
    def cards_per_day(self) -> float:
        """Cards a day, over the days that there were."""
        return self.cards / self.days

    @property
    def alarms(self) -> tuple[str, ...]:
        """What somebody should look at, in words."""
        found = []
        if self.hasty and self.hasty >= _HASTY_SHARE * self.answers:
            found.append(f"{self.hasty} of {self.answers} answers were a yes within two seconds")
        if self.answers >= _ENOUGH and self.approved >= _ALWAYS_YES * self.answers:
            found.append(f"{self.approved} of {self.answers} answers were yes: is it still a question?")
        if self.cards_per_day > _TOO_MANY_A_DAY:
            found.append(f"{self.cards_per_day:.0f} cards a day: nobody reads that many")
        return tuple(found)


def measure(
    person: PrincipalId,
    given: Sequence[Given],
    *,
    counts: tuple[int, int],
    since: datetime,
    at: datetime,
) -> Quality:
    """Measure one person's answers; `counts` are cards and asks that were put to them."""
    cards, asks = counts
    yes = [each for each in given if each.answer == "approve"]
    thought = [
        (each.answered_at - each.shown_at).total_seconds() for each in given if each.shown_at is not None
    ]
    return Quality(
        person=person,
        since=since,
        asks=asks,
        cards=cards,
        answers=len(given),
        approved=len(yes),
        hasty=sum(1 for each in yes if is_hasty(each)),
        unseen=sum(1 for each in yes if each.shown_at is None),
        think_median=median(thought) if thought else None,
        days=max(1.0, (at - since) / timedelta(days=1)),
    )
