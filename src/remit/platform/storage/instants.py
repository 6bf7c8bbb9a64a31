"""Instants as columns: microseconds since 1970, UTC, so that both engines compare them alike."""

from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def micros(at: datetime) -> int:
    """Write an instant as a column holds it."""
    return (at - _EPOCH) // _MICROSECOND


def moment(column: int) -> datetime:
    """Read an instant from a column."""
    return _EPOCH + column * _MICROSECOND
