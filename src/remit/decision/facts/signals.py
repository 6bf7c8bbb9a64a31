"""What others say about the risk of somebody: measurements and alarms, each with an end.

Here a detector, a device manager or a person plugs in; Remit measures nothing of the kind itself.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from remit.decision.answer.assessment import WORST, Contribution, Part, level
from remit.kernel.errors import Invalid
from remit.kernel.ids import PrincipalId, TenantId

SIGNALS_LIMIT: Final = 32
"""Kinds of signals that one subject may have at one time."""
_WORD: Final = re.compile(r"[a-z][a-z0-9_.-]{0,63}")


class SignalInvalid(Invalid):
    """A signal that says nothing that can be used."""

    code = "signal_invalid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """One kind of risk of one subject as its source says it, on 0 (none) to 100 (certain harm).

    At `expires_at` (exclusive) an alarm (`lapses`) is over; a measurement is not known any more, and what is
    not known is the worst, until its source measures again or it is cleared.
    """

    tenant: TenantId
    subject: PrincipalId
    """An agent, instance, person, blueprint or workload."""
    kind: str
    level: float | None
    """None: its source has no number for it, which is not known, and so the worst."""
    source: str
    at: datetime
    expires_at: datetime | None = None
    lapses: bool = False


def checked(signal: Signal) -> Signal:
    """A signal as it may be stored; raises `SignalInvalid`."""
    if not _WORD.fullmatch(signal.kind):
        raise SignalInvalid(f"`{signal.kind[:80]}` is no kind of signal; it is like `device.compromised`")
    # NaN is in no range.
    if signal.level is None or not 0 <= signal.level <= WORST:
        raise SignalInvalid(f"level `{signal.level}` does not lie between 0 and {WORST}")
    if signal.expires_at is not None and signal.expires_at <= signal.at:
        raise SignalInvalid("the signal ends before it begins")
    if signal.lapses and signal.expires_at is None:
        raise SignalInvalid("a signal that lapses needs an end")
    return signal


def weighed(signals: Iterable[Signal], at: datetime) -> Iterator[Contribution]:
    """What the signals of one subject contribute now: each kind by itself."""
    for signal in signals:
        over = signal.expires_at is not None and at >= signal.expires_at
        if over and signal.lapses:
            continue
        points = WORST if over else level(signal.level, WORST)
        stale = ", not renewed in time" if over else ""
        yield Contribution(
            part=Part.SIGNAL, points=points, because=f"{signal.kind} of {signal.subject}{stale}"
        )


def missing(required: Iterable[str], signals: Iterable[Signal]) -> Iterator[Contribution]:
    """What is demanded of every agent and not there at all: the worst."""
    there = {signal.kind for signal in signals}
    for kind in required:
        if kind not in there:
            yield Contribution(part=Part.SIGNAL, points=WORST, because=f"{kind} was never measured")


class SignalStore(Protocol):
    """The signals of one tenant."""

    def put(self, signal: Signal) -> None:
        """Store a signal in place of the one of the same kind and subject."""

    def get(self, subject: PrincipalId, kind: str) -> Signal | None:
        """One signal."""

    def of(self, subject: PrincipalId) -> Sequence[Signal]:
        """All of a subject, by kind."""

    def page(self, *, after: tuple[str, str], limit: int) -> Sequence[Signal]:
        """All of the tenant by subject and kind, after one of them."""

    def remove(self, subject: PrincipalId, kind: str) -> bool:
        """Take one away; False if there was none."""
