"""What the analysis says of policies is so: shown by requests, and held to every request of a small world."""

import itertools
import os
from collections.abc import Iterator
from random import Random

import pytest

from remit.decision.policy.admission import read
from remit.decision.policy.analysis.comparison import compare
from remit.decision.policy.analysis.findings import analyze
from remit.decision.policy.analysis.report import Class, Patience, Report
from remit.decision.policy.analysis.texts import Text
from remit.decision.policy.compile import Env
from remit.decision.policy.given import Supposed
from remit.decision.policy.monitors import marks_of, past_type
from remit.decision.policy.schema import build_schema
from remit.decision.policy.values import Entity, Moment, Uid, Value
from support.cedar import seeded
from support.decisions import PERMIT_ALL, TOOLS, server, tool

LONG = os.environ.get("REMIT_LONG") == "1"
SCHEMA = build_schema([server()], TOOLS, ["Europe/Berlin"])
BOOK = 'principal, action == Remit::Action::"business/rooms.book", resource'
REFUND = 'principal, action == Remit::Action::"business/refunds.create", resource'


def found(report: Report) -> dict[str, Class]:
    return {each.rule: each.kind for each in report.findings}


PLANTED = {
    Class.ALWAYS_ALLOWS: PERMIT_ALL,
    Class.NEVER_SATISFIED: (
        f'@id("x") permit({BOOK}) when {{ context.arguments has attendees &&'
        " context.arguments.attendees > 5 && context.arguments.attendees < 3 };"
    ),
    Class.SHADOWED: (
        f'@id("x") permit({BOOK}) when {{ context.purpose like "book*" }};'
        f'@id("f") forbid({BOOK}) when {{ context.purpose like "b*" }};'
        f'@id("y") permit({BOOK}) when {{ context.purpose == "visit" }};'
    ),
    Class.INEFFECTIVE: (
        '@id("x") permit(principal in Remit::Segment::"s", action == Remit::Action::"business/tools.list",'
        " resource);"
        '@id("y") permit(principal, action in Remit::Action::"discovery", resource)'
        ' when { principal.segments.contains("s") };'
    ),
}


@pytest.mark.req("N6")
@pytest.mark.parametrize("kind", PLANTED)
def test_what_is_planted_is_found_and_shown(kind: Class) -> None:
    report = analyze(PLANTED[kind], SCHEMA)
    first = report.findings[0]
    assert (first.rule, first.kind) == ("all" if kind is Class.ALWAYS_ALLOWS else "x", kind)
    assert len(report.findings) == 1
    assert not report.undecided
    assert first.request is not None
    assert first.answer.startswith(
        {Class.NEVER_SATISFIED: "deny because nothing", Class.SHADOWED: "deny by f"}.get(kind, "permit by")
    )


MONEY = (
    '@id("small") permit({scope}) when {{ context has money && context.money.minor <= {limit} }};'
    '@id("large") @approval("team:{team}") permit({scope})'
    " when {{ context has money && context.money.minor > {limit} }};"
)


def money(limit: int, team: str = "leads") -> str:
    return MONEY.format(scope=REFUND, limit=limit, team=team)


@pytest.mark.req("N6")
def test_what_is_widened_is_found_and_shown_and_what_is_the_same_is_called_so() -> None:
    wider = compare(money(200), money(100), SCHEMA)
    assert found(wider) == {"small": Class.WIDENED}
    (shown,) = wider.findings
    assert shown.request is not None
    minor = shown.request["context"]["money"]["minor"]  # type: ignore[call-overload,index]  # JSON
    assert isinstance(minor, int)
    assert 100 < minor <= 200
    assert (shown.answer, shown.before) == ("permit by small", "ask by large")
    assert found(compare(money(100), money(200), SCHEMA)) == {"small": Class.NARROWED}
    respelt = money(100).replace("<= 100", "< 101").replace("> 100", ">= 101")
    assert found(compare(respelt, money(100), SCHEMA)) == {"": Class.EQUIVALENT}
    assert found(compare(money(100, "others"), money(100), SCHEMA)) == {"": Class.CHANGED}


@pytest.mark.req("N6")
def test_a_forbid_taken_away_and_a_duty_taken_away_are_widenings() -> None:
    forbid = f'@id("f") forbid({REFUND}) when {{ context.depth > 1 }};'
    assert found(compare(money(100), money(100) + forbid, SCHEMA)) == {
        "small": Class.WIDENED,
        "large": Class.WIDENED,
    }
    duty = '@obligation("redact pointer=/a") '
    owed = f'@id("x") {duty}permit({BOOK});'
    assert found(compare(owed.replace(duty, ""), owed, SCHEMA)) == {"x": Class.WIDENED}


