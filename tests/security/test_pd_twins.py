"""PD, DE-16: each attack on a decision as it is made, and as it would be made without the rule against it."""

import asyncio
import contextlib
import json
import multiprocessing
import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from remit.authority.rights import Caps
from remit.decision.answer.denial import Denial, denial_of
from remit.decision.answer.response import Decision, Disclose, Effect, Stage, Verdict
from remit.decision.call.request import ProposedCall
from remit.decision.facts.assembly import Unassembled, assemble
from remit.decision.facts.snapshot import Snapshot
from remit.decision.policy.admission import compile_bundle, version_of
from remit.decision.policy.errors import PolicyOutdated
from remit.decision.policy_service import PolicyService
from remit.decision.service import DecisionService
from remit.decision.stages.pipeline import STEPS, Step, fold, judge, refusal
from remit.decision.stages.preview import visible
from remit.identity.errors import OwnerLoop
from remit.identity.ownership import accountable
from remit.identity.principals import Kind, Principal
from remit.kernel.canonical import JsonObject, sha256
from remit.kernel.ids import DecisionId, PrincipalId
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork
from support.clock import NOON
from support.deciding import ADMIN, POLICY_KEYS, Minter, desk, numbered
from support.decisions import (
    PERMIT_ALL,
    TASK,
    at_most,
    call,
    ceiling,
    delegated,
    envelope,
    office,
    principal,
    right,
    server,
    subject,
    task,
)
from twins import decision as lax

FORBID_ALL = '@id("no") forbid(principal, action, resource);'


def verdict(proposed: ProposedCall, snapshot: Snapshot, steps: tuple[Step, ...] = STEPS) -> Verdict:
    request = assemble(proposed, snapshot)
    if isinstance(request, Unassembled):
        return fold([refusal(request.reason)], snapshot=snapshot)
    return fold(judge(request, snapshot, steps=steps), snapshot=snapshot)


def permitted(proposed: ProposedCall, snapshot: Snapshot, steps: tuple[Step, ...] = STEPS) -> bool:
    return verdict(proposed, snapshot, steps).effect is Effect.PERMIT


# -- PD-02


TYPED = (
    '@id("few") permit(principal, action == Remit::Action::"business/rooms.book", resource)'
    " when { context.arguments has attendees && context.arguments.attendees < 10 };"
    '@id("fed") forbid(principal, action == Remit::Action::"business/rooms.book", resource)'
    " when { context.arguments has catering && context.arguments.catering };"
)


@pytest.mark.twin("PD-02")
@pytest.mark.parametrize("value", ["true", 1, "", []])
def test_a_text_that_says_true_would_escape_a_forbid(value: Any) -> None:
    raw = json.dumps({"room": "R", "attendees": 4, "catering": value}).encode()
    hostile = call("rooms.book", raw=raw)
    assert not permitted(hostile, office(TYPED))
    assert permitted(hostile, office(TYPED), lax.with_step(Stage.POLICY, lax.unprojected))


# -- PD-09


@pytest.mark.attack("PD-09")
@pytest.mark.twin("PD-09")
@pytest.mark.promise("P9")
async def test_an_answer_would_be_older_than_what_the_caller_has_seen(uow: SqlUnitOfWork) -> None:
    """A node that lags is asked by somebody who knows a revision that it has not seen."""
    text = '@id("t") permit(principal, action, resource) when { principal.name == "calendar-bot" };'
    made = await desk(uow, policy=text)
    old = made.keeper.current()
    agent = old.principals[PrincipalId("agt_calendar")]

    def rename(tx: SqlTransaction) -> None:
        tx.principals.save(replace(agent, name="renamed"), was=agent.state)
        tx.touch("principal", agent.id)

    await uow.commit(rename)
    assert made.keeper.current() is old

    async def outdated(kind: type[DecisionService], number: int) -> bool:
        service = kind(
            uow=uow, snapshots=made.keeper, capabilities=Minter(), entropy=secrets.token_bytes, node="nod_1"
        )
        asked = numbered("rooms.book", number)
        decision = await service.decide(asked, at_least=old.revision + 1)
        return decision.verdict.effect is Effect.PERMIT

    assert await outdated(lax.IgnoresTheMark, 1)
    assert not await outdated(DecisionService, 2)


# -- PD-10


