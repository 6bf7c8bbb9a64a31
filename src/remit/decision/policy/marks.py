"""Marks: what a permitted call leaves behind, about whom, of which value, and for how long."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, TypeAlias

_TEXT: Final = re.compile(
    r"(?P<name>[a-z][a-z0-9_]{0,63})"
    r" by=(?P<by>[a-z]+(,[a-z]+)*)"
    r"( for=(?P<number>[1-9][0-9]{0,5})(?P<unit>[smhd]))?"
    r"( of=(?P<of>resource|(/[^\s/]{1,128}){1,8}))?"
)
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_LONGEST: Final = timedelta(days=3660)
_EPOCH: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_TICK: Final = timedelta(microseconds=1)
BUCKETS: Final = 64
"""Into how many parts a window is cut: what is kept of a mark is bounded, however often it is left."""
RESOURCE: Final = "resource"
GRAMMAR: Final = (
    "`<name> by=<user|agent|task|chain|department|resource,…> [for=<number><s|m|h|d>]"
    " [of=<resource|/argument>]`"
)


class Whose(StrEnum):
    """About whom something is remembered."""

    USER = "user"
    """The person behind the call: who began the task, or who answers for an agent that acts by itself."""
    AGENT = "agent"
    TASK = "task"
    """One run with all its delegations, over sessions."""
    CHAIN = "chain"
    """Every agent of the chain, also in their later tasks."""
    DEPARTMENT = "department"
    """The segments of the person, or of the agent where nobody is behind it."""
    RESOURCE = "resource"
    """What was touched: the mark stays on the data, whoever comes next."""


Reading: TypeAlias = tuple[str, Whose]
"""A mark and about whom, as a rule names them: `context.past.<mark>.<whose>`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One thing that is remembered; it is known by its name over all versions of a policy."""

    name: str
    whose: frozenset[Whose]
    lasts: timedelta | None
    """None: for ever."""
    of: str
    """`resource`, the pointer of an argument, or empty where no value is kept."""

    @property
    def width(self) -> int:
        """Microseconds of one part of the window; 0 where there is no window."""
        return 0 if self.lasts is None else max(1, (self.lasts // _TICK) // BUCKETS)

    def bucket(self, at: datetime) -> int:
        """In which part of time a moment lies."""
        return (at - _EPOCH) // _TICK // self.width if self.width else 0

    def since(self, at: datetime) -> datetime:
        """What was left before this moment is forgotten."""
        return _EPOCH if self.lasts is None else at - self.lasts


def read_mark(text: str) -> Mark | None:
    """Read the value of `@remember`; None if it is none."""
    found = _TEXT.fullmatch(text)
    if found is None:
        return None
    names = found["by"].split(",")
    if not set(names) <= set(Whose) or len(set(names)) != len(names):
        return None
    lasts = timedelta(seconds=int(found["number"]) * _UNITS[found["unit"]]) if found["number"] else None
    if lasts is not None and lasts > _LONGEST:
        return None
    return Mark(
        name=found["name"],
        whose=frozenset(Whose(name) for name in names),
        lasts=lasts,
        of=found["of"] or "",
    )
