"""Whatever stays open — a call, a hold, a stream — ends when its subject may no longer act, or hangs up."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeVar

from remit.authority.tokens import VerifiedSubject
from remit.enforcement.pep.decider import Liveness
from remit.kernel.errors import RemitError

T = TypeVar("T")
TICK: Final = 0.5
"""Seconds between two looks at the epoch; a kill cuts within one tick and the time of one `alive`."""
LONGEST: Final = 900.0
"""Seconds that a stream may stay open; clients open another."""


class Cut(RemitError):
    """The subject was killed, suspended or revoked while this was open."""

    code = "cut"
    kind = "forbidden"


class HungUp(RemitError):
    """The caller closed its connection; on the modern wire that is cancellation."""

    code = "hung_up"
    kind = "gone"


class Watch:
    """Looks after one open exchange of one subject."""

    def __init__(self, subject: VerifiedSubject, liveness: Liveness) -> None:
        self._subject = subject
        self._liveness = liveness
        # INVARIANT: taken before anything is decided, so a kill between decision and first look is seen.
        self._epoch = liveness.epoch(subject.tenant)

    async def check(self) -> None:
        """Raise `Cut` if the epoch has moved and the subject is dead, or nobody can say."""
        epoch = self._liveness.epoch(self._subject.tenant)
        if epoch == self._epoch:
            return
        try:
            alive = await self._liveness.alive(self._subject)
        except RemitError as unknown:
            raise Cut("whether this subject lives can't be told", debug=unknown.debug) from unknown
        if not alive:
            raise Cut("this subject may no longer act")
        self._epoch = epoch

    async def run(self, work: Coroutine[Any, Any, T], *, gone: asyncio.Event | None, tick: float = TICK) -> T:
        """Run `work` to its end, or cancel it: raises `Cut`, or `HungUp` once `gone` is set."""
        task = asyncio.create_task(work)
        try:
            while not task.done():
                await _first(task, gone, tick)
                if task.done():
                    break
                await self.check()
                if gone is not None and gone.is_set():
                    raise HungUp("caller closed the connection")
            return task.result()
        finally:
            await _end(task)


async def listen_for_hangup(receive: Callable[[], Awaitable[Any]], gone: asyncio.Event) -> None:
    """Set `gone` when the connection closes."""
    while (await receive())["type"] != "http.disconnect":
        pass
    gone.set()


async def _first(task: "asyncio.Task[Any]", gone: asyncio.Event | None, tick: float) -> None:
    waits: set[asyncio.Future[Any]] = {task}
    hangup = None if gone is None else asyncio.ensure_future(gone.wait())
    if hangup is not None:
        waits.add(hangup)
    await asyncio.wait(waits, timeout=tick, return_when=asyncio.FIRST_COMPLETED)
    if hangup is not None:
        hangup.cancel()


async def _end(task: "asyncio.Task[Any]") -> None:
    """Cancel and wait until the work has put its own outcome on record."""
    if not task.done():
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
