"""Limits of a budget: of what, in which span of time, how much at most, and above what a person is asked."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

from remit.kernel.errors import Invalid

LIMITS: Final = 32
"""The most limits that one ceiling may name."""
MOST: Final = (1 << 53) - 1


class MalformedCeiling(Invalid):
    """A bound that can't be compared: negative, not finite, too large, or without a lawful name."""

    code = "malformed_ceiling"


class Dimension(StrEnum):
    """What is counted."""

    CALLS = "calls"
    RATE = "rate"
    """Calls in a clock minute."""
    MONEY = "money"
    ROWS = "rows"
    RECIPIENTS = "recipients"
    TOKENS = "tokens"
    COMPUTE = "compute_ms"
    BYTES = "bytes"


class Per(StrEnum):
    """In which span of time; those of the clock are in UTC."""

    WHOLE = "whole"
    """As `calls` and `money`: a UTC day for a consent, an agent and a blueprint; else the whole life."""
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"


Key: TypeAlias = tuple[Dimension, Per, str]
"""What makes two limits the same one: dimension, span, currency."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One limit: `most` is never passed; where `ask_above` would be, a person is asked for each call.

    Amounts are whole units of the dimension: calls, minor units of the currency, rows, recipients, tokens,
    milliseconds, bytes. Beside `calls`, `per_minute` and `money` of the same caps, the smaller `most` holds.
    """

    of: Dimension
    per: Per = Per.WHOLE
    currency: str = ""
    most: int | None = None
    ask_above: int | None = None

    def __post_init__(self) -> None:
        for name, value in (("most", self.most), ("ask_above", self.ask_above)):
            if value is not None and (isinstance(value, bool) or not 0 <= value <= MOST):
                raise MalformedCeiling(f"`{name}` is `{value}`, it lies between 0 and {MOST}")
        if self.of is Dimension.RATE:
            raise MalformedCeiling("`rate` is no dimension of a limit: name `calls` with `per` `minute`")
        if bool(self.currency) != (self.of is Dimension.MONEY):
            raise MalformedCeiling("a limit of money names its currency, and no other does")
        if self.most is None and self.ask_above is None:
            raise MalformedCeiling(f"limit of `{self.of}` has neither `most` nor `ask_above`")

    @property
    def key(self) -> Key:
        """What it is a limit of."""
        return self.of, self.per, self.currency


def meet_limits(*limits: Limit) -> tuple[Limit, ...]:
    """The smaller of each bound; what one alone limits stays limited. Sorted: one spelling."""
    met: dict[Key, Limit] = {}
    for limit in limits:
        known = met.get(limit.key, limit)
        met[limit.key] = Limit(
            of=limit.of,
            per=limit.per,
            currency=limit.currency,
            most=_least(known.most, limit.most),
            ask_above=_least(known.ask_above, limit.ask_above),
        )
    return tuple(met[key] for key in sorted(met))


def check_limits(limits: Iterable[Limit]) -> None:
    """Raise `MalformedCeiling` where there are too many, or two of the same."""
    keys = [limit.key for limit in limits]
    if len(keys) > LIMITS:
        raise MalformedCeiling(f"a ceiling has {len(keys)} limits, the limit is {LIMITS}")
    if len(set(keys)) != len(keys):
        raise MalformedCeiling("caps limit one thing twice")


def _least(*bounds: int | None) -> int | None:
    return min((bound for bound in bounds if bound is not None), default=None)
