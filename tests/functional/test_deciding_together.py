"""A batch: one view, one reading, one unit of work, and each of its decisions still its own (PD-25)."""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import pytest

from remit.authority.rights import Caps
from remit.decision.answer.response import Effect, Handing
from remit.decision.codes.catalogue import Code, reason
from remit.decision.making.draft import Draft, Prepared
from remit.decision.making.together import Together
from remit.decision.repository import DecisionTransaction
from remit.decision.service import DecisionService, Proposal
from remit.identity.tools import Pin
from remit.kernel.ids import CallId, PrincipalId, RecordId, ToolId
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.deciding import Desk, Minter, desk, numbered
from support.decisions import PERMIT_ALL, office

T = TypeVar("T")
BOOKING = (
    '@id("rooms") permit (principal, action, resource is Remit::Room) when { context.tool.consequential };'
)
READING_ONLY = '@id("reads") permit (principal, action == Remit::Action::"business/rooms.read", resource);'
NAMES = ("rooms.book", "rooms.read", "rooms.book", "mail.send", "rooms.read")


class Counting:
    """A unit of work that counts what is asked of it."""

    def __init__(self, uow: SqlUnitOfWork) -> None:
        self._uow = uow
        self.commits = self.reads = 0

    async def commit(self, work: Callable[[Any], T], **options: Any) -> T:
        self.commits += 1
        return await self._uow.commit(work, **options)

    async def read(self, work: Callable[[Any], T]) -> T:
        self.reads += 1
        return await self._uow.read(work)


def service(made: Desk, uow: Any, *, kind: type[DecisionService] = DecisionService) -> DecisionService:
    return kind(
        uow=uow, snapshots=made.keeper, capabilities=Minter(), entropy=secrets.token_bytes, node="nod_1"
    )


def proposals(names: Sequence[str], start: int = 0) -> list[Proposal]:
    return [Proposal(call=numbered(name, start + place)) for place, name in enumerate(names)]


@pytest.mark.req("R66")
@pytest.mark.attack("PD-25")
@pytest.mark.parametrize("policy", [PERMIT_ALL, READING_ONLY, BOOKING])
async def test_a_batch_is_answered_and_recorded_as_its_questions_one_by_one(
    uow: SqlUnitOfWork, policy: str
) -> None:
    made = await desk(uow, policy=policy)
    alone = [await made.service.decide(each.call, handing=Handing.TOLD) for each in proposals(NAMES)]
    counting = Counting(uow)
    together = await service(made, counting).decide_all(proposals(NAMES, 100), handing=Handing.TOLD)
    assert [each.verdict for each in together] == [each.verdict for each in alone]
    assert (counting.commits, counting.reads) == (1, 0)
    recorded = [RecordId((await made.service.why(each.id)).record) for each in together]
    assert all(await uow.read(lambda tx: [tx.ledger.record(each) for each in recorded]))
    for first, second in zip(alone, together, strict=True):
        kept, other = await made.service.why(first.id), await made.service.why(second.id)
        assert kept.explanation.stages == other.explanation.stages
        assert kept.outcome == other.outcome


@pytest.mark.attack("PD-25")
async def test_each_of_a_batch_sees_what_those_before_it_used_up(uow: SqlUnitOfWork) -> None:
    world = office()
    ident = PrincipalId("agt_calendar")
    capped = replace(world.ceilings[ident], caps=Caps(calls=3))
    made = await desk(uow, snapshot=replace(world, ceilings=world.ceilings.set(ident, capped)))
    found = await made.service.decide_all(proposals(["rooms.read"] * 5), handing=Handing.TOLD)
    assert [each.verdict.effect for each in found] == [Effect.PERMIT] * 3 + [Effect.DENY] * 2
    assert found[-1].verdict.reasons[0].code == Code.CALLS_EXHAUSTED


@pytest.mark.attack("PD-08")
async def test_a_batch_on_a_view_that_a_stop_has_passed_permits_nothing_of_it(uow: SqlUnitOfWork) -> None:
    made = await desk(uow)
    before = made.keeper.current()
    await uow.commit(_quarantine)
    assert made.keeper.current() is before
    found = await made.service.decide_all(proposals(["rooms.book", "rooms.read"]), handing=Handing.TOLD)
    assert [each.verdict.effect for each in found] == [Effect.DENY, Effect.PERMIT]
    assert found[0].verdict.reasons[0].code == Code.TOOL_QUARANTINED


def _quarantine(tx: Any) -> None:
    """One tool may not be used any more: that takes authority away."""
    tool = tx.tools.get(ToolId("tol_rooms.book"))
    tx.tools.put(replace(tool, pin=Pin.QUARANTINED))
    tx.touch("tool", tool.id)
    tx.advance_epoch("tool quarantined")


class Stumbling(DecisionService):
    """Fails in the transaction of one call, whichever way it is decided."""

    def _settle(self, tx: DecisionTransaction, draft: Draft, foreseen: Prepared | None) -> Any:
        made = super()._settle(tx, draft, foreseen)
        if draft.call.call == "call_1":
            raise LookupError("a fault of this one alone")
        return made


@pytest.mark.attack("PD-25")
async def test_what_goes_wrong_with_one_of_a_batch_leaves_nothing_of_it_and_all_of_the_others(
    uow: SqlUnitOfWork,
) -> None:
    made = await desk(uow)
    stumbling = service(made, uow, kind=Stumbling)
    with pytest.raises(LookupError):
        await stumbling.decide_all(proposals(["rooms.read"] * 3), handing=Handing.TOLD)
    kept = await uow.read(
        lambda tx: [len(tx.decisions.of_call(CallId(f"call_{place}"))) for place in range(3)]
    )
    assert kept[1] == 0
    assert kept[0] == 1


async def test_what_was_found_beforehand_is_refused_and_recorded_among_the_others(uow: SqlUnitOfWork) -> None:
    made = await desk(uow)
    said = reason(Code.ARGUMENTS_UNREAD, why="they mean another room")
    asked = proposals(["rooms.read", "rooms.read"])
    found = await made.service.decide_all([replace(asked[0], refused=said), asked[1]], handing=Handing.TOLD)
    assert [each.verdict.effect for each in found] == [Effect.DENY, Effect.PERMIT]
    assert found[0].verdict.reasons[0].code == Code.ARGUMENTS_UNREAD
    assert (await made.service.why(found[0].id)).explanation.call == "call_0"


async def test_readings_of_one_turn_are_one_and_each_keeps_its_own_fault(uow: SqlUnitOfWork) -> None:
    counting = Counting(uow)
    reading = Together(counting)
    assert await asyncio.gather(*(reading.read(lambda tx: tx.epoch()) for _ in range(5))) == [0] * 5
    assert counting.reads == 1

    def stumble(_: DecisionTransaction) -> int:
        raise LookupError("of this one alone")

    found = await asyncio.gather(
        reading.read(lambda tx: tx.epoch()), reading.read(stumble), return_exceptions=True
    )
    assert found[0] == 0
    assert isinstance(found[1], LookupError)
    gone = asyncio.ensure_future(reading.read(lambda tx: tx.epoch()))
    other = asyncio.ensure_future(reading.read(lambda tx: tx.epoch()))
    await asyncio.sleep(0)
    gone.cancel()
    assert await other == 0
