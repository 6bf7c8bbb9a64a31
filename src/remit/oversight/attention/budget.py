"""What one person may be asked: so many cards an hour and a day, and nothing in their quiet hours (N19)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from remit.decision.policy.zones import is_zone, zone
from remit.kernel.ids import PrincipalId
from remit.oversight.errors import NoSuchAttention

DEFAULT: Final = "default"
"""The name of the budget that holds for everybody who has none of their own."""
MOST: Final = 1_000
"""The most cards a day that a budget may allow: nobody reads more."""
_CLOCK: Final = re.compile(r"([01]\d|2[0-3]):[0-5]\d")
_HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """One card that was put to a person."""

    agent: PrincipalId
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ApproverBudget:
    """How much of one person's attention may be taken; the same limits bind every agent.

    `per_agent_per_day` keeps one agent from taking the whole day. From `quiet_from` to `quiet_to` (`HH:MM` in
    `zone`, over midnight if the end is the earlier) the person is not asked; equal or empty is never.
    """

    name: str = DEFAULT
    per_hour: int = 20
    per_day: int = 60
    per_agent_per_day: int = 40
    quiet_from: str = ""
    quiet_to: str = ""
    zone: str = "UTC"

    def __post_init__(self) -> None:
        """Refuse what could not be kept."""
        for name in ("per_hour", "per_day", "per_agent_per_day"):
            if not 0 <= getattr(self, name) <= MOST:
                raise NoSuchAttention(f"`{name}` is `{getattr(self, name)}`, it lies between 0 and {MOST}")
        for said in (self.quiet_from, self.quiet_to):
            if said and not _CLOCK.fullmatch(said):
                raise NoSuchAttention(f"`{said}` is no time of day", next_step="--quiet 22:00-07:00")
        if bool(self.quiet_from) != bool(self.quiet_to):
            raise NoSuchAttention("quiet hours have a beginning and an end", next_step="--quiet 22:00-07:00")
        if not is_zone(self.zone):
            raise NoSuchAttention(f"`{self.zone}` is no time zone", next_step="--zone Europe/Berlin")

    def is_quiet(self, at: datetime) -> bool:
        """Whether the person is not to be asked at this moment."""
        if self.quiet_from == self.quiet_to:
            return False
        now = at.astimezone(zone(self.zone)).strftime("%H:%M")
        if self.quiet_from < self.quiet_to:
            return self.quiet_from <= now < self.quiet_to
        return now >= self.quiet_from or now < self.quiet_to

    def spent(self, taken: Sequence[Taken], *, agent: PrincipalId, at: datetime) -> str:
        """Why there is no room for one card more; empty if there is. `taken` are those of the last day."""
        day = [each for each in taken if each.at > at - DAY]
        hour = [each for each in day if each.at > at - _HOUR]
        of_agent = [each for each in day if each.agent == agent]
        if self.is_quiet(at):
            return f"quiet hours until {self.quiet_to} {self.zone}"
        if len(hour) >= self.per_hour:
            return f"{len(hour)} cards within an hour, the limit is {self.per_hour}"
        if len(day) >= self.per_day:
            return f"{len(day)} cards within a day, the limit is {self.per_day}"
        if len(of_agent) >= self.per_agent_per_day:
            return f"{len(of_agent)} cards of this agent within a day, the limit is {self.per_agent_per_day}"
        return ""
