"""What is taken as policy, and what is said about what is not (N7)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.decision.answer.response import Disclose, Mode
from remit.decision.policy.errors import PolicyRefused
from remit.decision.policy.extent import RULE_LIMIT
from remit.decision.policy.packs import default_text
from remit.decision.policy.pointing import HINTS
from remit.decision.policy.shapes import cedar_type, decimal_text, shape_of
from remit.decision.policy.zones import local_time
from remit.kernel.ids import ToolId
from support.decisions import PERMIT_ALL, bundle, tool

BOOK = 'permit(principal, action == Remit::Action::"business/rooms.book", resource)'


def faults(text: str) -> str:
    with pytest.raises(PolicyRefused) as refused:
        bundle(text)
    return " | ".join(f"{fault.policy}: {fault.sentence}" for fault in refused.value.faults)


@pytest.mark.req("N7")
@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f'@id("x") {BOOK} when {{ context.arguments.atendees > 3 }};', "atendees"),
        (f'@id("x") {BOOK} when {{ context.arguments.attendees > 3 }};', "optional"),
        (f'@id("x") {BOOK} when {{ context.arguments has atendees }};', "atendees"),
        (f'@id("x") {BOOK} when {{ context has monny }};', "monny"),
        ('@id("x") forbid(principal, action, resource) when { context.arguments has atendees };', "atendees"),
        ('@id("x") forbid(principal, action, resource) when { principal has nickname };', "nickname"),
        (f'@id("x") {BOOK} when {{ context.arguments.room > 3 }};', "String"),
        (
            '@id("x") permit(principal, action == Remit::Action::"business/rooms.burn", resource);',
            "rooms.burn",
        ),
        ('@id("x") permit(principal is Remit::Robot, action, resource);', "Robot"),
        (f'@id("x") {BOOK} when {{ context.local["Europe/Berlin"].minute > 3 }};', "local"),
        ("permit(principal, action, resource);", "@id"),
        ('@id("a b") permit(principal, action, resource);', "@id"),
        (PERMIT_ALL + PERMIT_ALL, "used twice"),
        ('@id("x") @priority("1") permit(principal, action, resource);', "@priority"),
        ('@id("x") @mode("maybe") permit(principal, action, resource);', "maybe"),
        ('@id("x") @approval("anybody") permit(principal, action, resource);', "anybody"),
        ('@id("x") @approval("owner") forbid(principal, action, resource);', "this is a forbid"),
        ('@id("x") @obligation("No Good") permit(principal, action, resource);', "No Good"),
        ('@id("x") @zone("Mars/Olympus") permit(principal, action, resource);', "Mars/Olympus"),
        ('@id("x") @zone("../../etc/passwd") permit(principal, action, resource);', "passwd"),
        ('@id("x") @disclose("nothing") permit(principal, action, resource);', "nothing"),
        ('@id("x") permit(principal == ?principal, action, resource);', "it is a template"),
        ("permit(", "not Cedar"),
        ("\ud800", "not Cedar"),
    ],
)
def test_a_text_that_is_wrong_is_refused_with_what_is_wrong(text: str, said: str) -> None:
    assert said in faults(text)


def test_every_fault_is_told_at_once() -> None:
    text = 'permit(principal, action, resource); @id("x") @mode("?") forbid(principal, action, resource);'
    assert faults(text).count("|") == 1


def test_annotations_become_rules() -> None:
    text = (
        '@id("x") @mode("warn") @approval("team:leads") @reason("because") @zone("Europe/Berlin UTC")'
        ' @obligation("redact field=card") @disclose("remedy") @stepup("urn:x")'
        " permit(principal, action, resource);"
    )
    (rule,) = bundle(text).rules.values()
    assert (rule.mode, rule.approval, rule.disclose) == (Mode.WARN, "team:leads", Disclose.REMEDY)
    assert rule.zones == ("Europe/Berlin", "UTC")
    assert rule.obligations[0].properties == (("field", "card"),)


def test_the_shipped_text_is_admitted() -> None:
    assert len(bundle(default_text()).rules) == 6


def test_nothing_in_force_is_not_an_empty_set_that_permits() -> None:
    assert bundle("").enforced is None
    assert bundle('@id("x") @mode("observe") permit(principal, action, resource);').enforced is None


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (f'@id("x") {BOOK} when {{ context.arguments has attendees }};', {"arguments", "attendees"}),
        (f'@id("x") {BOOK} when {{ context.arguments == context.arguments }};', None),
        (f'@id("x") {BOOK} when {{ context.tool == {{a: 1}} || true }};', None),
    ],
)
def test_what_policies_look_at_is_known(text: str, named: set[str] | None) -> None:
    from remit.decision.policy.admission import compile_bundle, version_of

    found = compile_bundle(text, version=version_of(text, 1)).named
    assert found == (None if named is None else frozenset(named))


def test_types_come_from_the_input_schema() -> None:
    schema = {
        "type": "object",
        "required": ["a", "b", "n"],
        "properties": {
            "a": {"type": "string"},
            "b": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
            "c": {"$ref": "#/$defs/Card"},
            "d": {"type": ["boolean", "null"]},
            "e": {"enum": ["x", "y"]},
            "f": {"oneOf": [{"type": "string"}, {"type": "integer"}]},
            "g": {"type": "array", "items": {"type": "number"}},
            "n": {"type": "null"},
            "__entity": {"type": "string"},
            "r": {"$ref": "#/$defs/Loop"},
        },
        "$defs": {
            "Card": {"type": "object", "properties": {"last": {"type": "string"}}},
            "Loop": {"type": "object", "properties": {"again": {"$ref": "#/$defs/Loop"}}},
        },
    }
    shape = shape_of(schema)  # type: ignore[arg-type]  # a literal of nested dicts is Json
    members = {member.name: member for member in shape.members}
    assert set(members) == {"a", "b", "c", "d", "e", "g", "r"}
    assert [name for name, member in members.items() if member.required] == ["a"]
    assert cedar_type(members["g"].shape) == {
        "type": "Set",
        "element": {"type": "Extension", "name": "decimal"},
    }


def test_two_tools_of_one_action_share_what_they_share() -> None:
    one = tool(
        "rooms.book", "Room", {"room": {"type": "string"}, "n": {"type": "integer"}}, required=("room",)
    )
    other = replace(
        tool("rooms.book", "Room", {"room": {"type": "string"}, "n": {"type": "string"}}, required=("room",)),
        id=ToolId("tol_other"),
    )
    bundle(f'@id("x") {BOOK} when {{ context.arguments.room == "a" }};', tools=(one, other))
    with pytest.raises(PolicyRefused):
        bundle(
            f'@id("x") {BOOK} when {{ context.arguments has n && context.arguments.n == 1 }};',
            tools=(one, other),
        )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, "1.0000"),
        (0.1, "0.1000"),
        (-2.5, "-2.5000"),
        (0.00001, None),
        (1e15, None),
        (True, None),
        ("1", None),
    ],
)
def test_a_decimal_keeps_every_digit_or_is_none(value: float, text: str | None) -> None:
    assert decimal_text(value) == text


@pytest.mark.req("R53")
@given(st.integers(0, 500_000), st.sampled_from(["Europe/Berlin", "America/New_York", "Asia/Kathmandu"]))
def test_each_instant_has_exactly_one_local_time(quarters: int, name: str) -> None:
    at = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(minutes=15 * quarters)
    here = local_time(name, at)
    assert 0 <= int(str(here["minute"])) < 1440
    later = local_time(name, at + timedelta(days=7))
    assert later["weekday"] == here["weekday"] or later["minute"] != here["minute"]


ROOMS = 'resource == Remit::Room::"Room-401"'


@pytest.mark.req("N7")
@pytest.mark.parametrize(
    ("text", "line", "column", "hint"),
    [
        ('@id("x")\npermit(principal, action, resource)\n  wen { true };', 3, 3, "`when`"),
        (f'{PERMIT_ALL}\n@id("y") permitt(principal, action, resource);', 2, 10, "`permit`"),
        ('@id("x") permit(principal, action, resource) when { contxt.depth == 1 };', 1, 53, "`context`"),
        (
            '@id("x") permit(principal, action, resource)\nwhen { ["a"].containz("a") };',
            2,
            14,
            "`contains`",
        ),
        ('@id("x") permit(principal, action, resource)\nwhen { context.depth == };', 2, 25, ""),
        ('@id("x") permit(principal, action, resource)\nwhen { (context.bound };', 2, 23, ""),
        ('@id("x") permit(principal, action, resource)\nwhen { context.bound', 2, 6, "never closed"),
        ('@id("x") permit(principal, action, resource)', 1, 44, "ends with `;`"),
        (
            '@id("x") permit(principal, action, resource)\n\n@id("y") forbid(principal, action, resource);',
            3,
            1,
            "",
        ),
        ('@id("x") permit(principal, action, resource)\nforbid(principal, action, resource);', 2, 1, "`;`"),
        ('@id("x") permit(principal, action, resource) when { context.purpose == "a };', 1, 72, "quote"),
        (f'@id("x") {BOOK}\nwhen {{ context.arguments.atendees > 3 }};', 2, 26, "`attendees`"),
        ('@id("x") permit(principal is Remit::Agnt,\n action, resource);', 1, 37, "`Agent`"),
        (
            '@id("x")\npermit(principal, action == Remit::Action::"business/rooms.bok", resource);',
            2,
            44,
            "`business/rooms.book`",
        ),
        (f'@id("x") {BOOK}\nwhen {{ context has monny }};', 2, 20, "`money`"),
        ('// first\n@id("x") @mode("maybe") permit(principal, action, resource);', 2, 11, ""),
    ],
)
def test_a_fault_has_a_place_and_a_suggestion(text: str, line: int, column: int, hint: str) -> None:
    with pytest.raises(PolicyRefused) as refused:
        bundle(text)
    first = refused.value.faults[0]
    assert (first.line, first.column) == (line, column), first
    assert hint in first.hint


def test_one_misspelling_in_a_policy_about_every_action_is_told_once() -> None:
    assert (
        faults('@id("x") permit(principal, action, resource) when { context.purpos == "a" };').count("|") == 0
    )


TEMPLATE = (
    '@id("book") @reason("yours") @link("{links}") permit(principal == ?principal,'
    ' action == Remit::Action::"business/rooms.book", resource == ?resource);'
)
TWO = (
    "ada principal=Agent:calendar-bot resource=Room:Room-401;"
    " ben principal=Agent:mail-bot resource=Room:R%20%3B2"
)


@pytest.mark.req("R48")
def test_each_link_of_a_template_is_a_policy() -> None:
    found = bundle(PERMIT_ALL + TEMPLATE.format(links=TWO) + '@id("z") forbid(principal, action, resource);')
    assert [rule.id for rule in found.rules.values()] == ["all", "book.ada", "book.ben", "z"]
    assert str(found.nodes["policy2"].resource.entity) == 'Remit::Room::"R ;2"'  # type: ignore[union-attr]  # a scope with an entity
    assert found.rules["policy2"].reason == "yours"
    assert found.enforced is not None
    assert len(found.enforced) == 4


@pytest.mark.req("N7")
@pytest.mark.parametrize(
    ("links", "said"),
    [
        ("", "needs `@link`"),
        ("ada principal=Agent:calendar-bot", "must fill ?principal, ?resource"),
        ("ada principal=Agent:a principal=Agent:b", "must fill ?principal, ?resource"),
        ("ada principal=Agent:a resource=Room:1; ada principal=Agent:b resource=Room:1", "used twice"),
        ("ada principal:Agent=a", "it is `<name>"),
        ("ada principal=Robot:a resource=Room:1", "Robot"),
        ("ada principal=Room:a resource=Room:1", "applicable action"),
    ],
)
def test_a_link_that_fills_no_slot_rightly_is_refused(links: str, said: str) -> None:
    assert said in faults(TEMPLATE.format(links=links))


@pytest.mark.attack("PD-14")
def test_links_count_as_policies_and_a_thousand_faults_cost_one_reading() -> None:
    links = "; ".join(f"l{number} principal=Agent:a{number}" for number in range(RULE_LIMIT + 1))
    text = '@id("t") @link("{links}") permit(principal == ?principal, action, resource);'
    assert len(bundle(text.format(links=links.rpartition(";")[0])).rules) == RULE_LIMIT
    assert f"at most {RULE_LIMIT}" in faults(text.format(links=links))
    several = text.format(links=links.rpartition(";")[0]) + '@id("z") permit(principal, action, resource);'
    assert f"make {RULE_LIMIT + 1} policies" in faults(several)
    assert "needs `@link`" in faults(text.format(links=";;;"))


@pytest.mark.attack("PD-14")
def test_only_so_many_words_are_looked_for_among_what_is_known() -> None:
    wrong = "".join(
        f'@id("p{number}") permit(principal, action, resource) when {{ context.purpos{number} == "x" }};'
        for number in range(HINTS + 8)
    )
    with pytest.raises(PolicyRefused) as refused:
        bundle(wrong)
    hinted = [fault for fault in refused.value.faults if fault.hint]
    assert len(refused.value.faults) == HINTS + 8
    assert len(hinted) == HINTS


def test_a_link_beside_no_template_is_refused() -> None:
    assert "no slot" in faults(f'@id("x") @link("a principal=Agent:b") {BOOK};')


@pytest.mark.req("N7")
def test_a_template_is_judged_by_the_schema_too() -> None:
    text = TEMPLATE.format(links=TWO).replace(");", ") when { context.purpos == 1 };")
    assert "purpos" in faults(text)


@pytest.mark.req("R61")
@pytest.mark.parametrize(
    ("notes", "said"),
    [
        (f'@source("{"x" * 301}")', "300"),
        (f'@control("{"x" * 81}")', "80 characters"),
        (f'@control("{"; ".join(f"c{number}" for number in range(17))}")', "at most 16"),
        ('@controls("x")', "did you mean `@control`"),
    ],
)
def test_what_a_rule_carries_out_is_bounded(notes: str, said: str) -> None:
    assert said in faults(f'@id("x") {notes} {BOOK};')
