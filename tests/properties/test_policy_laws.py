"""The compiled policies and Cedar give the same answer: same decision, same rules, same errors.

`REMIT_HYPOTHESIS=long` runs many more.
"""

import json
import os
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import cedarpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remit.decision.answer.response import Mode
from remit.decision.call.request import ActionRequest, Resource
from remit.decision.facts.assembly import Unassembled, assemble
from remit.decision.policy import extensions
from remit.decision.policy.admission import compile_bundle, version_of
from remit.decision.policy.arguments import argument_values
from remit.decision.policy.bundle import Bundle
from remit.decision.policy.context import arguments_of, ask
from remit.decision.policy.errors import PolicyRefused
from remit.decision.policy.evaluate import UNASKABLE, Answer, evaluate, settle
from remit.decision.policy.given import Given, Unaskable, pose, suppose_time
from remit.decision.policy.nearest import failing_parts
from remit.decision.policy.packs import default_text
from remit.decision.policy.parts import SCOPE, parts_of, probe_of
from remit.decision.policy.shapes import Misfit
from remit.decision.policy.values import EvaluationFailed
from remit.decision.stages.policy import finding_of, policy_stage
from remit.identity.principals import Environment
from remit.kernel.canonical import Json, JsonObject
from remit.kernel.ids import PrincipalId
from support.cedar import (
    BROKEN,
    DATETIMES,
    DECIMALS,
    DURATIONS,
    NETS,
    Writer,
    by_cedar,
    by_program,
    cedar_set,
    native,
    nodes_of,
    program_of,
    seeded,
)
from support.clock import NOON
from support.decisions import TOOLS, bundle, call, delegated, discovery, office, subject

LONG = os.environ.get("REMIT_HYPOTHESIS") == "long"
pytestmark = [pytest.mark.timeout(3_600)] if LONG else []

# -- the language


