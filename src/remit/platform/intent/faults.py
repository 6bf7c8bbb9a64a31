"""Why no likeness can be told."""

from collections.abc import Sequence
from dataclasses import dataclass

from remit.decision.risk.intent import Direction, NotCompared
from remit.kernel.errors import Invalid


class ModelInvalid(Invalid):
    """A directory that holds no model that can be run here."""

    code = "intent_model_invalid"


@dataclass(frozen=True, slots=True)
class Broken:
    """A model that was wanted and can't be used: every call weighs as if it were far from its goal."""

    why: str

    async def directions(self, texts: Sequence[str]) -> Sequence[Direction]:
        """Raises `NotCompared`."""
        raise NotCompared(f"{len(texts)} not compared: {self.why}")
