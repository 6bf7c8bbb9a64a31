"""Relations behave alike on every store: what is held in memory is what was committed, in its order."""

import asyncio
import random
from datetime import timedelta

import pytest

from remit.decision.relation_repository import TupleFilter
from remit.decision.relation_service import RelationService, StoreEnforced, TupleWrite
from remit.decision.relations.dsl import parse_dsl
from remit.decision.relations.errors import (
    ContinuationForgotten,
    ModelMissing,
    RelationError,
    StoreUnknown,
    WriteRefused,
)
from remit.decision.relations.query import Bounds, CheckRequest
from remit.decision.relations.tuples import RelationTuple, TupleCondition
from remit.kernel.ids import PrincipalId, system_entropy
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.platform.storage.snapshot import SnapshotKeeper
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.builders import HOUR
from support.clock import NOON
from support.deciding import POLICY_KEYS
from support.relations import DRIVE, tuples_of

BY = PrincipalId("usr_ada")
DEPTH = Bounds()


class Desk:
    """A service over a store and a snapshot of its own."""

    def __init__(self, uow: SqlUnitOfWork) -> None:
        self.uow = uow
        self.keeper = SnapshotKeeper(uow, tenant=DEFAULT_TENANT, keys=POLICY_KEYS)
        self.service = RelationService(
            uow=uow, snapshots=self.keeper, entropy=system_entropy, tenant=DEFAULT_TENANT
        )

    async def furnished(self) -> str:
        await self.keeper.catch_up()
        store = await self.service.create_store("drive", by=BY, at=NOON)
        await self.service.write_model(store.id, parse_dsl(DRIVE)[0], by=BY, at=NOON)
        return store.id

    async def write(self, store: str, *texts: str) -> None:
        await self.service.write(store, TupleWrite(writes=tuple(tuples_of(*texts))), by=BY, at=NOON)

    async def delete(self, store: str, *texts: str) -> None:
        await self.service.write(store, TupleWrite(deletes=tuple(tuples_of(*texts))), by=BY, at=NOON)

    async def says(self, store: str, user: str, relation: str, thing: str) -> bool:
        graph = await self.service.graph(store)
        return graph.check(CheckRequest(user=user, relation=relation, object=thing), DEPTH).allowed

    def held(self, store: str) -> set[RelationTuple]:
        return set(self.keeper.current().stores.all[store].index.tuples())


@pytest.fixture
def desk(uow: SqlUnitOfWork) -> Desk:
    return Desk(uow)


@pytest.mark.req("R49")
async def test_what_is_written_counts_at_once_and_on_every_node(desk: Desk) -> None:
    store, other = await desk.furnished(), Desk(desk.uow)
    await other.keeper.catch_up()
    await desk.write(store, "folder:top#viewer@user:ana", "document:plan#parent@folder:top")
    assert await desk.says(store, "user:ana", "viewer", "document:plan")
    await other.keeper.catch_up()
    assert await other.says(store, "user:ana", "viewer", "document:plan")
    await desk.delete(store, "folder:top#viewer@user:ana")
    assert not await desk.says(store, "user:ana", "viewer", "document:plan")


async def test_a_write_is_whole_or_nothing(desk: Desk) -> None:
    store = await desk.furnished()
    await desk.write(store, "folder:top#owner@user:ana")
    for refused in (
        TupleWrite(writes=tuple(tuples_of("folder:a#owner@user:ben", "folder:top#owner@user:ana"))),
        TupleWrite(writes=tuple(tuples_of("folder:a#owner@user:ben", "folder:a#owner@group:g#member"))),
        TupleWrite(
            writes=tuple(tuples_of("folder:a#owner@user:ben")),
            deletes=tuple(tuples_of("folder:b#owner@user:ben")),
        ),
        TupleWrite(),
    ):
        with pytest.raises(RelationError):
            await desk.service.write(store, refused, by=BY, at=NOON)
        assert desk.held(store) == set(tuples_of("folder:top#owner@user:ana"))
        assert len(await desk.service.changes(store, after=0, limit=10)) == 1
    lenient = TupleWrite(
        writes=tuple(tuples_of("folder:top#owner@user:ana", "folder:a#owner@user:ben")),
        deletes=tuple(tuples_of("folder:b#owner@user:ben")),
        lenient_writes=True,
        lenient_deletes=True,
    )
    assert await desk.service.write(store, lenient, by=BY, at=NOON) == 1


@pytest.mark.req("N37")
async def test_a_snapshot_that_was_carried_equals_one_that_was_loaded(desk: Desk) -> None:
    store, dice = await desk.furnished(), random.Random(5)  # noqa: S311 — a test, not a secret
    names = [f"folder:{place}#owner@user:{who}" for place in "abcd" for who in "xyz"]
    there: set[str] = set()
    for _ in range(40):
        chosen = dice.sample(names, dice.randint(1, 4))
        come = tuple(tuples_of(*(each for each in chosen if each not in there)))
        gone = tuple(tuples_of(*(each for each in chosen if each in there)))
        await desk.service.write(store, TupleWrite(writes=come, deletes=gone), by=BY, at=NOON)
        there ^= set(chosen)
    fresh = Desk(desk.uow)
    await fresh.keeper.catch_up()
    assert fresh.held(store) == desk.held(store) == set(tuples_of(*there))
    told: set[str] = set()
    for each in await desk.service.changes(store, after=0, limit=1_000):
        (told.add if each.change.written else told.remove)(str(each.change.tuple))
    assert told == there


