"""Amounts between the decimal text of an argument and the minor units of a budget (ISO 4217)."""

from decimal import Decimal
from typing import Final

from remit.authority.arguments import number_of
from remit.kernel.canonical import Json

_MOST: Final = (1 << 53) - 1
_USUAL: Final = 2
_DIGITS: Final = {
    **dict.fromkeys(
        (
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ),
        0,
    ),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
}


def minor_units(amount: Json, currency: str) -> int | None:
    """Read an amount exactly; None if it is no number, negative, too large or finer than the currency."""
    number = number_of(amount)
    if number is None or number < 0:
        return None
    scaled = number.scaleb(_DIGITS.get(currency, _USUAL))
    if scaled != scaled.to_integral_value() or scaled > _MOST:
        return None
    return int(scaled)


def amount_text(minor: int, currency: str) -> str:
    """Spell minor units the way an argument would: `48000` EUR is `480.00`."""
    digits = _DIGITS.get(currency, _USUAL)
    return f"{Decimal(minor).scaleb(-digits):.{digits}f}"