@pytest.mark.req("N6")
def test_what_the_analysis_has_no_form_for_is_said_and_nothing_claimed() -> None:
    text = (
        '@id("x") permit(principal, action, resource)'
        " when { principal.hasTag(context.purpose) && principal.getTag(context.purpose) == context.purpose };"
    )
    report = analyze(text, SCHEMA)
    assert not report.findings
    assert "x: a tag whose name is not written down has no form here" in report.undecided
    hurried = analyze(PLANTED[Class.SHADOWED], SCHEMA, patience=Patience(total_s=-1))
    assert not hurried.findings
    assert hurried.undecided


REMEMBERED = (
    '@id("m") @remember("saw by=user") permit(principal, action == Remit::Action::"business/rooms.read",'
    " resource);"
    f'@id("x") permit({BOOK});'
)
PAST = f'@id("f") forbid({BOOK}) when {{ context.past.saw.user.count > 0 }};'


@pytest.mark.req("N6")
def test_rules_about_the_past_are_seen_and_rules_that_mark_permit_nothing() -> None:
    rules = read(REMEMBERED + PAST).rules.values()
    schema = build_schema([server()], TOOLS, [], past_type(marks_of(rules).values()))
    assert not analyze(REMEMBERED + PAST, schema).findings
    never = PAST.replace("> 0", "< 0")
    assert found(analyze(REMEMBERED + never, schema)) == {"f": Class.NEVER_SATISFIED}
    dropped = compare(REMEMBERED, REMEMBERED + PAST, schema)
    assert found(dropped) == {"x": Class.WIDENED}
    marked = compare(REMEMBERED.replace("rooms.read", "mail.send"), REMEMBERED, schema)
    assert marked.undecided == ("what is remembered is not the same, and what follows of it is not compared",)


LANGUAGE = [
    'principal in Remit::Blueprint::"office" && principal.blueprint != "office"',
    'principal in Remit::Segment::"a" && !principal.segments.contains("a")',
    'principal is Remit::Human && principal.environment == "production"',
    'principal.name != "bot" && principal == Remit::Agent::"bot"',
    'principal.hasTag("t") && principal.getTag("t") == "a" && principal.getTag("t") == "b"',
    'action == Remit::Action::"business/rooms.book" && action in Remit::Action::"discovery"',
    'action in [Remit::Action::"server:other"]',
    'resource is Remit::Room && context.resource.type == "Order"',
    'context.resource.id like "Room-*" && !(context.resource.id like "R*")',
    'context.purpose like "a*b*c" && context.purpose == "abd"',
    'context has user && context.user.segments.containsAll(["a", "b"]) && context.user.segments.isEmpty()',
    'context has user && context.user.segments.containsAny(["a"]) && !context.user.segments.contains("a")',
    'context.time < datetime("2026-01-01") && context.time.offset(duration("1d")) > datetime("2026-02-01")',
    'context.time.toTime() >= duration("24h")',
    'context.time.toDate().durationSince(context.time) > duration("0ms")',
    'context.time.durationSince(datetime("2026-01-01")).toHours() > 1 && context.depth > 10',
    'context.local["Europe/Berlin"].minute > 1439',
    "context.depth * 2 == 3",
    "-context.depth > 0",
    "(if context.bound then context.depth else 5) == 5 && context.bound && context.depth < 5",
    "{a: context.depth} == {a: 1} && context.depth == 2",
    '["x", context.purpose].contains("y") && context.purpose == "x"',
    "context has money && !context.tool.money",
    "context has task.purpose && context.task.purpose != context.purpose",
    "9223372036854775807 + context.depth > 0 && context.depth > 0",
]


@pytest.mark.req("N6")
@pytest.mark.parametrize("impossible", LANGUAGE)
def test_every_construct_has_its_meaning(impossible: str) -> None:
    """Each condition can't be, and its contrary can: both are seen."""
    zone, scope = '@zone("Europe/Berlin")', "permit(principal, action, resource)"
    text = (
        f'@id("x") {zone} {scope} when {{ {impossible} }};'
        f'@id("y") {zone} {scope} when {{ !({impossible}) && context.depth < 4 }};'
    )
    assert found(analyze(text, SCHEMA)) == {"x": Class.NEVER_SATISFIED}


