"""Corner cases of Cedar's language, operator by operator: the compiled form says what Cedar says."""

import json
from dataclasses import replace

import pytest
from cedarpy import pst

from remit.decision.answer.response import Effect, Mode
from remit.decision.call.request import ActionRequest
from remit.decision.facts.assembly import Unassembled, assemble
from remit.decision.policy.compile import Uncompilable
from remit.decision.policy.program import compile_policy
from remit.decision.policy.rules import Rule
from remit.decision.policy.values import FALSE, TRUE, Fixed, Moment, Span, Uid, equal, key
from remit.decision.stages.policy import policy_stage
from support.cedar import World, by_cedar, by_program, cedar_set, native, nodes_of, program_of
from support.decisions import call, office

BOOK = 'permit(principal, action == Remit::Action::"business/rooms.book", resource)'
WORLD = World(
    documents=[
        {
            "uid": {"type": "T::A", "id": "p"},
            "attrs": {"n": 1, "s": "x", "e": {"__entity": {"type": "T::G", "id": "g"}}},
            "tags": {"t": "v"},
            "parents": [{"type": "T::G", "id": "g"}],
        },
        {
            "uid": {"type": "T::G", "id": "g"},
            "attrs": {"n": 2},
            "parents": [{"type": "T::G", "id": "top"}],
        },
        {
            "uid": {"type": "T::Action", "id": "do"},
            "attrs": {},
            "parents": [{"type": "T::Action", "id": "all"}],
        },
    ],
    principal=("T::A", "p"),
    action=("T::Action", "do"),
    resource=("T::X", "r"),
    context={
        "a": 1,
        "yes": True,
        "b": {"c": "x", "d": {"e": 1}},
        "s": [1, 2],
        "m": [True, 1, "1"],
        "d": {"__extn": {"fn": "decimal", "arg": "1.5"}},
        "u": {"__entity": {"type": "T::A", "id": "p"}},
        "w": {"__extn": {"fn": "datetime", "arg": "2026-01-02T03:04:05.678Z"}},
    },
)

