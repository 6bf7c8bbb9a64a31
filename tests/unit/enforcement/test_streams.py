"""An open exchange ends with its subject or its caller, its own outcome on record first, and never later."""

import asyncio
from typing import Any

import pytest

from remit.enforcement.mcp.streams import Cut, Hangup, HungUp, Later, Watch
from support.gateway import ScriptedLiveness, subject

TICK = 0.01


class Work:
    """Something that takes long, and puts on record how it ended."""

    def __init__(self, *, swallows: bool = False) -> None:
        self.record: list[str] = []
        self._swallows = swallows

    async def __call__(self, seconds: float = 5) -> str:
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            await asyncio.sleep(0.02)
            self.record.append("cancelled")
            if not self._swallows:
                raise
        else:
            self.record.append("done")
        return "answer"


def watched(liveness: ScriptedLiveness) -> Watch:
    return Watch(subject("a"), liveness)


async def test_work_that_ends_by_itself_is_left_alone() -> None:
    work, gone, liveness = Work(), Hangup(), ScriptedLiveness()
    assert await watched(liveness).run(work(0.03), gone=gone, tick=TICK) == "answer"
    gone.set()
    liveness.kill(subject("a").instance)
    await asyncio.sleep(3 * TICK)  # Nothing is left that could cancel what this task does next.
    assert work.record == ["done"]


@pytest.mark.attack("MC-13")
@pytest.mark.promise("P1")
@pytest.mark.parametrize("swallows", [False, True])
async def test_a_kill_cuts_and_the_outcome_is_on_record_first(swallows: bool) -> None:
    work, liveness = Work(swallows=swallows), ScriptedLiveness()
    watch = watched(liveness)
    liveness.kill(subject("a").instance)
    with pytest.raises(Cut):
        await watch.run(work(), gone=Hangup(), tick=TICK)
    assert work.record == ["cancelled"]
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


@pytest.mark.attack("MC-13")
async def test_a_kill_of_somebody_else_does_not_cut() -> None:
    work, liveness = Work(), ScriptedLiveness()
    watch = watched(liveness)
    liveness.kill("ins_other")
    assert await watch.run(work(0.05), gone=Hangup(), tick=TICK) == "answer"


@pytest.mark.promise("P5")
@pytest.mark.parametrize("where", ["epoch", "alive"])
async def test_who_can_not_be_told_to_live_is_cut(where: str) -> None:
    class Broken(ScriptedLiveness):
        broken = False

        def epoch(self, tenant: Any) -> int:
            if self.broken and where == "epoch":
                raise RuntimeError("no snapshot")
            return super().epoch(tenant)

        async def alive(self, subject: Any) -> bool:
            raise RuntimeError("no snapshot")

    work, liveness = Work(), Broken()
    watch = watched(liveness)
    liveness.number += 1
    liveness.broken = True
    with pytest.raises(RuntimeError):
        await watch.run(work(), gone=Hangup(), tick=TICK)
    assert work.record == ["cancelled"]


@pytest.mark.attack("MC-26")
@pytest.mark.parametrize("early", [False, True])
async def test_a_hang_up_cancels_at_once(early: bool) -> None:
    work, gone = Work(), Hangup()
    if early:
        gone.set()
    else:
        asyncio.get_running_loop().call_later(TICK, gone.set)
    with pytest.raises(HungUp):
        await watched(ScriptedLiveness()).run(work(), gone=gone)
    assert work.record == ["cancelled"]


async def test_a_cancellation_from_outside_stays_one() -> None:
    """A server that shuts down cancels; the exchange is neither cut nor hung up then."""
    work, gone = Work(), Hangup()
    running = asyncio.create_task(watched(ScriptedLiveness()).run(work(), gone=gone, tick=TICK))
    await asyncio.sleep(TICK)
    running.cancel()
    gone.set()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert work.record == ["cancelled"]


async def test_a_deadline_inside_is_told_from_a_cut_outside() -> None:
    async def slow() -> str:
        try:
            async with asyncio.timeout(0.02):
                await asyncio.sleep(5)
        except TimeoutError:
            return "late"
        return "never"

    assert await watched(ScriptedLiveness()).run(slow(), gone=Hangup(), tick=TICK) == "late"


async def test_what_is_not_wanted_any_more_is_not_begun() -> None:
    begun: list[int] = []

    async def work() -> None:
        begun.append(1)
        await asyncio.sleep(5)
        begun.append(2)

    Later(0.01, work).cancel()
    wanted = Later(0.01, work)
    await asyncio.sleep(0.05)
    wanted.cancel()
    await asyncio.sleep(0)
    assert begun == [1]
