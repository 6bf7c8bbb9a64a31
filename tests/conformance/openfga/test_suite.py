"""OpenFGA's own suite of models, tuples and expected answers, whole: check, list objects and list users.

Where Remit answers otherwise it is named here, with the reason.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from oracle.relations import Verdict, World
from remit.decision.relations.dsl import parse_dsl, read_dsl
from remit.decision.relations.dsl_text import write_dsl
from remit.decision.relations.errors import ModelRefused, RelationError
from remit.decision.relations.graph import Graph
from remit.decision.relations.index import Index
from remit.decision.relations.listing import Lists
from remit.decision.relations.model_json import read_model, write_model
from remit.decision.relations.plan import Plan
from remit.decision.relations.query import (
    DEPTH,
    LIST_BOUNDS,
    Bounds,
    CheckRequest,
    Given,
    Listing,
    ListObjectsRequest,
    ListUsersRequest,
)
from remit.decision.relations.tuples import RelationTuple, TupleCondition

SUITE: list[dict[str, Any]] = json.loads((Path(__file__).parent / "openfga_1_22_1.json").read_text())["tests"]
INLINE = "inline_expression_"
"""Conditions written into a tuple (`$expression`): the model is refused, for what is computed is the model's
to say and not for whoever writes tuples."""
SURER = {"simple_ttu_with_and_without_condition", "relation_through_ttu_with_condition"}
"""OpenFGA fails a list of users when any condition can't be evaluated; Remit lists who is related all the
same, and says that the list is not complete where somebody may lack."""

Pages = list[tuple[Graph, dict[str, Any], list[RelationTuple]]]


def stages(test: dict[str, Any]) -> Pages:
    tuples: list[RelationTuple] = []
    found: Pages = []
    for stage in test["stages"]:
        tuples = [*tuples, *map(tuple_of, stage.get("tuples") or [])]
        found.append((Graph(Plan(read_dsl(stage["model"])), Index.of(tuples)), stage, tuples))
    return found


def tuple_of(data: dict[str, Any]) -> RelationTuple:
    condition = data.get("condition")
    return RelationTuple(
        user=data["user"],
        relation=data["relation"],
        object=data["object"],
        condition=TupleCondition(name=condition["name"], context=condition.get("context") or {})
        if condition
        else None,
    )


def given_in(data: dict[str, Any]) -> Given:
    return Given(
        contextual=tuple(map(tuple_of, data.get("contextualTuples") or [])), context=data.get("context") or {}
    )


READABLE = [test for test in SUITE if not test["name"].startswith(INLINE)]
NAMES = [test["name"] for test in READABLE]


@pytest.mark.req("R49")
@pytest.mark.spec("OpenFGA 1.22", "check")
@pytest.mark.parametrize("test", READABLE, ids=NAMES)
def test_check(test: dict[str, Any]) -> None:
    for graph, stage, tuples in stages(test):
        for said in stage.get("checkAssertions") or []:
            request = CheckRequest(**said["tuple"], given=given_in(said))
            answer: bool | None
            try:
                found = graph.check(request, Bounds())
                answer = None if found.failure else found.allowed
                slow = World(graph.plan.system, tuples, request.given).check(request, DEPTH)
                assert (slow is Verdict.TRUE) == found.allowed
            except RelationError:
                answer = None
            assert answer == (None if said.get("errorCode") else said["expectation"]), said


@pytest.mark.req("R49")
@pytest.mark.spec("OpenFGA 1.22", "list-objects")
@pytest.mark.parametrize("test", READABLE, ids=NAMES)
def test_list_objects(test: dict[str, Any]) -> None:
    for graph, stage, _ in stages(test):
        for said in stage.get("listObjectsAssertions") or []:
            try:
                wanted = ListObjectsRequest(**said["request"], given=given_in(said))
                answer = items_of(Lists(graph).objects(wanted, LIST_BOUNDS))
            except RelationError:
                answer = None
            assert answer == (None if said.get("errorCode") else set(said.get("expectation") or [])), said


@pytest.mark.req("R49")
@pytest.mark.spec("OpenFGA 1.22", "list-users")
@pytest.mark.parametrize("test", READABLE, ids=NAMES)
def test_list_users(test: dict[str, Any]) -> None:
    for graph, stage, _ in stages(test):
        for said in stage.get("listUsersAssertions") or []:
            asked = said["request"]
            kind, _, relation = asked["filters"][0].partition("#")
            wanted = ListUsersRequest(
                object=asked["object"],
                relation=asked["relation"],
                user_type=kind,
                user_relation=relation,
                given=given_in(said),
            )
            try:
                answer = items_of(Lists(graph).users(wanted, LIST_BOUNDS))
            except RelationError:
                answer = None
            if said.get("errorCode") and test["name"] in SURER:
                continue
            assert answer == (None if said.get("errorCode") else set(said.get("expectation") or [])), said


def items_of(listing: Listing) -> set[str] | None:
    return None if listing.failure and not listing.items else set(listing.items)


@pytest.mark.req("R49")
def test_every_model_reads_back_from_its_json_and_from_its_text() -> None:
    for test in READABLE:
        for stage in test["stages"]:
            model, _ = parse_dsl(stage["model"])
            assert read_model(write_model(model)) == model
            assert parse_dsl(write_dsl(model))[0] == model


def test_conditions_inside_tuples_are_refused() -> None:
    inline = [test for test in SUITE if test["name"].startswith(INLINE)]
    assert inline
    for test in inline:
        with pytest.raises(ModelRefused):
            read_dsl(test["stages"][0]["model"])
