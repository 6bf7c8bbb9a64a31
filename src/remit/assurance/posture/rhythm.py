"""Rights that are used seldom but regularly: once a month, a quarter, a year."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import Final

_EPISODE: Final = timedelta(days=7)
"""Uses that lie closer together are one occasion."""
_PERIODS: Final = (
    ("weekly", 7, 1),
    ("fortnightly", 14, 2),
    ("monthly", 30, 4),
    ("quarterly", 91, 8),
    ("half-yearly", 182, 12),
    ("yearly", 365, 20),
)
"""Name, days, and by how many days an occasion may be early or late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """A regular use. `due` is the last day on which the next one is still in time."""

    name: str
    occasions: int
    due: date


def rhythm_of(days: Iterable[date], today: date) -> Rhythm | None:
    """The rhythm of uses; None where there is none, or where it has stopped.

    Two occasions a year apart are a rhythm; where chance would do it as well, three are wanted.
    """
    starts = _occasions(sorted(set(days)))
    gaps = [(later - earlier).days for earlier, later in pairwise(starts)]
    for name, period, slack in _PERIODS:
        enough = len(gaps) >= (1 if period > _LONG else 2)
        if enough and all(abs(gap - period) <= slack for gap in gaps):
            due = starts[-1] + timedelta(days=period + slack)
            return Rhythm(name=name, occasions=len(starts), due=due) if today <= due else None
    return None


_LONG: Final = 180
"""Days from which on one repetition is enough: nobody can wait three years for a third."""


def _occasions(days: Sequence[date]) -> list[date]:
    starts: list[date] = []
    last: date | None = None
    for day in days:
        if last is None or day - last >= _EPISODE:
            starts.append(day)
        last = day
    return starts