CASES = {
    "equality": [
        "1 == true", "true == 1", "1 != true", "0 == false", '1 == "1"', "context.yes == 1",
        "context.a == true",
        "context.a == 1", "[1, true].contains(true)", "[1].contains(true)", "[true].contains(1)",
        "[1] == [true]",
        "[1, 1, 2] == [2, 1]", "context.m == [1, true]", 'context.m == ["1", 1, true, 1]',
        "{a: 1} == {a: true}",
        "{a: 1, b: 2} == {b: 2, a: 1}", "{a: 1} == {a: 1, b: 2}", "[{a: 1}].contains({a: true})",
        "[[1], [true]].contains([1])", "[[1], [true]].contains([true, true])", "context == context",
        'context.b == {c: "x", d: {e: 1}}', 'context.b == {c: "x", d: {e: true}}', 'principal == T::A::"p"',
        'principal == T::B::"p"', 'decimal("1.0") == decimal("1.0000")', '1 == decimal("1.0")',
        'datetime("1970-01-01") == duration("0ms")', 'duration("1d") == duration("24h")',
        'ip("127.0.0.1") == ip("127.0.0.1/32")', 'ip("10.0.0.1/8") == ip("10.0.0.0/8")',
        "context.zz == context.zz",
        "principal.n == resource.n", "context.u == principal", "context.yes == (1 == 1)",
    ],
    "logic": [
        "true && 1", "false && 1", "1 && true", "true || 1", "false || 1", "1 || true", "!1", "!true",
        "!!true",
        "true && false || true", "false && context.zz", "true || context.zz", "context.zz || true",
        "(true && true) && (false && context.zz)", "(false || false) || (true || context.zz)",
        "true && (true && 1)", "if true then true else context.zz", "if false then context.zz else true",
        "if 1 then true else true", "if true then 1 else true", "if true then true else false && 1",
        "context.a",
        "context.yes", "context.yes && context.a",
    ],
    "arithmetic": [
        "9223372036854775807 + 1 == 1", "9223372036854775807 + 0 > 0", "-9223372036854775808 - 1 == 1",
        "-9223372036854775808 < 0", "-(-9223372036854775808) < 0", "2 * 4611686018427387904 == 0",
        "-2 * 4611686018427387904 < 0", "1 + 2 * 3 - 4 == 3", "1 - 2 - 3 == -4", "--1 == 1", "-true == 1",
        '1 - "a" == 1', "true + 1 == 2", "context.yes * 1 == 1", "-context.a == -1",
        "9223372036854775807 + 1 - 1 == 9223372036854775807",
    ],
    "comparison": [
        "1 < 2", "2 <= 2", "2 > 3", "3 >= 3", '"a" < "b"', "true < false", "1 < true",
        "principal < principal",
        'decimal("1.0") < decimal("2.0")', '1 < decimal("1.0")',
        'datetime("2020-01-01") < datetime("2020-01-02")',
        'duration("1d") < datetime("2020-01-02")', 'datetime("2020-01-02") >= duration("1d")',
        'duration("-1d") < duration("0ms")', 'context.w < datetime("2026-01-02T03:04:05.679Z")', "[1] < [2]",
        'duration("1d").lessThan(duration("2d"))', 'context.d.lessThan(decimal("2.0"))',
        'context.d.greaterThanOrEqual(decimal("1.5"))', 'context.a.lessThan(decimal("2.0"))',
    ],
    "like": [
        '"a*b" like "a\\*b"', '"axb" like "a\\*b"', '"axb" like "a*b"', '"" like "*"', '"" like ""',
        '"a" like ""',
        '"abab" like "ab"', '"ab" like "ab*ab"', '"aba" like "ab*ba"', '"abab" like "*ab"',
        '"aXbYc" like "a*b*c"',
        '"aXbYcZ" like "a*b*c"', '"é" like "?"', '"é" like "é"', '"\\u{1F600}x" like "*x"', '1 like "a"',
        '"a\\0b" like "a\\u{0}b"', '"a\\nb" like "a*b"', 'context.b.c like "**"', '"abcbc" like "*bc"',
    ],
    "has": [
        "context has a", "context has zz", "context has b.c", "context has b.d.e", "context has b.zz.e",
        "context has a.c",
        "context has zz.c", 'context has "b"', "principal has n", "principal has zz", "principal has n.m",
        "principal has e.n", "resource has n", "resource has n.m", "context.u has n", "1 has n", '"x" has n',
        "[1] has n", "{a: 1} has a", "{a: 1} has b", "context.s has a",
    ],
    "attributes": [
        'context.b["c"] == "x"', "context.zz", "principal.n == 1", "principal.zz == 1", "principal.e.n == 2",
        "resource.n == 1", 'T::Zed::"x".a == 1', 'T::Zed::"x" has a', "action.n == 1", "context.a.n == 1",
        "{a: 1}.a == 1", "{a: 1}.b == 1", "{a: 1, b: context.zz}.a == 1",
    ],
    "tags": [
        'principal.hasTag("t")', 'principal.hasTag("zz")', 'principal.getTag("t") == "v"',
        'principal.getTag("zz") == "v"', 'resource.hasTag("t")', 'resource.getTag("t") == "v"',
        "principal.hasTag(1)",
        "resource.hasTag(1)", '1.hasTag("t")', 'context.hasTag("t")', 'context.u.getTag(context.b.c) == "v"',
    ],
    "hierarchy": [
        'principal in T::G::"g"', 'principal in T::G::"top"', 'principal in T::A::"p"',
        'principal in T::G::"other"',
        'T::G::"g" in T::G::"top"', 'T::G::"top" in T::G::"g"', "principal in []", 'principal in [T::G::"g"]',
        'principal in [T::G::"g", 1]', "principal in [principal, 1]", "principal in 1", "1 in principal",
        "1 in []", 'resource in T::X::"r"', 'resource in T::G::"g"', 'T::Zed::"x" in T::Zed::"x"',
        'action in T::Action::"all"', 'action in [T::Action::"x", T::Action::"all"]',
        "principal in principal.e",
        "principal in context.s", "principal in [principal.e, resource]", "context.u in [principal]",
    ],
    "is": [
        "principal is T::A", "principal is T::B", "principal is A", "1 is T::A",
        'principal is T::A in T::G::"top"',
        'principal is T::B in T::G::"g"', "principal is T::B in 1", "principal is T::A in 1",
        "resource is T::X",
        'principal is T::A in [T::G::"g", T::G::"x"]', "context.u is T::A",
    ],
    "sets": [
        "[].isEmpty()", "context.s.isEmpty()", "context.isEmpty()", "context.s.contains(2)", "1.contains(1)",
        "context.s.containsAll([])", "context.s.containsAll([1, 2, 1])", "context.s.containsAll([1, 3])",
        "context.s.containsAny([3, 2])", "[].containsAny([])", "context.s.containsAny([true])",
        "context.s.containsAll(1)", "1.containsAny([1])", "[context.zz].isEmpty()",
        "[1, context.a].contains(1)",
        "context.m.containsAll([1, true])", "[1].containsAll([true])",
    ],
    "decimal": [
        'decimal("1") == decimal("1.0")', 'decimal("1.00000") == decimal("1.0")',
        'decimal("-0.0") == decimal("0.0")',
        'decimal("-0.5").lessThan(decimal("0.0"))', 'decimal("922337203685477.5808") == decimal("1.0")',
        'decimal("-922337203685477.5808").lessThan(decimal("0.0"))', 'decimal("0001.0") == decimal("1.0")',
        'decimal("1.0\\n") == decimal("1.0")', 'decimal(context.b.c) == decimal("1.0")',
    ],
    "ip": [
        'ip("127.0.0.1/7").isLoopback()', 'ip("127.255.0.1/8").isLoopback()', 'ip("::1/64").isLoopback()',
        'ip("::1").isLoopback()', 'ip("::ffff:7f00:1").isLoopback()', 'ip("224.0.0.1/3").isMulticast()',
        'ip("239.0.0.1/4").isMulticast()', 'ip("ff00::/7").isMulticast()', 'ip("ff00::/8").isMulticast()',
        'ip("10.0.0.0/8").isInRange(ip("10.0.0.0/16"))', 'ip("10.0.0.0/16").isInRange(ip("10.9.9.9/8"))',
        'ip("::1").isInRange(ip("0.0.0.0/0"))', 'ip("0.0.0.0/0").isInRange(ip("0.0.0.0/0"))',
        'ip("1.2.3.4/032").isIpv4()',
        'ip("::ffff:1.2.3.4").isIpv6()', 'ip("::1%eth0").isIpv6()', 'ip("01.2.3.4").isIpv4()',
        'ip("::").isIpv6()',
        'ip("1.2.3.4").isIpv6()', '"1.2.3.4".isIpv4()', 'ip("1.2.3.4").isInRange("0.0.0.0/0")',
    ],
    "datetime": [
        'datetime("0000-01-01") < datetime("0001-01-01")', 'datetime("0000-02-29") < datetime("0000-03-01")',
        'datetime("2023-02-29") == datetime("2023-03-01")',
        'datetime("2020-01-01T00:00:00+0100") < datetime("2020-01-01")',
        'datetime("2020-01-01T00:00:00+2400") < datetime("2020-01-01")',
        'datetime("1969-12-31T23:59:59.999Z").toDate() == datetime("1969-12-31")',
        'datetime("1969-12-31T23:59:59.999Z").toTime() == duration("23h59m59s999ms")',
        'context.w.toTime() == duration("3h4m5s678ms")', "context.w.offset(1) == context.w",
        'context.w.offset(duration("9223372036854775807ms")) == context.w',
        'datetime("1970-01-01").offset(duration("-9223372036854775808ms")).toDate() == context.w',
        'datetime("1970-01-01").offset(duration("-9223372036854775808ms")).toTime() == duration("1d")',
        'context.w.durationSince(context.w.offset(duration("-9223372036854775808ms"))) == duration("1d")',
        'datetime("2020-01-01").durationSince(datetime("2021-01-01")) == duration("-366d")',
    ],
    "duration": [
        'duration("-1500ms").toSeconds() == -1', 'duration("-1500ms").toDays() == 0',
        'duration("1d").toHours() == 24',
        'duration("1d2h3m4s5ms").toMilliseconds() == 93784005', 'duration("1d2h3m4s5ms").toMinutes() == 1563',
        'duration("1h1d") == duration("25h")', 'duration("") == duration("0ms")',
        'duration("-") == duration("0ms")',
        'duration("9223372036854775808ms") == duration("1ms")',
        'duration("-9223372036854775808ms") < duration("1ms")',
        'duration("106751991167301d") == duration("1ms")', "context.a.toDays() == 1",
    ],
}  # fmt: skip