@pytest.mark.req("N6")
def test_arguments_of_a_tool_are_seen_with_their_types() -> None:
    decimal = f'@id("x") permit({REFUND}) when {{ context.arguments has priority && '
    impossible = decimal + (
        'context.arguments.priority.lessThan(decimal("1.0")) &&'
        ' context.arguments.priority.greaterThan(decimal("2.0")) };'
    )
    assert found(analyze(impossible, SCHEMA)) == {"x": Class.NEVER_SATISFIED}
    tags = decimal + 'context.arguments has tags && context.arguments.tags.contains("a") };'
    assert not analyze(tags, SCHEMA).findings
    nested = tool("nested", "Box", {"of": {"type": "object", "properties": {"n": {"type": "integer"}}}})
    schema = build_schema([server()], [nested], [])
    scope = 'principal, action == Remit::Action::"business/nested", resource'
    text = f'@id("x") permit({scope}) when {{ context.arguments has of.n && context.arguments.of.n > 3 }};'
    assert not analyze(text, schema).findings


# -- a world small enough to look at all of it

PURPOSES, DEPTHS, GUESTS = ["a", "b", "z"], [0, 1, 2, 3], [None, 0, 1, 2, 3]
AGENT, DEED, ROOM = (
    Uid("Remit::Agent", "bot"),
    Uid("Remit::Action", "business/rooms.book"),
    Uid("Remit::Room", "r"),
)


def requests() -> Iterator[Env]:
    for purpose, depth, bound, guests in itertools.product(PURPOSES, DEPTHS, [True, False], GUESTS):
        arguments: dict[str, Value] = {} if guests is None else {"attendees": guests}
        context: dict[str, Value] = {
            "purpose": purpose,
            "depth": depth,
            "bound": bound,
            "time": Moment(0),
            "arguments": arguments,
        }
        entities = {AGENT: Entity(uid=AGENT), DEED: Entity(uid=DEED)}
        yield Env(AGENT, DEED, ROOM, Supposed(context), entities)


def condition(random: Random, depth: int = 2) -> str:
    if depth == 0 or random.random() < 0.2:
        atoms = [
            f'context.purpose == "{random.choice("ab")}"',
            f"context.depth <= {random.randrange(3)}",
            "context.bound",
            f"(context.arguments has attendees && context.arguments.attendees > {random.randrange(3)})",
        ]
        return random.choice(atoms)
    one, other = condition(random, depth - 1), condition(random, depth - 1)
    return random.choice([f"({one} && {other})", f"({one} || {other})", f"!({one})"])


def policies(random: Random) -> str:
    rules = []
    for number in range(4):
        effect = random.choice(["permit", "permit", "forbid"])
        asks = '@approval("owner") ' if effect == "permit" and random.random() < 0.3 else ""
        rules.append(f'@id("r{number}") {asks}{effect}({BOOK}) when {{ {condition(random)} }};')
    return "\n".join(rules)


def by_looking(text: Text, every: list[Env]) -> dict[str, Class]:
    """The definition of each finding, over all requests."""
    named: dict[str, Class] = {}
    for place, rule in text.rules.items():
        here = [env for env in every if text.holds(place, env)]
        forbids = [other for other, each in text.rules.items() if each.effect == "forbid"]
        if not here:
            named[rule.id] = Class.NEVER_SATISFIED
        elif rule.effect == "permit" and all(any(text.holds(one, env) for one in forbids) for env in here):
            named[rule.id] = Class.SHADOWED
        elif all(text.answer(env).same(text.answer(env, without=place)) for env in here):
            named[rule.id] = Class.INEFFECTIVE
    return named


@pytest.mark.req("N6")
@pytest.mark.timeout(3_600 if LONG else 300)
def test_the_solver_finds_exactly_what_looking_at_every_request_finds() -> None:
    every, seen = list(requests()), set[Class]()
    for seed in range(5, 205 if LONG else 8):
        text = policies(seeded(seed))
        expected = by_looking(Text.of(text), every)
        report = analyze(text, SCHEMA)
        assert not report.undecided
        assert found(report) == expected, text
        seen |= set(expected.values())
    assert len(seen) >= 2


@pytest.mark.req("N6")
@pytest.mark.timeout(3_600 if LONG else 300)
def test_the_solver_compares_as_looking_at_every_request_does() -> None:
    every, seen = list(requests()), 0
    for seed in range(100 if LONG else 4):
        random = seeded(1_000 + seed)
        old = policies(random)
        rules = old.splitlines()
        rules[random.randrange(4)] = policies(random).splitlines()[0].replace('"r0"', '"r9"')
        new = "\n".join(rules)
        mine, theirs = Text.of(new), Text.of(old)
        wider = {
            rule.id
            for env in every
            if mine.answer(env).effect < theirs.answer(env).effect
            for place, rule in mine.rules.items()
            if rule.effect == "permit" and mine.holds(place, env)
        }
        report = compare(new, old, SCHEMA)
        assert {each.rule for each in report.findings if each.kind is Class.WIDENED} == wider, (old, new)
        seen += bool(wider)
    assert seen
