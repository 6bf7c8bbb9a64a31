"""What waits for a thread is taken from the tenants in turn: who asks much waits behind itself (MT-07)."""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from remit.kernel.ids import TenantId

T = TypeVar("T")


class FairQueue(Generic[T]):
    """One queue per tenant, and one turn each. From any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queues: dict[TenantId, deque[T]] = {}
        self._turns: deque[TenantId] = deque()
        """INVARIANT: each tenant with something waiting stands here once, and nobody else."""
        self._count = 0

    def join(self, tenant: TenantId, item: T, *, limit: int | None = None) -> bool:
        """Stand behind the tenant's own; False if as many of it wait as may."""
        with self._lock:
            queue = self._queues.get(tenant)
            if queue is None:
                queue = self._queues[tenant] = deque()
                self._turns.append(tenant)
            elif limit is not None and len(queue) >= limit:
                return False
            queue.append(item)
            self._count += 1
            return True

    def take(self) -> T | None:
        """The oldest of the tenant whose turn it is."""
        with self._lock:
            if not self._turns:
                return None
            tenant = self._turns.popleft()
            queue = self._queues[tenant]
            item = queue.popleft()
            if queue:
                self._turns.append(tenant)
            else:
                del self._queues[tenant]
            self._count -= 1
            return item

    def __len__(self) -> int:
        return self._count


@dataclass(slots=True)
class _Reading:
    act: Callable[[], Any]
    future: Future[Any] = field(default_factory=Future)


class FairReaders:
    """A pool of threads that serves the tenants in turn. OWNED BY: the store whose pool it is."""

    def __init__(self, pool: ThreadPoolExecutor, *, waiting: FairQueue[_Reading] | None = None) -> None:
        self._pool = pool
        self._waiting = waiting if waiting is not None else FairQueue()

    def submit(self, tenant: TenantId, act: Callable[[], Any]) -> Future[Any]:
        """Have it done in the tenant's turn.

        INVARIANT: as many tasks as readings stand in the pool; which task does which is decided when it runs.
        """
        reading = _Reading(act)
        self._waiting.join(tenant, reading)
        self._pool.submit(self._next)
        return reading.future

    def _next(self) -> None:
        reading = self._waiting.take()
        if reading is None or not reading.future.set_running_or_notify_cancel():
            return  # whoever asked has gone away
        try:
            value = reading.act()
        except BaseException as error:  # noqa: BLE001 — whatever it is, it belongs to whoever asked
            reading.future.set_exception(error)
        else:
            reading.future.set_result(value)
