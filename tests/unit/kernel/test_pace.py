"""DS-12: those who were turned away together do not come back together."""

import random
from collections import Counter

import pytest

from remit.kernel.pace import LEAST, SPREAD, retry_after


def load(seconds: list[int]) -> int:
    """The most that come back within one second."""
    return max(Counter(seconds).values())


@pytest.mark.attack("DS-12")
def test_a_thousand_who_are_turned_away_come_back_over_many_seconds() -> None:
    chance = random.Random(12)  # noqa: S311 — chance that repeats itself
    told = [int(retry_after(chance)) for _ in range(1100)]
    assert set(told) == set(range(LEAST, LEAST + SPREAD + 1))
    assert load(told) < 1100 // SPREAD * 1.5


class NoChance(random.Random):
    """Everybody is told the same."""

    def randrange(self, start: int, stop: int | None = None, step: int = 1) -> int:
        return 0


@pytest.mark.twin("DS-12")
def test_without_chance_they_would_all_come_back_at_once() -> None:
    assert load([int(retry_after(NoChance())) for _ in range(1100)]) == 1100
