"""Every way to ask, against the decision by its book (`oracle.decision`), over random offices and pasts.

The office changes while it is asked; what was found for one call is met by the next ones; people are asked,
and say yes, no or nothing. `REMIT_LONG=1` compares more than a million answers; `-s` shows the count.
"""

import os
import time
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from itertools import product
from random import Random
from typing import Any

import pytest
from immutables import Map

from oracle.decision import Act
from remit.authority.alive import Tombstone
from remit.authority.consent import GrantState
from remit.authority.rights import Caps
from remit.authority.tasks import TaskState
from remit.decision.answer.finding import Finding
from remit.decision.answer.response import Effect, Stage
from remit.decision.call.footing import Footing, Footings, key_of
from remit.decision.call.request import ActionRequest, ProposedCall
from remit.decision.facts.snapshot import Snapshot
from remit.decision.history.past import Footprint
from remit.decision.policy.admission import compile_bundle, version_of
from remit.decision.relations.graph import Graph
from remit.decision.relations.index import Index
from remit.decision.stages.pipeline import STEPS, Step
from remit.identity.lifecycle import State
from remit.identity.tools import RelationMapping
from remit.kernel.ids import PrincipalId, ToolId
from support.book import Bench, answers, ask_all
from support.clock import NOON
from support.decisions import GRANT, HOUR, TASK, call, ceiling, office, right, subject
from support.relations import tuples_of
from support.worlds import Office, plan

LONG = os.environ.get("REMIT_LONG") == "1"
OFFICES = int(os.environ.get("REMIT_OFFICES", "4500" if LONG else "48"))
FIRST = int(os.environ.get("REMIT_FIRST_OFFICE", "0"))
STAGES = {"alive", "authority", "policy", "relations", "history", "budget", "oversight"}
pytestmark = [pytest.mark.timeout(28_800)] if LONG else []


@pytest.mark.req("R48", "R56", "N10", "N12", "N27", "N37")
@pytest.mark.attack("PD-05", "PD-22", "PD-25")
async def test_every_way_to_ask_gives_the_answer_of_the_book() -> None:
    tally, begun, wrong = Counter[str](), time.monotonic(), list[str]()
    for seed in range(FIRST, FIRST + OFFICES):
        bench = await ask_all(seed)
        tally += bench.tally
        wrong += [f"office {seed}: {each}" for each in bench.wrong]
        if LONG and seed % 200 == 0:
            print(f"{seed} offices, {answers(tally):,} answers, {len(wrong)} wrong", flush=True)
    print(f"{answers(tally):,} answers in {time.monotonic() - begun:,.0f} s: {dict(tally)}")
    assert not wrong, "\n".join(wrong[:5])
    # All effects, and denials of every stage, were really met.
    assert {f"deny {stage}" for stage in STAGES} | {"permit", "ask", "step_up"} <= tally.keys()
    assert not LONG or answers(tally) >= 1_000_000


# -- the test bites: a product with one thing wrong is told from the book


async def told_apart(**kinds: Any) -> bool:
    for seed in range(60):
        if (await ask_all(seed, **kinds)).wrong:
            return True
    return False


class Careless(Footings):
    """A memory that finds by the token's id alone, whoever shows it, however late."""

    def find(self, call: ProposedCall) -> Footing | None:
        return self._known.get(key_of(call))


@pytest.mark.twin("PD-05")
async def test_a_memory_that_does_not_compare_is_told_apart() -> None:
    assert await told_apart(footings=Careless)


def without(stage: Stage) -> tuple[Step, ...]:
    return tuple(step for step in STEPS if step.stage is not stage)


@pytest.mark.twin("PD-22")
@pytest.mark.parametrize("stage", [Stage.ALIVE, Stage.AUTHORITY, Stage.POLICY, Stage.RELATIONS])
async def test_a_decision_without_one_of_its_stages_is_told_apart(stage: Stage) -> None:
    assert await told_apart(steps=without(stage))


def _forgiving(request: ActionRequest, snapshot: Snapshot) -> Finding | None:
    """A policy stage as Cedar itself answers: what can't be evaluated is passed over."""
    (policy,) = (step for step in STEPS if step.stage is Stage.POLICY)
    return None if request.call.arguments.get("catering") is True else policy.judge(request, snapshot)


async def test_a_stage_that_is_left_out_for_one_argument_is_told_apart() -> None:
    steps = tuple(replace(step, judge=_forgiving) if step.stage is Stage.POLICY else step for step in STEPS)
    assert await told_apart(steps=steps)


# -- a small world, every one of it

