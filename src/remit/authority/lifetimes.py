"""How long what we issue lives, and how much of it there may be: typed, with hard ceilings."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from remit.authority.rights import MAX_DEPTH
from remit.kernel.errors import Invalid

CAPABILITY_CEILING: Final = timedelta(seconds=90)
"""R40: a capability never lives longer, whatever the settings say."""
ACCESS_TOKEN_CEILING: Final = timedelta(minutes=10)
TASK_CEILING: Final = timedelta(days=30)
LIVE_CAPABILITIES_CEILING: Final = 64
ENVELOPE_PART_CEILING: Final = 16 << 10
"""Bytes of one part (root or hop) of an envelope."""
CLOCK_SKEW: Final = timedelta(seconds=30)
"""How far another party's clock may run ahead of ours before its `iat` is refused."""


class LifetimeTooLong(Invalid):
    """A configured lifetime or limit is over its hard ceiling, or not positive."""

    code = "lifetime_too_long"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetimes:
    """What an installation may choose; each value lies above zero and at most at its ceiling."""

    capability: timedelta = timedelta(seconds=90)
    access_token: timedelta = timedelta(seconds=300)
    task: timedelta = timedelta(hours=8)
    """The longest that a task may run."""
    live_capabilities: int = LIVE_CAPABILITIES_CEILING
    """Capabilities of one task that are minted and not yet consumed."""
    hops: int = MAX_DEPTH

    def __post_init__(self) -> None:
        _bound("capability", self.capability, CAPABILITY_CEILING)
        _bound("access_token", self.access_token, ACCESS_TOKEN_CEILING)
        _bound("task", self.task, TASK_CEILING)
        _limit("live_capabilities", self.live_capabilities, LIVE_CAPABILITIES_CEILING)
        _limit("hops", self.hops, MAX_DEPTH)


def _bound(name: str, value: timedelta, ceiling: timedelta) -> None:
    if not timedelta(0) < value <= ceiling:
        raise LifetimeTooLong(f"`{name}` is `{value}`, it lies above 0 and at most at {ceiling}")


def _limit(name: str, value: int, ceiling: int) -> None:
    if not 0 < value <= ceiling:
        raise LifetimeTooLong(f"`{name}` is `{value}`, it lies between 1 and {ceiling}")
