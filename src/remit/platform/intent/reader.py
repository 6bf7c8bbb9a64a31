"""A model that is asked from the loop: one thread computes, nobody waits for it longer than a time."""

import asyncio
from array import array
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

import structlog

from remit.decision.risk.intent import Direction, NotCompared
from remit.platform.intent.encoder import Encoder

PATIENCE: Final = 2.0
"""Seconds that a call waits for a direction; one takes some 30 to 120 ms, once for each goal and action."""
WAITING: Final = 32
"""Directions that may be wanted at one time; one more is not compared."""
_log = structlog.stdlib.get_logger("remit.intent")


@dataclass(slots=True)
class Reader:
    """`Encoder` of the decision wing. OWNED BY: the event loop; the model, by its one thread."""

    model: Encoder
    patience: float = PATIENCE
    _threads: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(max_workers=1, thread_name_prefix="intent")
    )
    _wanted: int = 0

    async def directions(self, texts: Sequence[str]) -> Sequence[Direction]:
        """One for each text; raises `NotCompared` where the model is busy, slow or broken."""
        if self._wanted >= WAITING:
            raise NotCompared(f"the model has {WAITING} others to compare")
        self._wanted += 1
        asked = asyncio.get_running_loop().run_in_executor(self._threads, self._computed, tuple(texts))
        asked.add_done_callback(self._answered)
        try:
            async with asyncio.timeout(self.patience):
                return await asyncio.shield(asked)
        except TimeoutError:
            raise NotCompared(f"the model took longer than {self.patience:g} s") from None
        # A model was tried when it was loaded; memory may run out all the same.
        except (ArithmeticError, LookupError, MemoryError, ValueError) as broken:
            _log.exception("intent.failed")
            raise NotCompared(f"the model failed with {type(broken).__name__}") from broken

    def _computed(self, texts: Sequence[str]) -> Sequence[Direction]:
        return [array("f", row.tobytes()) for row in self.model.directions(texts)]

    def _answered(self, asked: "asyncio.Future[Sequence[Direction]]") -> None:
        self._wanted -= 1
        if not asked.cancelled():
            # Whoever asked may have left: what went wrong then is told nobody, and is no error of the loop.
            asked.exception()
