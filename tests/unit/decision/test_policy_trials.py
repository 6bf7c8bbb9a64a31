"""Scenarios of policies: read strictly, judged by the real evaluator, and the packs that ship with them."""

import json
import re
from pathlib import Path

import pytest
import yaml

from remit.app.bindings.trials import GatewayReader
from remit.decision.policy.admission import read
from remit.decision.policy.analysis.findings import analyze
from remit.decision.policy.diff import Change, compare
from remit.decision.policy.errors import PolicyRefused
from remit.decision.policy.packs import PACKS, default_text, pack
from remit.decision.policy_service import PolicyService
from remit.decision.trials.fixtures import NotGiven, cast_of
from remit.decision.trials.reading import DEPTH_LIMIT, TEXT_LIMIT, BookRefused, read_book
from remit.decision.trials.running import LIMIT, Result, TooMany, run
from remit.decision.trials.service import TrialService, bundle_of
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.cedar import seeded
from support.clock import NOON
from support.deciding import ADMIN, desk
from support.decisions import PERMIT_ALL, bundle

POLICY = (
    '@id("small") @obligation("redact pointer=/card") permit(principal,'
    ' action == Remit::Action::"shop/pay", resource)'
    " when { context has money && context.money.minor <= 500 };"
    '@id("large") @approval("owner") permit(principal, action == Remit::Action::"shop/pay", resource)'
    " when { context has money && context.money.minor > 500 };"
    '@id("look") permit(principal, action in Remit::Action::"discovery", resource);'
)
BOOK = """
given:
  agents: {buyer: {}}
  users: {ada: {}}
  tools:
    shop/pay:
      resource: {type: Order, pointer: /order}
      arguments: {order: string, amount: string, currency: string, "note?": string, "tags?": [string]}
      money: {amount: /amount, currency: /currency}
scenarios:
  - name: pays
    when: {agent: buyer, user: ada, tool: shop/pay, arguments: {order: O1, amount: "5.00", currency: EUR}}
    then: {effect: permit, rules: [small], obligations: ["redact pointer=/card"]}
"""


def judged(book: str, policy: str = POLICY) -> tuple[Result, ...]:
    found, lines = read_book(book)
    cast = cast_of(found.given)
    return run(found, lines, bundle_of(policy, cast), cast, GatewayReader())


def also(change: str, then: str) -> str:
    return f"{BOOK}    also:\n      - {{change: {change}, then: {then}}}\n"


def test_a_scenario_passes_where_the_answer_is_as_wanted_and_bears_its_line() -> None:
    (one,) = judged(BOOK)
    assert (one.passed, one.line, one.found, one.rules) == (True, 11, "permit", ("small",))


@pytest.mark.parametrize(
    ("change", "then"),
    [
        ('{arguments.amount: "5.01"}', "{effect: ask, rules: [large], approvers: owner}"),
        ("{arguments.currency: null}", "{effect: deny, codes: [arguments_unmapped]}"),
        ("{arguments.surprise: 1}", "{effect: deny, codes: [arguments_unmapped]}"),
        ("{arguments.note: 5}", "{effect: permit}"),
        ("{bound: false}", "{effect: ask, codes: [key_not_bound]}"),
        ("{tool: shop/tools.list, arguments: {}}", "{effect: permit, rules: [look]}"),
        ('{at: "2026-03-29T01:30:00+02:00"}', "{effect: permit}"),
    ],
)
def test_a_variation_is_the_same_call_with_something_changed(change: str, then: str) -> None:
    _, varied = judged(also(change, then))
    assert varied.passed, varied.faults


@pytest.mark.parametrize(
    ("change", "then", "said"),
    [
        ('{arguments.amount: "5.01"}', "{effect: permit}", "wanted permit, found ask"),
        ("{bound: true}", "{effect: permit, rules: [large]}", "wanted rules `large`, decided by `small`"),
        ("{bound: true}", "{effect: permit, obligations: []}", "wanted obligations none"),
        ("{bound: true}", "{effect: permit, codes: [forbidden]}", "found `permitted`"),
        ('{arguments.amount: "5.01"}', '{effect: ask, approvers: "team:x"}', "found `owner`"),
        ("{agent: byer}", "{effect: deny}", "did you mean `buyer`"),
        ("{tool: shop/pai}", "{effect: deny}", "did you mean `shop/pay`"),
        ("{tool: shap/pay}", "{effect: deny}", "did you mean `shop`"),
        ("{user: adaa}", "{effect: deny}", "did you mean `ada`"),
        ("{at: noon}", "{effect: deny}", "it is a time"),
        ('{at: "2026-01-01T10:00:00"}', "{effect: deny}", "names no offset"),
        ("{agent.name: x}", "{effect: deny}", "which is nowhere"),
        ("{depth: 11}", "{effect: deny}", "makes no call"),
        ("{moode: x}", "{effect: deny}", "makes no call"),
    ],
)
def test_what_is_not_as_wanted_or_not_there_fails_and_is_told(change: str, then: str, said: str) -> None:
    _, varied = judged(also(change, then))
    assert not varied.passed
    assert said in varied.faults[0]


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"