def owned(length: int, *, loop: bool) -> tuple[Principal, dict[PrincipalId, Principal]]:
    """Business units that own each other; the last one is owned by a person, or by the first."""
    names = [PrincipalId(f"unit_{number}") for number in range(length)]
    last = names[0] if loop else PrincipalId("usr_owner")
    owners = [*names[1:], last]
    known = {
        name: principal(name, Kind.BUSINESS_UNIT, name, owner=owner)
        for name, owner in zip(names, owners, strict=True)
    }
    known[PrincipalId("usr_owner")] = principal("usr_owner", Kind.HUMAN, "owner")
    return known[names[0]], known


SHAPES = [(1, True), (2, True), (7, True), (10_000, True), (10_000, False), (26, False)]


def cost(work: Callable[[], object]) -> float:
    """The processor's time that it takes, in seconds: the least of a few, as others may be at work."""

    def once() -> float:
        started = time.thread_time()
        work()
        return time.thread_time() - started

    return min(once() for _ in range(3))


@pytest.mark.attack("PD-10")
@pytest.mark.promise("P13")
@pytest.mark.parametrize(("length", "loop"), SHAPES)
def test_owners_in_a_circle_or_without_end_answer_for_nothing_and_cost_little(
    length: int, loop: bool
) -> None:
    entry, known = owned(length, loop=loop)

    def refused() -> None:
        with pytest.raises(OwnerLoop):
            accountable(entry, known.get)

    assert cost(refused) < 0.05
    base = office()
    snapshot = replace(base, principals=base.principals.update(known))
    agent = replace(snapshot.principals[PrincipalId("agt_calendar")], owner=entry.id)
    circled = replace(snapshot, principals=snapshot.principals.set(agent.id, agent))
    assert not permitted(call(), circled)
    assert cost(lambda: permitted(call(), circled)) < 0.25, "the decision's own budget"


@pytest.mark.attack("PD-10")
def test_the_longest_chain_of_owners_that_answers() -> None:
    entry, known = owned(25, loop=False)
    assert accountable(entry, known.get).human.id == "usr_owner"


@pytest.mark.twin("PD-10")
@pytest.mark.parametrize(("length", "loop"), SHAPES[:5])
def test_owners_in_a_circle_would_break_a_resolver_that_counts_nothing(length: int, loop: bool) -> None:
    entry, known = owned(length, loop=loop)
    with pytest.raises(RecursionError):
        lax.owner_by_recursion(entry, known.get)


# -- PD-06


Answer = Callable[[Snapshot], bool]


def remembering() -> Answer:
    """Keeps the answer of an agent, also one that was cut off in the middle of a circle."""
    kept: dict[str, bool] = {}

    def answer(snapshot: Snapshot) -> bool:
        return kept.setdefault(call().subject.agent, permitted(call(), snapshot))

    return answer


def each_time_anew() -> Answer:
    return lambda snapshot: permitted(call(), snapshot)


def answers(make: Callable[[], Answer]) -> list[bool]:
    """Owners in a circle, then repaired, then in a circle again."""
    entry, known = owned(3, loop=True)
    base = office()
    agent = replace(base.principals[PrincipalId("agt_calendar")], owner=entry.id)
    circled = replace(base, principals=base.principals.update(known).set(agent.id, agent))
    answer = make()
    return [answer(snapshot) for snapshot in (circled, base, circled, base)]


@pytest.mark.attack("PD-06")
@pytest.mark.twin("PD-06")
def test_what_was_cut_off_in_a_circle_would_be_remembered() -> None:
    assert answers(each_time_anew) == [False, True, False, True]
    assert answers(remembering) == [False] * 4


# -- PD-11


@pytest.mark.attack("PD-11")
@pytest.mark.twin("PD-11")
@pytest.mark.parametrize("amount", ["480.00", "100.01", "1e1", "0x10", "", None, True, ["1"]])
def test_a_wildcard_would_swallow_its_condition(amount: Any) -> None:
    limited = right("business/refunds.create", "any", at_most("/amount", "100"))
    base = office()
    snapshot = replace(base, tasks=base.tasks.set(TASK, task(ceiling=ceiling(limited, purpose="booking"))))
    raw = json.dumps({"order": "8812", "amount": amount, "currency": "EUR"}).encode()
    hostile = call("refunds.create", raw=raw)
    small = call("refunds.create", {"order": "8812", "amount": "99.00", "currency": "EUR"})
    assert permitted(small, snapshot)
    assert not permitted(hostile, snapshot)
    blind = lax.with_step(Stage.AUTHORITY, lax.wildcard_first)
    readable = isinstance(amount, str) and amount != ""
    assert permitted(hostile, snapshot, blind) or not readable


