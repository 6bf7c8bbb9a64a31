"""What is hidden, and what is shown, is what Cedar itself would hide and show (N14)."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import cedarpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from immutables import Map

from remit.authority.tokens import VerifiedSubject
from remit.decision.call.request import ActionRequest, Resource
from remit.decision.facts.assembly import Unassembled, assemble
from remit.decision.policy.admission import compile_bundle, version_of
from remit.decision.policy.bundle import policy_set
from remit.decision.policy.conceive import Plan, conceivable, conceived, plan_of
from remit.decision.policy.context import Question, ask
from remit.decision.policy.given import Unaskable, pose
from remit.decision.stages import preview
from remit.decision.stages.preview import visible
from remit.kernel.ids import PrincipalId, ToolId
from support.clock import NOON
from support.decisions import TOOLS, call, ceiling, delegated, envelope, office, server, subject

CONDITIONS = (
    'context.purpose == "booking"', 'context.purpose == "scheduling"', "context.depth == 0", "context.bound",
    "context has money && context.money.minor <= 20000", "context.money.minor > 5",
    'context.user.name == "ada"', 'context has user && context.user.segments.contains("sales")',
    'context.task.mode == "interactive"', "context.tool.consequential && !context.tool.reversible",
    'context.resource.type == "Room"', 'context.resource.id like "Room-*"',
    "context.arguments has attendees && context.arguments.attendees <= 10",
    "context.arguments.room == context.resource.id", "context.arguments == context.arguments",
    "context == context", "[context].contains(context)", "context.nothing", "context.user == context.user",
    'context.time < datetime("2026-06-01T00:00:00Z")', 'principal.environment == "production"',
    'principal in Remit::Blueprint::"office"', 'principal in Remit::Segment::"sales"',
    'principal.hasTag("team")', 'principal.getTag("team") == "x"', "principal has nickname",
    'action in Remit::Action::"server:business"', "resource is Remit::Room",
    'resource == Remit::Room::"Room-401"', "resource has a", 'context.purpose == "booking" || context.bound',
    "if context.bound then context.depth == 0 else context.nothing",
)  # fmt: skip
SCOPES = (
    "principal, action, resource", 'principal, action == Remit::Action::"business/rooms.book", resource',
    'principal, action in Remit::Action::"server:business", resource',
    'principal == Remit::Agent::"calendar-bot", action, resource',
    'principal in Remit::Blueprint::"office", action, resource is Remit::Room',
    'principal, action, resource == Remit::Room::"Room-401"', "principal is Remit::Human, action, resource",
    'principal, action, resource in Remit::Room::"Room-401"',
)  # fmt: skip
RULES = st.tuples(
    st.sampled_from(["permit", "permit", "forbid"]),
    st.sampled_from(SCOPES),
    st.lists(st.tuples(st.sampled_from(["when", "when", "unless"]), st.sampled_from(CONDITIONS)), max_size=2),
    st.sampled_from(["", "", '@mode("observe") ']),
)
BASE = office()


@st.composite
def requests(draw: st.DrawFn) -> ActionRequest:
    """Calls of every tool with nothing filled in, by agents in some states; the resource may be fixed."""
    proposed = call(draw(st.sampled_from([tool.name for tool in TOOLS])))
    kind = draw(st.sampled_from(["Room", "Calendar", proposed.resource.type, "a b"]))
    ident = draw(st.sampled_from(["", "", "Room-401", "Room-402"]))
    agent = replace(
        BASE.principals[PrincipalId("agt_calendar")],
        segments=draw(st.sampled_from([frozenset(), frozenset({"sales"})])),
        attributes=draw(st.sampled_from([(), (("team", "x"),)])),
    )
    who = subject(key=draw(st.sampled_from([subject().key, ""])))
    asked = assemble(
        replace(proposed, subject=who), replace(BASE, principals=BASE.principals.set(agent.id, agent))
    )
    assert not isinstance(asked, Unassembled)
    bare = replace(asked.call, arguments={}, resource=Resource(type=kind, id=ident), money=None)
    alone: dict[str, Any] = {} if draw(st.booleans()) else {"user": None, "task": None}
    return replace(asked, call=bare, **alone)


def _text(rules: list[tuple[Any, ...]]) -> str:
    return "".join(
        f'@id("r{number}") {mode}{effect} ({scope}) {" ".join(f"{w} {{ {c} }}" for w, c in clauses)};'
        for number, (effect, scope, clauses, mode) in enumerate(rules)
    )


def _cedar_holds(question: Question, plan: Plan) -> frozenset[int]:
    """The slow way: Cedar judges each part."""
    if not plan.probes:
        return frozenset()
    probes = policy_set({probe.id: probe for probe in plan.probes})
    said = cedarpy.is_authorized(question.wire(), probes, question.entities)
    return frozenset(int(name) for name in said.diagnostics.reasons)


@pytest.mark.req("N14", "R45")
@given(st.lists(RULES, min_size=1, max_size=8), requests())
def test_what_is_shown_is_what_cedar_could_permit(
    rules: list[tuple[Any, ...]], request: ActionRequest
) -> None:
    text = _text(rules)
    bundle = compile_bundle(text, version=version_of(text, 1))
    fixed = bool(request.call.resource.id)
    plan = plan_of(bundle, fixed=fixed)
    cedars = conceived(plan, _cedar_holds(ask(request, bundle), plan))
    try:
        mine = conceivable(pose(request, bundle), bundle, fixed=fixed)
    except Unaskable:
        mine = conceived(plan, frozenset())
    assert mine == cedars


TIMES = [NOON + timedelta(minutes=minutes) for minutes in (-120, -1, 0, 1, 30, 59, 61, 600)]
ASKED = st.lists(
    st.tuples(
        st.sampled_from([subject(), subject(key=""), delegated(), subject(acr="strong")]),
        st.sampled_from([entry.name for entry in TOOLS]),
        st.sampled_from(TIMES),
    ),
    min_size=2,
    max_size=8,
)


@pytest.mark.req("N14", "R45")
@given(st.lists(RULES, min_size=1, max_size=5), st.booleans(), ASKED)
def test_what_is_found_again_is_what_would_be_found_anew(
    rules: list[tuple[Any, ...]], fresh_pins: bool, asked: list[tuple[VerifiedSubject, str, datetime]]
) -> None:
    """The same tools are asked about again and again, by several subjects, at all times."""
    chain = envelope(ceiling())
    text = _text(rules)
    bundle = compile_bundle(text, version=version_of(text, 1))
    world = replace(BASE, bundle=bundle, envelopes=Map({chain.digest: chain}))
    for who, name, at in asked:
        pinned = world.tools[ToolId(f"tol_{name}")]
        tool = replace(pinned, reversible=not pinned.reversible) if fresh_pins and at > NOON else pinned
        mine = visible(who, server(), [tool], snapshot=world, at=at)
        preview._kept.clear()
        assert mine == visible(who, server(), [tool], snapshot=replace(world), at=at)
        again = visible(who, server(), [tool], snapshot=world, at=at)
        assert again == mine
