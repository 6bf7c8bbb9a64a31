"""Whatever stays open — a call, a hold, a stream — ends when its subject may no longer act, or hangs up."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeVar

from remit.authority.tokens import VerifiedSubject
from remit.enforcement.pep.decider import Liveness
from remit.kernel.errors import RemitError

T = TypeVar("T")
TICK: Final = 0.5
"""Seconds between two looks at the epoch; a kill cuts within one tick and the time of one `alive`."""
UNHEARD: Final = 0.05
"""Seconds before anybody listens for a hang-up: a call that is over by then needs no listener."""
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

    def moved(self) -> bool:
        """Whether anything that ends authority has happened since the last look."""
        return self._liveness.epoch(self._subject.tenant) != self._epoch

    async def run(self, work: Coroutine[Any, Any, T], *, gone: "Hangup", tick: float = TICK) -> T:
        """Run `work` to its end, or cancel it: raises `Cut`, or `HungUp` once `gone` is set.

        When it is cancelled, this waits until the work has put its own outcome on record.
        """
        guard = _Guard(self, gone, tick)
        try:
            found = await work
        except asyncio.CancelledError:
            guard.stop()
            if guard.reason is not None and guard.is_only_cause():
                raise guard.reason from None
            raise
        finally:
            guard.stop()
        if guard.reason is not None:
            guard.is_only_cause()
            raise guard.reason
        return found


class Hangup:
    """Whether the caller of one request has gone; whoever watches is told at once."""

    def __init__(self) -> None:
        self._set = False
        self._tell: Callable[[], None] | None = None

    def set(self) -> None:
        """It has gone."""
        self._set = True
        if self._tell is not None:
            self._tell()

    def watched_by(self, tell: Callable[[], None] | None) -> None:
        """Tell this one, now if it has happened already; None to tell nobody any more."""
        self._tell = tell
        if tell is not None and self._set:
            tell()


class Later:
    """A task that is begun only if it is still wanted after a while; most calls are over before."""

    def __init__(self, seconds: float, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        self._work = work
        self._task: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(seconds, self._begin)

    def cancel(self) -> None:
        """It is not wanted any more."""
        self._timer.cancel()
        if self._task is not None:
            self._task.cancel()

    def _begin(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._work())


class _Guard:
    """Cancels the task that it is made in, for one reason at most."""

    def __init__(self, watch: Watch, gone: Hangup, tick: float) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("nothing runs here that could be cancelled")
        self.reason: Exception | None = None
        self._watch = watch
        self._gone = gone
        self._tick = tick
        self._task = task
        self._asked = task.cancelling()
        self._over = False
        self._looking: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(tick, self._look)
        gone.watched_by(self._hung_up)

    def stop(self) -> None:
        """The work is over: nothing is cancelled any more."""
        self._over = True
        self._timer.cancel()
        self._gone.watched_by(None)
        if self._looking is not None:
            self._looking.cancel()

    def is_only_cause(self) -> bool:
        """Take our cancellation back; whether nobody else has cancelled the task too."""
        return self._task.uncancel() <= self._asked

    def _look(self) -> None:
        """A number is compared; only when it has moved does somebody ask."""
        try:
            moved = self._watch.moved()
        except Exception as unknown:  # noqa: BLE001 — whatever can't be told ends the exchange
            self._end(unknown)
            return
        if moved:
            self._looking = asyncio.get_running_loop().create_task(self._ask())
        else:
            self._again()

    async def _ask(self) -> None:
        try:
            await self._watch.check()
        except Exception as dead:  # noqa: BLE001 — as above
            self._end(dead)
        else:
            self._again()

    def _again(self) -> None:
        if not self._over:
            self._timer = asyncio.get_running_loop().call_later(self._tick, self._look)

    def _hung_up(self) -> None:
        self._end(HungUp("caller closed the connection"))

    def _end(self, reason: Exception) -> None:
        if self.reason is None and not self._over:
            self.reason = reason
            self._task.cancel()


async def listen_for_hangup(receive: Callable[[], Awaitable[Any]], gone: Hangup) -> None:
    """Set `gone` when the connection closes."""
    while (await receive())["type"] != "http.disconnect":
        pass
    gone.set()
