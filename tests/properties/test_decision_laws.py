"""Laws of the decision over all inputs that Hypothesis can think of."""

from dataclasses import replace
from typing import Any

import cedarpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.authority.rights import Caps, Money
from remit.decision.answer.finding import Finding
from remit.decision.answer.response import Effect, NearestMiss, Stage
from remit.decision.budget.cost import Dimension, Line
from remit.decision.budget.currency import amount_text, minor_units
from remit.decision.call.digest import action_key
from remit.decision.call.request import ActionRequest, ProposedCall
from remit.decision.facts.assembly import Unassembled, assemble
from remit.decision.facts.snapshot import Snapshot
from remit.decision.making.account import balance, reserve
from remit.decision.policy.context import ask
from remit.decision.policy.packs import default_text
from remit.decision.policy.schema import build_schema, compile_schema
from remit.decision.policy.shapes import Fields, Misfit, cedar_type, project, shape_of
from remit.decision.stages.pipeline import fold, judge, refusal
from remit.decision.stages.preview import visible
from remit.kernel.canonical import JsonObject, canonical_json
from remit.kernel.ids import ToolId
from support.clock import NOON
from support.decisions import TOOLS, bundle, call, office, server, subject

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=8)
    | st.floats(allow_nan=False, allow_infinity=False, width=32),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
BOOKINGS = st.fixed_dictionaries(
    {"room": st.sampled_from(["Room-401", "Room-402"])},
    optional={"attendees": st.integers(-5, 30), "catering": st.booleans(), "note": st.text(max_size=5)},
)


def requested(proposed: ProposedCall, snapshot: Snapshot) -> ActionRequest:
    request = assemble(proposed, snapshot)
    assert not isinstance(request, Unassembled)
    return request


def effect(proposed: ProposedCall, snapshot: Snapshot) -> Effect:
    request = assemble(proposed, snapshot)
    found = (refusal(request.reason),) if isinstance(request, Unassembled) else judge(request, snapshot)
    return fold(found, snapshot=snapshot).effect


@given(st.lists(st.sampled_from(list(Effect)), min_size=1, max_size=6))
def test_adding_a_finding_never_weakens_the_verdict(effects: list[Effect]) -> None:
    snapshot = SNAPSHOT
    found = [Finding(stage=Stage.POLICY, effect=one, reasons=refusal_of(one)) for one in effects]
    for count in range(1, len(found)):
        shorter = fold(found[:count], snapshot=snapshot).effect
        assert fold(found[: count + 1], snapshot=snapshot).effect.strength >= shorter.strength


def refusal_of(one: Effect) -> Any:
    from remit.decision.answer.response import Reason
    from remit.decision.codes.catalogue import TABLE, Code

    code = {Effect.ASK: Code.APPROVAL_REQUIRED, Effect.STEP_UP: Code.STEP_UP_REQUIRED}.get(
        one, Code.FORBIDDEN
    )
    return (Reason(stage=Stage.POLICY, effect=one, kind=TABLE[code].kind, code=code, sentence="x"),)


SNAPSHOT = office()
DEFAULTS = office(default_text())


@pytest.mark.req("R64", "R75")
@given(
    consequential=st.booleans(),
    reversible=st.booleans(),
    bound=st.booleans(),
    name=st.sampled_from(["rooms.book", "refunds.create", "mail.send"]),
)
def test_more_impact_or_risk_never_lowers_the_control(
    *, consequential: bool, reversible: bool, bound: bool, name: str
) -> None:
    """Under the shipped text: harmless to consequential, reversible to not, bound to unbound."""

    def control(*, harm: bool, undo: bool, key: bool) -> int:
        entry = replace(
            DEFAULTS.tools[ToolId(f"tol_{name}")], consequential=harm, reversible=undo, digest="c" * 64
        )
        snapshot = replace(DEFAULTS, tools=DEFAULTS.tools.set(entry.id, entry))
        who = subject() if key else subject(key="")
        proposed = call(name, snapshot=snapshot, subject=who, tool=entry, consequential=harm)
        return effect(proposed, snapshot).strength

    base = control(harm=consequential, undo=reversible, key=bound)
    assert control(harm=True, undo=reversible, key=bound) >= base
    assert control(harm=consequential, undo=False, key=bound) >= base
    assert control(harm=consequential, undo=reversible, key=False) >= base