@pytest.mark.attack("PD-02")
@pytest.mark.parametrize("operator", CASES)
def test_an_operator_does_what_cedar_does(operator: str) -> None:
    nodes = nodes_of([f"permit(principal, action, resource) when {{ {text} }};" for text in CASES[operator]])
    assert len(nodes) == len(CASES[operator]), "each case must be Cedar"
    said, cedars = by_program(program_of(nodes), WORLD), by_cedar(cedar_set(nodes), WORLD)
    wrong = (set(said.reasons) ^ set(cedars.reasons)) | (set(said.failed) ^ set(cedars.failed))
    assert not wrong, [CASES[operator][int(place.removeprefix("policy"))] for place in wrong]
    assert 0 < len(cedars.reasons) < len(nodes), "cases on both sides"


CLAUSES = [
    "when { false } unless { context.zz }", "unless { context.zz } when { false }",
    "when { context.zz } when { false }",
    "when { true } unless { false } when { context.yes }", "unless { 1 }", "unless { true && 1 }", "",
]  # fmt: skip
SCOPES = [
    "principal, action, resource", 'principal == T::A::"p", action, resource',
    'principal == T::G::"g", action, resource',
    'principal in T::A::"p", action, resource', 'principal in T::G::"g", action, resource',
    'principal in T::G::"top", action, resource', "principal is T::A, action, resource",
    "principal is T::G, action, resource",
    'principal is T::A in T::G::"top", action, resource',
    'principal is T::G in T::G::"top", action, resource',
    'principal is T::A in T::A::"p", action, resource', 'principal is T::B in T::A::"p", action, resource',
    'principal, action == T::Action::"do", resource', 'principal, action == T::Action::"all", resource',
    'principal, action in T::Action::"all", resource', 'principal, action in T::Action::"do", resource',
    'principal, action in [T::Action::"do", T::Action::"all"], resource', "principal, action in [], resource",
    'principal, action in [T::Action::"x"], resource', 'principal, action, resource == T::X::"r"',
    'principal, action, resource in T::X::"r"', "principal, action, resource is T::X",
    'principal, action, resource is T::X in T::X::"r"', 'principal, action, resource is T::Y in T::X::"r"',
    'principal, action, resource in T::G::"g"',
    'principal in T::G::"top", action in [T::Action::"do", T::Action::"all"], resource is T::X in T::X::"r"',
]  # fmt: skip


