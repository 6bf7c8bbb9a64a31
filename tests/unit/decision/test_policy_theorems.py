"""Every set of three rules, in every state: forbid wins, nothing permits by itself, order decides nothing.

Small enough to look at all of it; what the solver takes a set to mean is held to what the evaluator does.
"""

import itertools

import pytest
import z3

from remit.decision.policy.analysis.outcome import ASK, DENY, PERMIT, STEP_UP, outcome_of
from remit.decision.policy.analysis.texts import Answer, Text
from remit.decision.policy.analysis.translate import Held
from remit.decision.policy.compile import Env
from remit.decision.policy.given import Supposed
from remit.decision.policy.values import Entity, Uid

SORTS = {
    "permit": "permit",
    "ask": '@approval("owner") permit',
    "step": '@stepup("urn:x") permit',
    "forbid": "forbid",
}
STATES = {"holds": "true", "not": "false", "fails": "9223372036854775807 + context.depth > 0"}
ONE, DEED = Uid("Remit::Agent", "a"), Uid("Remit::Action", "x")
ENV = Env(
    ONE,
    DEED,
    Uid("Remit::Room", "r"),
    Supposed({"depth": 1}),
    {ONE: Entity(uid=ONE), DEED: Entity(uid=DEED)},
)
Set = tuple[tuple[str, str], ...]
EVERY = [
    tuple(zip(sorts, states, strict=True))
    for sorts in itertools.product(SORTS, repeat=3)
    for states in itertools.product(STATES, repeat=3)
]


def text_of(rules: Set) -> Text:
    return Text.of(
        "".join(
            f'@id("r{number}") {SORTS[sort]}(principal, action, resource) when {{ {STATES[state]} }};'
            for number, (sort, state) in enumerate(rules)
        )
    )


def expected(rules: Set) -> int:
    """The definition, without an order in it."""
    if any(state == "fails" for _, state in rules) or ("forbid", "holds") in rules:
        return DENY
    permits = {sort for sort, state in rules if state == "holds"}
    return ASK if "ask" in permits else STEP_UP if "step" in permits else PERMIT if permits else DENY


ANSWERS: dict[Set, Answer] = {}


@pytest.fixture(scope="module")
def answers() -> dict[Set, Answer]:
    if not ANSWERS:
        ANSWERS.update({rules: text_of(rules).answer(ENV) for rules in EVERY})
    return ANSWERS


@pytest.mark.req("N39")
@pytest.mark.attack("PD-03", "PD-04", "PD-24")
def test_forbid_wins_errors_deny_and_nothing_is_permitted_by_itself(answers: dict[Set, Answer]) -> None:
    assert [rules for rules in EVERY if answers[rules].effect != expected(rules)] == []


def test_the_order_of_rules_decides_nothing(answers: dict[Set, Answer]) -> None:
    for rules in EVERY:
        for turned in itertools.permutations(rules):
            assert answers[rules].effect == answers[turned].effect, rules


def test_the_solver_takes_a_set_for_what_the_evaluator_makes_of_it(answers: dict[Set, Answer]) -> None:
    for rules in EVERY[::11]:
        text = text_of(rules)
        held = [
            (rule, Held(z3.BoolVal(state == "holds"), z3.BoolVal(state == "fails")))
            for rule, (_, state) in zip(text.rules.values(), rules, strict=True)
        ]
        assert z3.simplify(outcome_of(held).effect).as_long() == answers[rules].effect, rules