RULES = office(
    '@id("few") permit(principal, action == Remit::Action::"business/rooms.book", resource)'
    " when { context.arguments has attendees && context.arguments.attendees <= 10"
    " && context.arguments.attendees >= 1 };"
    '@id("room") permit(principal, action, resource == Remit::Room::"Room-402") unless'
    ' { context.resource.type == "Order" };'
    '@id("fed") forbid(principal, action == Remit::Action::"business/rooms.book", resource)'
    " when { context.arguments has catering && context.arguments.catering };"
)
SCHEMA = compile_schema(build_schema([server()], TOOLS, ()))


@given(BOOKINGS)
def test_our_question_is_the_one_that_cedar_itself_accepts_under_the_schema(arguments: JsonObject) -> None:
    """The projection is typed by construction: validating the request changes no answer."""
    whole = replace(RULES, bundle=replace(RULES.bundle, named=None))
    request = requested(call("rooms.book", raw=canonical_json(arguments)), whole)
    question = ask(request, whole.bundle)
    assert whole.bundle.enforced is not None
    loose = cedarpy.is_authorized(question.wire(), whole.bundle.enforced, question.entities)
    strict = cedarpy.is_authorized(question.wire(), whole.bundle.enforced, question.entities, schema=SCHEMA)
    assert strict.decision == loose.decision
    assert strict.diagnostics.errors == []


@given(BOOKINGS)
def test_leaving_out_what_no_policy_names_changes_nothing(arguments: JsonObject) -> None:
    whole = replace(RULES, bundle=replace(RULES.bundle, named=None))
    proposed = call("rooms.book", raw=canonical_json(arguments))
    assert effect(proposed, RULES) is effect(proposed, whole)


@pytest.mark.req("N11")
@given(BOOKINGS)
def test_a_named_change_of_an_argument_leads_to_a_permit(arguments: JsonObject) -> None:
    proposed = call("rooms.book", raw=canonical_json(arguments))
    verdict = fold(judge(requested(proposed, RULES), RULES), snapshot=RULES)
    if verdict.effect is Effect.PERMIT or verdict.nearest_miss[0].never:
        return
    helped = dict(arguments)
    for miss in verdict.nearest_miss:
        helped[miss.argument.removeprefix("/")] = changed_to(miss)
    assert effect(call("rooms.book", raw=canonical_json(helped)), RULES) is Effect.PERMIT


def changed_to(miss: NearestMiss) -> Any:
    if miss.one_of:
        return {"true": True, "false": False}.get(miss.one_of[0], miss.one_of[0])
    return int(miss.at_most or miss.at_least)


@pytest.mark.attack("PD-22")
@pytest.mark.req("N14", "R45")
@given(BOOKINGS, st.integers(0, 3))
def test_what_a_list_hides_is_refused_when_called(arguments: JsonObject, depth: int) -> None:
    text = (
        '@id("a") permit(principal, action == Remit::Action::"business/rooms.book", resource)'
        f" when {{ context.arguments has attendees && context.arguments.attendees > {depth} }};"
        '@id("b") forbid(principal, action == Remit::Action::"business/rooms.book", resource)'
        f" when {{ context.depth < {depth} }};"
    )
    snapshot = replace(SNAPSHOT, bundle=bundle(text))
    shown = visible(subject(), server(), TOOLS, snapshot=snapshot, at=NOON)
    proposed = call("rooms.book", raw=canonical_json(arguments))
    if proposed.tool is not None and proposed.tool.id not in shown:
        assert effect(proposed, snapshot) is Effect.DENY
    assert shown <= {ToolId("tol_rooms.book")}


@given(JSON_VALUES)
def test_reading_a_schema_never_fails_and_gives_types_that_cedar_knows(value: Any) -> None:
    schema: JsonObject = value if isinstance(value, dict) else {"type": "object", "properties": {"a": value}}
    shape = shape_of(schema)
    assert isinstance(shape, Fields)
    assert cedar_type(shape)["type"] == "Record"


