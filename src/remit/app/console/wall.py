"""What hangs on the wall of a control room: one look, no click, every number measured just now."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from remit.decision.answer.response import Effect
from remit.identity.lifecycle import State
from remit.identity.principals import Kind
from remit.kernel.ids import PrincipalId
from remit.oversight.containment.kill import Kill
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork

WINDOW: Final = timedelta(minutes=15)
"""How far back decisions are counted."""
COUNTED: Final = 20_000
"""Decisions that are counted, the newest; of more it is said that the oldest minutes are cut off."""
KILLS: Final = 5
LOUDEST: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Minute:
    """Decisions of one minute and one effect."""

    at: datetime
    effect: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """An agent that is denied most."""

    agent: str
    name: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """Something that a person has to look at; `code` says what it is, `count` how many of it there are."""

    code: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Wall:
    """All of it, at one moment."""

    at: datetime
    minutes: tuple[Minute, ...]
    cut_off: bool
    asks: int
    next_expiry: datetime | None
    """When the first of the asks that wait will be over."""
    kills: tuple[Kill, ...]
    refused: tuple[Refused, ...]
    alarms: tuple[Alarm, ...]
    active_agents: int
    records: int
    """In the log, all shards."""


class WallReader:
    """Reads it in one transaction."""

    def __init__(self, work: SqlUnitOfWork) -> None:
        self._work = work

    async def now(self, at: datetime) -> Wall:
        """The state of the tenant as of now."""
        return await self._work.read(lambda tx: _wall(tx, at))


def _wall(tx: SqlTransaction, at: datetime) -> Wall:
    minutes = tx.activity.minutes(since=at - WINDOW, limit=COUNTED)
    return Wall(
        at=at,
        minutes=tuple(Minute(at=when, effect=effect, count=count) for when, effect, count in minutes),
        cut_off=sum(count for _, _, count in minutes) >= COUNTED,
        asks=tx.approvals.count_pending(),
        next_expiry=tx.activity.next_expiry(),
        kills=tuple(tx.kills.page(after="", limit=KILLS)),
        refused=_refused(tx, at),
        alarms=tuple(each for each in _alarms(tx, at) if each.count),
        active_agents=tx.principals.count(Kind.AGENT, State.ACTIVE),
        records=sum(tx.ledger.head(shard).size for shard in tx.ledger.shards()),
    )


def _refused(tx: SqlTransaction, at: datetime) -> tuple[Refused, ...]:
    found = tx.activity.loudest(Effect.DENY, since=at - WINDOW, limit=COUNTED)[:LOUDEST]
    return tuple(Refused(agent=agent, name=_name(tx, agent), count=count) for agent, count in found)


def _name(tx: SqlTransaction, agent: str) -> str:
    found = tx.principals.get(PrincipalId(agent))
    return agent if found is None else found.name


def _alarms(tx: SqlTransaction, at: datetime) -> Sequence[Alarm]:
    glasses, kills = tx.glasses.count(), tx.kills.count()
    return (
        Alarm(code="kill_unfinished", count=kills.get("killing", 0)),
        Alarm(code="breakglass_open", count=glasses.get("open", 0)),
        Alarm(code="breakglass_unreviewed", count=glasses.get("ended", 0)),
        Alarm(code="ask_overdue", count=len(tx.approvals.due(at, KILLS))),
        Alarm(code="agent_suspended", count=tx.principals.count(Kind.AGENT, State.SUSPENDED)),
    )
