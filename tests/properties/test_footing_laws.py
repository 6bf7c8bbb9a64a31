"""What is found again is what would be found anew: footings against the slow, obvious functions.

The oracle is `assemble` and the stages themselves. Each world is decided several times in a row on one
snapshot, by different subjects, at different times, so that a footing made for one call meets the others.
"""

from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from immutables import Map

from remit.authority.alive import Tombstone
from remit.authority.envelope import Delegation
from remit.authority.rights import Caps, Ceiling, Constraint, Money, Window
from remit.authority.tasks import TaskState
from remit.authority.tokens import Proof, VerifiedSubject
from remit.decision.answer.finding import Finding
from remit.decision.answer.response import Disclose, Effect, Mode, Obligation, Observation, Reason, Stage
from remit.decision.budget.cost import Line, lines_of
from remit.decision.call.footing import SIZE, Footing, Footings, key_of
from remit.decision.call.request import ProposedCall
from remit.decision.facts.assembly import Unassembled, assemble
from remit.decision.facts.snapshot import Snapshot
from remit.decision.stages.grounding import ground, known_lines
from remit.decision.stages.pipeline import agreed, judge, strongest
from remit.identity.lifecycle import State
from remit.identity.tools import Pin
from remit.kernel.canonical import canonical_json
from remit.kernel.ids import AgentId, InstanceId, PrincipalId, TaskId, TokenId, ToolId
from support.clock import NOON
from support.decisions import (
    GRANT,
    HOUR,
    TASK,
    bundle,
    call,
    ceiling,
    envelope,
    grant,
    office,
    right,
    subject,
    task,
)

SNAPSHOT = office()
BUNDLE = bundle('@id("all") permit(principal, action, resource);')
TIMES = [NOON + timedelta(minutes=minutes) for minutes in (-120, -1, 0, 1, 30, 59, 60, 61, 600)]
moments = st.sampled_from(TIMES)


@st.composite
def ceilings(draw: st.DrawFn) -> Ceiling:
    """Wide open, or narrowed in some way."""
    rights = draw(
        st.sampled_from(
            [
                (),
                (right("business/rooms.book"),),
                (right("business/rooms.book", frozenset({"Room-401"})),),
                (
                    right("business/rooms.book", frozenset({"Room-402"})),
                    right(
                        "business/rooms.book", "any", Constraint(pointer="/attendees", at_most=Decimal(10))
                    ),
                ),
                (right("business/rooms.book", "any", Constraint(pointer="/note", one_of=frozenset({"a"}))),),
                (replace(right("business/rooms.book"), resource_type="Hall"),),
                (right("business/rooms.read"), right("business/refunds.create")),
            ]
        )
    )
    made = ceiling(*rights, purpose=draw(st.sampled_from(["any", "any", "booking", "audit", ""])))
    window = draw(
        st.sampled_from(
            [made.window, made.window, Window(start=TIMES[1], end=TIMES[5]), Window(start=NOON, end=NOON)]
        )
    )
    caps = draw(st.sampled_from([Caps(), Caps(calls=3), Caps(money=(Money(currency="EUR", minor=5),))]))
    return replace(
        made, window=window, caps=caps, rights=made.rights if draw(st.booleans()) or rights else frozenset()
    )


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    """An office where anything may have ended, changed or be missing."""
    made = office()
    narrowed = {ident: draw(ceilings()) for ident in made.ceilings if draw(st.integers(0, 2)) == 0}
    kept = {ident: narrowed.get(ident, each) for ident, each in made.ceilings.items()}
    if draw(st.integers(0, 7)) == 0:
        del kept[PrincipalId(draw(st.sampled_from(["agt_calendar", "blu_office"])))]
    people = dict(made.principals)
    if draw(st.integers(0, 4)) == 0:
        ident = draw(st.sampled_from(sorted(people)))
        people[ident] = replace(people[ident], state=draw(st.sampled_from(list(State))))
    if draw(st.integers(0, 5)) == 0:
        del people[draw(st.sampled_from(sorted(people)))]
    stones = {}
    if draw(st.integers(0, 4)) == 0:
        dead = draw(
            st.sampled_from([*sorted(people), "tok_1", "srv_business", "thumb", "env_root", TASK, GRANT])
        )
        stones[str(dead)] = Tombstone(kind="agent", ident=str(dead), epoch=4, cause="kill")
    tools = dict(made.tools)
    if draw(st.integers(0, 4)) == 0:
        entry = tools[ToolId("tol_rooms.book")]
        changed: list[dict[str, Any]] = [
            {"pin": Pin.QUARANTINED}, {"digest": "0" * 64}, {"consequential": False}, {"mapping": None}
        ]  # fmt: skip
        tools[entry.id] = replace(entry, **draw(st.sampled_from(changed)))
    running = task(
        ceiling=draw(ceilings()),
        deadline=draw(st.sampled_from([TIMES[4], TIMES[7], TIMES[8] + HOUR])),
        state=draw(st.sampled_from([TaskState.RUNNING] * 4 + [TaskState.ENDED])),
    )
    hop = envelope(
        draw(ceilings()),
        kind=draw(st.sampled_from(list(Delegation))),
        expires_at=draw(st.sampled_from(TIMES[4:])),
    )
    return replace(
        made,
        principals=Map(people),
        ceilings=Map(kept),
        tombstones=Map(stones),
        tools=Map(tools),
        tasks=Map({TASK: running}),
        grants=Map({GRANT: grant(ceiling=draw(ceilings()))}),
        envelopes=Map({hop.digest: hop}),
        bundle=BUNDLE,
    )