@pytest.mark.parametrize("effect", ["permit", "forbid"])
@pytest.mark.parametrize("resource", [("T::X", "r"), ("T::G", "g"), ("T::A", "p")])
def test_a_policy_applies_where_cedar_applies_it(effect: str, resource: tuple[str, str]) -> None:
    texts = [f"{effect} ({scope}) {clause};" for scope in SCOPES for clause in CLAUSES]
    nodes, world = nodes_of(texts), replace(WORLD, resource=resource)
    assert len(nodes) == len(texts)
    said, cedars = by_program(program_of(nodes), world), by_cedar(cedar_set(nodes), world)
    wrong = (set(said.reasons) ^ set(cedars.reasons)) | (set(said.failed) ^ set(cedars.failed))
    assert not wrong, [texts[int(place.removeprefix("policy"))] for place in wrong]
    assert said.allowed == cedars.allowed


def test_rules_are_named_in_the_order_of_the_text_and_once() -> None:
    nodes = nodes_of([f"permit ({scope});" for scope in SCOPES])
    permits, _, _ = program_of(nodes).run(WORLD.env())
    places = [int(rule.id.removeprefix("policy")) for rule in permits]
    assert places == sorted(set(places))


@pytest.mark.attack("PD-14")
@pytest.mark.parametrize("part", ["scope", "operator", "expression", "entity"])
def test_what_is_not_known_is_refused_and_never_left_out(part: str) -> None:
    node = nodes_of(['permit (principal == T::A::"p", action, resource) when { true };'])["policy0"]
    odd: dict[str, pst.Template] = {
        "scope": replace(node, principal=pst.ScopeEq(pst.Slot("principal"))),
        "operator": replace(node, clauses=(pst.When(pst.UnaryOp("sqrt", pst.LongLit(4))),)),  # type: ignore[arg-type]  # no operator of Cedar's
        "expression": replace(node, clauses=(pst.When(pst.Slot("principal")),)),
        "entity": replace(node, resource=pst.ScopeIn(pst.Slot("resource"))),
    }
    with pytest.raises(Uncompilable):
        compile_policy(0, Rule(id="x", effect="permit", mode=Mode.ENFORCE), odd[part])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (True, 1),
        (False, 0),
        ("1", 1),
        (Fixed(1), 1),
        (Fixed(1), Moment(1)),
        (Moment(1), Span(1)),
        (Uid("a", "b"), "a"),
    ],
)
def test_values_of_different_types_are_never_equal(one: object, other: object) -> None:
    assert not equal(one, other)  # type: ignore[arg-type]  # values, of every type
    assert key(one) != key(other)  # type: ignore[arg-type]
    assert len(frozenset([key(one), key(other)])) == 2  # type: ignore[arg-type]


