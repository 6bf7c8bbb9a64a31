"""Ids of stores and models as OpenFGA's clients expect them: ULIDs, later ones sort after earlier ones."""

import re
from datetime import datetime
from typing import Final

from remit.kernel.ids import Entropy

_DIGITS: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LENGTH: Final = 26
_CHANCE: Final = 80
_ULID: Final = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")


def is_ulid(text: str) -> bool:
    """Whether it can be an id of ours at all."""
    return _ULID.fullmatch(text) is not None


def next_ulid(at: datetime, entropy: Entropy, *, after: str = "") -> str:
    """48 bits of milliseconds, then 80 random ones; one more than `after` where that is not earlier."""
    number = int(at.timestamp() * 1000) << _CHANCE | int.from_bytes(entropy(_CHANCE // 8), "big")
    if after and (floor := _number(after)) >= number:
        number = floor + 1
    return "".join(_DIGITS[number >> 5 * place & 31] for place in reversed(range(_LENGTH)))


def _number(text: str) -> int:
    number = 0
    for digit in text:
        number = number << 5 | _DIGITS.index(digit)
    return number
