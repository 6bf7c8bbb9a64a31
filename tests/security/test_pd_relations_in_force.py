"""Relations that tools demand, from a store to a decision: nothing that was taken away permits afterwards."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar, cast

import msgspec
import pytest

from remit.decision.answer.response import Effect, Stage
from remit.decision.relation_repository import RelationTransaction
from remit.decision.relation_service import RelationService, TupleWrite
from remit.decision.relations.dsl import parse_dsl
from remit.decision.service import DecisionService
from remit.decision.trail.trace import StoredDecision
from remit.identity.tools import RelationMapping
from remit.kernel.ids import CallId, PrincipalId, ToolId
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.platform.storage.snapshot import SnapshotKeeper
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from remit.surface.web.schemas.decision import DecisionView
from support.clock import NOON
from support.deciding import POLICY_KEYS, Desk, Minter, desk
from support.decisions import call, office
from support.relations import tuples_of

T = TypeVar("T")
BY = PrincipalId("usr_ada")
BOOKED = ToolId("tol_rooms.book")
ROOMS = """model
  schema 1.1
type user
type team
  relations
    define member: [user]
type room
  relations
    define barred: [user]
    define viewer: [user, team#member] but not barred
"""


@dataclass
class Rooms:
    """An office whose rooms are booked by those who are viewers of them."""

    desk: Desk
    relations: RelationService
    store: str
    user: str
    number: int = 0

    async def write(self, *texts: str, delete: tuple[str, ...] = ()) -> None:
        named = tuple(tuples_of(*(text.replace("ADA", self.user) for text in texts)))
        gone = tuple(tuples_of(*(text.replace("ADA", self.user) for text in delete)))
        await self.relations.write(self.store, TupleWrite(writes=named, deletes=gone), by=BY, at=NOON)

    async def books(self, by: DecisionService | None = None) -> tuple[Effect, str]:
        self.number += 1
        asked = call(snapshot=self.desk.keeper.current(), call=CallId(f"call_{self.number}"))
        found = (await (by or self.desk.service).decide(asked)).verdict
        return found.effect, found.reasons[0].code


async def rooms(uow: SqlUnitOfWork, kind: type[RelationService] = RelationService) -> Rooms:
    snapshot = office()
    tool = snapshot.tools[BOOKED]
    assert tool.mapping is not None
    mapping = replace(tool.mapping, relation=RelationMapping(relation="viewer", type="room"))
    made = await desk(
        uow, snapshot=replace(snapshot, tools=snapshot.tools.set(BOOKED, replace(tool, mapping=mapping)))
    )
    relations = kind(uow=uow, snapshots=made.keeper, entropy=secrets.token_bytes, tenant=DEFAULT_TENANT)
    store = (await relations.create_store("rooms", by=BY, at=NOON)).id
    await relations.write_model(store, parse_dsl(ROOMS)[0], by=BY, at=NOON)
    return Rooms(desk=made, relations=relations, store=store, user=f"user:{snapshot.principals[BY].name}")


async def lagging(found: Rooms) -> DecisionService:
    """The decision point of a second node, which has seen all until now and nothing after."""
    uow = found.desk.uow
    keeper = SnapshotKeeper(uow, tenant=DEFAULT_TENANT, keys=POLICY_KEYS)
    await keeper.catch_up()
    return DecisionService(
        uow=uow, snapshots=keeper, capabilities=Minter(), entropy=secrets.token_bytes, node="nod_2"
    )


@pytest.mark.req("R49")
async def test_a_tool_is_permitted_as_long_as_the_relation_stands(uow: SqlUnitOfWork) -> None:
    found = await rooms(uow)
    assert await found.books() == (Effect.DENY, "relation_unanswered")
    await found.relations.enforce(found.store, by=BY, at=NOON)
    assert await found.books() == (Effect.DENY, "relation_missing")
    await found.write("room:Room-401#viewer@team:ops#member", "team:ops#member@ADA")
    assert (await found.books())[0] is Effect.PERMIT
    await found.write(delete=("team:ops#member@ADA",))
    assert await found.books() == (Effect.DENY, "relation_missing")
    await found.relations.enforce("", by=BY, at=NOON)
    assert await found.books() == (Effect.DENY, "relation_unanswered")


class Still(RelationService):
    """Writes, and lets no decision know that authority has shrunk."""

    async def _commit(self, work: Callable[[RelationTransaction], T]) -> T:
        return await self._uow.commit(lambda tx: work(cast("RelationTransaction", _Mute(tx))))


class _Mute:
    """A transaction whose epoch stands still."""

    def __init__(self, tx: object) -> None:
        self._tx = tx

    def __getattr__(self, name: str) -> object:
        return getattr(self._tx, name)

    def advance_epoch(self, _cause: str) -> int:
        return 0


async def permitted_by_a_node_that_lags(uow: SqlUnitOfWork, kind: type[RelationService], act: str) -> bool:
    found = await rooms(uow)
    await found.relations.enforce(found.store, by=BY, at=NOON)
    await found.write("room:Room-401#viewer@ADA")
    behind = await lagging(found)
    found.relations = kind(
        uow=uow, snapshots=found.desk.keeper, entropy=secrets.token_bytes, tenant=DEFAULT_TENANT
    )
    match act:
        case "delete":
            await found.write(delete=("room:Room-401#viewer@ADA",))
        case "exclude":
            await found.write("room:Room-401#barred@ADA")
        case "model":
            narrower = parse_dsl(ROOMS.replace("[user, team#member] but not barred", "[team#member]"))[0]
            await found.relations.write_model(found.store, narrower, by=BY, at=NOON)
        case _:
            await found.relations.enforce("", by=BY, at=NOON)
    return (await found.books(behind))[0] is Effect.PERMIT


@pytest.mark.attack("PD-09")
@pytest.mark.parametrize("act", ["delete", "exclude", "model", "enforce"])
async def test_a_node_that_lags_permits_nothing_by_what_was_taken_away(uow: SqlUnitOfWork, act: str) -> None:
    assert not await permitted_by_a_node_that_lags(uow, RelationService, act)


@pytest.mark.twin("PD-09")
@pytest.mark.parametrize("act", ["delete", "exclude", "model", "enforce"])
async def test_without_an_epoch_a_node_that_lags_would(uow: SqlUnitOfWork, act: str) -> None:
    assert await permitted_by_a_node_that_lags(uow, Still, act)


async def explained(uow: SqlUnitOfWork) -> StoredDecision:
    """A permit that a team of others made so."""
    found = await rooms(uow)
    await found.relations.enforce(found.store, by=BY, at=NOON)
    await found.write("room:Room-401#viewer@team:watch-list#member", "team:watch-list#member@ADA")
    decision = await found.desk.service.decide(call(snapshot=found.desk.keeper.current()))
    assert decision.verdict.effect is Effect.PERMIT
    return await found.desk.service.why(decision.id)


@pytest.mark.attack("PD-23")
async def test_through_whose_groups_a_relation_came_is_for_those_who_see_all(uow: SqlUnitOfWork) -> None:
    stored = await explained(uow)
    (mine,) = (
        each
        for each in DecisionView.stored(stored, told="", sees_all=False).stages
        if each.stage is Stage.RELATIONS
    )
    assert (mine.paths, mine.paths_hidden) == ([], True)
    assert b"watch-list" not in msgspec.json.encode(DecisionView.stored(stored, told="", sees_all=False))
    whole = msgspec.json.encode(DecisionView.stored(stored, told="", sees_all=True)).decode()
    assert "—member→ team:watch-list —viewer→ room:Room-401" in whole


@pytest.mark.twin("PD-23")
async def test_a_view_that_asks_nobody_would_tell_it(uow: SqlUnitOfWork) -> None:
    stored = await explained(uow)
    # The defence removed: whoever asks is taken for one who may see everything.
    shown = DecisionView.stored(stored, told="", sees_all=True)
    assert b"watch-list" in msgspec.json.encode(shown)
