"""Risk over a real store: signals, what is new, what is on record; on every engine alike."""

import asyncio
import math
import secrets
from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest
from sqlalchemy import text

from remit.decision.answer.assessment import WORST, Part
from remit.decision.answer.response import Effect, Stage
from remit.decision.facts.signals import SIGNALS_LIMIT, Signal, SignalInvalid
from remit.decision.making.beforehand import Lookout
from remit.decision.risk.desk import RiskDesk
from remit.decision.risk.limits import Limits, RiskRule
from remit.decision.risk.newness import REMEMBERED
from remit.decision.risk_service import RiskService, SignalUnknown
from remit.decision.stages.pipeline import STEPS, Step
from remit.decision.stages.risk import RiskStage
from remit.kernel.ids import PrincipalId
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork
from support.clock import NOON
from support.deciding import ADMIN, Desk, desk, numbered
from support.decisions import HOUR

AGENT = PrincipalId("agt_calendar")
LIMITS = Limits(ask=80, deny=95)
STAGE = Step(
    stage=Stage.RISK,
    judge=RiskStage(rule=RiskRule(reads=LIMITS, changes=LIMITS, irreversible=LIMITS)),
)
BOOK = "rooms.book"


def signals(uow: SqlUnitOfWork) -> RiskService:
    return RiskService(uow=uow, entropy=secrets.token_bytes, tenant=DEFAULT_TENANT)