@given(st.dictionaries(st.text(max_size=6), JSON_VALUES, max_size=5))
def test_projecting_any_value_fits_or_is_refused(value: JsonObject) -> None:
    shape = shape_of(
        {
            "type": "object",
            "properties": {
                "a": {"type": "string"},
                "b": {"type": "integer"},
                "c": {"type": "array", "items": {"type": "boolean"}},
                "d": {"type": "number"},
            },
        }
    )
    try:
        shown = project(shape, value, named=None)
    except Misfit:
        shown = {}
    assert shown.keys() <= {"a", "b", "c", "d"}


@pytest.mark.attack("CA-19")
@given(st.integers(0, 2**53 - 1), st.sampled_from(["EUR", "JPY", "KWD"]))
def test_an_amount_reads_back_as_it_was_written(minor: int, currency: str) -> None:
    assert minor_units(amount_text(minor, currency), currency) == minor


@pytest.mark.attack("CA-19")
@pytest.mark.parametrize(
    "amount", ["-1", "NaN", "Infinity", "1e9", "1.001", "9" * 30, "", " 1", "0x1", True, None, [], {}, -0.5]
)
def test_an_impossible_amount_is_none(amount: Any) -> None:
    assert minor_units(amount, "EUR") is None


class Books:
    """Counters in memory."""

    def __init__(self) -> None:
        self.rows: dict[str, int] = {}

    def spent(self, line: Line) -> int:
        return self.rows.get(line.id, 0)

    def reserve(self, line: Line) -> bool:
        if self.spent(line) + line.cost > line.cap:
            return False
        self.rows[line.id] = self.spent(line) + line.cost
        return True

    def release(self, line: Line) -> None:
        self.rows[line.id] -= line.cost

    def charge(self, line: Line) -> None:
        self.rows[line.id] = self.spent(line) + line.cost


@pytest.mark.req("N27")
@given(
    st.lists(st.tuples(st.sampled_from(["child1", "child2"]), st.integers(0, 40)), min_size=1, max_size=20),
    st.integers(0, 100),
)
def test_children_together_never_exceed_their_parent_and_a_refusal_leaves_no_trace(
    spends: list[tuple[str, int]], cap: int
) -> None:
    books = Books()
    request = requested(call(), SNAPSHOT)
    for child, cost in spends:
        lines = [
            Line(account=name, factor=name, dimension=Dimension.CALLS, period=0, cap=limit, cost=cost)
            for name, limit in (("parent", cap), (child, 60))
        ]
        before = dict(books.rows)
        can = balance(books, request, lines).effect
        did = reserve(books, request, lines).effect
        assert can is did
        if did is Effect.DENY:
            assert {name: spent for name, spent in books.rows.items() if spent} == {
                name: spent for name, spent in before.items() if spent
            }
    total = sum(books.rows.get(f"{child}|calls", 0) for child in ("child1", "child2"))
    assert total == books.rows.get("parent|calls", 0) <= cap


@pytest.mark.attack("CA-05")
@given(BOOKINGS, BOOKINGS)
def test_two_calls_share_a_key_exactly_if_they_differ_in_nothing_material(
    one: JsonObject, other: JsonObject
) -> None:
    keys = [
        action_key(requested(call("rooms.book", raw=canonical_json(arguments)), SNAPSHOT), "v1")
        for arguments in (one, other)
    ]
    material = [
        {name: value for name, value in arguments.items() if name != "note"} for arguments in (one, other)
    ]
    assert (keys[0] == keys[1]) is (canonical_json(material[0]) == canonical_json(material[1]))


def test_a_key_names_policy_tool_agent_and_task() -> None:
    request = requested(call("refunds.create"), SNAPSHOT)
    base = action_key(request, "v1")
    tool = replace(request.call.tool, digest="0" * 64) if request.call.tool else None
    changed = {**request.call.arguments, "amount": "480.01"}
    others = [
        action_key(request, "v2"),
        action_key(replace(request, call=replace(request.call, tool=tool)), "v1"),
        action_key(replace(request, call=replace(request.call, subject=subject(agent="agt_x"))), "v1"),
        action_key(replace(request, call=replace(request.call, subject=subject(task="tsk_2"))), "v1"),
        action_key(replace(request, call=replace(request.call, arguments=changed)), "v1"),
        action_key(replace(request, call=replace(request.call, action="business/x")), "v1"),
    ]
    assert len({base, *others}) == len(others) + 1
    assert Caps(money=(Money(currency="EUR", minor=1),)).money[0].minor == 1