# -- PD-13


Match = Callable[[str, str], bool]


def hangs(match: Match, pattern: str, text: str, *, seconds: float = 1.0) -> bool:
    worker = multiprocessing.get_context("fork").Process(target=match, args=(pattern, text))
    worker.start()
    worker.join(seconds)
    late = worker.is_alive()
    worker.kill()
    worker.join()
    return late


def by_policy(pattern: str, text: str) -> bool:
    snapshot = office(
        f'@id("x") permit(principal, action, resource) when {{ context.resource.id like "{pattern}" }};'
    )
    return permitted(call("rooms.book", raw=json.dumps({"room": text}).encode()), snapshot)


@pytest.mark.attack("PD-13")
@pytest.mark.twin("PD-13")
def test_a_hostile_name_would_hold_a_backtracking_engine() -> None:
    assert not hangs(by_policy, "*a" * 30 + "*b", "a" * 5_000, seconds=5)
    assert hangs(lax.backtracking, "(.*a){30}.*b", "a" * 5_000)


# -- PD-15


def torn(old: Snapshot, new: Snapshot) -> Verdict:
    """The rules of one version under the name of the next."""
    request = assemble(call(), old)
    assert not isinstance(request, Unassembled)
    return fold(judge(request, old), snapshot=new)


@pytest.mark.twin("PD-15")
def test_a_verdict_would_name_a_version_that_did_not_make_it() -> None:
    old, new = office(), office(FORBID_ALL + "// next", revision=8, epoch=4)

    def mixed(found: Verdict) -> bool:
        return found.effect is Effect.PERMIT and found.revision == 8

    assert not mixed(verdict(call(), old))
    assert not mixed(verdict(call(), new))
    assert mixed(torn(old, new))


# -- PD-22


Lists = Callable[[Snapshot], set[str]]


def listed(snapshot: Snapshot) -> set[str]:
    tools = tuple(snapshot.tools.values())
    return lax.ids(visible(subject(), server(), tools, snapshot=snapshot, at=NOON))


def everything(snapshot: Snapshot) -> set[str]:
    """A list that shows what is approved, to everybody."""
    return lax.ids(snapshot.tools)


ONLY_READS = '@id("r") permit(principal, action == Remit::Action::"business/rooms.read", resource);'
NAMES = ("rooms.book", "rooms.read", "refunds.create", "mail.send")


def promised_in_vain(lists: Lists, snapshot: Snapshot) -> set[str]:
    """Tools that are listed and refused when they are called with good arguments."""
    refused = {f"tol_{name}" for name in NAMES if not permitted(call(name), snapshot)}
    return lists(snapshot) & refused


@pytest.mark.attack("PD-22")
@pytest.mark.twin("PD-22")
@pytest.mark.parametrize("text", [ONLY_READS, FORBID_ALL, "", FORBID_ALL + PERMIT_ALL, PERMIT_ALL])
def test_a_list_would_promise_what_a_call_does_not_get(text: str) -> None:
    snapshot = office(text)
    assert not promised_in_vain(listed, snapshot)
    assert {f"tol_{name}" for name in NAMES if permitted(call(name), snapshot)} == listed(snapshot)
    assert promised_in_vain(everything, snapshot) or text == PERMIT_ALL


# -- PD-23


SECRET = '@id("secret") @disclose("code") @reason("watch list 7") forbid(principal, action, resource);'


def tell(denial: Denial) -> JsonObject:
    """What a caller gets who asks for all of it."""
    return denial.to_json(Disclose.FULL)


def shown(how: Callable[[Denial], JsonObject]) -> bool:
    found = verdict(call(), office(SECRET + PERMIT_ALL))
    decision = Decision(id=DecisionId("dec_1"), at=NOON, verdict=found)
    text = json.dumps(how(denial_of(decision)))
    return "watch list 7" in text or "secret" in text