@pytest.mark.attack("DS-13")
@pytest.mark.parametrize(
    ("text", "said", "line"),
    [
        (BOMB, "anchors and aliases are not taken", 1),
        ("[" * (DEPTH_LIMIT + 1), f"deeper than {DEPTH_LIMIT}", 1),
        ("[" * 100_000, f"deeper than {DEPTH_LIMIT}", 1),
        ("x" * (TEXT_LIMIT + 1), "longer than", 0),
        (BOOK.replace("given:", "given: !!python/object:os.system"), "tag", 2),
        ("a: 1\na: 2\n", "`a` is there twice", 2),
        ("? [a]\n: 1\n", "a name is a text", 1),
        ("", "empty", 0),
        ("a: [1\nb: 2", "not YAML", 2),
        ("\ud800", "not YAML", 0),
        (BOOK.replace("agents:", "agnts:"), "did you mean `agents`", 3),
        (BOOK.replace("effect: permit", "effect: allow"), "invalid enum value", 13),
        (BOOK.replace("agent: buyer", "agent: 5"), "expected `str`", 12),
        (BOOK.replace("scenarios:", "scenario:"), "did you mean `scenarios`", 10),
        ("scenarios: []", "length >= 1", 1),
    ],
)
def test_a_book_that_is_none_is_refused_with_its_place(text: str, said: str, line: int) -> None:
    with pytest.raises(BookRefused) as refused:
        read_book(text)
    assert said in refused.value.sentence
    assert refused.value.line == line


@pytest.mark.twin("DS-13")
def test_a_reader_that_takes_aliases_would_make_much_of_little() -> None:
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{name}: &{name} [{','.join([f'*{above}'] * 9)}]\n" for above, name in ("ab", "bc", "cd", "de")
    )
    with pytest.raises(BookRefused):
        read_book(bomb)
    assert len(json.dumps(yaml.safe_load(bomb))) > 500 * len(bomb)


def test_words_that_yaml_takes_for_something_else_stay_texts() -> None:
    book, _ = read_book(BOOK.replace("order: O1", "order: no").replace("currency: EUR", "currency: 12:30"))
    assert book.scenarios[0].when.arguments == {"order": "no", "amount": "5.00", "currency": "12:30"}


def test_a_slip_in_a_book_is_refused_with_a_place_in_it_or_judged() -> None:
    slips = [
        "",
        ":",
        "- ",
        "{",
        "}",
        "[",
        "]",
        '"',
        "\n",
        "&a",
        "*a",
        "!x",
        "?",
        "null",
        "5",
        "#",
        "\t",
        "\x00",
        "\ud800",
    ]
    for seed in range(250):
        random = seeded(seed)
        parts = re.split(r"(\s+|\b)", also('{arguments.amount: "5.01"}', "{effect: ask}"))
        for _ in range(random.randrange(1, 4)):
            parts[random.randrange(len(parts))] = random.choice(slips)
        text = "".join(parts)
        refused = refusal_of(text)
        assert refused is None or refused.line <= text.count("\n") + 2


def refusal_of(text: str) -> BookRefused | None:
    """Why a text is no book; None where it is one, whatever comes of it."""
    try:
        judged(text)
    except BookRefused as refused:
        return refused
    except (NotGiven, PolicyRefused):
        return None
    return None


@pytest.mark.parametrize("kind", ["strin", "5", "[text]"])
def test_an_argument_of_no_type_is_refused(kind: str) -> None:
    book, _ = read_book(BOOK.replace("order: string", f"order: {kind}"))
    with pytest.raises(NotGiven, match="types are"):
        cast_of(book.given)


