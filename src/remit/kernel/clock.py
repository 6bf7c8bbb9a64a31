"""Time, as an argument: a wall clock for people and proofs, a boot clock for leases and waits."""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """What may be asked for the time."""

    def now(self) -> datetime:
        """UTC, aware."""

    def boottime(self) -> float:
        """Seconds since start of the machine; never steps, counts suspended time."""

    def generation(self) -> int:
        """Grows with each backward step of the wall clock: what was issued before is refused after."""


class SystemClock:
    """The machine's clocks, judged against each other at each reading.

    A backward step of more than `TOLERANCE` opens a new generation: tokens and proofs of an older one are
    refused, so no expired thing comes back. Rows that have expired stay expired: their state is stored.
    """

    TOLERANCE = timedelta(seconds=5)

    def __init__(self, *, generation: int = 0, high_water: datetime | None = None) -> None:
        self._generation = generation
        self._high_water = high_water or datetime.min.replace(tzinfo=UTC)
        self._judge(datetime.now(UTC))

    def now(self) -> datetime:
        """UTC, aware."""
        moment = datetime.now(UTC)
        self._judge(moment)
        return moment

    def boottime(self) -> float:
        """CLOCK_BOOTTIME: `CLOCK_MONOTONIC` stops while the machine is suspended."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def generation(self) -> int:
        """How often the wall clock has stepped back, over all restarts."""
        return self._generation

    def high_water(self) -> datetime:
        """The latest moment ever read; stored, so that a restart does not forget it."""
        return self._high_water

    def _judge(self, moment: datetime) -> None:
        if moment < self._high_water - self.TOLERANCE:
            self._generation += 1
            self._high_water = moment
        elif moment > self._high_water:
            self._high_water = moment
