"""Many works, one durable commit: the queue, and how a batch runs its works (security.md P3, P4)."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from remit.kernel.errors import Unavailable
from remit.kernel.ids import TenantId
from remit.kernel.uow import Lane
from remit.platform.storage.batch import Batch, Mark, TenantNotLocked
from remit.platform.storage.errors import StorageBusy
from remit.platform.storage.fair_queue import FairQueue
from remit.platform.storage.queued import BatchSpoiled
from remit.platform.storage.unit_of_work import SqlTransaction

BATCH_LIMIT: Final = 256
"""Works in one commit."""
BATCH_SECONDS: Final = 0.02
"""How long an embedded batch goes on taking works before it commits. A kill cuts it short by itself."""
BATCH_RECORDS: Final = 1_024
"""Records after which an embedded batch takes no more works: a kill waits while they are written."""
QUEUE_LIMIT: Final = 4096
"""Works of one tenant waiting on the normal lane; one more is refused. The kill lane is never refused."""
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


class SpoiledByRefusal(BatchSpoiled):
    """A work spoiled its batch because something was not available: it has its answer, the others run again.

    Running it again as well would let it wait twice as long as it may, for a lock that somebody holds.
    """

    def __init__(self, outcome: Outcome) -> None:
        super().__init__()
        self.outcome = outcome


class Turns(FairQueue[Unit]):
    """Waiting works, taken from the tenants in turn: who queues much waits behind themselves alone (MT-07).

    Put from an event loop, taken by a writer that may be a thread of its own.
    """

    def put(self, unit: Unit, *, limit: int | None) -> None:
        """Queue a work; raises `StorageBusy` if its tenant has as many waiting as it may."""
        if not self.join(unit.tenant, unit, limit=limit):
            raise StorageBusy(
                f"the writer has {limit} works waiting, its limit",
                next_step=f"ask again in {RETRY_HINT_SECONDS} s",
            )


class Lanes:
    """Works waiting for a writer: kills never behind the others, never refused.

    `limit` bounds the ordinary works of one tenant: one that is full refuses nobody else's.
    """

    def __init__(self, *, limit: int = QUEUE_LIMIT) -> None:
        self._limit = limit
        self._waiting: dict[Lane, Turns] = {Lane.KILL: Turns(), Lane.NORMAL: Turns()}

    def put(self, unit: Unit) -> None:
        """Queue a work; raises `StorageBusy` if its tenant's part of the normal lane is full."""
        self._waiting[unit.lane].put(unit, limit=self._limit if unit.lane is Lane.NORMAL else None)

    def take(self, lane: Lane) -> Unit | None:
        """The next work of a lane."""
        return self._waiting[lane].take()

    def waiting(self, lane: Lane) -> int:
        """How many works wait on a lane."""
        return len(self._waiting[lane])


def attempt_all(batch: Batch, units: Iterable[Unit], *, broken: tuple[type[BaseException], ...]) -> Attempted:
    """Run each work so that it can be taken back; one that raises leaves no trace in the others.

    Errors of the classes in `broken` mean that the transaction itself is gone; they pass through, and so does
    `BatchSpoiled`.
    """
    done = Attempted()
    for unit in units:
        batch.enter(unit.tenant)
        mark = batch.mark()
        try:
            value = unit.work(SqlTransaction(batch, unit.tenant))
        except broken:
            raise
        except TenantNotLocked:
            batch.undo(mark)
            done.again.append(unit)
        except Exception as error:  # noqa: BLE001  # whatever it is, it belongs to the caller of this work
            done.outcomes.append(_taken_back(batch, mark, Outcome(unit, error=error)))
        else:
            batch.keep()
            done.outcomes.append(Outcome(unit, value=value))
    return done


def _taken_back(batch: Batch, mark: Mark, outcome: Outcome) -> Outcome:
    try:
        batch.undo(mark)
    except BatchSpoiled as spoiled:
        if isinstance(outcome.error, Unavailable):
            raise SpoiledByRefusal(outcome) from spoiled
        raise
    return outcome


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
