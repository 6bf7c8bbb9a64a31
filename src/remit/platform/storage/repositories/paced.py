"""How often a client polls, as two columns beside a body: the pause in seconds, and when it polled last."""

from datetime import timedelta
from typing import Final

from remit.authority.oauth.wire.polling import Pace
from remit.platform.storage.instants import micros, moment
from remit.platform.storage.sql import Scalar

_SECOND: Final = timedelta(seconds=1)


def paced(pause: Scalar, polled_at: Scalar) -> Pace:
    """Read both; 0 is never."""
    polled = int(str(polled_at))
    return Pace(interval=int(str(pause)) * _SECOND, polled_at=moment(polled) if polled else None)


def polled_column(pace: Pace) -> int:
    """When it polled last; 0 is never."""
    return 0 if pace.polled_at is None else micros(pace.polled_at)


def pause_column(pace: Pace) -> int:
    """How many seconds it is to wait."""
    return pace.interval // _SECOND
