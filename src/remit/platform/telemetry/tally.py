"""Counts and times as plain numbers, read out when somebody asks for the figures.

Every request moves a handful of them, so each costs one look-up and one addition and takes no lock.
OWNED BY: the event loop, which also reads them.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Final

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.utils import floatToGoString

BOUNDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Seconds, each inclusive; what takes longer than the last is counted beyond it."""
_NAMES: Final = (*map(floatToGoString, BOUNDS), "+Inf")

Labels = tuple[str, ...]


class Count:
    """How often something happened."""

    __slots__ = ("times",)

    def __init__(self) -> None:
        self.times = 0


class Timing:
    """How long something took, by bounds."""

    __slots__ = ("_seconds", "_within")

    def __init__(self) -> None:
        self._within = [0] * (len(BOUNDS) + 1)
        self._seconds = 0.0

    def add(self, seconds: float) -> None:
        """One more, which took so long."""
        self._within[bisect_left(BOUNDS, seconds)] += 1
        self._seconds += seconds

    def told(self) -> tuple[Sequence[tuple[str, float]], float]:
        """How many took at most each bound, and the seconds of all."""
        return tuple(zip(_NAMES, map(float, accumulate(self._within)), strict=True)), self._seconds


def counter_of(name: str, says: str, labels: Labels, known: Mapping[Labels, Count]) -> CounterMetricFamily:
    """The counts of one name as the exposition writes them."""
    family = CounterMetricFamily(name, says, labels=labels)
    for values, count in known.items():
        family.add_metric(values, count.times)
    return family


def histogram_of(
    name: str, says: str, labels: Labels, known: Mapping[Labels, Timing]
) -> HistogramMetricFamily:
    """The times of one name as the exposition writes them."""
    family = HistogramMetricFamily(name, says, labels=labels)
    for values, timing in known.items():
        buckets, seconds = timing.told()
        family.add_metric(values, buckets, seconds)
    return family
