"""Changing one attribute of any kind flips the decision, also for an instance that is a second old."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeAlias

import pytest
from immutables import Map

from remit.decision.answer.assessment import Contribution, Part, total
from remit.decision.answer.response import Effect, Stage
from remit.decision.call.request import ActionRequest, Facts, ProposedCall
from remit.decision.facts.assembly import Unassembled, assemble
from remit.decision.facts.snapshot import Snapshot
from remit.decision.risk.limits import Limits, RiskRule
from remit.decision.stages.pipeline import STEPS, Step, fold, judge
from remit.decision.stages.risk import RiskStage
from remit.identity.principals import Environment
from remit.identity.tools import RelationMapping, Sensitivity
from remit.kernel.ids import PrincipalId
from support.clock import NOON
from support.decisions import TASK, TOOLS, bundle, call, ceiling, office, right, subject, task
from support.relations import graph_of

POLICY = """
    @id("base") permit(principal, action, resource);
    @id("context") forbid(principal, action, resource) when { !context.bound };
    @id("hours") @zone("Europe/Berlin") forbid(principal, action, resource)
    when { context.local["Europe/Berlin"].minute >= 1200 };
    @id("person") forbid(principal, action, resource)
    unless { context has user && context.user.segments.contains("sales") };
    @id("risk") forbid(principal, action, resource) when { context.risk.score > 50 };
    @id("behaviour") forbid(principal, action, resource) when { context.risk.contributions.new_class > 0 };
    @id("action") forbid(principal, action == Remit::Action::"business/rooms.read", resource);
    @id("resource") forbid(principal, action, resource == Remit::Room::"Room-999");
    @id("sensitivity") forbid(principal, action, resource)
    when { context.resource.sensitivity == "restricted" };
    @id("environment") forbid(principal, action, resource) when { principal.environment == "staging" };
    @id("attribute") forbid(principal, action, resource)
    when { principal.hasTag("clearance") && principal.getTag("clearance") == "none" };
    @id("argument") forbid(principal, action == Remit::Action::"business/rooms.book", resource)
    when { context.arguments has attendees && context.arguments.attendees > 10 };
    @id("blueprint") forbid(principal in Remit::Blueprint::"banned", action, resource);
"""
MODEL = """
model
  schema 1.1
type user
type room
  relations
    define viewer: [user]
