"""Cedar's extension types read from text: `decimal`, `ip`, `datetime`, `duration`, to Cedar's letter.

What Cedar's own readers refuse is refused here; a property test holds the two equal.
"""

import re
from datetime import date
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from remit.decision.policy.values import EvaluationFailed, Fixed, Moment, Net, Span

LEAST_LONG: Final = -(1 << 63)
GREATEST_LONG: Final = (1 << 63) - 1
_DECIMAL: Final = re.compile(r"(-?)([0-9]+)\.([0-9]{1,4})")
_DURATION: Final = re.compile(r"(-?)(?:([0-9]+)d)?(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+)s)?(?:([0-9]+)ms)?")
_DATETIME: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{3}))?(?:Z|([+-])([0-9]{2})([0-9]{2})))?"
)
_PREFIX: Final = re.compile(r"0|[1-9][0-9]{0,2}")
SECOND: Final = 1_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
_UNITS: Final = (DAY, HOUR, MINUTE, SECOND, 1)
_YEAR_ZERO_DAYS: Final = 366
_V4: Final = 32
_V6: Final = 128
_LONGEST_DIGITS: Final = 25
"""More digits than a Long has: refused before Python multiplies them out."""


def bounded(number: int) -> int:
    """A whole number that Cedar can hold; raises `EvaluationFailed` beyond 64 bits."""
    if LEAST_LONG <= number <= GREATEST_LONG:
        return number
    raise EvaluationFailed("integer overflow")


def decimal(text: str) -> Fixed:
    """At most four places, at least one on each side of the point; raises `EvaluationFailed`."""
    found = _DECIMAL.fullmatch(text)
    if found is None:
        raise EvaluationFailed("not a decimal")
    sign, whole, places = found.groups()
    units = _number(whole) * 10_000 + int(places.ljust(4, "0"))
    return Fixed(bounded(-units if sign else units))


def duration(text: str) -> Span:
    """Days, hours, minutes, seconds, milliseconds, each once and in this order; raises `EvaluationFailed`."""
    found = _DURATION.fullmatch(text)
    if found is None or not any(found.groups()[1:]):
        raise EvaluationFailed("not a duration")
    sign, *counts = found.groups()
    millis = sum(_number(count) * unit for count, unit in zip(counts, _UNITS, strict=True) if count)
    return Span(bounded(-millis if sign else millis))


def datetime(text: str) -> Moment:
    """A day, or a day with a time and `Z` or an offset; raises `EvaluationFailed`."""
    found = _DATETIME.fullmatch(text)
    if found is None:
        raise EvaluationFailed("not a datetime")
    year, month, day, hour, minute, second, millis, sign, off_hour, off_minute = found.groups(default="0")
    at = _days(int(year), int(month), int(day)) * DAY + int(millis)
    at += _clock(int(hour), int(minute)) + _below(int(second), 60) * SECOND
    offset = _clock(int(off_hour), int(off_minute))
    return Moment(at + offset if sign == "-" else at - offset)


def ip(text: str) -> Net:
    """An address or a range, of version 4 or 6; raises `EvaluationFailed`."""
    address, slash, prefix = text.partition("/")
    bits, width = _address(address)
    if slash and not (_PREFIX.fullmatch(prefix) and int(prefix) <= width):
        raise EvaluationFailed("not a prefix")
    return Net(bits, int(prefix) if slash else width, width)


def _address(text: str) -> tuple[int, int]:
    # Cedar takes neither an IPv4 address inside an IPv6 one nor a zone, as Python would.
    if ":" in text and ("." in text or "%" in text):
        raise EvaluationFailed("not an address")
    try:
        return (int(IPv6Address(text)), _V6) if ":" in text else (int(IPv4Address(text)), _V4)
    except ValueError as broken:
        raise EvaluationFailed("not an address") from broken


def _number(digits: str) -> int:
    digits = digits.lstrip("0")
    if len(digits) > _LONGEST_DIGITS:
        raise EvaluationFailed("integer overflow")
    return int(digits or "0")


def _clock(hour: int, minute: int) -> int:
    return _below(hour, 24) * HOUR + _below(minute, 60) * MINUTE


def _below(number: int, limit: int) -> int:
    if number >= limit:
        raise EvaluationFailed("not a time")
    return number


def _days(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01; Cedar knows the year 0, which Python does not: it is as long as 2000 was."""
    try:
        if year == 0:
            shifted = date(2000, month, day) - date(2000, 1, 1)
            return shifted.days + date(1, 1, 1).toordinal() - _YEAR_ZERO_DAYS - _EPOCH
        return date(year, month, day).toordinal() - _EPOCH
    except ValueError as broken:
        raise EvaluationFailed("not a day") from broken


_EPOCH: Final = date(1970, 1, 1).toordinal()
