"""Local time for policies: the zone comes from the policy alone, the moment is one UTC instant (R53).

From UTC to local time there is exactly one answer, also in the hour that a clock change skips or repeats.
"""

from datetime import UTC, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from remit.kernel.canonical import JsonObject

LOCAL_TYPE: JsonObject = {
    "type": "Record",
    "attributes": {
        "date": {"type": "String"},
        "minute": {"type": "Long"},
        "weekday": {"type": "Long"},
    },
}
"""`date` as 2026-03-29; `minute` of the local day as the clock on the wall shows it, 0 to 1439; `weekday`
from 1 (Monday) to 7 (ISO 8601)."""


@lru_cache(maxsize=64)
def zone(name: str) -> ZoneInfo:
    """A zone by its IANA name; raises `KeyError` for an unknown one."""
    return ZoneInfo(name)


def is_zone(name: str) -> bool:
    """Whether the name is one of the IANA time zone database."""
    try:
        zone(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def local_time(name: str, at: datetime) -> JsonObject:
    """What the clock on the wall shows in a zone."""
    there = at.astimezone(zone(name))
    return {
        "date": there.date().isoformat(),
        "minute": there.hour * 60 + there.minute,
        "weekday": there.isoweekday(),
    }


def instant(at: datetime) -> JsonObject:
    """A moment as Cedar's `datetime`, whole milliseconds, rounded down."""
    text = at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"__extn": {"fn": "datetime", "arg": text}}
