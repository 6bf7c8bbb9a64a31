"""How many proofs of one key are taken in a minute: what remembers them stays bounded (RFC 9449 §11.1)."""

from datetime import datetime
from typing import Final

from remit.kernel.errors import RemitError

PROOFS_PER_MINUTE: Final = 120_000
"""Of one key, at one door of one node: far more than an honest agent makes, far less than memory holds."""
KEYS: Final = 65_536
"""Keys that are counted in one minute; each of those beyond has just begun."""


class TooManyProofs(RemitError):
    """One key makes proofs faster than they are taken; none of these was looked at further, or remembered."""

    code = "too_many_proofs"
    kind = "rate_limited"


class ProofPace:
    """Counts proofs that hold, by key and minute of the clock.

    SAFETY: only a proof with a good signature counts, so nobody uses up another's share. Around the turn of a
    minute twice the limit may pass. Threads that count at once may lose a count, never gain one.
    """

    def __init__(self, *, per_minute: int = PROOFS_PER_MINUTE, keys: int = KEYS) -> None:
        self._per_minute = per_minute
        self._keys = keys
        self._minute: tuple[int, dict[str, int]] = (0, {})

    def take(self, key: str, at: datetime) -> None:
        """Count one proof of a key; raises `TooManyProofs` beyond the limit."""
        minute = int(at.timestamp()) // 60
        if self._minute[0] != minute:
            self._minute = (minute, {})
        counts = self._minute[1]
        taken = counts.get(key, 0)
        if taken >= self._per_minute:
            raise TooManyProofs(f"more than {self._per_minute} proofs of one key in a minute")
        if taken or len(counts) < self._keys:
            counts[key] = taken + 1

    @property
    def counted(self) -> int:
        """Keys that are held in memory now."""
        return len(self._minute[1])
