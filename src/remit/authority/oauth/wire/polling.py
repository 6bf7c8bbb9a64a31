"""Polls of a client that waits for a person: in time, too soon, answered (RFC 8628 §3.5, CIBA Core §11)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from remit.kernel.canonical import Digest

INTERVAL: Final = timedelta(seconds=5)
"""How long a client waits between two polls (RFC 8628 §3.2, CIBA §7.3), until it is told to slow down."""
SLOWER: Final = timedelta(seconds=5)
"""By how much all later polls are slower after one that came too soon (RFC 8628 §3.5)."""
JITTER: Final = timedelta(seconds=1)
"""How much sooner a poll may come than it should: networks are no clocks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast one request may be polled, and when it last was."""

    interval: timedelta = INTERVAL
    polled_at: datetime | None = None


FRESH: Final = Pace()
"""Of what was never polled."""


class Paced(Protocol):
    """Requests that are polled, by the digests of their handles."""

    def pace(self, ident: Digest) -> Pace | None:
        """How one is polled; None if it is not there."""

    def poll(self, ident: Digest, polled: Pace, *, was: Pace) -> bool:
        """Store when it was polled; False if it was polled meanwhile. One conditional update."""


def too_soon(pace: Pace, at: datetime) -> bool:
    """Whether a poll comes before its time (RFC 8628 §3.5)."""
    return pace.polled_at is not None and at < pace.polled_at + pace.interval - JITTER


def count(requests: Paced, ident: Digest, *, at: datetime) -> bool | None:
    """Put one poll on record, in an open transaction: whether it was in time; None if nothing is polled.

    INVARIANT: of polls that come together only one is in time; the others are too soon (CB-09).
    """
    known = requests.pace(ident)
    if known is None:
        return None
    soon = too_soon(known, at)
    interval = known.interval + SLOWER if soon else known.interval
    counted = requests.poll(ident, Pace(interval=interval, polled_at=at), was=known)
    return counted and not soon
