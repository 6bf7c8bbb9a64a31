"""What is remembered of a part of a decision is what would be found anew: risks, told ways, contexts."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.authority.rights import Money
from remit.decision.answer.assessment import Part
from remit.decision.answer.response import Effect
from remit.decision.call.request import ActionRequest
from remit.decision.facts.assembly import Unassembled, assemble
from remit.decision.facts.signals import Signal
from remit.decision.policy.compile import Env
from remit.decision.policy.given import Given, Supposed, suppose
from remit.decision.policy.values import Uid, Value
from remit.decision.provenance.normal import Shape, reaches, values_in
from remit.decision.provenance.rules import Ruling
from remit.decision.relations.graph import Graph
from remit.decision.relations.index import Index
from remit.decision.relations.plan import Plan
from remit.decision.relations.query import Bounds
from remit.decision.relations.trace import resolution, tell
from remit.decision.risk.desk import Weighed
from remit.decision.risk.newness import News, Trait
from remit.decision.risk.weigh import Hours, Measure, Readings, assess
from remit.identity.principals import Principal
from remit.kernel.ids import PrincipalId, ToolId
from remit.kernel.tenancy import DEFAULT_TENANT
from support.clock import NOON
from support.decisions import HOUR, TOOLS, call, office
from support.relations import Guesses


def _booking() -> ActionRequest:
    found = assemble(call(), OFFICE)
    assert not isinstance(found, Unassembled)
    return found


OFFICE = office()
ASKED = _booking()
BOUNDS = Bounds(steps=1_000)
traits = st.builds(
    Trait,
    part=st.sampled_from([Part.NEW_ACTION, Part.NEW_CLASS, Part.NEW_HOST]),
    name=st.sampled_from(["a", "b"]),
    holder=st.just("agent:agt_calendar/a"),
)
news = st.none() | st.builds(News, traits=st.lists(traits, max_size=3).map(tuple), overflow=st.booleans())
signals = st.builds(
    Signal,
    tenant=st.just(DEFAULT_TENANT),
    subject=st.just(PrincipalId("agt_calendar")),
    kind=st.just("edr"),
    level=st.integers(0, 100),
    source=st.just("test"),
    at=st.just(NOON - HOUR),
)
measures = st.sampled_from(
    [
        Measure(),
        Measure(required=("edr",)),
        Measure(hours=Hours(zone="UTC", start=0, end=60, days=frozenset({0}))),
    ]
)


@st.composite
def requests(draw: st.DrawFn, people: Sequence[Principal]) -> ActionRequest:
    """A call of some tool, by an instance of some age, with some money, key and chain."""
    name = draw(st.sampled_from([each.name for each in TOOLS]))
    found = ASKED
    tool = draw(st.none() | st.just(OFFICE.tools[ToolId(f"tol_{name}")]))
    asked = replace(
        found.call,
        tool=tool,
        at=NOON + timedelta(minutes=draw(st.integers(-90, 90))),
        money=draw(st.none() | st.just(Money(currency="EUR", minor=5))),
        consequential=draw(st.booleans()),
        resource=replace(found.call.resource, type=draw(st.sampled_from(["Room", "Mail"]))),
        subject=replace(
            found.call.subject,
            key=draw(st.sampled_from(["thumb", ""])),
            chain=found.call.subject.chain * draw(st.integers(1, 3)),
        ),
    )
    return replace(found, call=asked, tool=tool, instance=draw(st.sampled_from(people)))


def instances() -> list[Principal]:
    """Of different ages and ways of proving themselves."""
    first = ASKED.instance
    return [
        first,
        replace(first, created_at=NOON - timedelta(minutes=10)),
        replace(first, attributes=(("federation_issuer", "x"),)),
        replace(first, created_at=NOON - timedelta(days=9), attributes=(("proven_by", "x"),)),
    ]


@pytest.mark.req("N10", "R64")
@pytest.mark.attack("PD-05")
@given(st.data())
def test_a_risk_that_was_weighed_before_is_what_would_be_weighed_anew(data: st.DataObject) -> None:
    people, measure, weighed = instances(), data.draw(measures), Weighed()
    for _ in range(data.draw(st.integers(2, 12))):
        request = data.draw(requests(people))
        readings = Readings(
            news=data.draw(news),
            signals=data.draw(st.lists(signals, max_size=1)),
            ruling=data.draw(st.none() | st.just(Ruling(effect=Effect.ASK))),
        )
        assert weighed.weigh(request, readings, measure) == assess(request, readings, measure)


def test_risks_are_really_found_again() -> None:
    weighed, (person, *_) = Weighed(), instances()
    request = replace(ASKED, instance=person)
    made = weighed.weigh(request, Readings(news=News()), Measure())
    assert weighed.weigh(request, Readings(news=News()), Measure()) is made


@pytest.mark.req("N10", "N12")
@pytest.mark.attack("PD-05")
@pytest.mark.parametrize("seeds", [range(start, 40, 4) for start in range(4)])
def test_a_way_that_was_told_before_is_what_would_be_told_anew_on_each_version(seeds: range) -> None:
    again = 0
    for seed in seeds:
        guess = Guesses(seed).guess()
        half = len(guess.tuples) // 2
        graph = Graph(Plan(guess.system), Index.of(guess.tuples[:half]))
        for _ in range(2):
            for asked in guess.asks:
                if not graph.check(asked, BOUNDS).allowed:
                    continue
                hot = [graph.told(asked, partial(_way, graph, asked)) for _ in "ab"]
                again += hot[0] is hot[1]
                assert hot == [_way(Graph(graph.plan, graph.index), asked)] * 2
            graph = graph.moved(graph.index.changed(writes=guess.tuples[half:], deletes=()))
    assert again


def _way(graph: Graph, asked: Any) -> str:
    return tell(resolution(graph, asked, BOUNDS))


@given(
    st.text(alphabet="aB1. @/:-wW\\DE0 ", max_size=40)
    | st.lists(
        st.sampled_from(
            ["a@b.io", "www.x.io", "x.io/a", "DE89370400440532013000", "https://y.io", "no", "12", "ftp://z"]
        ),
        max_size=3,
    ).map(" ".join)
)
def test_what_a_text_reaches_is_among_the_values_in_it(text: str) -> None:
    shapes = {value.shape for value in values_in(text)}
    wanted = next((each for each in (Shape.MAIL, Shape.IBAN, Shape.URL) if each in shapes), None)
    assert reaches(text) is wanted


@pytest.mark.req("N11")
@given(st.dictionaries(st.sampled_from(["purpose", "arguments", "risk", "task", "time"]), st.booleans()))
def test_a_context_that_is_altered_is_the_one_with_all_of_it_made_beforehand(
    changes: dict[str, bool],
) -> None:
    given_ = Given(ASKED, ("UTC",), {"room": "Room-401"})
    uid = Uid("Remit::Agent", "calendar-bot")
    env = Env(uid, uid, uid, given_, {})
    values: dict[str, Value] = dict(changes)
    altered, whole = suppose(env, **values).context, Supposed({**given_.whole(), **values})
    assert altered.whole() == whole.whole()
    for name in (*whole.whole(), "nothing"):
        assert altered.at(name) == whole.at(name)
