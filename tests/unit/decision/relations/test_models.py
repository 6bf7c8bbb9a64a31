"""Models: what is refused, where, and with which suggestion; JSON in and out."""

import pytest

from remit.decision.relations.dsl import parse_dsl, read_dsl
from remit.decision.relations.dsl_text import write_dsl
from remit.decision.relations.errors import FgaCode, ModelFault, ModelRefused
from remit.decision.relations.model import ComputedUserset, Difference, This, TupleToUserset, Union
from remit.decision.relations.model_json import read_model, write_model
from remit.decision.relations.typesystem import TypeSystem
from remit.kernel.canonical import Json, JsonObject
from support.relations import DRIVE, ask, graph_of

HEAD = "model\n  schema 1.1\ntype user\ntype group\n  relations\n    define member: [user]\n"
DOC = HEAD + "type doc\n  relations\n    define parent: [group]\n    define viewer: "


def faults_of(text: str) -> tuple[ModelFault, ...]:
    with pytest.raises(ModelRefused) as refused:
        read_dsl(text)
    assert refused.value.fga is FgaCode.INVALID_MODEL
    return refused.value.faults


MALFORMED = [
    ("[user", 10, 25, "expected `]`", ""),
    ("[usr]", 10, 21, "undefined type", "user"),
    ("[group#membr]", 10, 27, "undefined relation", "member"),
    ("[user] or editr\n    define editor: [user]", 10, 30, "`doc#editr` is undefined", "editor"),
    ("[user] or membr from parent", 10, 30, "not a relation of any type", "member"),
    ("[user] or member from parnt", 10, 42, "`doc#parnt` is undefined", "parent"),
    ("[user] or viewer and parent", 10, 37, "without parentheses", ""),
    ("[user with never]", 10, 31, "condition `never` is undefined", ""),
    ("[user] or viewer", 10, 30, "is defined by itself", ""),
    ("[doc#viewer]", 10, 12, "no entrypoint", ""),
    ("viewers\n    define viewers: viewer", 10, 12, "defined by itself", ""),
    ("[user] or [group]", 10, 30, "one list of types", ""),
    ("[user] $", 10, 27, "unexpected character `$`", ""),
    ("[user] or (" + "(" * 9 + "parent" + ")" * 10, 10, 38, "nested deeper than 8", ""),
]


@pytest.mark.parametrize(("text", "line", "column", "sentence", "suggestion"), MALFORMED)
def test_a_fault_has_line_column_and_suggestion(
    text: str, line: int, column: int, sentence: str, suggestion: str
) -> None:
    fault = faults_of(DOC + text)[0]
    assert sentence in fault.sentence
    assert (fault.line, fault.column, fault.suggestion) == (line, column, suggestion)


def test_all_faults_of_a_model_are_told_at_once() -> None:
    faults = faults_of(DOC + "[usr] or editr")
    assert [fault.suggestion for fault in faults] == ["", "user"]
    assert str(faults[1]) == (
        "line 10, column 21: the user type `usr` of `doc#viewer` names an undefined type"
        " (did you mean `user`?)"
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "modul\n  schema 1.1",
        "model\n  schema 1.2\ntype user",
        "model\n  schema 1.1\ntyp user",
        HEAD + "type user",
    ],
)
def test_what_is_no_model_of_this_schema_is_refused(text: str) -> None:
    assert faults_of(text)[0].line >= 1


def test_a_relation_may_be_called_like_an_operator() -> None:
    model, _ = parse_dsl(DOC + "or or member from parent\n    define or: [user]")
    viewer = model.types[2].relations[1]
    assert viewer.rewrite == Union(
        children=(ComputedUserset(relation="or"), TupleToUserset(tupleset="parent", computed="member"))
    )
    assert parse_dsl(write_dsl(model))[0] == model


def test_comments_and_braces_in_conditions() -> None:
    text = DOC + (
        "[user with c] # the last\n# alone\n"
        "condition c(m: map<string>) {\n  m.a == '}' && {'b': 1}['b'] == 1 // }\n}\n"
    )
    model = read_dsl(text).model
    assert model.conditions[0].expression == "m.a == '}' && {'b': 1}['b'] == 1 // }"
    assert read_model(write_model(model)) == model


def test_a_model_of_openfga_reads_from_json() -> None:
    data: JsonObject = {
        "id": "01G5JAVJ41T49E9TT3SKVS7X1J",
        "schema_version": "1.1",
        "type_definitions": [
            {"type": "user", "relations": {}, "metadata": None},
            {
                "type": "doc",
                "relations": {
                    "banned": {"this": {}},
                    "viewer": {
                        "difference": {
                            "base": {"this": {}},
                            "subtract": {"computedUserset": {"relation": "banned"}},
                        }
                    },
                },
                "metadata": {
                    "relations": {
                        "banned": {"directly_related_user_types": [{"type": "user"}]},
                        "viewer": {"directly_related_user_types": [{"type": "user", "wildcard": {}}]},
                    }
                },
            },
        ],
    }
    model = read_model(data)
    assert model.types[1].relations[1].rewrite == Difference(
        base=This(), subtract=ComputedUserset(relation="banned")
    )
    assert "define viewer: [user:*] but not banned" in write_dsl(model)
    assert TypeSystem.of(model).types == ("user", "doc")


BROKEN: list[Json] = [
    None,
    [],
    {"schema_version": 1.1},
    {"schema_version": "1.1", "type_definitions": [{"type": "a", "relations": {"b": {}}}]},
    {
        "schema_version": "1.1",
        "type_definitions": [{"type": "a", "relations": {"b": {"this": {}, "union": {}}}}],
    },
    {"schema_version": "1.1", "type_definitions": [{"type": "a", "relations": {"b": {"magic": {}}}}]},
    {"schema_version": "1.1", "surprise": 1},
    {"schema_version": "1.1", "conditions": {"a": {"name": "b", "expression": "true"}}},
    {
        "schema_version": "1.1",
        "conditions": {
            "a": {"name": "a", "expression": "x", "parameters": {"x": {"type_name": "TYPE_NAME_NO"}}}
        },
    },
]


@pytest.mark.parametrize("data", BROKEN)
def test_malformed_json_is_refused(data: Json) -> None:
    with pytest.raises(ModelRefused):
        read_model(data)


def test_rewrites_that_are_nested_without_end_are_refused() -> None:
    deep: Json = {"this": {}}
    for _ in range(200):
        deep = {"union": {"child": [deep, {"this": {}}]}}
    types: list[Json] = [{"type": "a", "relations": {"b": deep}}]
    with pytest.raises(ModelRefused, match="nested deeper"):
        read_model({"schema_version": "1.1", "type_definitions": types})


def test_the_example_of_a_drive_answers() -> None:
    graph = graph_of(
        DRIVE,
        "folder:hr#viewer@group:hr#member",
        "group:hr#member@group:leads#member",
        "group:leads#member@user:ana",
        "folder:plans#parent@folder:hr",
        "document:1#parent@folder:plans",
        "document:1#blocked@user:ben",
        "document:1#viewer@user:*",
    )
    assert ask(graph, "document:1#viewer@user:ana").allowed
    assert ask(graph, "document:1#viewer@user:zoe").allowed
    assert not ask(graph, "document:1#viewer@user:ben").allowed
    assert not ask(graph, "document:1#editor@user:ana").allowed
    assert ask(graph, "document:1#viewer@group:leads#member").allowed