async def test_changes_of_long_ago_are_forgotten_and_nobody_misses_one(desk: Desk) -> None:
    store, behind = await desk.furnished(), Desk(desk.uow)
    await desk.write(store, "folder:a#owner@user:ana")
    await behind.keeper.catch_up()
    await desk.write(store, "folder:b#owner@user:ana", "folder:c#owner@user:ana")
    for late in ("folder:d#owner@user:ana", "folder:e#owner@user:ana"):
        await desk.service.write(
            store, TupleWrite(writes=tuple(tuples_of(late))), by=BY, at=NOON + timedelta(days=1)
        )
    kept = NOON + timedelta(hours=1)
    dropped = [await desk.uow.commit(lambda tx: tx.relations.forget_changes(kept, 2)) for _ in range(3)]
    assert dropped == [2, 1, 0]
    found = await desk.service.changes(store, after=0, limit=10)
    assert [each.change.tuple.object for each in found] == ["folder:d", "folder:e"]
    assert [each.change.number for each in await desk.service.changes(store, after=3, limit=10)] == [4, 5]
    for missed in (1, 2):
        with pytest.raises(ContinuationForgotten) as refused:
            await desk.service.changes(store, after=missed, limit=10)
        assert refused.value.fga == "invalid_continuation_token"
        assert refused.value.next_step
    # A node that had not followed yet reads the store whole, instead of going on without what is gone.
    await behind.keeper.catch_up()
    assert behind.held(store) == desk.held(store)
    assert len(behind.held(store)) == 5


async def test_two_writers_of_one_tuple_at_once_one_is_refused(desk: Desk) -> None:
    store = await desk.furnished()
    found = await asyncio.gather(
        *(desk.write(store, "folder:top#owner@user:ana") for _ in range(8)), return_exceptions=True
    )
    assert [type(each) for each in found if each is not None] == [WriteRefused] * 7
    numbers = [each.change.number for each in await desk.service.changes(store, after=0, limit=20)]
    assert len(numbers) == 1


async def test_tuples_are_told_apart_byte_by_byte_and_read_in_pages(desk: Desk) -> None:
    store = await desk.furnished()
    alike = ["user:ana", "user:Ana", "user:ána", "user:a\u0301na"]
    await desk.write(store, *(f"folder:top#owner@{user}" for user in alike), "folder:tor#owner@user:ana")
    assert not await desk.says(store, "user:ANA", "owner", "folder:top")
    pages, after = [], None
    while page := await desk.service.read(store, TupleFilter(object="folder:top"), after=after, limit=3):
        pages += [each.tuple.user for each in page]
        after = page[-1].tuple.key
    assert pages == sorted(alike, key=str.encode)
    typed = await desk.service.read(store, TupleFilter(object="folder:", user="user:ana"), limit=9)
    assert [each.tuple.object for each in typed] == ["folder:top", "folder:tor"]


async def test_a_condition_and_what_it_knows_come_back_as_they_were_written(desk: Desk) -> None:
    store = await desk.furnished()
    text = """model
  schema 1.1
type user
type room
  relations
    define guest: [user with until]
condition until(limit: timestamp, current_time: timestamp) { current_time < limit }
"""
    await desk.service.write_model(store, parse_dsl(text)[0], by=BY, at=NOON)
    known = TupleCondition(name="until", context={"limit": "2026-01-01T00:00:00Z"})
    found = RelationTuple(user="user:ana", relation="guest", object="room:1", condition=known)
    await desk.service.write(store, TupleWrite(writes=(found,)), by=BY, at=NOON)
    fresh = Desk(desk.uow)
    await fresh.keeper.catch_up()
    assert fresh.held(store) == desk.held(store) == {found}


@pytest.mark.req("N37")
async def test_authority_shrinks_with_an_epoch_in_the_store_that_decisions_look_into(desk: Desk) -> None:
    store = await desk.furnished()

    async def moved(act: object) -> bool:
        before = desk.keeper.current().epoch
        await act  # type: ignore[misc]  # a coroutine, whatever it returns
        return desk.keeper.current().epoch > before

    assert not await moved(desk.write(store, "folder:a#owner@user:ana", "folder:b#owner@user:ana"))
    assert not await moved(desk.delete(store, "folder:b#owner@user:ana"))
    assert await moved(desk.service.enforce(store, by=BY, at=NOON))
    assert await moved(desk.delete(store, "folder:a#owner@user:ana"))
    # `but not blocked`: here a tuple that comes takes away, too.
    assert await moved(desk.write(store, "document:plan#blocked@user:ana"))
    with pytest.raises(StoreEnforced):
        await desk.service.remove_store(store, by=BY, at=NOON)


async def test_stores_are_apart_and_gone_when_removed(desk: Desk) -> None:
    store = await desk.furnished()
    second = await desk.service.create_store("other", by=BY, at=NOON + HOUR)
    with pytest.raises(ModelMissing):
        await desk.write(second.id, "folder:a#owner@user:ana")
    await desk.write(store, "folder:a#owner@user:ana")
    assert [each.name for each in await desk.service.stores(limit=9)] == ["drive", "other"]
    await desk.service.remove_store(store, by=BY, at=NOON)
    for gone in (desk.service.graph(store), desk.service.read(store, TupleFilter(), limit=1)):
        with pytest.raises(StoreUnknown):
            await gone
    assert set(desk.keeper.current().stores.all) == {second.id}
