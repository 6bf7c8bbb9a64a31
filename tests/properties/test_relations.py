"""Laws of relations over random models: fast answers are slow answers, a list is what check allows."""

import os
from dataclasses import replace

import pytest

from oracle.relations import Verdict, World
from remit.decision.relations.graph import Graph
from remit.decision.relations.index import Index
from remit.decision.relations.listing import Lists
from remit.decision.relations.plan import Plan
from remit.decision.relations.query import (
    DEPTH,
    LIST_BOUNDS,
    Answer,
    Bounds,
    Cause,
    CheckRequest,
    ListObjectsRequest,
    ListUsersRequest,
)
from support.relations import Guess, Guesses

ROUNDS = int(os.environ.get("REMIT_RELATION_ROUNDS", "50"))
WIDE = Bounds(steps=1_000_000)
SEEDS = [range(start, ROUNDS, 5) for start in range(5)]


def graph_of(guess: Guess) -> Graph:
    return Graph(Plan(guess.system), Index.of(guess.tuples))


def verdict_of(answer: Answer) -> Verdict:
    if answer.cause is not None:
        return Verdict.UNKNOWN
    return Verdict.TRUE if answer.allowed else Verdict.FALSE


@pytest.mark.req("N37", "R49")
@pytest.mark.attack("PD-06", "PD-22")
@pytest.mark.parametrize("seeds", SEEDS)
def test_check_and_batch_answer_as_the_oracle(seeds: range) -> None:
    for seed in seeds:
        guess = Guesses(seed).guess()
        graph = graph_of(guess)
        for depth in (DEPTH, 2):
            bounds = replace(WIDE, depth=depth)
            together = graph.batch(guess.asks, bounds)
            for request, batched in zip(guess.asks, together, strict=True):
                expected = World(guess.system, guess.tuples, request.given).check(request, depth)
                # Asked of a graph that has answered others, and of one that has not.
                assert verdict_of(graph.check(request, bounds)) is expected, (seed, request)
                assert verdict_of(graph_of(guess).check(request, bounds)) is expected, (seed, request)
                assert isinstance(batched, Answer)
                assert verdict_of(batched) is expected


@pytest.mark.req("N37")
@pytest.mark.attack("PD-22")
@pytest.mark.parametrize("seeds", SEEDS)
def test_a_list_is_what_check_allows(seeds: range) -> None:
    for seed in seeds:
        guess = Guesses(seed).guess()
        graph = graph_of(guess)
        for asked in guess.asks[:4]:
            objects_are_checks(guess, graph, asked)
            users_are_checks(guess, graph, asked)


def objects_are_checks(guess: Guess, graph: Graph, asked: CheckRequest) -> None:
    kind = asked.object.partition(":")[0]
    wanted = ListObjectsRequest(user=asked.user, relation=asked.relation, type=kind, given=asked.given)
    listing = Lists(graph).objects(wanted, LIST_BOUNDS)
    world = World(guess.system, guess.tuples, asked.given)
    verdicts = {
        f"{kind}:{number}": world.check(replace(asked, object=f"{kind}:{number}"), DEPTH)
        for number in range(7)
    }
    assert set(listing.items) == {it for it, verdict in verdicts.items() if verdict is Verdict.TRUE}
    if listing.complete:
        doubted = [it for it, verdict in verdicts.items() if verdict is Verdict.UNKNOWN]
        assert all(graph.check(replace(asked, object=it), WIDE).cause is Cause.NEGATION for it in doubted)


def users_are_checks(guess: Guess, graph: Graph, asked: CheckRequest) -> None:
    wanted = ListUsersRequest(
        object=asked.object, relation=asked.relation, user_type="user", given=asked.given
    )
    listing = Lists(graph).users(wanted, LIST_BOUNDS)
    world = World(guess.system, guess.tuples, asked.given)
    allowed = {
        user
        for user in ("user:1", "user:2", "user:3", "user:4", "user:*")
        if world.check(replace(asked, user=user), DEPTH) is Verdict.TRUE
    }
    assert set(listing.items) <= allowed
    stranger = world.check(replace(asked, user="user:never-named"), DEPTH) is Verdict.TRUE
    assert stranger or allowed <= set(listing.items)


@pytest.mark.req("N37")
def test_a_version_answers_as_if_built_anew_and_leaves_the_old_one_alone() -> None:
    for seed in range(0, ROUNDS, 4):
        guess = Guesses(seed).guess()
        half = len(guess.tuples) // 2
        first = Graph(Plan(guess.system), Index.of(guess.tuples[:half]))
        before = [first.check(request, WIDE) for request in guess.asks]
        gone = guess.tuples[: half // 2]
        second = first.moved(first.index.changed(writes=guess.tuples[half:], deletes=gone))
        left = [it for it in guess.tuples if it not in gone]
        assert sorted(map(str, second.index.tuples())) == sorted(map(str, left))
        anew = Graph(Plan(guess.system), Index.of(left))
        assert [second.check(it, WIDE) for it in guess.asks] == [anew.check(it, WIDE) for it in guess.asks]
        assert [first.check(it, WIDE) for it in guess.asks] == before
