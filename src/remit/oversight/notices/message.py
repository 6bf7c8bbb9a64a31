"""One message to one person: its way through their channels, and the one state that it ends in.

A round tries every way in order. What a channel refuses, or hands over without anybody confirming in time,
goes on to the next way at once; after a round in which nothing went through, the next one waits longer.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from remit.kernel.canonical import framed_digest
from remit.kernel.ids import MessageId, PrincipalId, TenantId
from remit.oversight.notices.letter import ANSWERED, Letter
from remit.oversight.notices.reach import Way

_PAUSE: Final = timedelta(seconds=10)
_KEPT: Final = 40
"""Tries that are shown of one message."""
LIFE: Final = timedelta(hours=6)
"""How long a message without an end of its own is tried."""


class MessageState(StrEnum):
    """Where a message is. The first two are on their way, the others are ends."""

    OPEN = "open"
    HANDED = "handed"
    """A channel took it; whether it arrived is not known yet."""
    DELIVERED = "delivered"
    UNCONFIRMED = "unconfirmed"
    """Channels took it, nobody confirmed, and there is no further way."""
    FOLDED = "folded"
    """Beyond what this person is told in an hour; one message says how many."""
    UNREACHABLE = "unreachable"
    """There is no way to this person at all."""
    DEAD = "dead"
    """Every way was tried, as often as the rule says."""
    OVER = "over"
    """What it was about ended first."""


ENDS: Final = frozenset(MessageState) - {MessageState.OPEN, MessageState.HANDED}
LOST: Final = frozenset({MessageState.DEAD, MessageState.UNREACHABLE})
"""Ends that somebody should look at."""


class Result(StrEnum):
    """What became of one try."""

    DELIVERED = "delivered"
    HANDED = "handed"
    UNCONFIRMED = "unconfirmed"
    FAILED = "failed"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try on one way."""

    way: str
    channel: str
    at: datetime
    result: Result
    turn: int
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often, and how long, a message is tried."""

    rounds: int = 5
    confirm: timedelta = timedelta(minutes=2)
    """How long a confirmation may take before the next way is tried too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message; `about` is the id of what it tells of. `tries` tells apart what two nodes save."""

    id: MessageId
    tenant: TenantId
    person: PrincipalId
    about: str
    letter: Letter
    state: MessageState = MessageState.OPEN
    stated_at: datetime
    due: datetime
    ends_at: datetime
    tries: int = 0
    turn: int = 0
    channel: str = ""
    """Through which it was delivered, or handed over last."""
    attempts: tuple[Attempt, ...] = ()

    @property
    def topic(self) -> str:
        """What it is about."""
        return self.letter.topic.value


def message_id(tenant: str, event: str, person: str) -> MessageId:
    """The one id of what one fact means for one person: stating it twice makes one message.

    It is also the idempotency id that receivers see, the same with every try.
    """
    return MessageId(
        f"msg_{framed_digest('remit/message/v1', [tenant.encode(), event.encode(), person.encode()])[:40]}"
    )


def next_way(message: Message, ways: Sequence[Way]) -> Way | None:
    """The first way that this round has not tried and that never said no for good."""
    closed = {each.way for each in message.attempts if each.result is Result.REJECTED}
    closed |= {each.way for each in message.attempts if each.turn == message.turn}
    return next((each for each in ways if each.key not in closed), None)


def delivered(message: Message, way: Way, *, at: datetime) -> Message:
    """The other side has it."""
    return _ended(_noted(message, way, Result.DELIVERED, at=at), MessageState.DELIVERED, channel=way.channel)


def handed(message: Message, way: Way, *, at: datetime, pace: Pace) -> Message:
    """The channel took it; wait for somebody to confirm, if anything is to be done about it."""
    noted = _noted(message, way, Result.HANDED, at=at)
    return replace(noted, state=MessageState.HANDED, channel=way.channel, due=at + pace.confirm)


def failed(message: Message, way: Way, why: str, *, at: datetime, for_good: bool = False) -> Message:
    """Not now, or never this way: the next one is due at once."""
    result = Result.REJECTED if for_good else Result.FAILED
    return replace(_noted(message, way, result, at=at, why=why), due=at)


def exhausted(message: Message, ways: Sequence[Way], *, at: datetime, pace: Pace) -> Message:
    """No way is left in this round: wait for the next, or end."""
    if any(each.result in {Result.HANDED, Result.UNCONFIRMED} for each in message.attempts):
        return _ended(message, MessageState.UNCONFIRMED, channel=message.channel)
    if not ways:
        return _ended(message, MessageState.UNREACHABLE)
    later = at + _PAUSE * (1 << message.turn)
    again = replace(message, turn=message.turn + 1, tries=message.tries + 1, due=later)
    if again.turn >= pace.rounds or later >= message.ends_at or next_way(again, ways) is None:
        return _ended(message, MessageState.DEAD)
    return again


def confirmed(message: Message, *, at: datetime) -> Message:
    """Somebody saw it."""
    return replace(_ended(message, MessageState.DELIVERED, channel=message.channel), due=at)


def over(message: Message) -> Message:
    """What it was about has ended."""
    return _ended(message, MessageState.OVER, channel=message.channel)


def again(message: Message, *, at: datetime) -> Message:
    """A lost message from the start, because somebody mended what kept it."""
    return replace(
        message,
        state=MessageState.OPEN,
        tries=message.tries + 1,
        turn=0,
        attempts=(),
        due=at,
        ends_at=max(message.ends_at, at + LIFE),
    )


def wants_confirmation(message: Message) -> bool:
    """Whether somebody is to do something about it."""
    return message.letter.topic in ANSWERED


def _noted(message: Message, way: Way, result: Result, *, at: datetime, why: str = "") -> Message:
    attempt = Attempt(way=way.key, channel=way.channel, at=at, result=result, turn=message.turn, why=why[:64])
    kept = (*message.attempts, attempt)[-_KEPT:]
    return replace(message, attempts=kept, tries=message.tries + 1)


def _ended(message: Message, state: MessageState, *, channel: str = "") -> Message:
    return replace(message, state=state, channel=channel, tries=message.tries + 1)
