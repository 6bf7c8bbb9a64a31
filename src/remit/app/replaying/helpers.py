"""Processes beside ours that judge pages, since one can use one core: niced, told everything, asking nothing.

SAFETY: a helper is started anew (never forked from threads), has no store, no key and no socket; what it is
told, arguments among it, stays in this machine's memory and goes with it. Decisions go first: it is niced.
"""

import asyncio
import multiprocessing
import os
from collections import deque
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from typing import Final

from remit.app.replaying.judge import Judge, Text
from remit.app.replaying.page import Beside, Page
from remit.decision.replaying.replay import Replay
from remit.kernel.errors import Unavailable

MOST: Final = 4
"""Helpers of one replay, where there are so many cores."""
AHEAD: Final = 2
"""Pages that a helper may have before it; more are not read yet."""
_NICE: Final = 10


class HelperLost(Unavailable):
    """A helper ended before its work did."""

    code = "replay_helper_lost"


def cores() -> int:
    """How many helpers this machine has room for."""
    return min(MOST, len(os.sched_getaffinity(0)))


@dataclass(slots=True)
class _Helper:
    """One process, and what it has not been told yet."""

    pool: ProcessPoolExecutor
    news: Beside = field(default_factory=Beside)
    anew: bool = False
    versions: dict[str, Text | None] = field(default_factory=dict)
    ahead: int = 0

    def hear(self, page: Page, versions: Mapping[str, Text | None]) -> None:
        """Note what a page brought, whoever judges it."""
        if page.anew:
            self.news, self.anew = Beside(), True
        self.news.take(page.news)
        self.versions |= versions


class Helpers:
    """Judges pages on several cores; the answers are joined in the pages' order."""

    def __init__(self, candidate: Text, count: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._helpers = [
            _Helper(ProcessPoolExecutor(1, mp_context=context, initializer=_begin, initargs=(candidate,)))
            for _ in range(count)
        ]
        self._waiting: deque[tuple[_Helper, asyncio.Future[Replay]]] = deque()

    async def judge(self, page: Page, versions: Mapping[str, Text | None], into: Replay) -> None:
        """Have a page judged; waits only while every helper has enough before it."""
        while all(each.ahead >= AHEAD for each in self._helpers):
            await self._join_oldest(into)
        for each in self._helpers:
            each.hear(page, versions)
        chosen = min(self._helpers, key=lambda each: each.ahead)
        told = Page(
            rows=page.rows, news=chosen.news, anew=chosen.anew, versions=page.versions, last=page.last
        )
        try:
            asked = chosen.pool.submit(_judged, told, chosen.versions)
        except BrokenProcessPool as broken:
            raise _lost() from broken
        chosen.news, chosen.anew, chosen.versions = Beside(), False, {}
        chosen.ahead += 1
        self._waiting.append((chosen, asyncio.wrap_future(asked)))

    async def finish(self, into: Replay) -> None:
        """Wait for all that is out."""
        while self._waiting:
            await self._join_oldest(into)

    def close(self) -> None:
        """Let the helpers go, done or not."""
        for each in self._helpers:
            each.pool.shutdown(wait=False, cancel_futures=True)

    async def _join_oldest(self, into: Replay) -> None:
        helper, asked = self._waiting.popleft()
        try:
            into.join(await asked)
        except BrokenProcessPool as broken:
            raise _lost() from broken
        helper.ahead -= 1


def _lost() -> HelperLost:
    return HelperLost(
        "a process that judged decisions ended", next_step="replay fewer decisions, or try again"
    )


_JUDGES: Final[list[Judge]] = []
"""The one judge of a helper's process."""


def _begin(candidate: Text) -> None:
    os.nice(_NICE)
    _JUDGES[:] = [Judge(candidate.compiled())]


def _judged(page: Page, versions: Mapping[str, Text | None]) -> Replay:
    (judge,) = _JUDGES
    judge.learn({name: None if each is None else each.compiled() for name, each in versions.items()})
    return judge.judge(page)
