"""One durable step per decision: what is recorded, spent, given back and refused (R15, R57, R139)."""

import asyncio
import secrets
from dataclasses import replace

import pytest

from remit.authority.capability import CapabilityState
from remit.authority.rights import Caps, Money
from remit.decision.answer.denial import denial_of
from remit.decision.answer.response import DenialKind, Effect, RemedyAction
from remit.decision.budget.cost import Settlement
from remit.decision.facts.snapshot import Snapshot
from remit.decision.policy.errors import PolicyOutdated
from remit.decision.policy_service import PolicyService
from remit.decision.service import DecisionService, DecisionUnknown
from remit.identity.lifecycle import State
from remit.identity.principals import Kind
from remit.kernel.ids import CallId, DecisionId, PrincipalId
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.platform.storage.snapshot import SnapshotKeeper
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork
from support.answers import approve
from support.clock import NOON
from support.deciding import ADMIN, POLICY_KEYS, Desk, Minter, desk, numbered
from support.decisions import (
    GRANT,
    PERMIT_ALL,
    call,
    ceiling,
    discovery,
    office,
    principal,
    proof,
    subject,
    task,
)

ASKING = (
    '@id("big") @approval("team:leads") permit(principal, action, resource)'
    " when { context has money && context.money.minor > 20000 };"
    '@id("small") permit(principal, action, resource)'
    " when { context has money && context.money.minor <= 20000 };"
)


@pytest.mark.req("R15", "R57", "R139")
async def test_a_permit_is_on_record_with_its_consumed_capability(uow: SqlUnitOfWork) -> None:
    office_desk = await desk(uow)
    decision = await office_desk.service.decide(call(subject=subject(proof=proof())))
    assert decision.verdict.effect is Effect.PERMIT
    assert decision.capability_token is not None
    capability = office_desk.minter.made[0].capability
    assert await uow.read(lambda tx: tx.capabilities.state_of(capability.id)) is CapabilityState.CONSUMED
    assert await uow.read(lambda tx: tx.capabilities.by_call(CallId("call_1"))) == (
        capability.id,
        CapabilityState.CONSUMED,
    )
    stored = await office_desk.service.why(decision.id)
    assert stored.outcome is Settlement.RESERVED
    assert stored.explanation.verdict == decision.verdict


@pytest.mark.req("R139")
async def test_each_decision_leaves_exactly_one_record_allow_or_deny(uow: SqlUnitOfWork) -> None:
    office_desk = await desk(uow)
    asked = [
        call(),
        call("rooms.book", {"room": "R", "surprise": 1}),
        discovery(),
        call(subject=subject(task=None)),
    ]
    made = [await office_desk.service.decide(each) for each in asked]
    assert [decision.verdict.effect for decision in made] == ["permit", "deny", "permit", "deny"]
    for decision in made:
        assert await kinds_about(uow, decision.id) == ["decision.action.decided"], decision


@pytest.mark.req("R15", "R57")
async def test_a_right_withdrawn_between_two_identical_calls_ends_the_second(uow: SqlUnitOfWork) -> None:
    office_desk = await desk(uow)
    first = await office_desk.service.decide(numbered("rooms.book", 1))

    def withdraw(tx: SqlTransaction) -> None:
        tx.grants.withdraw(GRANT, NOON)
        tx.touch("grant", GRANT)
        tx.advance_epoch("grant withdrawn")

    await uow.commit(withdraw)
    second = await office_desk.service.decide(numbered("rooms.book", 2))
    assert (first.verdict.effect, second.verdict.effect) == (Effect.PERMIT, Effect.DENY)
    assert second.verdict.reasons[0].code == "grant_withdrawn"
    assert first.id != second.id


@pytest.mark.req("R57")
@pytest.mark.attack("PD-08")
async def test_a_suspension_between_decision_and_commit_is_seen_in_the_commit(uow: SqlUnitOfWork) -> None:
    office_desk = await desk(uow)
    stale = office_desk.keeper.current()
    agent = stale.principals[PrincipalId("agt_calendar")]

    def suspend(tx: SqlTransaction) -> None:
        tx.principals.save(replace(agent, state=State.SUSPENDED), was=State.ACTIVE)
        tx.touch("principal", agent.id)
        tx.advance_epoch("suspended")

    await uow.commit(suspend)
    assert office_desk.keeper.current() is stale, "the node has not heard of it"
    decision = await office_desk.service.decide(call())
    assert decision.verdict.reasons[0].code == "principal_inactive"
    assert decision.verdict.epoch > stale.epoch


