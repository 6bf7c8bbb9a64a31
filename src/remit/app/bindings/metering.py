"""What the end of a call tells that it used, and what of that goes on record (N27, R150)."""

from collections.abc import Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import msgspec

from remit.authority.limits import Dimension
from remit.decision.budget.usage import Unread, asked_for, told_by
from remit.decision.making.spending import Used
from remit.enforcement.pep.decider import CallOutcome, CallState
from remit.identity.metering import Meter, MeterMapping
from remit.kernel.canonical import Json

Told: TypeAlias = tuple[Used, tuple[tuple[str, str], ...]]
"""What was used, and the lines of the record that say so."""
_NOTHING: Final[Told] = (MappingProxyType({}), ())
_MILLISECONDS: Final = 1000


class _Result(msgspec.Struct):
    structured: Any = msgspec.field(name="structuredContent", default=None)


class _Reply(msgspec.Struct):
    result: _Result | None = None


_REPLY: Final = msgspec.json.Decoder(_Reply)


def used_by(outcome: CallOutcome) -> Told:
    """What an ended call tells of each meter that its tool settles; nothing of one that nobody saw end.

    What a result does not tell, or tells as nonsense, stays as it was reserved, and the record says so.
    """
    meters = _settled(outcome)
    if not meters:
        return _NOTHING
    structured = _structured(outcome.result)
    used: dict[Dimension, int] = {}
    said = []
    for meter in meters:
        took = _measured(meter, outcome) if meter.measured else told_by(meter, structured)
        reserved = asked_for(meter, outcome.call.arguments)
        if took is not None:
            used[Dimension(meter.meter.value)] = took
        if not isinstance(reserved, Unread):
            said.append((f"used {meter.meter}", sentence(reserved, took)))
    return used, tuple(said)


def sentence(reserved: int, took: int | None) -> str:
    """How a reservation ended, for the record: `12 of 100 reserved`."""
    return f"untold, {reserved} reserved" if took is None else f"{took} of {reserved} reserved"


def _settled(outcome: CallOutcome) -> Sequence[MeterMapping]:
    tool = outcome.call.tool
    if tool is None or tool.mapping is None or not outcome.sent or outcome.state is CallState.UNKNOWN:
        return ()
    return [meter for meter in tool.mapping.meters if meter.settles]


def _structured(result: bytes) -> Json:
    """The structured content of an answer; None where there is none that can be read."""
    try:
        reply = _REPLY.decode(result)
    except (msgspec.DecodeError, RecursionError):
        return None
    return reply.result.structured if reply.result else None


def _measured(meter: MeterMapping, outcome: CallOutcome) -> int:
    if meter.meter is Meter.BYTES:
        return len(outcome.result)
    return milliseconds(outcome.call.at, outcome.at)


def milliseconds(start: datetime, end: datetime) -> int:
    """How long something took, rounded up, at least 1: a clock that was set back makes nothing free."""
    passed = (end - start).total_seconds() * _MILLISECONDS
    return max(1, int(passed) + (passed % 1 > 0))
