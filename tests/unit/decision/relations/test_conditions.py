"""Conditions: parameters of every type, what is refused of an expression, and that doubt is never a yes."""

from typing import Any

import pytest

from remit.decision.relations.admission import admit
from remit.decision.relations.conditions import Condition, Uncompilable, compile_condition
from remit.decision.relations.dsl import read_dsl
from remit.decision.relations.errors import ConditionFailed, ConditionInvalid
from remit.decision.relations.model import ConditionDefinition, Parameter, ParameterKind, ParameterType
from remit.decision.relations.tuples import RelationTuple, TupleCondition
from support.relations import ask, graph_of

TEXT = ParameterType(kind=ParameterKind.STRING)
LISTED = ParameterType(kind=ParameterKind.LIST, of=TEXT)
MAPPED = ParameterType(kind=ParameterKind.MAP, of=ParameterType(kind=ParameterKind.INT))


def condition(expression: str, **parameters: ParameterType) -> Condition:
    named = tuple(Parameter(name=name, type=kind) for name, kind in parameters.items())
    return compile_condition(ConditionDefinition(name="c", parameters=named, expression=expression))


def holds(kind: str, expression: str, value: Any) -> bool:
    return condition(expression, x=ParameterType(kind=ParameterKind(kind))).holds({}, {"x": value})


YES = [
    ("int", "x == 5", 5),
    ("int", "x == 5", 5.0),
    ("int", "x > 4", "5"),
    ("uint", "x == 18446744073709551615u", 18446744073709551615),
    ("double", "x < 1.5", 1),
    ("bool", "x", True),
    ("string", "x.startsWith('a') && x != 'A'", "a"),
    ("duration", "x > duration('89m') && x < duration('1h31m')", "1h30m"),
    ("duration", "x < duration('0s')", "-1.5s"),
    ("timestamp", "x == timestamp('2024-01-01T00:00:00Z')", "2024-01-01T02:00:00+02:00"),
    ("timestamp", "x + duration('1h') > timestamp('2024-01-01T00:30:00Z')", "2024-01-01t00:00:00.5z"),
    ("ipaddress", "x.in_cidr('192.168.0.0/24')", "192.168.0.9"),
    ("ipaddress", "x.in_cidr('192.168.0.0/24')", "::ffff:192.168.0.9"),
    ("ipaddress", "x.in_cidr('::ffff:192.168.0.0/120')", "192.168.0.9"),
    ("ipaddress", "x == ipaddress('2001:DB8::1')", "2001:db8:0::1"),
    ("any", "x.a == 'b'", {"a": "b"}),
]


@pytest.mark.parametrize(("kind", "expression", "value"), YES)
def test_each_type_of_parameter(kind: str, expression: str, value: Any) -> None:
    assert holds(kind, expression, value)


NO = [
    ("int", 5.5),
    ("int", True),
    ("int", "five"),
    ("int", 2**63),
    ("uint", -1),
    ("double", "inf"),
    ("double", float("inf")),
    ("bool", "true"),
    ("string", 1),
    ("duration", "1 hour"),
    ("duration", "--1s"),
    ("duration", 5),
    ("timestamp", "2024-01-01"),
    ("timestamp", "2024-13-01T00:00:00Z"),
    ("timestamp", "0001-01-01T00:00:00+10:00"),
    ("ipaddress", "192.168.0.0/24"),
    ("ipaddress", "256.1.1.1"),
    ("string", None),
]


@pytest.mark.parametrize(("kind", "value"), NO)
def test_a_value_of_another_type_is_no_answer(kind: str, value: Any) -> None:
    with pytest.raises(ConditionFailed, match="parameter `x`"):
        holds(kind, "x == x", value)


def test_lists_and_maps_hold_values_of_their_type() -> None:
    assert condition("'b' in x && m['k'] == 3", x=LISTED, m=MAPPED).holds(
        {"x": ["a", "b"]}, {"m": {"k": "3"}}
    )
    with pytest.raises(ConditionFailed):
        condition("'b' in x", x=LISTED).holds({"x": ["a", 1]}, {})
    with pytest.raises(ConditionFailed):
        condition("m['k'] == 3", m=MAPPED).holds({}, {"m": []})


def test_the_tuple_knows_better_than_the_request_and_what_neither_knows_is_missing() -> None:
    both = condition("x == 'tuple' || y == 'y'", x=TEXT, y=TEXT)
    assert both.holds({"x": "tuple"}, {"x": "request", "y": ""})
    with pytest.raises(ConditionFailed, match="missing context parameters `y`"):
        both.holds({"x": "tuple"}, {})


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("x ==", "line 1, column 5"),
        ("y == 'a'", "undeclared parameter `y`"),
        ("system(x)", "unknown function `system`"),
        ("x == '" + "a" * 9_000 + "'", "of at most 8192"),
    ],
)
def test_an_expression_that_can_not_run_is_refused_beforehand(expression: str, said: str) -> None:
    with pytest.raises(Uncompilable, match=said):
        condition(expression, x=TEXT)


@pytest.mark.parametrize(
    "expression", ["x", "1 / 0 == 1", "x + 1 == 2", "{'a': 1}[x] == 1", "x ? true : false"]
)
def test_an_expression_that_fails_is_no_answer(expression: str) -> None:
    with pytest.raises(ConditionFailed, match="`c`"):
        condition(expression, x=TEXT).holds({"x": "b"}, {})


def test_comprehensions_may_not_multiply_without_end() -> None:
    nested = condition("x.all(a, x.all(b, x.exists(c, a != b || b == c)))", x=LISTED)
    assert nested.holds({"x": ["a"]}, {})
    with pytest.raises(ConditionFailed, match=r"101\^3 times"):
        nested.holds({"x": ["a"] * 100}, {})
    assert condition("x.all(a, a != '.all(') && x.exists(b, b == 'a')", x=LISTED).nesting == 1


MODEL = """
model
  schema 1.1
type user
type doc
  relations
    define viewer: [user, user:* with late]
    define editor: [user with late]
condition late(x: int) {
  x > 3
}
"""


@pytest.mark.parametrize(
    ("relation", "user", "named", "context"),
    [
        ("editor", "user:ana", "", {}),
        ("editor", "user:ana", "early", {}),
        ("viewer", "user:ana", "late", {}),
        ("viewer", "user:*", "", {}),
        ("editor", "user:ana", "late", {"y": 1}),
        ("editor", "user:ana", "late", {"x": "many"}),
        ("editor", "user:ana", "late", {"x": "1" * 40_000}),
    ],
)
def test_a_tuple_has_the_condition_that_its_restriction_wants(
    relation: str, user: str, named: str, context: dict[str, Any]
) -> None:
    condition = TupleCondition(name=named, context=context) if named else None
    wrong = RelationTuple(user=user, relation=relation, object="doc:1", condition=condition)
    with pytest.raises(ConditionInvalid):
        admit(read_dsl(MODEL), wrong)


def test_a_tuple_that_fits_the_model_no_more_is_as_if_it_were_not_there() -> None:
    graph = graph_of(MODEL, "doc:1#editor@user:ana", "doc:1#viewer@user:*")
    assert not ask(graph, "doc:1#editor@user:ana", context={"x": 9}).allowed
    assert not ask(graph, "doc:1#viewer@user:ana", context={"x": 9}).allowed