async def test_what_was_granted_a_moment_ago_is_not_refused_on_an_old_view(uow: SqlUnitOfWork) -> None:
    office_desk = await desk(uow, policy='@id("reads") permit(principal, action, resource);', snapshot=None)

    def add(tx: SqlTransaction) -> None:
        tx.tasks.add(replace(task(), id="tsk_2"))  # type: ignore[arg-type]  # a task id is text
        tx.touch("task", "tsk_2")

    await uow.commit(add)
    decision = await office_desk.service.decide(call(subject=subject(task="tsk_2")))
    assert decision.verdict.effect is Effect.PERMIT


async def test_a_proof_is_burnt_by_whatever_it_was_sent_with(uow: SqlUnitOfWork) -> None:
    office_desk = await desk(uow)
    refused = await office_desk.service.decide(
        call("rooms.book", {"room": "R", "surprise": 1}, subject=subject(proof=proof()))
    )
    again = await office_desk.service.decide(call(subject=subject(proof=proof())))
    assert refused.verdict.effect is Effect.DENY
    assert again.verdict.reasons[0].kind is DenialKind.PROOF_REPLAYED
    assert again.capability is None


@pytest.mark.req("R46", "R75")
async def test_an_ask_becomes_a_permit_by_one_approval_and_only_once(uow: SqlUnitOfWork) -> None:
    office_desk = await desk(uow, policy=ASKING)
    asked = await office_desk.service.decide(numbered("refunds.create", 1))
    assert asked.verdict.effect is Effect.ASK
    assert asked.verdict.approvers == "team:leads"
    assert asked.verdict.remedy is not None
    assert asked.verdict.remedy.action is RemedyAction.REQUEST_APPROVAL
    approval = await approve(uow, asked.key)
    done = await office_desk.service.decide(numbered("refunds.create", 1))
    assert (done.verdict.effect, done.approval) == (Effect.PERMIT, approval)
    once_more = await office_desk.service.decide(numbered("refunds.create", 2))
    assert once_more.verdict.effect is Effect.ASK
    assert "oversight.approval.spent" in await kinds_about(uow, approval)


@pytest.mark.attack("CB-14")
async def test_a_changed_amount_or_policy_asks_anew(uow: SqlUnitOfWork) -> None:
    office_desk = await desk(uow, policy=ASKING)
    asked = await office_desk.service.decide(call("refunds.create"))
    await approve(uow, asked.key)
    other = await office_desk.service.decide(
        call("refunds.create", {"order": "8812", "amount": "480.01", "currency": "EUR"})
    )
    assert other.verdict.effect is Effect.ASK
    await office_desk.publish(ASKING + "// another version")
    changed = await office_desk.service.decide(call("refunds.create"))
    assert changed.verdict.effect is Effect.ASK
    assert changed.key != asked.key


@pytest.mark.parametrize(
    ("state", "code", "action"),
    [
        ("pending", "approval_pending", RemedyAction.WAIT),
        ("denied", "approval_denied", RemedyAction.NONE),
        ("expired", "approval_expired", RemedyAction.REQUEST_APPROVAL),
    ],
)
async def test_pending_denied_and_expired_are_told_apart(
    uow: SqlUnitOfWork, state: str, code: str, action: RemedyAction
) -> None:
    office_desk = await desk(uow, policy=ASKING)
    asked = await office_desk.service.decide(call("refunds.create"))
    await approve(uow, asked.key, state=state)
    decision = await office_desk.service.decide(call("refunds.create"))
    assert decision.verdict.reasons[0].code == code
    assert decision.verdict.remedy is not None
    assert decision.verdict.remedy.action is action


@pytest.mark.req("R150", "N27")
@pytest.mark.attack("DE-16")
async def test_64_parallel_calls_stop_at_the_limit(uow: SqlUnitOfWork) -> None:
    limited = office(tasks=office().tasks.set(task().id, task(ceiling=ceiling(caps=Caps(calls=10)))))
    office_desk = await desk(uow, snapshot=limited)
    made = await asyncio.gather(
        *(office_desk.service.decide(numbered("rooms.book", number)) for number in range(64))
    )
    effects = [decision.verdict.effect for decision in made]
    assert effects.count(Effect.PERMIT) == 10
    assert {d.verdict.reasons[0].code for d in made if d.verdict.effect is Effect.DENY} == {"calls_exhausted"}


