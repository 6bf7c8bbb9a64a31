"""Likeness of goal and action over a real store: it adds to the risk, and to nothing else."""

import asyncio
import math
import threading
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.app.bindings.intent import fault_of, intent_desk_of
from remit.decision.answer.assessment import Assessment, Part
from remit.decision.answer.response import Effect, Stage
from remit.decision.making.beforehand import Lookout
from remit.decision.policy.errors import PolicyRefused
from remit.decision.risk.desk import RiskDesk
from remit.decision.risk.intent import INTENT, Direction, IntentDesk, Likeness, NotCompared, unlikeness
from remit.decision.risk.intent import Encoder as Comparing
from remit.decision.risk.limits import Limits, RiskRule
from remit.decision.stages.pipeline import STEPS, Step
from remit.decision.stages.risk import RiskStage
from remit.kernel.ids import DecisionId
from remit.ledger.record import Content
from remit.platform.intent.encoder import Encoder
from remit.platform.intent.reader import WAITING, Reader
from remit.platform.intent.weights import Numbers
from remit.platform.settings.risk import RiskChoices, RiskMode
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support import tinymodel
from support.clock import NOON
from support.deciding import Desk, desk, numbered
from support.decisions import HOUR, PERMIT_ALL, task
from support.ledger import record

BOOK = "rooms.book"
GOAL = "Reserve something for the retreat, code word marzipan"
RAISED = Limits(ask=99)
STAGE = Step(
    stage=Stage.RISK, judge=RiskStage(rule=RiskRule(reads=RAISED, changes=RAISED, irreversible=RAISED))
)


@dataclass
class Counted:
    """Says one direction of goals and another of actions, and counts what it is asked."""

    angle: float = 0.0
    fault: str = ""
    asked: list[str] = field(default_factory=list)

    async def directions(self, texts: Sequence[str]) -> Sequence[Direction]:
        if self.fault:
            raise NotCompared(self.fault)
        self.asked += texts
        turned = array("f", [math.cos(self.angle), math.sin(self.angle)])
        return [turned if "reserve" in each.lower() else array("f", [1.0, 0.0]) for each in texts]


async def watched(uow: SqlUnitOfWork, encoder: Comparing | None, policy: str = PERMIT_ALL) -> Desk:
    intent = None if encoder is None else IntentDesk(encoder=encoder)
    lookout = Lookout(risk=RiskDesk(), intent=intent)
    office = await desk(uow, policy=policy, steps=(*STEPS, STAGE), lookout=lookout)
    started = record(1, "authority.task.started", task=task().id, at=NOON - HOUR)
    goal = Content(name="goal", subject="usr_ada", text=GOAL)
    await uow.commit(lambda tx: tx.ledger.append(started, (goal,)))
    return office


async def risk_of(office: Desk, ident: DecisionId) -> Assessment:
    found = (await office.service.why(ident)).explanation.risk
    assert found is not None
    return found


async def test_an_action_unlike_its_goal_is_riskier_and_still_permitted(uow: SqlUnitOfWork) -> None:
    encoder = Counted(angle=math.pi / 2)
    office = await watched(uow, encoder)
    decisions = [await office.service.decide(numbered(BOOK, number)) for number in range(3)]
    found = await risk_of(office, decisions[0].id)
    assert (found.points(Part.INTENT), found.looked) == (INTENT, (Part.INTENT,))
    assert {each.verdict.effect for each in decisions} == {Effect.PERMIT}
    # Goal and action are computed once, however often they meet.
    assert len(encoder.asked) == 2
    assert "rooms book" in encoder.asked[1]


async def test_an_action_like_its_goal_adds_nothing_and_says_that_it_was_looked_at(
    uow: SqlUnitOfWork,
) -> None:
    office = await watched(uow, Counted())
    found = await risk_of(office, (await office.service.decide(numbered(BOOK, 1))).id)
    assert (found.points(Part.INTENT), found.looked) == (0, (Part.INTENT,))


@pytest.mark.attack("PD-21")
async def test_a_model_that_fails_weighs_as_if_the_action_were_far_off(uow: SqlUnitOfWork) -> None:
    office = await watched(uow, Counted(fault="it is busy"))
    found = await risk_of(office, (await office.service.decide(numbered(BOOK, 1))).id)
    assert [(each.points, each.because) for each in found.contributions if each.part is Part.INTENT] == [
        (INTENT, "it is busy")
    ]


