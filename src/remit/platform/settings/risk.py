"""What an installation does about the risk of calls."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from remit.decision.answer.response import Mode
from remit.decision.policy.step_up import read_step_up
from remit.decision.risk.limits import LimitsInvalid, RiskRule, read_limits
from remit.decision.risk.weigh import Hours, Measure

_HOURS: Final = re.compile(r"(\S+) (\d\d):(\d\d)-(\d\d):(\d\d) ([a-z]{3})-([a-z]{3})")
_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY: Final = 24 * 60
_RULE: Final = RiskRule()


class RiskMode(StrEnum):
    """How far risk weighs."""

    OFF = "off"
    OBSERVE = "observe"
    WARN = "warn"
    ENFORCE = "enforce"


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskChoices:
    """From which risk on, of 100, a call is asked about or refused, by what it can do."""

    mode: RiskMode = RiskMode.ENFORCE
    """Whether risk weighs: `observe` and `warn` note what would have been; `off` assesses nothing."""
    reads: str = "ask=95"
    """Limits of calls that change nothing, as `step_up=60 ask=80 deny=95`; what is left out never happens."""
    changes: str = "ask=80"
    """Limits of calls whose changes can be undone; not laxer than those of `risk.reads`."""
    irreversible: str = "ask=80"
    """Limits of calls that can't be undone; not laxer than those of `risk.changes`."""
    approvers: str = "owner"
    """Who is asked where risk asks, as in `@approval`."""
    step_up: str = _RULE.step_up.acr
    """How the person must sign in again where risk wants that, as in `@stepup`."""
    hours: str = ""
    """When people work, as `Europe/Berlin 08:00-18:00 mon-fri`; calls at other times are riskier."""
    required_signals: tuple[str, ...] = ()
    """Kinds of signals that every agent must have; without one, its risk is 100."""
    intent_model: str = ""
    """Directory of a small language model by which goal and action are compared; empty: they are not."""

    def __post_init__(self) -> None:
        """Refuse what can't be read, and limits that would control more risk less."""
        self.rule()
        self.measure()

    def rule(self) -> RiskRule:
        """As the decision wing takes it."""
        step_up = read_step_up(self.step_up)
        if step_up is None:
            raise ValueError(
                f"setting `risk.step_up` is `{self.step_up}`, it is `<acr>` or `<acr> max_age=<s>`"
            )
        try:
            return RiskRule(
                mode=Mode.ENFORCE if self.mode is RiskMode.OFF else Mode(self.mode.value),
                reads=read_limits(self.reads),
                changes=read_limits(self.changes),
                irreversible=read_limits(self.irreversible),
                approvers=self.approvers,
                step_up=step_up,
            )
        except LimitsInvalid as wrong:
            raise ValueError(f"setting `risk`: {wrong}") from wrong

    def measure(self) -> Measure:
        """What is weighed beside what always is."""
        return Measure(hours=_hours(self.hours) if self.hours else None, required=self.required_signals)


def _hours(text: str) -> Hours:
    found = _HOURS.fullmatch(text)
    if found is None or not {found[6], found[7]} <= set(_DAYS):
        raise ValueError(f"setting `risk.hours` is `{text}`, it is like `Europe/Berlin 08:00-18:00 mon-fri`")
    try:
        ZoneInfo(found[1])
    except (ZoneInfoNotFoundError, ValueError) as unknown:
        raise ValueError(f"setting `risk.hours` names no known time zone: `{found[1]}`") from unknown
    start, end = int(found[2]) * 60 + int(found[3]), int(found[4]) * 60 + int(found[5])
    first, last = _DAYS.index(found[6]), _DAYS.index(found[7])
    if not start < end <= _DAY or first > last:
        raise ValueError(f"setting `risk.hours` is `{text}`, which ends before it begins")
    return Hours(zone=found[1], start=start, end=end, days=frozenset(range(first, last + 1)))