@pytest.mark.req("N27")
async def test_an_unused_call_gives_its_money_back_once(uow: SqlUnitOfWork) -> None:
    caps = Caps(money=(Money(currency="EUR", minor=50_000),))
    rich = office(tasks=office().tasks.set(task().id, task(ceiling=ceiling(caps=caps))))
    office_desk = await desk(uow, snapshot=rich)
    first = await office_desk.service.decide(numbered("refunds.create", 1))
    refused = await office_desk.service.decide(numbered("refunds.create", 2))
    assert refused.verdict.reasons[0].code == "money_exhausted"
    assert refused.verdict.nearest_miss[0].at_most == "20.00"
    await office_desk.service.settle(first.id, Settlement.UNUSED)
    await office_desk.service.settle(first.id, Settlement.UNUSED)
    assert (await office_desk.service.decide(numbered("refunds.create", 3))).verdict.effect is Effect.PERMIT
    assert (await office_desk.service.decide(numbered("refunds.create", 4))).verdict.effect is Effect.DENY


async def test_a_denied_call_costs_nothing(uow: SqlUnitOfWork) -> None:
    caps = Caps(calls=5, money=(Money(currency="EUR", minor=10_000),))
    poor = office(tasks=office().tasks.set(task().id, task(ceiling=ceiling(caps=caps))))
    office_desk = await desk(uow, snapshot=poor)
    for number in range(8):
        refused = await office_desk.service.decide(numbered("refunds.create", number))
        assert refused.verdict.reasons[0].code == "money_exhausted"
    for number in range(5):
        allowed = await office_desk.service.decide(numbered("rooms.book", 100 + number))
        assert allowed.verdict.effect is Effect.PERMIT


@pytest.mark.req("R58")
@pytest.mark.attack("PD-15", "PD-26")
async def test_after_the_publish_returns_every_decision_uses_the_new_text(uow: SqlUnitOfWork) -> None:
    office_desk = await desk(uow)
    other_node = await desk_on_the_same_store(uow)
    before = other_node.keeper.current()
    await office_desk.publish('@id("no") forbid(principal, action, resource);' + PERMIT_ALL)
    assert other_node.keeper.current() is before, "the other node has not heard of it"
    decision = await other_node.service.decide(call())
    assert decision.verdict.effect is Effect.DENY
    assert decision.verdict.policy_version == "v2"
    with pytest.raises(PolicyOutdated):
        await office_desk.policies.publish(PERMIT_ALL, by=ADMIN, at=NOON, number=2)
    with pytest.raises(PolicyOutdated):
        await office_desk.policies.publish(PERMIT_ALL, by=ADMIN, at=NOON, number=1)
    assert (await other_node.service.decide(numbered("rooms.book", 9))).verdict.effect is Effect.DENY


@pytest.mark.req("N12")
async def test_can_says_what_the_call_would_get_and_changes_nothing(uow: SqlUnitOfWork) -> None:
    limited = office(tasks=office().tasks.set(task().id, task(ceiling=ceiling(caps=Caps(calls=1)))))
    office_desk = await desk(uow, snapshot=limited)
    told = await office_desk.service.explain(call())
    for _ in range(3):
        assert (await office_desk.service.explain(call())).verdict == told.verdict
        assert told.verdict.effect is Effect.PERMIT
        assert [stage.stage for stage in told.stages] == [
            "alive",
            "authority",
            "policy",
            "oversight",
            "budget",
        ]
    decision = await office_desk.service.decide(call())
    assert decision.verdict == told.verdict
    told = await office_desk.service.explain(numbered("rooms.book", 2))
    assert told.verdict.reasons[0].code == "calls_exhausted"
    assert (await office_desk.service.decide(numbered("rooms.book", 2))).verdict == told.verdict


async def test_why_of_an_unknown_decision_says_so(uow: SqlUnitOfWork) -> None:
    office_desk = await desk(uow)
    with pytest.raises(DecisionUnknown):
        await office_desk.service.why(DecisionId("dec_nothing"))


