"""Subscribers on both engines: what is committed reaches each once and in order, whatever breaks between."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from remit.app.live import (
    LONGEST,
    LiveLimits,
    LiveLog,
    StreamEnded,
    StreamForbidden,
    StreamTokenOver,
    StreamTooSlow,
    Subscription,
    TooManySubscribers,
)
from remit.authority.tokens import VerifiedSubject
from remit.identity.lifecycle import State
from remit.identity.principals import Environment, Kind, Principal
from remit.kernel.ids import AgentId, InstanceId, PrincipalId, TokenId
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.kernel.uow import Lane
from remit.ledger.repository import Placed
from remit.ledger.stream import Offset, OffsetAhead, Wanted
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork
from support.clock import NOON, FixedClock
from support.ledger import identity, record

READER = PrincipalId(identity("usr", 1))
QUICK = LiveLimits(poll=0.01, rest=0.05)
Told = list[tuple[Offset, Placed]]


def subject(
    reader: PrincipalId = READER, *, until: datetime = NOON + timedelta(minutes=5)
) -> VerifiedSubject:
    return VerifiedSubject(
        tenant=DEFAULT_TENANT, token=TokenId(identity("tok", 1)), instance=InstanceId(""), agent=AgentId(""),
        user=None, task=None, chain=(), envelope=None, ceiling=None, audience="", scopes=frozenset(), key="",
        proof=None, issued_at=NOON, expires_at=until, client=reader,
    )  # fmt: skip


def person(reader: PrincipalId = READER, *, roles: str = "reader") -> Principal:
    return Principal(
        id=reader, tenant=DEFAULT_TENANT, kind=Kind.HUMAN, name=f"{reader}@company.com", state=State.ACTIVE,
        owner=None, purpose="", environment=Environment.PRODUCTION, created_at=NOON, changed_at=NOON,
        attributes=(("roles", roles),),
    )  # fmt: skip


class Log:
    """A log that grows, and its followers."""

    def __init__(self, uow: SqlUnitOfWork, clock: FixedClock) -> None:
        self.uow = uow
        self.clock = clock
        self.count = 0

    async def grow(self, many: int = 1, *, lane: Lane = Lane.NORMAL, **members: Any) -> None:
        for _ in range(many):
            self.count += 1
            one = record(self.count, **members)
            await self.uow.commit(lambda tx, one=one: tx.ledger.append(one), lane=lane)  # type: ignore[misc]  # bound now

    def live(self, limits: LiveLimits = QUICK) -> LiveLog:
        return LiveLog(work=self.uow, clock=self.clock, commits=lambda: 0, alone=False, limits=limits)


@pytest_asyncio.fixture
async def log(uow: SqlUnitOfWork) -> Log:
    await uow.commit(lambda tx: tx.principals.add(person()))
    return Log(uow, FixedClock(NOON))


@asynccontextmanager
async def following(
    live: LiveLog, after: Offset | None = None, wanted: Wanted | None = None, who: PrincipalId = READER
) -> AsyncIterator[Subscription]:
    found = await live.subscribe(subject(who), wanted=wanted or Wanted(), after=after)
    try:
        yield found
    finally:
        found.close()


async def take(subscription: Subscription, many: int, *, more: bool = False) -> Told:
    """So many events; never more, unless `more` may come along."""
    told: Told = []
    async with asyncio.timeout(60):
        while len(told) < many:
            told += await subscription.next(seconds=0.2)
    assert more or len(told) == many
    return told


async def silence(subscription: Subscription) -> None:
    """Wait for the end; nothing may be told until then."""
    async with asyncio.timeout(60):
        while True:
            assert list(await subscription.next(seconds=0.1)) == []


def ids(told: Sequence[tuple[Offset, Placed]]) -> list[str]:
    return [placed.record.id for _, placed in told]


def numbers(*which: int) -> list[str]:
    return [identity("rec", number) for number in which]


@pytest.mark.req("R136", "R137")
async def test_what_is_committed_comes_once_in_order_over_breaks(log: Log) -> None:
    await log.grow(5)
    live, place = log.live(replace(QUICK, page=2)), Offset.start()
    seen: list[str] = []
    for _ in range(6):
        async with following(live, place) as reader:
            told = await take(reader, 4 if seen else 2, more=True)
        seen += ids(told)
        place = told[-1][0]
        await log.grow(4)
    async with following(live, place) as reader:
        seen += ids(await take(reader, log.count - len(seen)))
        await log.grow(3)
        seen += ids(await take(reader, 3))
    assert seen == numbers(*range(1, log.count + 1))


@pytest.mark.req("R136")
async def test_another_start_over_the_same_store_goes_on_where_the_first_was(log: Log) -> None:
    await log.grow(3)
    async with following(log.live(), Offset.start()) as reader:
        told = await take(reader, 3)
    await log.grow(3)
    async with following(log.live(), Offset.parse(told[1][0].text())) as reader:
        assert ids(await take(reader, 4)) == numbers(3, 4, 5, 6)


async def test_without_a_place_only_what_comes_is_told(log: Log) -> None:
    await log.grow(3)
    async with following(log.live()) as reader:
        assert list(await reader.next(seconds=0.05)) == []
        await log.grow()
        assert ids(await take(reader, 1)) == numbers(4)


async def test_kills_are_told_too_whichever_log_they_are_in(log: Log) -> None:
    """PostgreSQL writes them into a log of their own; a place counts both."""
    await log.grow(2)
    await log.grow(2, lane=Lane.KILL, kind="oversight.kill.committed")
    await log.grow(2)
    async with following(log.live(), Offset.start()) as reader:
        told = await take(reader, 6)
    assert ids(told) == numbers(*range(1, 7))  # by time between logs
    async with following(log.live(), Offset.parse(told[2][0].text())) as reader:
        assert ids(await take(reader, 3)) == numbers(4, 5, 6)


async def test_a_filter_moves_the_place_over_what_it_leaves_out(log: Log) -> None:
    live = log.live()
    async with following(live, Offset.start(), Wanted(kind="enforcement")) as reader:
        await log.grow(3)
        await log.grow(kind="enforcement.call.finished")
        await log.grow(2)
        told = await take(reader, 1)
        assert ids(told) == numbers(4)
        async with asyncio.timeout(60):
            while reader.place.of(told[0][1].shard) < 6:
                await reader.next(seconds=0.02)


async def test_many_subscribers_are_told_the_same(log: Log) -> None:
    live = log.live(replace(QUICK, per_reader=20))
    readers = [
        await live.subscribe(subject(), wanted=Wanted(), after=Offset.start() if number % 2 else None)
        for number in range(12)
    ]
    growing = asyncio.create_task(log.grow(40))
    told = await asyncio.gather(*(take(reader, 40) for reader in readers))
    await growing
    assert all(ids(each) == numbers(*range(1, 41)) for each in told)


async def test_a_place_beyond_the_log_is_refused(log: Log) -> None:
    await log.grow(2)
    with pytest.raises(OffsetAhead) as refused:
        await log.live().subscribe(subject(), wanted=Wanted(), after=Offset.parse("main:9"))
    assert refused.value.code == "stream_offset_ahead"


@pytest.mark.attack("DS-05")
async def test_as_many_streams_as_may_be_and_one_more(log: Log) -> None:
    live = log.live(replace(QUICK, subscribers=3, per_reader=2))
    other = PrincipalId(identity("usr", 2))
    async with following(live) as first, following(live):
        with pytest.raises(TooManySubscribers, match="2 streams"):
            await live.subscribe(subject(), wanted=Wanted(), after=None)
        async with following(live, who=other):
            with pytest.raises(TooManySubscribers, match="3 streams"):
                await live.subscribe(subject(other), wanted=Wanted(), after=None)
        first.close()
        async with following(live):
            pass
    with pytest.raises(OffsetAhead):  # a refusal takes no room
        await live.subscribe(subject(), wanted=Wanted(), after=Offset.parse("main:9"))
    async with following(live), following(live):
        pass


@pytest.mark.attack("DS-05")
@pytest.mark.parametrize(("waiting", "cut"), [(8, False), (9, True)])
async def test_a_queue_holds_its_limit_and_one_more_ends_the_stream(
    log: Log, waiting: int, cut: bool
) -> None:
    """The slow reader resumes behind its last event and has missed nothing."""
    live = log.live(replace(QUICK, queue=8))
    async with following(live) as reader:
        assert list(await reader.next(seconds=0.02)) == []  # stands with the common reader now
        await log.grow(waiting)
        await settled(live, log.count)
        if not cut:
            assert len(await take(reader, waiting)) == waiting
            return
        with pytest.raises(StreamTooSlow):
            await reader.next(seconds=1)
        assert not reader.queue
        place = reader.place
    async with following(log.live(), place) as again:
        assert ids(await take(again, waiting)) == numbers(*range(1, waiting + 1))


async def settled(live: LiveLog, count: int) -> None:
    async with asyncio.timeout(60):
        while sum(live._place.seen.values()) < count:  # noqa: ASYNC110 — the common reader tells nobody
            await asyncio.sleep(0.01)


def suspended(tx: SqlTransaction) -> None:
    tx.principals.save(replace(person(), state=State.SUSPENDED), was=State.ACTIVE)
    tx.advance_epoch("suspended")


def without_role(tx: SqlTransaction) -> None:
    tx.principals.save(person(roles="approver"), was=State.ACTIVE)


def token_revoked(tx: SqlTransaction) -> None:
    tx.lineage.bury("token", subject().token, cause="revoked", epoch=tx.advance_epoch("revoked"), at=NOON)


@pytest.mark.attack("AU-14", "KS-01")
@pytest.mark.parametrize("change", [suspended, without_role, token_revoked], ids=lambda each: each.__name__)
@pytest.mark.parametrize("behind", [False, True])
async def test_whoever_may_no_longer_read_is_told_nothing_more(log: Log, change: Any, behind: bool) -> None:
    live = log.live()
    async with following(live, Offset.start() if behind else None) as reader:
        if not behind:
            await reader.next(seconds=0.02)
        await log.uow.commit(change, lane=Lane.KILL)
        await log.grow(3)
        with pytest.raises(StreamForbidden):
            await silence(reader)


@pytest.mark.twin("AU-14")
async def test_a_stream_that_judges_nobody_would_go_on_telling(log: Log) -> None:
    class Blind(LiveLog):
        def _verdict(self, tx: SqlTransaction, subject: VerifiedSubject) -> None:
            return None

    live = Blind(work=log.uow, clock=log.clock, commits=lambda: 0, alone=False, limits=QUICK)
    async with following(live) as reader:
        await reader.next(seconds=0.02)
        await log.uow.commit(suspended, lane=Lane.KILL)
        await log.grow(3)
        assert len(await take(reader, 3)) == 3


@pytest.mark.parametrize("until", [timedelta(minutes=5), timedelta(days=1)])
async def test_a_stream_ends_with_its_token_or_when_it_was_long_enough(log: Log, until: timedelta) -> None:
    live = log.live()
    found = await live.subscribe(subject(until=NOON + until), wanted=Wanted(), after=None)
    log.clock.advance(min(until, LONGEST) - timedelta(seconds=1))
    await log.grow()
    assert len(await take(found, 1)) == 1
    log.clock.advance(timedelta(seconds=1))
    with pytest.raises(StreamTokenOver):
        await silence(found)


async def test_a_log_that_cannot_be_read_ends_the_streams(log: Log) -> None:
    class Broken(SqlUnitOfWork):
        async def read(self, work: Any) -> Any:
            if broken:
                raise StreamEnded("gone", debug="x")
            return await log.uow.read(work)

    broken = False
    work = Broken(log.uow._store, tenant=DEFAULT_TENANT)
    live = LiveLog(work=work, clock=log.clock, commits=lambda: 0, alone=False, limits=QUICK)
    async with following(live) as reader:
        await reader.next(seconds=0.02)
        broken = True
        with pytest.raises(StreamEnded) as ended:
            await reader.next(seconds=5)
        assert ended.value.code == "stream_unavailable"
