"""Time, as an argument: a wall clock for people and proofs, a boot clock for leases and waits."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final, Protocol


class Clock(Protocol):
    """What may be asked for the time."""

    def now(self) -> datetime:
        """UTC, aware."""

    def boottime(self) -> float:
        """Seconds since start of the machine; never steps, counts suspended time."""

    def generation(self) -> int:
        """Grows with each backward step of the wall clock: what was issued before is refused after."""

    def suspect(self) -> bool:
        """Whether the wall clock ran ahead of the boot clock: mint nothing and sweep nothing meanwhile."""


BACKWARD: Final = timedelta(seconds=5)
"""How far the wall clock may step back without a new generation."""
FORWARD: Final = timedelta(seconds=60)
"""How far the wall clock may step ahead of the boot clock without being suspect."""


read_wall: Final[Callable[[], datetime]] = partial(datetime.now, UTC)
"""CLOCK_REALTIME, in UTC."""

read_boottime: Final[Callable[[], float]] = partial(time.clock_gettime, time.CLOCK_BOOTTIME)
"""CLOCK_BOOTTIME in seconds: `CLOCK_MONOTONIC` stops while the machine is suspended."""


class SystemClock:
    """The machine's wall clock, held at each reading against the boot clock.

    - Stepped back by more than 5 s since the latest time told: a new generation. Tokens, proofs and nonces
      of an older one are refused, so nothing that expired comes back; small steps back add up.
    - Stepped ahead by more than 60 s: `suspect`. The later time is believed for expiry, but the high-water
      mark stays. When the clock returns, that is a step back like any other, and service is normal again.
    - A return to where the clock was before it stepped back is not suspect.
    `generation` and `high_water` are what was stored before the last stop; storing both is the caller's.
    """

    def __init__(
        self,
        *,
        generation: int = 0,
        high_water: datetime | None = None,
        wall: Callable[[], datetime] = read_wall,
        boot: Callable[[], float] = read_boottime,
    ) -> None:
        self._wall, self._boot = wall, boot
        self._generation = generation
        moment, boottime = wall(), boot()
        self._high_water = high_water or moment
        self._suspect = False
        # Both say what the wall clock showed when the machine started, as if it never stepped since: by the
        # latest time told, and by the latest that was not suspect.
        self._tell(max(moment, self._high_water) - timedelta(seconds=boottime))
        self._believe(self._told)
        self.now()

    def now(self) -> datetime:
        """UTC, aware; while the clock is suspect, the later of the two times."""
        moment = self._wall()
        started = moment - timedelta(seconds=self._boot())
        if started < self._earliest:
            self._generation += 1
            self._high_water = moment
            self._tell(started)
        elif started > self._told:
            self._tell(started)
        self._suspect = started > self._latest
        if not self._suspect:
            self._high_water = max(self._high_water, moment)
            if started > self._believed:
                self._believe(started)
        return moment

    def _tell(self, started: datetime) -> None:
        self._told, self._earliest = started, started - BACKWARD

    def _believe(self, started: datetime) -> None:
        self._believed, self._latest = started, started + FORWARD

    def boottime(self) -> float:
        """Seconds since start of the machine, suspended time included."""
        return self._boot()

    def generation(self) -> int:
        """How often the wall clock has stepped back, over all restarts."""
        return self._generation

    def suspect(self) -> bool:
        """Whether the last reading was more than 60 s ahead of the boot clock."""
        return self._suspect

    def high_water(self) -> datetime:
        """The latest moment of this generation that was not suspect."""
        return self._high_water

    def confirm_step(self) -> None:
        """Believe the wall clock as it is: an operator says that the step ahead was a correction."""
        self._believe(self._wall() - timedelta(seconds=self._boot()))
        self.now()