@pytest.mark.req("R59")
@pytest.mark.parametrize("kind", ["human", "workload", "agent"])
async def test_people_workloads_and_agents_are_judged_by_one_engine(uow: SqlUnitOfWork, kind: str) -> None:
    office_desk = await desk(uow, snapshot=with_workload())
    who = {
        "human": subject(instance="usr_ada", agent="usr_ada", user=None, task=None, chain=("usr_ada",)),
        "workload": subject(instance="svc_sync", agent="svc_sync", user=None, task=None, chain=("svc_sync",)),
        "agent": subject(),
    }[kind]
    decision = await office_desk.service.decide(call(subject=who))
    stored = await office_desk.service.why(decision.id)
    assert decision.verdict.effect is Effect.PERMIT, decision.verdict.reasons
    stages = [stage.stage for stage in stored.explanation.stages]
    assert stages == ["alive", "authority", "policy", "oversight", "budget"]


def with_workload() -> Snapshot:
    base = office()
    service = principal("svc_sync", Kind.SERVICE_ACCOUNT, "sync")
    return office(
        principals=base.principals.set(service.id, service), ceilings=base.ceilings.set(service.id, ceiling())
    )


async def desk_on_the_same_store(uow: SqlUnitOfWork) -> Desk:
    """Another node: its own snapshot over the same store."""
    keeper = SnapshotKeeper(uow, tenant=DEFAULT_TENANT, keys=POLICY_KEYS)
    await keeper.catch_up()
    minter = Minter()
    return Desk(
        uow=uow,
        keeper=keeper,
        service=DecisionService(
            uow=uow, snapshots=keeper, capabilities=minter, entropy=secrets.token_bytes, node="nod_other"
        ),
        policies=PolicyService(
            uow=uow, snapshots=keeper, entropy=secrets.token_bytes, tenant=DEFAULT_TENANT, keys=POLICY_KEYS
        ),
        minter=minter,
    )


async def kinds_about(uow: SqlUnitOfWork, ident: str) -> list[str]:
    """Kinds of the records that name an id."""
    return [placed.record.kind for placed in await uow.read(lambda tx: tx.ledger.mentioning(ident))]


async def test_a_view_that_nothing_changed_stays_the_same_object(uow: SqlUnitOfWork) -> None:
    """What was found on it is found again, however many decisions were recorded meanwhile."""
    on = await desk(uow)
    before = await on.keeper.catch_up()
    assert (await on.service.decide(call())).verdict.effect is Effect.PERMIT
    assert await on.keeper.catch_up() is before
    await on.publish('@id("none") forbid(principal, action, resource);')
    assert await on.keeper.catch_up() is not before


RULED = (
    '@id("house") @source("Travel policy 2026, section 4") permit(principal, action, resource)'
    ' when { context.purpose == "booking" };'
    '@id("law") @source("GDPR Art. 5(1)(b)") @control("SOC 2 CC6.1; ISO 42001 A.9.2")'
    " forbid(principal, action, resource)"
    ' when { context.arguments has note && context.arguments.note == "pii" };'
    '@id("ethics") @source("AI charter, section 2") @reason("no machine decides alone about people")'
    " forbid(principal, action, resource)"
    ' when { context.arguments has note && context.arguments.note == "layoff" };'
)


@pytest.mark.req("R61")
@pytest.mark.parametrize(
    ("note", "rule", "source"),
    [
        ("plan", "house", "Travel policy 2026, section 4"),
        ("pii", "law", "GDPR Art. 5(1)(b)"),
        ("layoff", "ethics", "AI charter, section 2"),
    ],
)
async def test_where_a_rule_comes_from_is_in_the_answer_and_in_the_evidence(
    uow: SqlUnitOfWork, note: str, rule: str, source: str
) -> None:
    on = await desk(uow, policy=RULED)
    decision = await on.service.decide(call("rooms.book", {"room": "R", "note": note}))
    said = decision.verdict.reasons[0]
    assert (said.rule, said.source) == (rule, source)
    stored = await on.service.why(decision.id)
    assert stored.explanation.verdict.reasons[0] == said
    (placed,) = await uow.read(lambda tx: tx.ledger.mentioning(decision.id))
    assert (f"source.{rule}", source) in placed.record.detail
    if rule == "law":
        assert ("control.law", "SOC 2 CC6.1; ISO 42001 A.9.2") in placed.record.detail
        shown = denial_of(decision).to_json()["rule"]
        assert shown["control"] == ["SOC 2 CC6.1", "ISO 42001 A.9.2"]  # type: ignore[index,call-overload]  # JSON
        assert shown["source"] == source  # type: ignore[index,call-overload]  # JSON
