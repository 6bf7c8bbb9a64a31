"""The writer is woken once for what comes together, and never too late."""

import asyncio

from remit.platform.storage.gathering import QUIET_TURNS, RIPE, Gathering


class Wakes:
    """How many works had been added at each wake-up."""

    def __init__(self) -> None:
        self.gathering = Gathering(asyncio.get_running_loop(), self._woken)
        self.at: list[int] = []
        self.added = 0

    def add(self, count: int = 1) -> None:
        for _ in range(count):
            self.added += 1
            self.gathering.add()

    def _woken(self) -> None:
        self.at.append(self.added)


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_works_of_one_turn_wake_the_writer_once() -> None:
    wakes = Wakes()
    wakes.add(5)
    await turns(QUIET_TURNS + 2)
    assert wakes.at == [5]
    assert not wakes.gathering.is_open


async def test_works_that_follow_each_other_are_waited_for() -> None:
    wakes = Wakes()
    for _ in range(8):
        wakes.add()
        await turns(QUIET_TURNS)
    await turns(QUIET_TURNS + 2)
    assert wakes.at == [8]


async def test_one_work_waits_for_two_idle_turns_alone() -> None:
    wakes = Wakes()
    wakes.add()
    await turns(QUIET_TURNS + 2)
    assert wakes.at == [1]
    wakes.add()
    assert wakes.gathering.is_open
    await turns(QUIET_TURNS + 2)
    assert wakes.at == [1, 2]


async def test_who_never_stops_coming_keeps_nobody_waiting() -> None:
    wakes = Wakes()
    for _ in range(3 * RIPE):
        wakes.add()
        await turns(1)
    assert len(wakes.at) >= 2
    assert wakes.at[0] <= RIPE + 1
