"""Why a relation holds, in one line."""

import pytest

from oracle.relations import World
from remit.decision.relations.graph import Graph
from remit.decision.relations.ground import Ground
from remit.decision.relations.index import Index
from remit.decision.relations.plan import Plan
from remit.decision.relations.query import Bounds, CheckRequest, Given, Step
from remit.decision.relations.trace import tell, trace
from remit.decision.relations.tuples import RelationTuple
from support.relations import DRIVE, Guesses, graph_of, tuples_of

WHOLE = (
    "document:1#parent@folder:a",
    "folder:a#parent@folder:b",
    "folder:b#viewer@group:hr#member",
    "group:hr#member@group:leads#member",
    "group:leads#member@user:ana",
    "document:2#editor@user:ana",
    "document:3#viewer@user:*",
)
LONG = (
    "user:ana —member→ group:leads —member→ group:hr —viewer→ folder:b, folder:b —parent→ folder:a"
    " —implies→ viewer, folder:a —parent→ document:1 —implies→ viewer"
)
SAID = [
    ("document:2", "user:ana —editor→ document:2 —implies→ viewer"),
    ("document:3", "user:ana —viewer→ document:3"),
    ("document:1", LONG),
]


@pytest.mark.parametrize(("thing", "line"), SAID)
def test_a_yes_is_told_from_the_user_to_the_object(thing: str, line: str) -> None:
    asked = CheckRequest(user="user:ana", relation="viewer", object=thing)
    answer = trace(graph_of(DRIVE, *WHOLE), asked, Bounds())
    assert answer.allowed
    assert tell(answer.resolution) == line


def test_a_no_has_no_resolution() -> None:
    graph = graph_of(DRIVE, *WHOLE, "document:1#blocked@user:ana")
    for thing in ("document:1", "document:9"):
        asked = CheckRequest(user="user:ana", relation="viewer", object=thing)
        answer = trace(graph, asked, Bounds())
        assert not answer.allowed
        assert answer.resolution == ()


def test_what_a_trace_names_is_enough_for_the_yes() -> None:
    """The tuples of a trace, and what is subtracted, give the same answer without all others."""
    told = 0
    for seed in range(60):
        guess = Guesses(seed).guess()
        graph = Graph(Plan(guess.system), Index.of(guess.tuples))
        for asked in guess.asks:
            answer = trace(graph, asked, Bounds())
            assert answer.allowed == graph.check(asked, Bounds()).allowed
            if not answer.allowed or f"{asked.object}#{asked.relation}" == asked.user:
                continue
            last = answer.resolution[-1]
            assert (last.relation, last.object) == (asked.relation, asked.object)
            known = [*guess.tuples, *asked.given.contextual]
            named = [found for found in known if any(shown(step, found) for step in answer.resolution)]
            # What is subtracted is not in a trace: it is what was not found.
            if "Difference(" not in str(guess.system.model):
                left = World(guess.system, named, Given(context=asked.given.context))
                assert left.check(asked, 24).value == "true", (seed, asked)
                told += 1
    assert told > 10


def test_what_is_left_out_while_explaining_leads_nowhere() -> None:
    """The same derivations, of the same length, as where everything below the object is laid out."""
    compared = 0
    for seed in range(60):
        guess = Guesses(seed).guess()
        graph = Graph(Plan(guess.system), Index.of(guess.tuples))
        for asked in guess.asks:
            if not graph.check(asked, Bounds()).allowed:
                continue
            beside = graph.beside(asked.given)
            ranks = []
            for pruned in (False, True):
                spot, run = beside.asked(asked, Bounds())
                spot.node.walk(run, spot.thing, 0)
                ranks.append(Ground(run, spot, pruned=pruned).ranks().settled.get(spot))
            assert ranks[0] == ranks[1] is not None, (seed, asked)
            compared += 1
    assert compared > 30


def shown(step: Step, found: RelationTuple) -> bool:
    if not step.tuple or (found.relation, found.object) != (step.relation, step.object):
        return False
    everyone = found.user.endswith(":*") and found.user.partition(":")[0] == step.user.partition(":")[0]
    return found.user == step.user or everyone


def test_a_trace_of_what_a_request_brings_along() -> None:
    graph = graph_of(DRIVE)
    given = Given(contextual=tuple(tuples_of("document:1#editor@user:ben")))
    asked = CheckRequest(user="user:ben", relation="viewer", object="document:1", given=given)
    answer = trace(graph, asked, Bounds())
    assert tell(answer.resolution) == "user:ben —editor→ document:1 —implies→ viewer"
