"""Cedar's values as pairs of a type and what Python holds, and its extension types read from text."""

import ipaddress
import re
from typing import Any

Value = tuple[str, Any]
DAY = 86_400_000


class Wrong(Exception):
    """An expression has no value."""


def want(kind: str, value: Value) -> Any:
    if value[0] != kind:
        raise Wrong
    return value[1]


def boolean(value: Value) -> bool:
    return bool(want("bool", value))


def long(number: int) -> Value:
    return bounded("long", number)


def bounded(kind: str, number: int) -> Value:
    if not -(1 << 63) <= number < 1 << 63:
        raise Wrong
    return (kind, number)


def read(name: str, text: str) -> Value:
    """The text of an extension value; what is not of its form has no value."""
    match name:
        case "decimal":
            found = re.fullmatch(r"(-?)([0-9]+)\.([0-9]{1,4})", text)
            units = int(grasp(found)[2] + grasp(found)[3].ljust(4, "0"))
            return bounded("decimal", -units if grasp(found)[1] else units)
        case "duration":
            found = re.fullmatch(
                r"(-?)(?=[0-9])(?:([0-9]+)d)?(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+)s)?(?:([0-9]+)ms)?", text
            )
            sign, *counts = grasp(found).groups(default="0")
            total = sum(
                int(count) * unit
                for count, unit in zip(counts, (DAY, 3_600_000, 60_000, 1_000, 1), strict=True)
            )
            return bounded("duration", -total if sign == "-" else total)
        case "datetime":
            return ("datetime", moment(text))
        case _:
            if not re.fullmatch(r"[0-9a-fA-F:]+(/(0|[1-9][0-9]{0,2}))?|[0-9.]+(/(0|[1-9][0-9]?))?", text):
                raise Wrong
            try:
                return ("ip", ipaddress.ip_interface(text))
            except ValueError as broken:
                raise Wrong from broken


def moment(text: str) -> int:
    found = re.fullmatch(
        r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
        r"(?:T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{3}))?(?:Z|([+-])([0-9]{2})([0-9]{2})))?",
        text,
    )
    parts = grasp(found).groups(default="0")
    year, month, day, hour, minute, second, millis = map(int, parts[:7])
    sign, (over_h, over_m) = parts[7], map(int, parts[8:])
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    months = [31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    if not (1 <= month <= 12 and 1 <= day <= months[month - 1]):
        raise Wrong
    if hour > 23 or minute > 59 or second > 59 or over_h > 23 or over_m > 59:
        raise Wrong
    # Days before a year of the proleptic calendar, counted from the year 0, which has 366.
    before = 365 * year + (year + 3) // 4 - (year + 99) // 100 + (year + 399) // 400
    days = before + sum(months[: month - 1]) + day - 1 - 719_528
    clock = ((hour * 60 + minute) * 60 + second) * 1_000 + millis
    over = (over_h * 60 + over_m) * 60_000
    return days * DAY + clock + (over if sign == "-" else -over)


def grasp(found: "re.Match[str] | None") -> "re.Match[str]":
    if found is None:
        raise Wrong
    return found