@pytest.mark.req("R48", "R50")
@settings(max_examples=max(25, settings().max_examples // 4))
@given(st.integers(0, 1 << 32))
def test_compiled_policies_say_what_cedar_says(seed: int) -> None:
    writer = Writer(seeded(seed))
    nodes = nodes_of([writer.policy() for _ in range(25)])
    if seed % 2:  # All permits: then Cedar tells of every policy whether it holds.
        nodes = {place: replace(node, effect="permit") for place, node in nodes.items()}
    policies, program = cedar_set(nodes), program_of(nodes)
    for world in [writer.world() for _ in range(5)]:
        assert by_program(program, world) == by_cedar(policies, world)


# -- the extension types

_LETTERS = st.text(alphabet="0123456789.:-+/TZdhms fF", max_size=12)


def _bent(text: str, random: Random) -> str:
    """One sign changed, lost, doubled or added."""
    place = random.randrange(len(text) + 1)
    sign = random.choice("0123456789.:-+/TZdhmsf \n٣")
    return text[:place] + random.choice(["", sign]) + text[place + random.randrange(3) :]


def _cedar_reads(name: str, text: str) -> bool:
    world = {"principal": _ANY, "action": _ANY, "resource": _ANY, "context": json.dumps({"t": text})}
    policy = f"permit(principal, action, resource) when {{ {name}(context.t) == {name}(context.t) }};"
    return cedarpy.is_authorized(world, policy, "[]").allowed


_ANY = {"type": "T", "id": ""}


@pytest.mark.parametrize("name", ["decimal", "ip", "datetime", "duration"])
@given(seed=st.integers(0, 1 << 32), noise=_LETTERS)
def test_what_cedar_can_not_read_is_not_read(name: str, seed: int, noise: str) -> None:
    random = seeded(seed)
    known = {"decimal": DECIMALS, "ip": NETS, "datetime": DATETIMES, "duration": DURATIONS}[name]
    for text in [noise, *(_bent(random.choice(known + BROKEN[name]), random) for _ in range(8))]:
        try:
            getattr(extensions, name)(text)
            read = True
        except EvaluationFailed:
            read = False
        assert read == _cedar_reads(name, text), text


@pytest.mark.parametrize(("name", "known"), [("datetime", DATETIMES), ("duration", DURATIONS)])
@given(seed=st.integers(0, 1 << 32))
def test_times_are_as_long_as_cedar_counts_them(name: str, known: list[str], seed: int) -> None:
    random = seeded(seed)
    text = random.choice([random.choice(known), _bent(random.choice(known), random), _some_day(random)])
    try:
        millis = getattr(extensions, name)(text).millis
    except EvaluationFailed:
        return
    counted = f'{name}("{text}")'
    if name == "datetime":
        counted += '.durationSince(datetime("1970-01-01"))'
    policy = f"permit(principal, action, resource) when {{ {counted}.toMilliseconds() == {millis} }};"
    said = cedarpy.is_authorized(
        {"principal": _ANY, "action": _ANY, "resource": _ANY, "context": "{}"}, policy, "[]"
    )
    assert said.allowed, (text, millis, said.diagnostics.errors)


def _some_day(random: Random) -> str:
    year, month, day = random.randrange(10_000), random.randrange(1, 13), random.randrange(1, 32)
    return f"{year:04}-{month:02}-{day:02}T{random.randrange(24):02}:{random.randrange(60):02}:59.007-0930"


# -- the question

CONDITIONS = [
    'context.purpose == "booking"', 'context.purpose like "*ing"', "context.depth == 0",
    "context.depth < 1", "context.bound",
    'context has money && context.money.currency == "EUR" && context.money.minor <= 20000',
    "context.money.minor > 5", 'context.user.name == "ada"', "context has user",
    'context has user && context.user.segments.contains("sales")', "context has task.mode",
    'context.task.mode == "interactive" && context.task.initiative == "user"', 'context.task.segment == ""',
    'context.tool.name == "rooms.book"', "context.tool.consequential && !context.tool.reversible",
    "context.tool.money", 'context.tool.server == "business"', 'context.resource.type == "Room"',
    'context.resource.id like "Room-*"', "context.arguments has attendees",
    "context.arguments has attendees && context.arguments.attendees <= 10", "context.arguments.attendees > 3",
    "context.arguments has catering && context.arguments.catering",
    "context.arguments.room == context.resource.id",
    'context.arguments.tags.contains("a")', 'context.arguments.priority.lessThan(decimal("2.5"))',
    'context.arguments has tags && context.arguments.tags.containsAll(["a", "b"])',
    'context.arguments.uri like "*"',
    'context.time < datetime("2026-06-01T00:00:00Z")', 'context.time.toTime() < duration("12h")',
    'context.local["Europe/Berlin"].minute < 800',
    'context.local["UTC"].weekday == 3 && context.local["UTC"].date like "2*"',
    'principal.name == "calendar-bot"', 'principal.environment == "production"', 'principal.owner != ""',
    'principal.blueprint == "office"', 'principal.segments.contains("sales")',
    'principal in Remit::Segment::"sales"',
    'principal in Remit::Blueprint::"office"', "principal has nickname", 'principal.hasTag("team")',
    'principal.getTag("team") == "x"', "principal is Remit::Agent", 'action in Remit::Action::"discovery"',
    'action in [Remit::Action::"server:business", Remit::Action::"x"]', "resource has a", "resource.a == 1",
    "resource is Remit::Room", 'resource == Remit::Room::"Room-401"', "context == context", "context.nothing",
    "context.arguments == context.arguments", "context has local", 'context.task.id == "tsk_1"',
    "[context].contains(context)", '{"a": context.purpose} == {"a": "booking"}',
    "context.user == context.user",
]  # fmt: skip
SCOPES = [
    "principal, action, resource", 'principal, action == Remit::Action::"business/rooms.book", resource',
    'principal, action in Remit::Action::"server:business", resource',

    'principal, action in [Remit::Action::"business/rooms.book", Remit::Action::"server:business"], resource',
    'principal == Remit::Agent::"calendar-bot", action, resource',
    "principal is Remit::Agent, action, resource",
    'principal in Remit::Blueprint::"office", action, resource is Remit::Room',
    'principal is Remit::Agent in Remit::Segment::"sales", action, resource',
    'principal, action, resource == Remit::Room::"Room-401"',
    'principal, action, resource in Remit::Room::"Room-401"',
    'principal, action, resource is Remit::Room in Remit::Room::"Room-402"',
    "principal is Remit::Human, action, resource",
]  # fmt: skip
RULES = st.tuples(
    st.sampled_from(["permit", "permit", "forbid"]),
    st.sampled_from(SCOPES),
    st.lists(st.tuples(st.sampled_from(["when", "when", "unless"]), st.sampled_from(CONDITIONS)), max_size=2),
    st.sampled_from(["", "", '@mode("observe") ', '@zone("UTC") ']),
)
ARGUMENTS = st.fixed_dictionaries(
    {
        "room": st.sampled_from(["Room-401", "Room-402", "Rüm"]),
        "currency": st.sampled_from(["EUR", "USD"]),
    },
    optional={
        "attendees": st.sampled_from([4, 12, 4.0, 1 << 52, 4.5, True, "4"]),
        "catering": st.sampled_from([True, False, "true", 1]),
        "order": st.just("8812"),
        "amount": st.sampled_from(["480.00", "9.99"]),
        "priority": st.sampled_from([1, 2.5, -0.0001, 1.00001, "1"]),
        "tags": st.sampled_from([[], ["a"], ["b", "a", "a"], ["a", 1], "a"]),
        "uri": st.sampled_from(["x", 1]),
    },
)


def _bundle(rules: list[tuple[Any, ...]]) -> Bundle:
    text = "".join(
        f'@id("r{number}") {mode}{effect} ({scope}) {" ".join(f"{w} {{ {c} }}" for w, c in clauses)};'
        for number, (effect, scope, clauses, mode) in enumerate(rules)
    )
    made = compile_bundle(text, version=version_of(text, 1))
    return replace(made, zones=("Europe/Berlin", "UTC")) if "local" in text else made


BASE = office()


@st.composite
def requests(draw: st.DrawFn) -> ActionRequest:
    """Calls of every tool and of none, by agents in many states."""
    name = draw(st.sampled_from([tool.name for tool in TOOLS] + [""]))
    raw = json.dumps(draw(ARGUMENTS)).encode()
    who = draw(st.sampled_from([subject(), subject(key=""), delegated()]))
    proposed = (
        replace(call(name, raw=raw), subject=who)
        if name
        else discovery(subject=who, arguments=json.loads(raw))
    )
    proposed = replace(proposed, at=NOON + timedelta(milliseconds=draw(st.integers(-(10**9), 10**10)) / 3))
    if draw(st.integers(0, 9)) == 0:
        proposed = replace(
            proposed, resource=Resource(type=draw(st.sampled_from(["a b", "is", "Órder", "X::Y"])), id="1")
        )
    base = BASE
    agent = replace(
        base.principals[PrincipalId("agt_calendar")],
        segments=draw(st.sampled_from([frozenset(), frozenset({"sales", "x"})])),
        attributes=draw(st.sampled_from([(), (("team", "x"),), (("team", "y"), ("", ""))])),
        environment=draw(st.sampled_from([Environment.PRODUCTION, None])),
    )
    asked = assemble(
        replace(proposed, subject=subject(key=who.key)),
        replace(base, principals=base.principals.set(agent.id, agent)),
    )
    assert not isinstance(asked, Unassembled)
    blueprint = asked.blueprint if draw(st.booleans()) else None
    alone: dict[str, Any] = {} if draw(st.booleans()) else {"user": None, "task": None}
    return replace(asked, call=proposed, blueprint=blueprint, **alone)


def _compiled(request: ActionRequest, bundle: Bundle) -> Answer | Misfit:
    assert bundle.program is not None
    try:
        return replace(settle(pose(request, bundle), bundle.program), debug=())
    except Unaskable:
        return UNASKABLE
    except Misfit as misfit:
        return misfit


def _cedars(request: ActionRequest, bundle: Bundle) -> Answer | Misfit:
    assert bundle.enforced is not None
    try:
        return replace(evaluate(ask(request, bundle), bundle.enforced, bundle), debug=())
    except Misfit as misfit:
        return misfit


@pytest.mark.attack("PD-05")
@pytest.mark.req("R48", "R50", "R52")
@settings(max_examples=settings().max_examples * 2)
@given(st.lists(RULES, min_size=1, max_size=8), requests())
def test_a_request_gets_the_answer_that_cedar_gives(
    rules: list[tuple[Any, ...]], request: ActionRequest
) -> None:
    bundle = _bundle(rules)
    if bundle.program is None:
        assert bundle.enforced is None
        return
    mine, cedars = _compiled(request, bundle), _cedars(request, bundle)
    if isinstance(mine, Misfit) or isinstance(cedars, Misfit):
        assert isinstance(mine, Misfit)
        assert isinstance(cedars, Misfit)
        assert (mine.pointer, mine.expected) == (cedars.pointer, cedars.expected)
    else:
        assert mine == cedars
    if isinstance(cedars, Answer) and "" not in cedars.failed:
        judged = policy_stage(request, replace(BASE, bundle=replace(bundle, rehearsal=None)))
        assert judged == finding_of(request, bundle, pose(request, bundle), cedars)


def _cedars_failing(request: ActionRequest, bundle: Bundle) -> dict[str, list[str]]:
    """The slow way: Cedar judges each part of each permit in force."""
    question = ask(request, bundle)
    permits = [
        place for place, rule in bundle.rules.items() if rule.effect == "permit" and rule.mode is Mode.ENFORCE
    ]
    parts = {
        f"{place}:{part.name}": part for place in permits for part in parts_of(place, bundle.nodes[place])
    }
    if not parts:
        return {}
    probes = {name: probe_of(name, part, bundle.nodes[part.place]) for name, part in parts.items()}
    said = cedarpy.is_authorized(question.wire(), cedar_set(probes), question.entities)
    held = set(said.diagnostics.reasons)
    return {
        place: [part.name for name, part in parts.items() if part.place == place and name not in held]
        for place in permits
        if f"{place}:{SCOPE}" in held
    }


@pytest.mark.req("N11")
@given(st.lists(RULES, min_size=1, max_size=8), requests())
def test_what_a_permit_lacks_is_what_cedar_misses(
    rules: list[tuple[Any, ...]], request: ActionRequest
) -> None:
    bundle = _bundle(rules)
    try:
        env = pose(request, bundle)
    except (Misfit, Unaskable):
        return
    lacking = failing_parts(env, bundle)
    assert {
        place: [probe.part.name for probe in probes] for place, probes in lacking.items()
    } == _cedars_failing(request, bundle)


_CALENDAR = (datetime(2, 1, 1), datetime(9_998, 1, 1))  # noqa: DTZ001 — Hypothesis takes bounds without a zone


@given(requests(), st.datetimes(*_CALENDAR), st.sampled_from([(), ("UTC", "Europe/Berlin")]))
def test_another_time_is_told_alike(request: ActionRequest, moment: datetime, zones: tuple[str, ...]) -> None:
    bundle = replace(_bundle([]), named=frozenset(), zones=zones)
    try:
        env = pose(request, bundle)
    except (Misfit, Unaskable):
        return
    at = moment.replace(tzinfo=UTC)
    told = native(ask(request, bundle).at(at, zones).context)
    assert suppose_time(env, at, zones).context.whole() == told


@given(requests(), st.sampled_from([(), ("UTC", "Europe/Berlin")]))
def test_what_policies_look_at_is_what_cedar_is_told(request: ActionRequest, zones: tuple[str, ...]) -> None:
    bundle = replace(_bundle([]), named=None, zones=zones)
    try:
        env = pose(request, bundle)
    except (Misfit, Unaskable):
        return
    question = ask(request, bundle)
    assert isinstance(env.context, Given)
    assert env.context.whole() == native(question.context)
    assert {env.principal, env.action} == set(env.entities)


@given(
    st.dictionaries(
        st.sampled_from(["attendees", "catering", "priority", "tags", "room", "x"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
            lambda inner: st.lists(inner, max_size=2),
            max_leaves=3,
        ),
    ),
    st.sampled_from([None, frozenset[str](), frozenset({"tags", "attendees"})]),
    st.sampled_from(TOOLS),
)
def test_arguments_are_cast_alike_in_both_forms(
    given: JsonObject, named: frozenset[str] | None, tool: Any
) -> None:
    request = assemble(call(), BASE)
    assert not isinstance(request, Unassembled)
    request = replace(request, tool=tool, call=replace(request.call, arguments=given))
    try:
        cast: Json | Misfit = arguments_of(request, named)
    except Misfit as misfit:
        cast = misfit
    if isinstance(cast, Misfit):
        with pytest.raises(Misfit) as raised:
            argument_values(tool, given, named)
        assert (raised.value.pointer, raised.value.expected) == (cast.pointer, cast.expected)
    else:
        assert argument_values(tool, given, named) == native(cast)


# -- what is no policy

SLIPS = [
    "",
    ";",
    "(",
    ")",
    "{",
    "}",
    '"',
    "&&",
    "whn",
    "?principal",
    "@",
    "permit",
    "1",
    "é",
    "\n",
    "//",
    "\\",
    "::",
    "\ud800",
]


@settings(max_examples=max(150, settings().max_examples))
@given(st.integers(0, 1 << 32))
def test_a_slip_of_the_pen_is_refused_with_a_place_in_the_text_or_taken(seed: int) -> None:
    random = seeded(seed)
    words = re.split(r"(\s+|\b)", default_text())
    for _ in range(random.randrange(1, 4)):
        words[random.randrange(len(words))] = random.choice(SLIPS)
    text = "".join(words)
    try:
        bundle(text)
    except PolicyRefused as refused:
        lines = text.split("\n")
        for fault in refused.faults:
            assert fault.sentence
            assert fault.line <= len(lines)
            assert not fault.line or 1 <= fault.column <= len(lines[fault.line - 1]) + 1, fault
