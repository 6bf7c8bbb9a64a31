"""Many works, one durable commit: the queue, and how a batch runs its works (security.md P3, P4)."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any, Final

from remit.kernel.ids import TenantId
from remit.kernel.uow import Lane
from remit.platform.storage.batch import Batch, TenantNotLocked
from remit.platform.storage.errors import StorageBusy
from remit.platform.storage.unit_of_work import SqlTransaction

BATCH_LIMIT: Final = 256
"""Works in one commit."""
BATCH_SECONDS: Final = 0.002
"""How long an embedded batch goes on taking works before it commits; bounds what a kill waits for."""
QUEUE_LIMIT: Final = 4096
"""Works waiting on the normal lane; one more is refused. The kill lane is never refused."""
RETRY_HINT_SECONDS: Final = 1
RETRY_LIMIT: Final = 3
"""How often a work runs again after its transaction was rolled back as a whole (deadlock, serialization)."""


@dataclass(slots=True, eq=False)
class Unit:
    """One work waiting for its commit, and the future of who waits for it."""

    work: Callable[[SqlTransaction], Any]
    tenant: TenantId
    lane: Lane
    future: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop
    tries: int = 0


@dataclass(slots=True)
class Outcome:
    """What a work gave, to be told only after the commit."""

    unit: Unit
    value: Any = None
    error: BaseException | None = None


@dataclass(slots=True)
class Attempted:
    """A batch's works so far; `again` must be run on the kill lane instead."""

    outcomes: list[Outcome] = field(default_factory=list)
    again: list[Unit] = field(default_factory=list)


class UnitQueue:
    """Two lanes into one writer. Any thread may put; OWNED BY the writer: `take`, `wait`."""

    def __init__(self, *, limit: int = QUEUE_LIMIT) -> None:
        self._limit = limit
        self._kill: deque[Unit] = deque()
        self._normal: deque[Unit] = deque()
        self._wake: SimpleQueue[None] = SimpleQueue()

    def put(self, unit: Unit) -> None:
        """Queue a work; raises `StorageBusy` if the normal lane is full."""
        if unit.lane is Lane.KILL:
            self._kill.append(unit)
        elif len(self._normal) >= self._limit:
            raise StorageBusy(
                f"the writer has {self._limit} works waiting, its limit",
                next_step=f"ask again in {RETRY_HINT_SECONDS} s",
            )
        else:
            self._normal.append(unit)
        self._wake.put(None)

    def wake(self) -> None:
        """Let the writer look around, as for the end."""
        self._wake.put(None)

    def wait(self) -> None:
        """Sleep until something was put; may return with nothing to take."""
        self._wake.get()

    def take(self) -> Unit | None:
        """The next work, kills first."""
        for lane in (self._kill, self._normal):
            if lane:
                return lane.popleft()
        return None

    def take_kill(self) -> Unit | None:
        """The next kill."""
        return self._kill.popleft() if self._kill else None

    def take_normal(self) -> Unit | None:
        """The next ordinary work."""
        return self._normal.popleft() if self._normal else None

    def has_kill(self) -> bool:
        """Whether a kill waits."""
        return bool(self._kill)

    def waiting(self) -> int:
        """Works on the normal lane."""
        return len(self._normal)

    def settle(self, taken: int) -> None:
        """Forget the wake-ups of works that were taken along with the first."""
        for _ in range(taken - 1):
            try:
                self._wake.get_nowait()
            except Empty:
                return


def attempt_all(batch: Batch, units: Iterable[Unit], *, broken: tuple[type[BaseException], ...]) -> Attempted:
    """Run each work in its own savepoint; one that raises leaves no trace in the others.

    Errors of the classes in `broken` mean that the transaction itself is gone; they pass through.
    """
    done = Attempted()
    for unit in units:
        mark = batch.mark()
        try:
            value = unit.work(SqlTransaction(batch, unit.tenant))
        except broken:
            raise
        except TenantNotLocked:
            batch.undo(mark)
            done.again.append(unit)
        except Exception as error:  # noqa: BLE001  # whatever it is, it belongs to the caller of this work
            batch.undo(mark)
            done.outcomes.append(Outcome(unit, error=error))
        else:
            batch.keep()
            done.outcomes.append(Outcome(unit, value=value))
    return done


def resolve(outcomes: Sequence[Outcome]) -> None:
    """Tell every waiting caller, once per event loop; from any thread."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Outcome]] = {}
    for outcome in outcomes:
        by_loop.setdefault(outcome.unit.loop, []).append(outcome)
    for loop, told in by_loop.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_tell, told)


def _tell(outcomes: Sequence[Outcome]) -> None:
    for outcome in outcomes:
        future = outcome.unit.future
        if future.done():  # the caller went away; what it asked for is committed all the same
            continue
        if outcome.error is not None:
            future.set_exception(outcome.error)
        else:
            future.set_result(outcome.value)
