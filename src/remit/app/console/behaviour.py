"""What an agent did, counted from its decisions: calls by hour, actions with their first and last time."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from remit.decision.trail.trace import StoredDecision
from remit.kernel.ids import PrincipalId
from remit.platform.storage.unit_of_work import SqlUnitOfWork

READ: Final = 5_000
"""Decisions that are looked through, the newest."""
_PAGE: Final = 500
_RECENT: Final = 4
"""An action is new if its first time lies in the last quarter of what was looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hour:
    """How calls were answered in one hour of UTC."""

    at: datetime
    effects: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Acted:
    """One action of an agent, as far as it was looked back.

    `new`: it was done for the first time in the last quarter of the agent's time that was looked at.
    """

    action: str
    calls: int
    permitted: int
    resources: int
    """Different ones."""
    first: datetime
    last: datetime
    new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """What was found; `more` says that older decisions of the window were not looked at."""

    since: datetime
    decisions: int
    more: bool
    hours: tuple[Hour, ...]
    actions: tuple[Acted, ...]


class BehaviourReader:
    """Counts; nothing is estimated."""

    def __init__(self, work: SqlUnitOfWork) -> None:
        self._work = work

    async def of(self, agent: PrincipalId, *, at: datetime, window: timedelta) -> Behaviour:
        """The newest decisions of a window, at most `READ`."""
        since, found, after = at - window, list[StoredDecision](), ""
        while len(found) < READ:
            place = after
            page = await self._work.read(
                lambda tx, place=place: list(  # type: ignore[misc]  # mypy sees no type for a default of a lambda
                    tx.decisions.page(agent=agent, since=since, after=place, limit=_PAGE)
                )
            )
            found += page
            if len(page) < _PAGE:
                return behaviour_of(found, since=since, more=False)
            after = page[-1].id
        return behaviour_of(found, since=since, more=True)


def behaviour_of(found: list[StoredDecision], *, since: datetime, more: bool) -> Behaviour:
    """Count decisions, newest first."""
    hours: dict[datetime, Counter[str]] = {}
    actions: dict[str, list[StoredDecision]] = {}
    for each in found:
        told = each.explanation
        hour = told.at.replace(minute=0, second=0, microsecond=0)
        hours.setdefault(hour, Counter())[told.verdict.effect] += 1
        actions.setdefault(told.action, []).append(each)
    fresh = _fresh_since(found)
    return Behaviour(
        since=since,
        decisions=len(found),
        more=more,
        hours=tuple(Hour(at=at, effects=dict(counted)) for at, counted in sorted(hours.items())),
        actions=tuple(
            sorted(
                (_acted(action, calls, fresh) for action, calls in actions.items()),
                key=lambda acted: (-acted.calls, acted.action),
            )
        ),
    )


def _fresh_since(found: list[StoredDecision]) -> datetime | None:
    if not found:
        return None
    oldest, newest = found[-1].explanation.at, found[0].explanation.at
    return newest - (newest - oldest) / _RECENT


def _acted(action: str, calls: Iterable[StoredDecision], fresh: datetime | None) -> Acted:
    told = [each.explanation for each in calls]
    first, last = told[-1].at, told[0].at
    return Acted(
        action=action,
        calls=len(told),
        permitted=sum(each.verdict.effect == "permit" for each in told),
        resources=len({each.resource for each in told}),
        first=first,
        last=last,
        new=fresh is not None and first > fresh,
    )