"""
STAGE = Step(
    stage=Stage.RISK,
    judge=RiskStage(
        rule=RiskRule(reads=Limits(ask=40), changes=Limits(ask=40), irreversible=Limits(ask=40, deny=90))
    ),
)
BORN = NOON - timedelta(seconds=1)
CALM = total([Contribution(part=Part.CONSEQUENTIAL, points=8)])
Way: TypeAlias = Callable[[ActionRequest, Snapshot], tuple[ActionRequest, Snapshot]]


def young(**changes: Any) -> Snapshot:
    """The office with an instance that is a second old, and rooms booked by whom they are shared with."""
    base = office(bundle=bundle(POLICY), **changes)
    ident = PrincipalId("ins_calendar")
    booked = next(it for it in TOOLS if it.name == "rooms.book")
    assert booked.mapping is not None
    demanding = replace(
        booked, mapping=replace(booked.mapping, relation=RelationMapping(relation="viewer", type="room"))
    )
    return replace(
        base,
        principals=base.principals.set(
            ident, replace(base.principals[ident], created_at=BORN, changed_at=BORN)
        ),
        tools=base.tools.set(booked.id, demanding),
        relations=graph_of(MODEL, "room:Room-401#viewer@user:ada"),
    )


def asked(proposed: ProposedCall | None = None, snapshot: Snapshot | None = None) -> ActionRequest:
    found = assemble(proposed or call(), snapshot or young())
    assert not isinstance(found, Unassembled)
    return replace(found, risk=CALM, facts=Facts())


def effect(request: ActionRequest, snapshot: Snapshot) -> Effect:
    return fold(judge(request, snapshot, steps=(*STEPS, STAGE)), snapshot=snapshot).effect


def of_call(**changes: Any) -> Way:
    return lambda request, snapshot: (replace(request, call=replace(request.call, **changes)), snapshot)


def of_agent(**changes: Any) -> Way:
    return lambda request, snapshot: (
        replace(request, principal=replace(request.principal, **changes)), snapshot
    )  # fmt: skip


def scored(part: Part, points: int) -> Way:
    made = total([Contribution(part=part, points=points)])
    return lambda request, snapshot: (replace(request, risk=made), snapshot)


def labelled(request: ActionRequest, snapshot: Snapshot) -> tuple[ActionRequest, Snapshot]:
    assert request.tool is not None
    assert request.tool.mapping is not None
    mapping = request.tool.mapping
    secret = replace(mapping, resource=replace(mapping.resource, sensitivity=Sensitivity.RESTRICTED))
    return replace(request, tool=replace(request.tool, mapping=secret)), snapshot


def narrowed(_request: ActionRequest, _snapshot: Snapshot) -> tuple[ActionRequest, Snapshot]:
    rights = frozenset({right("business/rooms.book", frozenset({"Room-402"}))})
    short = young(tasks=Map({TASK: task(ceiling=replace(ceiling(purpose="booking"), rights=rights))}))
    return asked(snapshot=short), short


def unrelated(request: ActionRequest, snapshot: Snapshot) -> tuple[ActionRequest, Snapshot]:
    return request, replace(snapshot, relations=graph_of(MODEL, "room:Room-401#viewer@user:somebody"))


def another_action(_request: ActionRequest, snapshot: Snapshot) -> tuple[ActionRequest, Snapshot]:
    return asked(call("rooms.read"), snapshot), snapshot


def elsewhere(_request: ActionRequest, snapshot: Snapshot) -> tuple[ActionRequest, Snapshot]:
    proposed = call(arguments={"room": "Room-999"})
    return asked(proposed, snapshot), replace(
        snapshot, relations=graph_of(MODEL, "room:Room-999#viewer@user:ada")
    )


def renamed(request: ActionRequest, snapshot: Snapshot) -> tuple[ActionRequest, Snapshot]:
    assert request.blueprint is not None
    return replace(request, blueprint=replace(request.blueprint, name="banned")), snapshot


def outsider(request: ActionRequest, snapshot: Snapshot) -> tuple[ActionRequest, Snapshot]:
    assert request.user is not None
    return replace(request, user=replace(request.user, segments=frozenset({"legal"}))), snapshot


WAYS: dict[str, Way] = {
    "context: token": of_call(subject=subject(key="")),
    "context: purpose": lambda request, snapshot: (replace(request, purpose="curiosity"), snapshot),
    "context: time": of_call(at=NOON + timedelta(hours=7)),
    "context: person": outsider,
    "risk: score": scored(Part.SIGNAL, 60),
    "risk: limit of the class": scored(Part.SIGNAL, 45),
    "behaviour: first of its class": scored(Part.NEW_CLASS, 8),
    "action": another_action,
    "resource: policy": elsewhere,
    "resource: right": narrowed,
    "sensitivity": labelled,
    "environment": of_agent(environment=Environment.STAGING),
    "attribute": of_agent(attributes=(("clearance", "none"),)),
    "attribute: argument": lambda _request, snapshot: (
        asked(call(arguments={"room": "Room-401", "attendees": 11}), snapshot), snapshot
    ),
    "group": renamed,
    "relationship": unrelated,
}  # fmt: skip


@pytest.mark.req("R48", "R50", "R52", "R66")
@pytest.mark.parametrize("what", WAYS)
def test_one_change_flips_the_decision(what: str) -> None:
    snapshot = young()
    request = asked(snapshot=snapshot)
    assert request.instance.created_at == BORN
    assert effect(request, snapshot) is Effect.PERMIT
    assert effect(*WAYS[what](request, snapshot)) is not Effect.PERMIT


def test_the_table_is_about_every_rule() -> None:
    """Each rule of the policy alone is what refuses in some row: none is there for show."""
    snapshot = young()
    seen: set[str] = set()
    for way in WAYS.values():
        request, view = way(asked(snapshot=snapshot), snapshot)
        verdict = fold(judge(request, view, steps=(*STEPS, STAGE)), snapshot=view)
        seen |= {said.rule for said in verdict.reasons}
    assert seen >= {rule.id for rule in snapshot.bundle.rules.values()} - {"base"}
