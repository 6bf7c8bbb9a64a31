"""Relations under attack: cut-off cycles, exploding graphs, conditions on everyone, lists that say more."""

import pytest

from remit.decision.relations.dsl import read_dsl
from remit.decision.relations.errors import ConditionFailed, TooComplex
from remit.decision.relations.graph import Graph
from remit.decision.relations.index import Index
from remit.decision.relations.listing import Lists
from remit.decision.relations.plan import Plan
from remit.decision.relations.query import (
    LIST_BOUNDS,
    Answer,
    Bounds,
    Cause,
    CheckRequest,
    Given,
    ListObjectsRequest,
)
from remit.decision.relations.tuples import User
from remit.decision.relations.walk import NO, UNSURE, Node, Run
from support.relations import ask, graph_of, tuples_of

CYCLE = """
model
  schema 1.1
type user
type folder
  relations
    define parent: [folder]
    define direct: [user]
    define viewer: viewer from parent or direct
type doc
  relations
    define first: [folder]
    define second: [folder]
    define both: viewer from first and viewer from second
    define only: viewer from first but not viewer from second
"""
CYCLIC = (
    "folder:a#parent@folder:b",
    "folder:b#parent@folder:a",
    "folder:a#direct@user:ana",
    "doc:1#first@folder:a",
    "doc:1#second@folder:b",
)
GROUPS = """
model
  schema 1.1
type user
type group
  relations
    define member: [user, group#member]
type doc
  relations
    define viewer: [user, group#member]
    define blocked: [user, group#member]
    define reader: viewer but not blocked
"""
FOLDERS = """
model
  schema 1.1
type user
type folder
  relations
    define parent: [folder]
    define viewer: [user] or viewer from parent
"""
LUCKY = """
model
  schema 1.1
type user
type doc
  relations
    define viewer: [user:* with lucky]
    define banned: [user:* with lucky]
    define reader: [user] but not banned
condition lucky(x: int) {
  x > 3
}
"""


class Forgetful(Node):
    """Keeps what a cycle cut off as if it were a no."""

    __slots__ = ()

    def walk(self, run: Run, thing: int, hops: int) -> int:
        verdict = super().walk(run, thing, hops)
        if verdict == UNSURE:
            run.known[self.number, thing] = verdict = NO
        return verdict


class Endless(Node):
    """Remembers nothing and has no limit."""

    __slots__ = ()

    def walk(self, run: Run, thing: int, hops: int) -> int:
        return self.part.walk(run, thing, hops)


def plan_with(node: type[Node], model: str) -> Plan:
    class Planted(Plan):
        __slots__ = ()

        def _new(self, kind: str, relation: str) -> Node:
            planted = node(number=len(self.every), type_=kind, relation=relation)
            self.every.append(planted)
            return planted

    return Planted(read_dsl(model))


@pytest.mark.attack("PD-06")
def test_what_a_cycle_cut_off_is_never_taken_for_a_no() -> None:
    graph = graph_of(CYCLE, *CYCLIC)
    assert ask(graph, "doc:1#both@user:ana").allowed
    assert not ask(graph, "doc:1#only@user:ana").allowed
    assert ask(graph, "folder:b#viewer@user:ana").allowed


@pytest.mark.twin("PD-06")
def test_twin_a_cut_off_result_that_is_kept_opens_what_is_shut() -> None:
    graph = Graph(plan_with(Forgetful, CYCLE), Index.of(tuples_of(*CYCLIC)))
    assert ask(graph, "doc:1#only@user:ana").allowed


def chain(length: int) -> list[str]:
    return [f"group:{n}#member@group:{n + 1}#member" for n in range(length)]


def diamonds(layers: int) -> list[str]:
    return [
        f"group:{n}{side}#member@group:{n + 1}{other}#member"
        for n in range(layers)
        for side in "lr"
        for other in "lr"
    ]


@pytest.mark.attack("PD-10")
def test_cycles_and_self_reference_end_in_a_complete_answer() -> None:
    ring = ["group:a#member@group:b#member", "group:b#member@group:a#member", "group:a#member@group:a#member"]
    graph = graph_of(GROUPS, *ring, "group:b#member@user:ana", "doc:1#viewer@group:a#member")
    assert ask(graph, "doc:1#viewer@user:ana") == Answer(allowed=True)
    assert ask(graph, "doc:1#viewer@user:ben") == Answer(allowed=False)
    folders = graph_of(
        FOLDERS, "folder:1#parent@folder:1", "folder:1#parent@folder:2", "folder:2#parent@folder:1"
    )
    assert ask(folders, "folder:1#viewer@user:ana") == Answer(allowed=False)


@pytest.mark.attack("PD-10")
def test_a_chain_of_ten_thousand_is_denied_for_its_length() -> None:
    groups = graph_of(GROUPS, *chain(10_000), "group:10000#member@user:ana", "doc:1#viewer@group:0#member")
    folders = graph_of(
        FOLDERS, *(f"folder:{n}#parent@folder:{n + 1}" for n in range(10_000)), "folder:10000#viewer@user:ana"
    )
    for answer in (ask(groups, "doc:1#viewer@user:ana"), ask(folders, "folder:0#viewer@user:ana")):
        assert (answer.allowed, answer.complete) == (False, False)
        assert answer.cause in (Cause.DEPTH, Cause.STEPS)
        assert isinstance(answer.failure, TooComplex)
    assert ask(folders, "folder:9990#viewer@user:ana").allowed