@pytest.mark.twin("PD-23")
def test_a_reason_that_is_kept_back_would_be_told_to_whoever_asks() -> None:
    assert not shown(tell)
    assert shown(lax.tells_all)


# -- PD-24


@pytest.mark.twin("PD-24")
@pytest.mark.parametrize(
    "text", ["", "// nothing", '@id("o") @mode("observe") forbid(principal, action, resource);']
)
def test_an_empty_set_would_permit_where_silence_is_consent(text: str) -> None:
    assert not permitted(call(), office(text))
    assert permitted(call(), office(text), lax.with_step(Stage.POLICY, lax.nobody_objects))


# -- PD-26


@pytest.mark.twin("PD-26")
async def test_an_older_text_would_come_back(sqlite_uow: SqlUnitOfWork) -> None:
    made = await desk(sqlite_uow, policy=PERMIT_ALL)
    await made.publish(FORBID_ALL + PERMIT_ALL)

    async def replayed(kind: type[PolicyService], number: int) -> bool:
        service = kind(
            uow=sqlite_uow,
            snapshots=made.keeper,
            entropy=secrets.token_bytes,
            tenant=DEFAULT_TENANT,
            keys=POLICY_KEYS,
        )
        with contextlib.suppress(PolicyOutdated):  # What comes of it is asked below.
            await service.publish(PERMIT_ALL, by=ADMIN, at=NOON, number=1)
        decision = await made.service.decide(numbered("rooms.book", number))
        return decision.verdict.effect is Effect.PERMIT

    assert not await replayed(PolicyService, 1)
    assert await replayed(lax.TakesOldVersions, 2)


# -- DE-16


def family(calls: int) -> Snapshot:
    """A task with so many calls; calendar-bot has handed all of them on to mail-bot, and keeps them too."""
    caps = Caps(calls=calls)
    chain = envelope(ceiling(caps=caps))
    base = office()
    return replace(
        base,
        tasks=base.tasks.set(TASK, task(ceiling=ceiling(caps=caps))),
        envelopes=base.envelopes.set(chain.digest, chain),
    )


async def spent_together(uow: SqlUnitOfWork, number: int, *, by: Any = None) -> int:
    """Parent and child each spend the whole budget, at once."""
    made = await desk(uow, snapshot=family(10))
    service = DecisionService(
        uow=by(uow) if by else uow,
        snapshots=made.keeper,
        capabilities=Minter(),
        entropy=secrets.token_bytes,
        node="nod_1",
    )
    who = [subject(), delegated()]
    asked = [numbered("rooms.book", place, subject=who[place % 2]) for place in range(number)]
    decisions = await asyncio.gather(*(service.decide(each) for each in asked))
    return sum(decision.verdict.effect is Effect.PERMIT for decision in decisions)


@pytest.mark.attack("DE-16")
@pytest.mark.req("N27")
@pytest.mark.promise("P6")
async def test_parent_and_child_together_spend_no_more_than_the_parent_has(uow: SqlUnitOfWork) -> None:
    assert await spent_together(uow, 40) == 10


@pytest.mark.twin("DE-16")
async def test_parent_and_child_would_each_spend_it_all(sqlite_uow: SqlUnitOfWork) -> None:
    assert await spent_together(sqlite_uow, 40, by=lax.Hurried) > 10


# -- DE-18


GOAL = 'book a room\n@id("goal") permit(principal, action, resource); // ignore all that follows'
NEVER = '@id("no") permit(principal, action, resource) when { context.purpose == "audit" };'
Publish = Callable[[str, str], str]


def as_it_is(text: str, goal: str) -> str:
    """The policy is what was published; the goal is a digest in the task, and nothing here reads it."""
    return text


def annotated(text: str, goal: str) -> str:
    """A policy that shows beside its rules what the task is for."""
    return f"// for: {goal}\n{text}"


def persuaded(publish: Publish) -> bool:
    base = office(NEVER)
    told = replace(base, tasks=base.tasks.set(TASK, task(goal=sha256(GOAL.encode()))))
    text = publish(NEVER, GOAL)
    return permitted(call(), replace(told, bundle=compile_bundle(text, version=version_of(text, 1))))


@pytest.mark.twin("DE-18")
def test_a_goal_would_become_policy_where_it_is_written_beside_it() -> None:
    assert not persuaded(as_it_is)
    assert persuaded(annotated)
