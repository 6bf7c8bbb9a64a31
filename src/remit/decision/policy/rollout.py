"""A version that is tried on a part of the calls: who it is for, by a stable lot."""

from dataclasses import dataclass
from datetime import datetime

from remit.decision.policy.bundle import Bundle
from remit.kernel.canonical import sha256

_SHARES = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """A version that is tried on a part; the rest stay with the bundle of the snapshot."""

    bundle: Bundle
    percent: int
    agents: frozenset[str]
    until: datetime

    def takes(self, *, agent: str, lot: str, at: datetime) -> bool:
        """Whether it is for this agent or this lot at that moment: afterwards it is for nobody."""
        if at >= self.until:
            return False
        return agent in self.agents or self._share(lot) < self.percent * _SHARES // 100

    def _share(self, lot: str) -> int:
        # The version is in it, so that the same tasks are not always the first.
        return int(sha256(f"{self.bundle.version}:{lot}".encode())[:12], 16) % _SHARES
