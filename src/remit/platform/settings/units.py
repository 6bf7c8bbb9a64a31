"""Values with their unit: `90s`, `4MiB`. A bare number has no meaning here and is refused."""

import re
from datetime import timedelta
from typing import Final, NewType

from remit.kernel.errors import Invalid

Bytes = NewType("Bytes", int)
"""A count of bytes, written `512B`, `32KiB`, `4MiB`, `1GiB`."""

_SECONDS: Final = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_FACTORS: Final = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_QUANTITY: Final = re.compile(r"([0-9]{1,9})([A-Za-z]{1,3})", re.ASCII)


class BadUnit(Invalid):
    """A value without a unit, or with one that is not known."""

    code = "bad_unit"


def parse_duration(text: str) -> timedelta:
    """Read `500ms`, `90s`, `15m`, `8h` or `30d`."""
    count, unit = _split(text, _SECONDS, sample="90s")
    return timedelta(seconds=count * _SECONDS[unit])


def parse_bytes(text: str) -> Bytes:
    """Read `512B`, `32KiB`, `4MiB` or `1GiB`."""
    count, unit = _split(text, _FACTORS, sample="4MiB")
    return Bytes(count * _FACTORS[unit])


def format_duration(span: timedelta) -> str:
    """Write with the largest unit that divides it: the inverse of `parse_duration`."""
    milliseconds = round(span.total_seconds() * 1000)
    for unit, seconds in sorted(_SECONDS.items(), key=lambda entry: -entry[1]):
        if milliseconds and milliseconds % round(seconds * 1000) == 0:
            return f"{milliseconds // round(seconds * 1000)}{unit}"
    return f"{milliseconds}ms"


def format_bytes(count: int) -> str:
    """Write with the largest unit that divides it: the inverse of `parse_bytes`."""
    for unit, factor in sorted(_FACTORS.items(), key=lambda entry: -entry[1]):
        if count and count % factor == 0:
            return f"{count // factor}{unit}"
    return f"{count}B"


def _split(text: str, units: dict[str, float] | dict[str, int], *, sample: str) -> tuple[int, str]:
    found = _QUANTITY.fullmatch(text)
    if found is None or found[2] not in units:
        known = ", ".join(units)
        raise BadUnit(f"`{text}` is no number with a unit ({known}); write it like `{sample}`")
    return int(found[1]), found[2]
