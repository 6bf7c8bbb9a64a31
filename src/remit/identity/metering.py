"""Where a tool's call and its result say how much of something countable is used: rows, recipients, tokens, …

A call reserves what its arguments ask for, or a declared estimate; its result says what was really used.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from remit.kernel.errors import Invalid

MOST: Final = (1 << 53) - 1
"""The largest amount of anything that is counted."""
MOST_TIMES: Final = 1 << 30
MOST_POINTERS: Final = 16


class MalformedMeter(Invalid):
    """A meter that would reserve nothing, or says in two ways where the true number stands."""

    code = "malformed_meter"


class Meter(StrEnum):
    """What a call can use up besides calls and money."""

    ROWS = "rows"
    RECIPIENTS = "recipients"
    TOKENS = "tokens"
    """Of a model, in and out."""
    COMPUTE = "compute_ms"
    """Milliseconds of computing."""
    BYTES = "bytes"


_MEASURABLE: Final = frozenset({Meter.COMPUTE, Meter.BYTES})


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterMapping:
    """How one meter runs for a tool.

    `arguments` are JSON pointers (RFC 6901) that are added up: a number is itself, a list its members, for
    recipients each address in a text, for bytes the length of a text in UTF-8. `estimate` is reserved where
    none of them is there; without one such a call is refused. `times` is how many units one of the numbers
    stands for: 1000 where a tool says seconds.
    """

    meter: Meter
    arguments: tuple[str, ...] = ()
    estimate: int | None = None
    """In units of the meter; 0 says that a call which names none of them takes none."""
    times: int = 1
    result: str = ""
    """Pointer into the result's `structuredContent`: a number, or a list whose members are counted."""
    measured: bool = False
    """Whether the gateway measures: bytes of the answer, milliseconds from the decision to its end."""

    def __post_init__(self) -> None:
        if not self.arguments and not self.estimate:
            raise MalformedMeter(
                f"meter `{self.meter}` names no argument and no estimate: it reserves nothing"
            )
        if not 0 <= (self.estimate or 0) <= MOST or not 1 <= self.times <= MOST_TIMES:
            raise MalformedMeter(
                f"meter `{self.meter}`: `estimate` is at most {MOST}, `times` from 1 to {MOST_TIMES}"
            )
        if len(self.arguments) > MOST_POINTERS:
            raise MalformedMeter(
                f"meter `{self.meter}` adds up {len(self.arguments)} arguments, the limit is {MOST_POINTERS}"
            )
        if self.measured and (self.result or self.meter not in _MEASURABLE):
            raise MalformedMeter(
                f"meter `{self.meter}`: only bytes and compute_ms are measured, and then without `result`"
            )

    @property
    def settles(self) -> bool:
        """Whether the end of a call says what was used."""
        return self.measured or bool(self.result)