@pytest.mark.attack("PD-21")
async def test_a_goal_that_is_gone_can_be_compared_with_nothing(uow: SqlUnitOfWork) -> None:
    lookout = Lookout(risk=RiskDesk(), intent=IntentDesk(encoder=Counted()))
    office = await desk(uow, steps=(*STEPS, STAGE), lookout=lookout)
    found = await risk_of(office, (await office.service.decide(numbered(BOOK, 1))).id)
    assert found.points(Part.INTENT) == INTENT


async def test_where_no_model_is_set_policies_do_not_see_the_part(uow: SqlUnitOfWork) -> None:
    asking = """@id("far") permit (principal, action, resource)
    when { context.risk.contributions has intent && context.risk.contributions.intent > 5 };"""
    office = await watched(uow, None, asking)
    denied = await office.service.decide(numbered(BOOK, 1))
    assert denied.verdict.effect is Effect.DENY
    assert (await risk_of(office, denied.id)).looked == ()


async def test_a_policy_may_look_at_it_once_it_is_there(uow: SqlUnitOfWork) -> None:
    asking = """@id("far") permit (principal, action, resource)
    when { context.risk.contributions has intent && context.risk.contributions.intent > 5 };"""
    office = await watched(uow, Counted(angle=math.pi / 2), asking)
    assert (await office.service.decide(numbered(BOOK, 1))).verdict.effect is Effect.PERMIT


async def test_a_policy_that_takes_it_for_granted_is_refused(uow: SqlUnitOfWork) -> None:
    office = await watched(uow, None)
    with pytest.raises(PolicyRefused):
        await office.publish(
            '@id("far") permit (principal, action, resource) when { context.risk.contributions.intent > 5 };'
        )


@given(st.floats(allow_nan=True), st.floats(allow_nan=True))
def test_what_is_more_alike_never_weighs_more(one: float, other: float) -> None:
    points = [unlikeness(Likeness(value=each)) for each in (one, other)]
    assert all(0 <= each <= INTENT for each in points)
    if one <= other:
        assert points[0] >= points[1]
    assert unlikeness(Likeness(value=None)) == unlikeness(Likeness(value=math.nan)) == INTENT


async def test_a_real_reader_compares_and_stores_nothing_of_the_goal(
    uow: SqlUnitOfWork, tmp_path: Path
) -> None:
    model = Reader(Encoder.of_directory(tinymodel.write(tmp_path)))
    office = await watched(uow, model)
    decision = await office.service.decide(numbered(BOOK, 1))
    found = await risk_of(office, decision.id)
    goal, action = await model.directions([GOAL, "rooms book"])
    alike = sum(a * b for a, b in zip(goal, action, strict=True))
    assert found.points(Part.INTENT) == unlikeness(Likeness(value=alike))
    stored = await office.service.why(decision.id)
    assert "marzipan" not in repr(stored)


class Stuck(Encoder):
    """A model that takes its time."""

    def __init__(self) -> None:
        self.free = threading.Event()

    def directions(self, texts: Sequence[str]) -> Numbers:
        self.free.wait(30)
        raise ValueError("never got that far")


async def test_a_model_that_hangs_holds_up_nobody_for_longer_than_its_time() -> None:
    model = Stuck()
    reader = Reader(model, patience=0.05)
    waiting = [asyncio.create_task(reader.directions(["a"])) for _ in range(WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(NotCompared, match="others"):
        await reader.directions(["b"])
    for each in waiting:
        with pytest.raises(NotCompared, match="longer than"):
            await each
    model.free.set()


async def test_a_model_that_breaks_says_so() -> None:
    model = Stuck()
    model.free.set()
    with pytest.raises(NotCompared, match="ValueError"):
        await Reader(model).directions(["a"])


def test_a_directory_without_a_model_is_said_and_weighs_all(tmp_path: Path) -> None:
    assert "config.json" in fault_of(str(tmp_path))
    assert fault_of(str(tinymodel.write(tmp_path / "there"))) == ""
    assert intent_desk_of(RiskChoices()) is None
    assert intent_desk_of(RiskChoices(mode=RiskMode.OFF, intent_model=str(tmp_path))) is None
    chosen = intent_desk_of(RiskChoices(intent_model=str(tmp_path)))
    assert chosen is not None
    with pytest.raises(NotCompared, match=r"config\.json"):
        asyncio.run(_asked(chosen))


async def _asked(chosen: IntentDesk) -> None:
    await chosen.encoder.directions(["a"])
