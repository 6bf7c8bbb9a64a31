"""The log told live: one reader of the log for all subscribers, and a bounded queue for each.

The log is the source: a subscriber that is behind reads it for itself, page by page, until it stands where
the common reader stands; from then on it is handed what that one reads. Nothing is told that is not
committed, and nothing that is committed is left out: whoever is cut off resumes behind its last event.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from remit.authority.alive import Dead, alive
from remit.authority.tasks import Lineage
from remit.authority.tokens import VerifiedSubject
from remit.decision.administration.actions import PREFIX, AdminAction
from remit.decision.administration.current import in_force
from remit.decision.administration.guard import roles_of
from remit.decision.administration.judging import Channel, Standing
from remit.identity.principals import Kind, Principal
from remit.kernel.clock import Clock
from remit.kernel.errors import RemitError
from remit.kernel.ids import PrincipalId
from remit.ledger.repository import Placed
from remit.ledger.stream import Offset, Wanted, newest, read_after, require_reached
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork

_FOLLOW: Final = AdminAction(name=f"{PREFIX}stream.follow_ledger", reads=True)
LONGEST: Final = timedelta(minutes=15)
"""What a stream lives at most, whatever its token says: it is opened anew with a proof of the key."""


class TooManySubscribers(RemitError):
    """As many readers follow the log as may; one must end before another begins."""

    code = "too_many_subscribers"
    kind = "rate_limited"


class StreamEnded(RemitError):
    """The stream is over for this reader; it may open another behind its last event."""

    code = "stream_ended"
    kind = "gone"


class StreamTooSlow(StreamEnded):
    """The reader took events more slowly than they came, until its queue was full."""

    code = "stream_too_slow"


class StreamForbidden(StreamEnded):
    """The reader may no longer read the log: suspended, killed, revoked, or without the role."""

    code = "stream_forbidden"


class StreamTokenOver(StreamEnded):
    """The access token that opened the stream has run out; a fresh one opens the next."""

    code = "stream_token_over"


class StreamUnavailable(StreamEnded):
    """The log can't be read at this moment."""

    code = "stream_unavailable"


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveLimits:
    """How many may follow, how far one may lag, and how often the log is looked at."""

    subscribers: int = 32
    """Streams that are open at one time."""
    per_reader: int = 8
    """Streams of one reader."""
    queue: int = 1024
    """Events that wait for one slow subscriber; one more ends its stream."""
    page: int = 256
    """Records that are read at once."""
    poll: float = 0.1
    """Seconds between two looks for new records."""
    rest: float = 1.0
    """Seconds after which readers are judged again although nothing was committed."""


@dataclass(slots=True, eq=False)
class Subscription:
    """One open stream. OWNED BY the event loop; `next` is awaited by one task."""

    subject: VerifiedSubject
    wanted: Wanted
    place: Offset
    """Behind everything that was handed over or not wanted."""
    log: "LiveLog"
    queue: deque[tuple[Offset, Placed]] = field(default_factory=deque)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    ended: StreamEnded | None = None
    attached: bool = False
    reached: Offset = field(default_factory=Offset.start)
    """How far the common reader has brought this one, delivered or not wanted."""

    async def next(self, *, seconds: float) -> Sequence[tuple[Offset, Placed]]:
        """What comes next, each with the place behind it; nothing if nothing comes in time.

        Raises `StreamEnded` once the reader may not, or need not, be told any more.
        """
        if not self.attached and (behind := await self.log.catch_up(self)) is not None:
            return behind
        if not self.queue and self.ended is None:
            try:
                async with asyncio.timeout(seconds):
                    await self.news.wait()
            except TimeoutError:
                self.place = self.reached
                return ()
        self.news.clear()
        if self.ended is not None:
            raise self.ended
        found, self.queue = list(self.queue), deque()
        self.place = self.reached
        return found

    def close(self) -> None:
        """Make room for another."""
        self.log.leave(self)

    def end(self, why: StreamEnded) -> None:
        """Tell nothing more. SAFETY: what waited is dropped too; it is in the log, behind `place`."""
        self.ended = why
        self.queue.clear()
        self.news.set()


