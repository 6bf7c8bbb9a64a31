"""A clock that stands still until a test moves it."""

from datetime import UTC, datetime, timedelta

NOON = datetime(2026, 5, 15, 12, tzinfo=UTC)


class FixedClock:
    """Implements `remit.kernel.clock.Clock`; `advance` moves both clocks, `step` only the wall clock."""

    def __init__(self, now: datetime = NOON, *, boot: float = 1000.0, generation: int = 0) -> None:
        self.wall = now
        self.boot = boot
        self.era = generation
        self.is_suspect = False

    def now(self) -> datetime:
        return self.wall

    def boottime(self) -> float:
        return self.boot

    def generation(self) -> int:
        return self.era

    def suspect(self) -> bool:
        return self.is_suspect

    def advance(self, by: float | timedelta) -> None:
        """Let that much time pass (seconds)."""
        span = by if isinstance(by, timedelta) else timedelta(seconds=by)
        self.wall += span
        self.boot += span.total_seconds()

    def step(self, by: float | timedelta) -> None:
        """Set the wall clock without time passing; backward by more than 5 s opens a generation."""
        span = by if isinstance(by, timedelta) else timedelta(seconds=by)
        self.wall += span
        if span < timedelta(seconds=-5):
            self.era += 1