@st.composite
def subjects(draw: st.DrawFn) -> VerifiedSubject:
    """Several that say the same token id: only a whole comparison tells them apart."""
    who: dict[str, Any] = draw(
        st.sampled_from(
            [
                {},
                {},
                {"task": None},
                {"task": TaskId("tsk_2")},
                {"user": None},
                {"agent": AgentId("agt_mail")},
                {"instance": InstanceId("ins_mail"), "agent": AgentId("agt_mail")},
                {
                    "instance": InstanceId("ins_mail"),
                    "agent": AgentId("agt_mail"),
                    "chain": (InstanceId("ins_calendar"), InstanceId("ins_mail")),
                    "envelope": "e" * 64,
                },
                {"key": ""},
                {"tenant": "ten_other"},
                {"token": TokenId("tok_2")},
            ]
        )
    )
    return subject(
        **who,
        ceiling=draw(st.none() | ceilings()),
        expires_at=draw(st.sampled_from([TIMES[3], TIMES[6], TIMES[8] + HOUR])),
        proof=draw(st.sampled_from([None, Proof(key="thumb", jti="j", keep_until=NOON)])),
    )


ARGUMENTS: list[Any] = [
    {"room": "Room-401"},
    {"room": "Room-402", "attendees": 4},
    {"room": "Room-402", "attendees": 11},
    {"room": "Room-401", "attendees": True},
    {"room": "Room-401", "note": "a"},
    {"room": "Room-401", "secret": 1},
]


@st.composite
def calls(draw: st.DrawFn, snapshot: Snapshot, who: Sequence[VerifiedSubject]) -> ProposedCall:
    """A call of a tool, or of a method without one."""
    speaker, at = draw(st.sampled_from(who)), draw(moments)
    proposed = call(
        draw(st.sampled_from(["rooms.book", "rooms.book", "rooms.read"])),
        subject=speaker,
        at=at,
        raw=canonical_json(draw(st.sampled_from(ARGUMENTS))),
    )
    match draw(st.integers(0, 9)):
        case 0:
            return replace(proposed, tool=None, method="tools/list", action="business/tools.list")
        case 1:
            return replace(proposed, tool=None)
        case 2:
            return replace(proposed, action="business/other")
        case 3 if proposed.tool is not None:
            return replace(proposed, tool=replace(proposed.tool, digest="0" * 64))
        case 4:
            return replace(proposed, resource=replace(proposed.resource, type="Hall"))
        case _:
            return proposed


Judged = tuple[object, tuple[Finding, ...], tuple[Line, ...]]


def slowly(proposed: ProposedCall, snapshot: Snapshot) -> Judged:
    """Nothing is remembered."""
    request = assemble(proposed, snapshot)
    if isinstance(request, Unassembled):
        return request, (), ()
    return request, judge(request, snapshot), lines_of(request)


def fast(proposed: ProposedCall, snapshot: Snapshot) -> Judged:
    request, footing = ground(proposed, snapshot)
    if isinstance(request, Unassembled):
        return request, (), ()
    return request, judge(request, snapshot, footing=footing), known_lines(footing, request)


@pytest.mark.attack("PD-05")
@given(st.data())
def test_what_is_found_again_is_what_would_be_found_anew(data: st.DataObject) -> None:
    snapshot = data.draw(snapshots())
    who = data.draw(st.lists(subjects(), min_size=1, max_size=3))
    for _ in range(data.draw(st.integers(2, 6))):
        proposed = data.draw(calls(snapshot, who))
        assert fast(proposed, snapshot) == slowly(proposed, snapshot)