class LiveLog:
    """Subscriptions to the log of one tenant.

    `commits` counts the durable commits of this process; with `alone` no other process writes, so that an
    unchanged count spares the look into the database. It is a hint: the truth is what the log says.
    """

    def __init__(
        self,
        *,
        work: SqlUnitOfWork,
        clock: Clock,
        commits: Callable[[], int],
        alone: bool,
        limits: LiveLimits | None = None,
    ) -> None:
        self._work = work
        self._clock = clock
        self._commits = commits
        self._alone = alone
        self.limits = limits or LiveLimits()
        self._open: list[Subscription] = []
        self._place = Offset.start()
        self._reader: asyncio.Task[None] | None = None

    async def subscribe(
        self, subject: VerifiedSubject, *, wanted: Wanted, after: Offset | None
    ) -> Subscription:
        """Begin behind a place, or behind all that is there; raises `TooManySubscribers`, `OffsetAhead`."""
        found = Subscription(subject=subject, wanted=wanted, place=Offset.start(), log=self)
        self._admit(found)
        try:
            found.place = found.reached = await self._work.read(lambda tx: _place(tx, after))
        except BaseException:
            self.leave(found)
            raise
        return found

    def leave(self, subscription: Subscription) -> None:
        """Forget a subscription."""
        if subscription in self._open:
            self._open.remove(subscription)

    async def catch_up(self, subscription: Subscription) -> Sequence[tuple[Offset, Placed]] | None:
        """One page for one that is behind, or None once it stands where the common reader stands."""
        if self._attach(subscription):
            return None
        records, verdicts = await self._read(subscription.reached, [subscription])
        if verdicts[0] is not None:
            subscription.end(verdicts[0])
            raise verdicts[0]
        if not records:  # the common reader has seen more since: this one reads again in its next turn
            await asyncio.sleep(self.limits.poll)
        found = _taken(subscription, records)
        subscription.place = subscription.reached
        return found

    def _admit(self, subscription: Subscription) -> None:
        limits, mine = self.limits, Counter(each.subject.client for each in self._open)
        if len(self._open) >= limits.subscribers:
            raise TooManySubscribers(
                f"{limits.subscribers} streams are open, the limit", next_step="close one, or ask again later"
            )
        if mine[subscription.subject.client] >= limits.per_reader:
            raise TooManySubscribers(
                f"this reader has {limits.per_reader} streams open, the limit", next_step="close one of them"
            )
        self._open.append(subscription)

    def _attach(self, subscription: Subscription) -> bool:
        """INVARIANT: no await lies between the comparison and the first event that is handed over."""
        if self._reader is None or self._reader.done():
            return self._begin(subscription)
        if not subscription.reached.covers(self._place):
            return False
        subscription.attached = True
        return True

    def _begin(self, subscription: Subscription) -> bool:
        """Nobody listens yet: the common reader begins where the first one stands."""
        self._place = subscription.reached
        subscription.attached = True
        self._reader = asyncio.create_task(self._tell_forever())
        return True

    async def _tell_forever(self) -> None:
        """Read and hand over, as long as somebody listens."""
        judged = commits = -1.0
        while self._open:
            now, count = asyncio.get_running_loop().time(), self._commits()
            if self._alone and count == commits and now - judged < self.limits.rest:
                await asyncio.sleep(self.limits.poll)
                continue
            commits, judged = count, now
            if await self._tell() < self.limits.page:
                await asyncio.sleep(self.limits.poll)

    async def _tell(self) -> int:
        listening = [each for each in self._open if each.attached and each.ended is None]
        try:
            records, verdicts = await self._read(self._place, listening)
        except RemitError as failed:
            for each in listening:
                each.end(StreamUnavailable("the log can't be read at this moment", debug=failed.debug))
            return 0
        for placed in records:
            self._place = self._place.past(placed)
        # Who attached during the reading starts from the old place, so it is told too, unjudged as yet.
        judged = dict(zip(map(id, listening), verdicts, strict=True))
        for each in [one for one in self._open if one.attached and one.ended is None]:
            if id(each) not in judged:
                each.attached = False
                each.news.set()
            elif (dead := judged[id(each)]) is not None:
                each.end(dead)
            else:
                self._hand_over(each, records)
        return len(records)

    def _hand_over(self, subscription: Subscription, records: Sequence[Placed]) -> None:
        found = _taken(subscription, records)
        if len(subscription.queue) + len(found) > self.limits.queue:
            said = f"more than {self.limits.queue} events wait for this reader, the limit"
            subscription.end(StreamTooSlow(said, next_step="resume behind the last event, with a filter"))
        elif found:
            subscription.queue.extend(found)
            subscription.news.set()

    async def _read(
        self, after: Offset, whom: Sequence[Subscription]
    ) -> tuple[list[Placed], list[StreamEnded | None]]:
        """Records and verdicts of one view: what was committed after a reader's end is never told to it."""
        return await self._work.read(
            lambda tx: (
                read_after(tx.ledger, after, limit=self.limits.page),
                [self._verdict(tx, each.subject) for each in whom],
            )
        )

    def _verdict(self, tx: SqlTransaction, subject: VerifiedSubject) -> StreamEnded | None:
        at = self._clock.now()
        if at >= min(subject.expires_at, subject.issued_at + LONGEST):
            return StreamTokenOver("the access token has run out", next_step="resume with a fresh one")
        person = tx.principals.get(PrincipalId(subject.client))
        if person is None or person.kind is not Kind.HUMAN or not _follows(tx, subject, person, at):
            return StreamForbidden("this reader may no longer read the log", next_step="remit user list")
        if isinstance(alive(tx.lineage, _lineage(subject), at), Dead):
            return StreamForbidden("this reader may no longer act", next_step="remit user list")
        return None


def _follows(tx: SqlTransaction, subject: VerifiedSubject, person: Principal, at: datetime) -> bool:
    """Whether the administrative policy, as of this view, lets the person read everybody's records."""
    who = Standing(
        tenant=subject.tenant,
        ident=person.id,
        name=person.name,
        roles=roles_of(person),
        channel=Channel.TOKEN if subject.key else Channel.SESSION,
        acr=subject.acr,
        signed_in_at=subject.signed_in_at,
    )
    return in_force(tx).judge(who, _FOLLOW, own=False, at=at).allowed


def _place(tx: SqlTransaction, after: Offset | None) -> Offset:
    if after is None:
        return newest(tx.ledger)
    require_reached(tx.ledger, after)
    return after


def _taken(subscription: Subscription, records: Sequence[Placed]) -> list[tuple[Offset, Placed]]:
    """What of these is new to a subscriber and wanted; its reach moves over all of them."""
    found = []
    for placed in records:
        if placed.index < subscription.reached.of(placed.shard):
            continue
        subscription.reached = subscription.reached.past(placed)
        if subscription.wanted.takes(placed.record):
            found.append((subscription.reached, placed))
    return found


def _lineage(subject: VerifiedSubject) -> Lineage:
    """Everything of a reader that could be stopped: the person, the token, its key, its credential."""
    return Lineage(
        tenant=subject.tenant,
        user=subject.user,
        task=subject.task,
        grant=None,
        chain=(PrincipalId(subject.client),),
        principals=frozenset(),
        envelope=None,
        others=frozenset({str(subject.token), subject.key, subject.credential} - {""}),
    )