def signal(level: float, **changes: object) -> Signal:
    made = Signal(
        tenant=DEFAULT_TENANT, subject=AGENT, kind="edr", level=level, source="test", at=NOON - HOUR
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # passed on as they are


async def watched(uow: SqlUnitOfWork) -> Desk:
    return await desk(uow, steps=(*STEPS, STAGE), lookout=Lookout(risk=RiskDesk()))


async def test_a_signal_counts_for_the_next_decision_and_no_longer_when_it_is_cleared(
    uow: SqlUnitOfWork,
) -> None:
    office, said = await watched(uow), signals(uow)
    assert (await office.service.decide(numbered(BOOK, 1))).verdict.effect is Effect.PERMIT
    epoch = await uow.read(lambda tx: tx.epoch())
    await said.put(signal(99), by=ADMIN)
    assert await uow.read(lambda tx: tx.epoch()) > epoch
    refused = await office.service.decide(numbered(BOOK, 2))
    assert [why.code for why in refused.verdict.reasons] == ["risk_too_high"]
    await said.clear(AGENT, "edr", by=ADMIN, at=NOON)
    assert (await office.service.decide(numbered(BOOK, 3))).verdict.effect is Effect.PERMIT
    with pytest.raises(SignalUnknown):
        await said.clear(AGENT, "edr", by=ADMIN, at=NOON)
    kinds = await uow.read(lambda tx: [each.record.kind for each in tx.ledger.mentioning(AGENT)])
    assert kinds.count("decision.risk.signalled") == kinds.count("decision.risk.cleared") == 1


@pytest.mark.attack("PD-21")
@pytest.mark.parametrize("body", [{"level": math.nan}, {"level": None}, {"level": 1e300}])
async def test_a_row_that_holds_nonsense_is_the_worst(uow: SqlUnitOfWork, body: dict[str, object]) -> None:
    """What no service of ours wrote: NaN is `null` in JSON."""
    office = await watched(uow)
    row = msgspec.json.encode({**msgspec.to_builtins(signal(1)), **body}).decode()

    def smuggle(tx: SqlTransaction) -> None:
        tx.signals.put(signal(1))
        tx.sql.run(text("UPDATE risk_signal SET body = :body"), {"body": row})
        tx.touch("risk_signal", AGENT)
        tx.advance_epoch("risk_signal")

    await uow.commit(smuggle)
    refused = await office.service.decide(numbered(BOOK, 1))
    assert [why.code for why in refused.verdict.reasons] == ["risk_too_high"]


async def test_what_is_new_is_new_once_and_again_after_it_was_forgotten(uow: SqlUnitOfWork) -> None:
    office = await watched(uow)
    parts = []
    for number, later in enumerate((timedelta(0), timedelta(days=1), REMEMBERED + timedelta(days=1))):
        # A node that starts anew knows what the store knows.
        service = (await _again(uow, office)).service if number else office.service
        made = await service.decide(numbered(BOOK, number, at=NOON + later))
        assert made.verdict.effect is Effect.PERMIT
        told = (await service.why(made.id)).explanation.risk
        assert told is not None
        parts.append(told.points(Part.NEW_ACTION) + told.points(Part.NEW_CLASS))
    assert parts == [14, 0, 14]


async def test_explaining_leaves_no_mark_and_says_what_deciding_says(uow: SqlUnitOfWork) -> None:
    office = await watched(uow)
    told = [await office.service.explain(numbered(BOOK, number)) for number in range(2)]
    assert {each.risk for each in told} == {told[0].risk}
    made = await office.service.why((await office.service.decide(numbered(BOOK, 3))).id)
    assert made.explanation.risk == told[0].risk
    assert [each.stage for each in made.explanation.stages if each.stage is Stage.RISK]
    again = await office.service.explain(numbered(BOOK, 4))
    assert again.risk is not None
    assert again.risk.score < WORST
    assert again.risk.points(Part.NEW_ACTION) == 0


async def test_refused_calls_make_nothing_known(uow: SqlUnitOfWork) -> None:
    office = await watched(uow)
    await signals(uow).put(signal(99), by=ADMIN)
    for number in range(2):
        made = await office.service.decide(numbered(BOOK, number))
        told = (await office.service.why(made.id)).explanation.risk
        assert told is not None
        assert told.points(Part.SIGNAL) == 99
    await signals(uow).clear(AGENT, "edr", by=ADMIN, at=NOON)
    told = (await office.service.explain(numbered(BOOK, 5))).risk
    assert told is not None
    assert told.points(Part.NEW_ACTION) == 6


async def test_how_an_agent_stands_is_its_last_risk_beside_the_one_before(uow: SqlUnitOfWork) -> None:
    office, said = await watched(uow), signals(uow)
    await office.service.decide(numbered(BOOK, 1))
    await said.put(signal(30.2), by=ADMIN)
    await office.service.decide(numbered(BOOK, 2, at=NOON + timedelta(seconds=1)))
    found = await said.standing(AGENT)
    assert found.last is not None
    assert found.before is not None
    assert (found.last.risk.points(Part.SIGNAL), found.before.risk.points(Part.SIGNAL)) == (31, 0)
    assert found.before.risk.points(Part.NEW_ACTION) == 6
    assert [each.level for each in found.signals] == [30.2]


async def test_a_subject_has_so_many_kinds_of_signals_and_no_more(uow: SqlUnitOfWork) -> None:
    said = signals(uow)
    await asyncio.gather(
        *(said.put(signal(1, kind=f"k{each:02}"), by=ADMIN) for each in range(SIGNALS_LIMIT))
    )
    with pytest.raises(SignalInvalid):
        await said.put(signal(1, kind="more"), by=ADMIN)
    await said.put(signal(2, kind="k00"), by=ADMIN)
    pages = [await said.page(limit=20), await said.page(after="agt_calendar:k19", limit=20)]
    assert [len(each) for each in pages] == [20, 12]
    assert pages[0][0].level == 2


async def _again(uow: SqlUnitOfWork, office: Desk) -> Desk:
    service = type(office.service)(
        uow=uow, snapshots=office.keeper, capabilities=office.minter, entropy=secrets.token_bytes,
        node="nod_other", steps=(*STEPS, STAGE), lookout=Lookout(risk=RiskDesk()),
    )  # fmt: skip
    return replace(office, service=service)
