"""When the writer is woken: requests that are being served side by side share one commit."""

import asyncio
from collections.abc import Callable
from typing import Final

RIPE: Final = 32
"""Works that are not kept waiting for more of them."""
QUIET_TURNS: Final = 2
"""Turns of the event loop without a new work: one reads what came, the next serves it."""


class Gathering:
    """Wakes the writer once for the works that an event loop submits in quick succession.

    A work waits only while the loop is busy with others that may follow it: two idle turns take some
    microseconds. `RIPE` bounds how many it waits for. OWNED BY: one event loop.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, wake: Callable[[], None]) -> None:
        self.loop = loop
        self._wake = wake
        self.is_open = False
        """Whether a wake-up is still to come."""
        self._new = 0
        self._gathered = 0
        self._quiet = 0

    def add(self) -> None:
        """One work more is queued."""
        self._new += 1
        if not self.is_open:
            self.is_open = True
            self.loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._quiet = 0 if self._new else self._quiet + 1
        self._gathered += self._new
        self._new = 0
        if self._gathered < RIPE and self._quiet < QUIET_TURNS:
            self.loop.call_soon(self._turn)
            return
        self.is_open = False
        self._gathered = self._quiet = 0
        self._wake()