@pytest.mark.attack("PD-10")
def test_the_limit_of_hops_at_it_and_one_past_it() -> None:
    graph = graph_of(
        FOLDERS, *(f"folder:{n}#parent@folder:{n + 1}" for n in range(30)), "folder:30#viewer@user:ana"
    )
    assert ask(graph, "folder:6#viewer@user:ana").allowed
    past = ask(graph, "folder:5#viewer@user:ana")
    assert (past.allowed, past.complete, past.cause) == (False, False, Cause.DEPTH)


@pytest.mark.attack("PD-10")
def test_what_is_too_far_to_be_subtracted_is_not_permitted_either() -> None:
    graph = graph_of(
        GROUPS,
        *chain(40),
        "group:40#member@user:ana",
        "doc:1#viewer@user:ana",
        "doc:1#blocked@group:0#member",
    )
    assert not ask(graph, "doc:1#reader@user:ana").allowed
    cramped = ask(graph, "doc:1#reader@user:ana", bounds=Bounds(steps=3))
    assert (cramped.allowed, cramped.complete) == (False, False)


@pytest.mark.attack("PD-10")
@pytest.mark.parametrize("tail", [[], ["group:40l#member@group:0l#member"]])
def test_a_diamond_of_forty_layers_costs_its_tuples_not_its_paths(tail: list[str]) -> None:
    graph = graph_of(
        GROUPS, *diamonds(40), *tail, "group:20l#member@user:ana", "doc:1#viewer@group:0l#member"
    )
    spent = Bounds(steps=2_000)
    assert ask(graph, "doc:1#viewer@user:ana", bounds=spent).allowed
    assert ask(graph, "doc:1#viewer@user:ben", bounds=spent) == Answer(allowed=False)


@pytest.mark.twin("PD-10")
def test_twin_without_memory_and_limit_a_ring_never_ends() -> None:
    ring = tuples_of("folder:1#parent@folder:2", "folder:2#parent@folder:1")
    graph = Graph(plan_with(Endless, FOLDERS), Index.of(ring))
    with pytest.raises(RecursionError):
        ask(graph, "folder:1#viewer@user:ana")


@pytest.mark.attack("PD-11")
def test_a_condition_on_everyone_is_asked_of_everyone() -> None:
    graph = graph_of(
        LUCKY, "doc:1#viewer@user:* if lucky", "doc:1#reader@user:ana", "doc:1#banned@user:* if lucky"
    )
    assert ask(graph, "doc:1#viewer@user:ana", context={"x": 4}).allowed
    assert ask(graph, "doc:1#viewer@user:ana", context={"x": 3}) == Answer(allowed=False)
    unsaid = ask(graph, "doc:1#viewer@user:ana")
    assert (unsaid.allowed, unsaid.complete, unsaid.cause) == (False, False, Cause.CONDITION)
    assert isinstance(unsaid.failure, ConditionFailed)
    assert "`lucky` is missing context parameters `x`" in unsaid.failure.hint
    # And where everyone is shut out on a condition, not knowing does not let in.
    assert ask(graph, "doc:1#reader@user:ana", context={"x": 3}).allowed
    assert not ask(graph, "doc:1#reader@user:ana").allowed


@pytest.mark.twin("PD-11")
def test_twin_a_condition_that_is_not_asked_lets_everyone_in() -> None:
    class Run_(Run):  # noqa: N801 - the twin of a slotted class
        __slots__ = ()

        def meets(self, *_: object) -> int:
            return 0

    class Open(Graph):
        __slots__ = ()

        def run(self, user: User, ident: int, given: Given, bounds: Bounds) -> Run:
            run = super().run(user, ident, given, bounds)
            run.__class__ = Run_
            return run

    graph = Open(Plan(read_dsl(LUCKY)), Index.of(tuples_of("doc:1#viewer@user:* if lucky")))
    assert ask(graph, "doc:1#viewer@user:ana", context={"x": 3}).allowed


@pytest.mark.attack("PD-22")
@pytest.mark.req("N37")
def test_a_list_does_not_name_what_is_shut_out() -> None:
    graph = graph_of(GROUPS, *(f"doc:{n}#viewer@user:ana" for n in range(5)), "doc:3#blocked@user:ana")
    wanted = ListObjectsRequest(user="user:ana", relation="reader", type="doc")
    listing = Lists(graph).objects(wanted, LIST_BOUNDS)
    assert listing.items == ("doc:0", "doc:1", "doc:2", "doc:4")
    assert listing.complete
    short = Lists(graph).objects(wanted, Bounds(listed=3))
    assert (len(short.items), short.complete) == (3, False)
    assert not Lists(graph).objects(wanted, Bounds(steps=4)).complete


@pytest.mark.twin("PD-22")
def test_twin_a_list_that_is_not_checked_names_it() -> None:
    class Trusting(Graph):
        __slots__ = ()

        def judged(self, *_: object) -> Answer:
            return Answer(allowed=True)

    graph = Trusting(
        Plan(read_dsl(GROUPS)), Index.of(tuples_of("doc:3#viewer@user:ana", "doc:3#blocked@user:ana"))
    )
    wanted = ListObjectsRequest(user="user:ana", relation="reader", type="doc")
    assert Lists(graph).objects(wanted, LIST_BOUNDS).items == ("doc:3",)


@pytest.mark.attack("PD-05")
def test_what_one_request_brings_along_is_not_there_for_the_next() -> None:
    graph = graph_of(GROUPS, "doc:1#viewer@group:a#member")
    asked = CheckRequest(user="user:ana", relation="viewer", object="doc:1")
    for _ in range(2):
        assert ask(graph, "doc:1#viewer@user:ana", along=["group:a#member@user:ana"]).allowed
        assert graph.check(asked, Bounds()) == Answer(allowed=False)
    assert graph.index.names("user").find("ana") is None