@pytest.mark.twin("PD-02")
def test_pythons_own_equality_would_take_one_for_true() -> None:
    limits = json.loads('{"few": [1, 2], "flag": true}')
    few, flag = native(limits["few"]), native(limits["flag"])
    assert isinstance(few, frozenset)
    assert key(flag) not in few
    assert flag in few, "without the key, `[1, 2].contains(true)` would hold"
    assert (key(True), key(False)) == (TRUE, FALSE)


DEEP = {
    "brackets": "(" * 60 + "context.bound" + ")" * 60,
    "choices": "(if context.bound then " * 60 + "true" + " else false)" * 60,
    "negations": "!((" * 30 + "context.bound" + ") == false)" * 30,
    "conjuncts": " && ".join(["context.bound"] * 95),
    "sums": " + ".join(["1"] * 90) + " == 90",
}


@pytest.mark.attack("PD-03", "PD-14")
@pytest.mark.parametrize("form", DEEP)
def test_as_deep_as_a_policy_may_nest_it_is_evaluated(form: str) -> None:
    """What admission takes, evaluation has the stack for, also from far down in a program's own calls."""
    snapshot = office(f'@id("x") permit(principal, action, resource) when {{ {DEEP[form]} }};')
    request = assemble(call(), snapshot)
    assert not isinstance(request, Unassembled)
    asked: ActionRequest = request

    def from_below(frames: int) -> Effect:
        return from_below(frames - 1) if frames else policy_stage(asked, snapshot).effect

    assert from_below(300) is Effect.PERMIT


@pytest.mark.req("N11")
@pytest.mark.parametrize("limit", ["-9223372036854775808", "3"])
def test_a_limit_that_no_number_can_meet_is_never_named(limit: str) -> None:
    """One less than the least Long is no Long: Cedar could not be asked about it, and nobody can send it."""
    few = f"context.arguments has attendees && context.arguments.attendees < {limit}"
    text = f'@id("x") {BOOK} when {{ {few} }};'
    snapshot = office(text)
    request = assemble(call("rooms.book"), snapshot)
    assert not isinstance(request, Unassembled)
    (miss,) = policy_stage(request, snapshot).nearest_miss
    assert miss.never == (limit != "3")
    assert miss.at_most == ("2" if limit == "3" else "")