@given(st.data())
def test_every_remembered_call_is_judged_as_anew_at_every_moment(data: st.DataObject) -> None:
    """The same call at all times: the first ones make the footing, all others meet it."""
    snapshot = data.draw(snapshots())
    who = [data.draw(subjects())]
    first = data.draw(calls(snapshot, who))
    for at in (*TIMES, *reversed(TIMES)):
        for arguments in ARGUMENTS:
            raw = canonical_json(arguments)
            proposed = replace(first, at=at, arguments=arguments, raw_arguments=raw)
            assert fast(proposed, snapshot) == slowly(proposed, snapshot)


def test_footings_are_really_used() -> None:
    """Else the laws above would compare the slow way with itself."""
    snapshot = office()
    request, made = ground(call(), snapshot)
    again, found = ground(call(), snapshot)
    assert made is found is not None
    assert request == again
    assert found.alive is not None
    assert found.bounds is not None


def test_no_field_of_a_subject_but_its_proof_is_left_out() -> None:
    """PD-05: another subject under the same token id never finds the footing."""
    snapshot = office()
    ground(call(), snapshot)
    other: dict[str, Any] = {
        "tenant": "x", "token": "x", "instance": "x", "agent": "x", "user": None, "task": None, "chain": (),
        "envelope": "x", "ceiling": ceiling(), "audience": "x", "scopes": frozenset({"x"}), "key": "x",
        "acr": "x", "signed_in_at": NOON, "issued_at": NOON, "expires_at": NOON + HOUR, "client": "x",
        "credential": "x", "ancestors": ("x",),
    }  # fmt: skip
    assert other.keys() | {"proof"} == {each.name for each in fields(VerifiedSubject)}
    for name, value in other.items():
        assert snapshot.footings.find(call(subject=subject(**{name: value}))) is None, name
    fresh = subject(proof=Proof(key="thumb", jti="j", keep_until=NOON))
    assert snapshot.footings.find(call(subject=fresh)) is not None


def test_another_snapshot_knows_no_footing() -> None:
    snapshot = office()
    ground(call(), snapshot)
    assert snapshot.footings.find(call()) is not None
    assert replace(snapshot, epoch=snapshot.epoch + 1).footings.find(call()) is None


class Careless(Footings):
    """A memory that finds by ids alone, whatever else the subject says."""

    def find(self, call: ProposedCall) -> Footing | None:
        return self._known.get(key_of(call))


@pytest.mark.twin("PD-05")
def test_a_memory_that_does_not_compare_the_subject_is_caught() -> None:
    snapshot = office()
    careless = Careless()
    object.__setattr__(snapshot, "footings", careless)
    ground(call(), snapshot)
    stranger = call(subject=subject(user=None))
    assert fast(stranger, snapshot) != slowly(stranger, snapshot)


def test_the_memory_is_bounded() -> None:
    snapshot = office()
    _, footing = ground(call(), snapshot)
    assert footing is not None
    for number in range(SIZE + 10):
        snapshot.footings.keep(replace(call(), action=f"business/{number}"), footing)
    assert len(snapshot.footings._known) == SIZE
    assert snapshot.footings.find(call()) is None


REASONS = st.builds(
    Reason,
    stage=st.sampled_from(list(Stage)),
    effect=st.sampled_from(list(Effect)),
    kind=st.none(),
    code=st.sampled_from(["permitted", "approved"]),
    sentence=st.just("x"),
)
FINDINGS = st.builds(
    Finding,
    stage=st.sampled_from(list(Stage)),
    effect=st.just(Effect.PERMIT),
    reasons=st.lists(REASONS, max_size=3).map(tuple),
    obligations=st.lists(st.builds(Obligation, type=st.sampled_from(["a", "b"])), max_size=2).map(tuple),
    observed=st.lists(
        st.builds(
            Observation,
            rule=st.just("r"),
            mode=st.sampled_from(list(Mode)),
            effect=st.sampled_from(list(Effect)),
            sentence=st.just("s"),
        ),
        max_size=2,
    ).map(tuple),
    disclose=st.sampled_from(list(Disclose)),
)


@given(st.lists(FINDINGS, min_size=1, max_size=5))
def test_the_short_way_to_a_permit_says_what_the_long_one_says(findings: list[Finding]) -> None:
    assert agreed(findings, snapshot=SNAPSHOT) == strongest(findings, snapshot=SNAPSHOT)