def test_one_scenario_more_than_one_run_judges_is_refused() -> None:
    changes = "".join("      - {change: {bound: true}, then: {effect: permit}}\n" for _ in range(250))
    story = BOOK[BOOK.index("  - name") :] + "    also:\n" + changes
    book = BOOK[: BOOK.index("  - name")] + story * 8
    with pytest.raises(TooMany, match=str(LIMIT)):
        judged(book)


# -- packs


@pytest.mark.req("R62")
@pytest.mark.parametrize("name", PACKS)
def test_a_pack_passes_its_scenarios_and_has_no_finding(name: str) -> None:
    own = pack(name)
    assert [each.faults for each in judged(own.scenarios, own.policies) if not each.passed] == []
    book, _ = read_book(own.scenarios)
    said = {each for story in book.scenarios for then in _thens(story) for each in then}
    assert said == {rule.id for rule in read(own.policies).rules.values()}, "each rule decides some scenario"
    report = analyze(own.policies, cast_of(book.given).schema(()))
    assert (report.findings, report.undecided) == ((), ())


@pytest.mark.req("R74", "R46")
def test_the_triggers_hold_under_other_names_and_beside_a_permit_for_everything() -> None:
    own, wide = pack("triggers"), '@id("all") permit (principal, action, resource);'
    names = ("bank/pay", "cloud/roles.grant", "cloud/kindly_tidy", "cloud/rows.set", "cloud/records.set")
    book = own.scenarios
    for number, name in enumerate(names):
        assert name in book
        book = book.replace(name, f"helper/read_only_{number}")
    # An installation's own permit adds itself to those that decided; the effect is what must not change.
    effects = re.sub(r", rules: \[[^]]*\]", "", book)
    assert [each.faults for each in judged(effects, f"{own.policies}\n{wide}") if not each.passed] == []
    assert any(not each.passed for each in judged(effects, wide)), "without the triggers they are permitted"


def _thens(story: object) -> list[list[str]]:
    every = [story.then, *(each.then for each in story.also)]  # type: ignore[attr-defined]  # a story
    return [then.rules or [] for then in every]


@pytest.mark.req("R62")
async def test_every_pack_installs_beside_what_an_installation_starts_with(uow: SqlUnitOfWork) -> None:
    on = await desk(uow)
    policies: PolicyService = on.policies
    text = "\n".join([default_text(), *(pack(name).policies for name in PACKS)])
    version = await policies.publish(text, by=ADMIN, at=NOON)
    assert version.number == 2
    assert len(on.keeper.current().bundle.rules) > 30


def test_no_other_name_is_a_pack() -> None:
    with pytest.raises(KeyError):
        pack("../default")


# -- on an installation


BOOKED = """
scenarios:
  - name: books
    when: {agent: calendar-bot, user: ada, tool: business/rooms.book, arguments: {room: R1}}
    then: {effect: permit, rules: [all]}
"""


async def test_on_an_installation_its_own_directory_and_policy_are_meant(uow: SqlUnitOfWork) -> None:
    on = await desk(uow)
    trials = TrialService(snapshots=on.keeper, reader=GatewayReader())
    (one,) = await trials.test(BOOKED)
    assert one.passed, one.faults
    refuse = PERMIT_ALL + '@id("no") forbid(principal, action, resource);'
    (one,) = await trials.test(BOOKED, text=refuse)
    assert (one.found, one.rules) == ("deny", ("no",))
    assert on.keeper.current().bundle.version.number == 1


# -- rule by rule


def test_two_texts_are_compared_rule_by_rule() -> None:
    scope = "(principal, action, resource)"
    old = f'@id("a") permit{scope};@id("b") permit{scope};@id("c") permit{scope};'
    new = (
        f'// another\n@id("d") forbid{scope};\n@id("a")\npermit{scope};'
        f'@id("b") @mode("warn") permit{scope} when {{ context.bound }};'
    )
    found = compare(old, new)
    assert [(each.rule, each.change, each.parts) for each in found] == [
        ("d", Change.ADDED, ()),
        ("b", Change.CHANGED, ("@mode", "conditions")),
        ("c", Change.REMOVED, ()),
    ]
    assert compare(new, new) == ()
    assert "context.bound" not in found[1].before
    assert bundle(new).rules


def test_a_link_of_a_template_is_compared_as_a_rule(tmp_path: Path) -> None:
    text = '@id("t") @link("a principal=Agent:x{more}") permit(principal == ?principal, action, resource);'
    found = compare(text.format(more=""), text.format(more="; b principal=Agent:y"))
    assert [(each.rule, each.change) for each in found] == [("t.b", Change.ADDED)]
