"""Calls that are looked up side by side share one reading: each by itself costs a turn of another thread."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

from remit.decision.repository import DecisionTransaction
from remit.kernel.uow import UnitOfWork

T = TypeVar("T")
_Work: TypeAlias = Callable[[DecisionTransaction], Any]


class Together:
    """Readings that are asked for in one turn of the event loop, made on one view. OWNED BY: one event loop.

    Whatever goes wrong with one of them is its own: then each is made alone.
    """

    def __init__(self, uow: UnitOfWork[DecisionTransaction]) -> None:
        self._uow = uow
        self._waiting: list[tuple[_Work, asyncio.Future[Any]]] = []
        self._running: set[asyncio.Task[None]] = set()

    async def read(self, work: Callable[[DecisionTransaction], T]) -> T:
        """As `UnitOfWork.read`."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((work, future))
        if len(self._waiting) == 1:
            future.get_loop().call_soon(self._begin)
        return await future

    def _begin(self) -> None:
        some, self._waiting = self._waiting, []
        running = asyncio.ensure_future(self._make(some))
        self._running.add(running)
        running.add_done_callback(self._running.discard)

    async def _make(self, some: list[tuple[_Work, asyncio.Future[Any]]]) -> None:
        try:
            values = await self._uow.read(lambda tx: [work(tx) for work, _ in some])
        except Exception as error:  # noqa: BLE001 — whatever it is, it belongs to whoever asked for it
            await self._make_alone(some, error)
            return
        for (_, future), value in zip(some, values, strict=True):
            if not future.done():  # whoever asked may have gone away
                future.set_result(value)

    async def _make_alone(self, some: list[tuple[_Work, asyncio.Future[Any]]], error: Exception) -> None:
        for work, future in some:
            failed: Exception | None = error
            value = None
            if len(some) > 1:
                try:
                    value, failed = await self._uow.read(work), None
                except Exception as own:  # noqa: BLE001 — as above
                    failed = own
            if future.done():
                continue
            if failed is None:
                future.set_result(value)
            else:
                future.set_exception(failed)
