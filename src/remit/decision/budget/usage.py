"""How much of each meter a call asks for, and how much its result says that it took (N27, R150).

Pure. Texts are read as their widest reader might: who writes `a@x, b@y` into a display name pays for both.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING
from typing import Final

from remit.authority.arguments import number_of, pointed_at
from remit.authority.limits import Dimension
from remit.identity.metering import MOST, Meter, MeterMapping
from remit.kernel.canonical import Json, JsonObject, canonical_json

_QUOTED: Final = re.compile(r'"[^"]*"|\([^()]*\)')
_BETWEEN: Final = re.compile(r"[,;\r\n\t]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """Where a call should say how much it takes and does not; `present` if something else stands there."""

    meter: Meter
    pointer: str
    present: bool


def asked_for(meter: MeterMapping, arguments: JsonObject) -> int | Unread:
    """What a call reserves, in units of the meter: all its arguments together, or the estimate.

    At least 1 where the result will tell, so that a used-up account refuses what it can't foresee.
    """
    total, found = 0, False
    for pointer in meter.arguments:
        present, value = pointed_at(arguments, pointer)
        # `null` is how many callers leave an argument out.
        if not present or value is None:
            continue
        amount = amount_in(value, meter)
        if amount is None:
            return Unread(meter=meter.meter, pointer=pointer, present=True)
        total, found = total + amount, True
    if not found and meter.estimate is None:
        return Unread(meter=meter.meter, pointer=meter.arguments[0], present=False)
    if total > MOST:
        return Unread(meter=meter.meter, pointer=meter.arguments[0], present=True)
    return max(total if found else meter.estimate or 0, 1 if meter.settles else 0)


def amount_in(value: Json, meter: MeterMapping) -> int | None:
    """One value in units of the meter; None for what is no amount: negative, not finite, above 2⁵³ - 1."""
    if isinstance(value, list):
        return _members(value, meter)
    if isinstance(value, str) and meter.meter is Meter.RECIPIENTS:
        return addresses_in(value)
    if isinstance(value, str) and meter.meter is Meter.BYTES:
        return len(value.encode("utf-8", "surrogatepass"))
    number = number_of(value)
    if number is None or not number.is_finite() or not 0 <= number <= MOST:
        return None
    whole = int((number * meter.times).to_integral_value(ROUND_CEILING))
    return whole if whole <= MOST else None


def addresses_in(text: str) -> int:
    """How many recipients a text names: its separated parts, or its `@`, whichever are more; none if blank.

    A comma inside quotes or a comment separates nothing, an `@` in there still counts.
    """
    plain = unicodedata.normalize("NFKC", text)
    parts = sum(1 for part in _BETWEEN.split(_QUOTED.sub("", plain)) if part.strip())
    return max(parts, plain.count("@"), 1 if plain.strip() else 0)


def told_by(meter: MeterMapping, structured: Json) -> int | None:
    """What a result says that the call took; None where it says nothing, or nonsense."""
    if not meter.result or not isinstance(structured, dict):
        return None
    present, value = pointed_at(structured, meter.result)
    if not present or isinstance(value, str):
        # A text of a server is no measurement, not even one of digits.
        return None
    return amount_in(value, meter)


def units(dimension: Dimension | Meter) -> str:
    """The dimension as sentences name it."""
    return _UNITS.get(dimension.value, dimension.value)


_UNITS: Final[Mapping[str, str]] = {
    "rate": "calls",
    "tokens": "tokens of models",
    "compute_ms": "milliseconds of computing",
}


def _members(values: list[Json], meter: MeterMapping) -> int:
    match meter.meter:
        case Meter.RECIPIENTS:
            return sum(_recipients(each) for each in values)
        case Meter.BYTES:
            return len(canonical_json(values))
        case _:
            return len(values)


def _recipients(member: Json) -> int:
    """A member of a list is at least one; a text, or an object that holds several addresses, is each."""
    if isinstance(member, str):
        return max(1, addresses_in(member))
    return max(1, unicodedata.normalize("NFKC", canonical_json(member).decode()).count("@"))
