"""Who can, over the whole decision and a great directory: in pages, complete, equal to asking each (R113).

Some thousand people at the gate, a hundred thousand with `REMIT_HYPOTHESIS=long`.
"""

import random
import secrets
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import pytest

from remit.app.access import search
from remit.app.access.desk import AccessDesk
from remit.app.access.question import Asked, Entity
from remit.decision.answer.response import Decision, Effect, Handing, Reason
from remit.decision.call.request import ProposedCall
from remit.decision.facts.assembly import Unassembled, assemble
from remit.decision.facts.snapshot import Snapshot
from remit.decision.service import Proposal
from remit.decision.stages.pipeline import fold, judge
from remit.identity.lifecycle import State
from remit.identity.principals import Kind
from remit.kernel.ids import PrincipalId
from support.clock import NOON, FixedClock
from support.decisions import ceiling, office, principal, right
from support.effort import rounds

PEOPLE = rounds(2_500, long=100_000)
BY = PrincipalId("svc_gateway")
RULES = (
    '@id("rooms") permit (principal is Remit::Human, action, resource)'
    ' unless { resource == Remit::Room::"Cellar" };'
)
ROOM = Entity(type="Room", id="Room-401")


@cache
def crowd() -> Snapshot:
    """People: some without a ceiling, some with another one, some suspended, some for other rooms."""
    snapshot = office(RULES)
    principals, ceilings = snapshot.principals.mutate(), snapshot.ceilings.mutate()
    for number in range(PEOPLE):
        ident = PrincipalId(f"usr_{number:06}")
        state = State.SUSPENDED if number % 11 == 0 else State.ACTIVE
        principals[ident] = principal(ident, Kind.HUMAN, f"person-{number}", state=state)
        match number % 5:
            case 0 | 1:
                ceilings[ident] = ceiling(right("business/rooms.book"))
            case 2:
                ceilings[ident] = ceiling(right("business/mail.send"))
            case 3:
                ceilings[ident] = ceiling(right("business/rooms.book", frozenset({"Room-402"})))
            case _:
                pass  # no ceiling
    return replace(snapshot, principals=principals.finish(), ceilings=ceilings.finish())


class Fixed:
    """One view, for ever."""

    def current(self) -> Snapshot:
        return crowd()

    async def catch_up(self, at_least: int | None = None) -> Snapshot:
        return crowd()


class Stages:
    """The stages of a decision, and how many candidates they looked at."""

    def __init__(self) -> None:
        self.looked = 0

    async def foresee(self, calls: Sequence[ProposedCall]) -> tuple[Effect, ...]:
        self.looked += len(calls)
        return tuple(map(effect, calls))

    async def decide(
        self, call: ProposedCall, *, at_least: int | None = None, handing: Handing = Handing.USED
    ) -> Decision:
        raise AssertionError("a search decides nothing")

    async def decide_all(
        self, proposals: Sequence[Proposal], *, at_least: int | None = None, handing: Handing = Handing.USED
    ) -> tuple[Decision, ...]:
        raise AssertionError("a search decides nothing")

    async def refuse(self, call: ProposedCall, said: Reason) -> Decision:
        raise AssertionError("a search records nothing")


def effect(call: ProposedCall) -> Effect:
    request = assemble(call, crowd())
    if isinstance(request, Unassembled):
        return Effect.DENY
    return fold(judge(request, crowd()), snapshot=crowd()).effect


def desk(stages: Stages, *, patience: float = 60.0) -> AccessDesk:
    return AccessDesk(
        judge=stages,
        snapshots=Fixed(),
        issuer="https://remit.example",
        clock=FixedClock(NOON),
        entropy=secrets.token_bytes,
        patience=patience,
    )


def asked(who: str = "", room: Entity = ROOM) -> Asked:
    return Asked(subject=Entity(type="user", id=who), action="business/rooms.book", resource=room)


async def pages(found: AccessDesk, question: Asked, *, limit: int) -> tuple[list[str], int]:
    """All results, and on how many pages."""
    names, after, count = list[str](), "", 0
    while True:
        page = await search.subjects(found, question, by=BY, after=after, limit=limit)
        assert page.complete
        assert len(page.names) <= limit
        names += page.names
        count += 1
        if not page.after:
            return names, count
        after = page.after


@pytest.mark.req("R113", "N37")
@pytest.mark.timeout(rounds(300, long=3_600))
async def test_who_can_is_complete_and_equal_to_asking_each() -> None:
    stages, dice = Stages(), random.Random(1)  # noqa: S311 — a test, not a secret
    found = desk(stages)
    names, count = await pages(found, asked(), limit=rounds(100, long=1_000))
    assert names == sorted(set(names))
    assert count > 5
    hits = frozenset(names)
    everyone = [ident for ident, each in crowd().principals.items() if each.kind is Kind.HUMAN]
    for ident in dice.sample(everyone, min(len(everyone), 2_500)):
        (alone,) = await found.foresee([asked(ident)], by=BY)
        assert alone is (ident in hits), ident
    # Whoever has no right of the kind is not even looked at.
    assert stages.looked < PEOPLE + 2_500
    barred, _ = await pages(found, asked(room=Entity(type="Room", id="Cellar")), limit=1_000)
    assert barred == []


async def test_a_page_whose_time_is_over_goes_on_with_the_next() -> None:
    """Nothing is lost by a deadline: a page has at least one lot, and says where the next begins."""
    whole, _ = await pages(desk(Stages()), asked(), limit=1_000)
    stages = Stages()
    hurried = await search.subjects(desk(stages, patience=0.0), asked(), by=BY, after="", limit=1_000)
    assert stages.looked == search.AT_ONCE
    assert hurried.after
    assert list(hurried.names) == [name for name in whole if name <= hurried.after]


async def test_a_page_looks_no_further_than_it_needs() -> None:
    stages = Stages()
    page = await search.subjects(desk(stages), asked(), by=BY, after="", limit=10)
    assert len(page.names) == 10
    assert stages.looked == search.AT_ONCE
