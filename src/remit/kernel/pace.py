"""When to come back: spread, so that callers who were turned away together do not return together."""

import random
from typing import Final

LEAST: Final = 5
"""Seconds before which nobody is asked to come back."""
SPREAD: Final = 10
"""Seconds over which those who were turned away at one moment are spread."""

CHANCE: Final = random.SystemRandom()


def retry_after(chance: random.Random = CHANCE) -> str:
    """Value of a `Retry-After` header in seconds (RFC 9110 §10.2.3)."""
    return str(LEAST + chance.randrange(SPREAD + 1))