SMALL = """
@id("reads") @remember("read by=user")
permit (principal, action == Remit::Action::"business/rooms.read", resource);
@id("dry") forbid (principal, action == Remit::Action::"business/rooms.book", resource)
  when { context.past.read.user.count > 0 };
"""
TEXTS = {
    "silent": '@id("other") permit (principal, action == Remit::Action::"business/mail.send", resource);',
    "permit": '@id("all") permit (principal, action, resource);',
    "ask": '@id("all") permit (principal, action, resource);'
    '@id("lead") @approval("owner") permit (principal, action, resource);',
    "forbid": '@id("all") permit (principal, action, resource);'
    '@id("no") forbid (principal, action, resource)'
    ' when { context.resource.id == "Room-401" };',
    "error": '@id("all") permit (principal, action, resource);'
    '@id("no") forbid (principal, action, resource)'
    " when { context.arguments.attendees > 40 && context.arguments.tags.contains(1) };",
}
BUNDLES = {
    name: compile_bundle(text + SMALL, version=version_of(text + SMALL, 1)) for name, text in TEXTS.items()
}
GRAPHS = [
    (Graph(plan(), Index.of(known)), known) for known in ([], tuples_of("room:Room-401#viewer@user:ada"))
]
BOOKING = ToolId("tol_rooms.book")
WHOLE = office()
AXES: list[list[Any]] = [
    [State.ACTIVE, State.SUSPENDED],
    [False, True],
    [TaskState.RUNNING, TaskState.ENDED],
    [GrantState.GIVEN, GrantState.WITHDRAWN],
    [None, ceiling(right("business/rooms.book", frozenset({"Room-402"})))],
    list(TEXTS),
    [None, 0, 1],
    [False, True],
    [None, 0],
    ["permit", "deny"],
]


class Small(Office):
    """An office that is told, not thrown."""

    def __init__(self, point: tuple[Any, ...]) -> None:
        user, killed, run, consent, _token, text, related, _done, paid, _traced = point
        self.random = Random(0)  # noqa: S311 — never thrown
        whole = WHOLE
        ada, agent, tool = PrincipalId("usr_ada"), PrincipalId("agt_calendar"), whole.tools[BOOKING]
        demand = None if related is None else RelationMapping(relation="viewer", type="room")
        assert tool.mapping is not None
        graph, self.tuples = GRAPHS[related or 0]
        stone = Tombstone(kind="agent", ident=agent, epoch=1, cause="kill")
        self.made = replace(
            whole,
            principals=whole.principals.set(ada, replace(whole.principals[ada], state=user)),
            tombstones=Map({str(agent): stone}) if killed else Map(),
            tasks=Map({TASK: replace(whole.tasks[TASK], state=run)}),
            grants=Map({GRANT: replace(whole.grants[GRANT], state=consent)}),
            tools=whole.tools.set(BOOKING, replace(tool, mapping=replace(tool.mapping, relation=demand))),
            ceilings=whole.ceilings.set(agent, ceiling(caps=Caps(calls=paid))),
            bundle=BUNDLES[text],
            relations=graph,
        )

    def snapshot(self) -> Snapshot:
        return self.made


def dead(point: tuple[Any, ...]) -> int:
    return sum(point[place] is not AXES[place][0] for place in range(4))


async def judged(point: tuple[Any, ...], number: int) -> Bench:
    """One world, asked once in every way."""
    bench = Bench(Small(point))
    token, done, traced = point[4], point[7], point[9]
    if done:
        mark = ("read", "user:usr_ada", "", 0, NOON - HOUR)
        bench.past.append(Act(marks=frozenset({mark})))
        name, holder, value, part, at = mark
        bench.store.leave(Footprint(mark=name, holder=holder, value=value, bucket=part, at=at, until=None))
    asked = call(
        snapshot=bench.store.head, subject=subject(ceiling=token), at=NOON + timedelta(seconds=number)
    )
    bench.tracing.said[asked.call] = traced
    await bench.everyway(asked)
    return bench


@pytest.mark.req("R48", "R56", "N10")
async def test_a_small_world_is_decided_by_the_book_at_every_point() -> None:
    tally, wrong = Counter[str](), list[str]()
    # In the gate, of those who may be dead at most one is: with several, it is the first that is named.
    points = [each for each in product(*AXES) if LONG or dead(each) < 2]
    for number, point in enumerate(points):
        bench = await judged(point, number)
        tally += bench.tally
        wrong += [f"{point}: {each}" for each in bench.wrong]
    assert not wrong, "\n".join(wrong[:5])
    assert {f"deny {stage}" for stage in STAGES - {"oversight"}} | {"permit", "ask"} <= tally.keys()


@pytest.mark.req("N10")
async def test_taking_anything_away_never_permits_more() -> None:
    """Of two small worlds that differ in one thing, the one with less never gets the weaker answer."""
    order = {"permit": 0, "step_up": 1, "ask": 2, "deny": 3}
    points = [point for point in product(*AXES[:5]) if point]
    effects = dict[tuple[Any, ...], Effect]()
    for point in points:
        bench = Bench(Small((*point, "permit", None, False, None, "permit")))
        asked = call(snapshot=bench.store.head, subject=subject(ceiling=point[4]))
        effects[point] = (await bench.service.explain(asked)).verdict.effect
    for point, place in product(points, range(5)):
        less = (*point[:place], AXES[place][1], *point[place + 1 :])
        assert order[effects[less]] >= order[effects[point]]
