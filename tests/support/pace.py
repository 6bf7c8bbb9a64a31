"""Time as a loop lives it: a bound that a product keeps must not fall because a machine is busy elsewhere."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

_TURN: Final = 0.01


class Pace:
    """Seconds of which this loop had its turns; never more than have passed."""

    def __init__(self) -> None:
        self._turns = 0

    @property
    def seconds(self) -> float:
        """How long it is, so far."""
        return self._turns * _TURN

    async def count(self) -> None:
        """Go on until cancelled."""
        while True:
            await asyncio.sleep(_TURN)
            self._turns += 1


@asynccontextmanager
async def paced() -> AsyncIterator[Pace]:
    """Measure the block. A loop that is not let run counts nothing: what is due in it is not late then."""
    pace = Pace()
    counting = asyncio.create_task(pace.count())
    try:
        yield pace
    finally:
        counting.cancel()
