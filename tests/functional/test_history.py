"""Toxic combinations: each half permitted, both together not, whoever acts and however late (R56, N4)."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from types import SimpleNamespace

import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis.strategies import integers, lists
from sqlalchemy import Connection, Executable, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from remit.authority.tokens import VerifiedSubject
from remit.decision.answer.response import Decision, Effect
from remit.decision.budget.cost import Settlement
from remit.decision.call.request import ProposedCall
from remit.decision.facts.snapshot import Snapshot
from remit.decision.history.past import Footprint, Memory, Question
from remit.decision.making.draft import Draft
from remit.decision.policy.errors import PolicyRefused
from remit.decision.policy.marks import Mark
from remit.decision.repository import DecisionTransaction
from remit.decision.service import DecisionService
from remit.identity.principals import Kind
from remit.kernel.ids import AgentId, CallId, GrantId, InstanceId, TaskId, UserId
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.oversight.approvals.approval import Approval, ApprovalState
from remit.platform.storage.engine import OpenStore
from remit.platform.storage.repositories.history import HistoryRepository
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork
from support.answers import agreed
from support.asks import ask
from support.clock import NOON
from support.deciding import Desk, desk
from support.decisions import HOUR, PERMIT_ALL, call, envelope, grant, office, principal, subject, task

READ = 'action == Remit::Action::"business/rooms.read"'
MAIL = 'action == Remit::Action::"business/mail.send"'
REFUND = 'action == Remit::Action::"business/refunds.create"'
BOOK = 'action == Remit::Action::"business/rooms.book"'
NO_MAIL_AFTER_READING = (
    f'{PERMIT_ALL} @id("reads") @remember("saw by=user") permit(principal, {READ}, resource);'
    f'@id("no-mail") @reason("what was read stays here") forbid(principal, {MAIL}, resource)'
    " when { context.past.saw.user.count > 0 };"
)
DAY = timedelta(days=1)
_numbers = count(1)


def act(name: str, at: datetime = NOON, **changes: object) -> ProposedCall:
    """A call under an id of its own."""
    return call(name, call=CallId(f"call_h{next(_numbers)}"), at=at, **changes)  # type: ignore[arg-type]  # passed on


def refund(order: str, at: datetime = NOON) -> ProposedCall:
    return act("refunds.create", at, arguments={"order": order, "amount": "1.00", "currency": "EUR"})


@pytest_asyncio.fixture
async def embedded(sqlite_store: OpenStore) -> SqlUnitOfWork:
    """One engine is enough for what the database has no part in."""
    return SqlUnitOfWork(sqlite_store, tenant=DEFAULT_TENANT)


async def effects(at: Desk, *calls: ProposedCall) -> list[str]:
    return [(await at.service.decide(each)).verdict.effect.value for each in calls]


@pytest.mark.req("R56", "N4")
async def test_mail_after_reading_is_refused_and_reading_after_mail_is_not(uow: SqlUnitOfWork) -> None:
    made = await desk(uow, policy=NO_MAIL_AFTER_READING)
    assert await effects(made, act("mail.send"), act("rooms.read"), act("rooms.read")) == ["permit"] * 3
    refused = (await made.service.decide(act("mail.send"))).verdict
    assert refused.effect is Effect.DENY
    assert [(why.code, why.rule) for why in refused.reasons] == [("history_forbids", "no-mail")]
    assert "what was read stays here" in refused.reasons[0].sentence
    assert refused.nearest_miss[0].never  # this memory has no end
    # N12: what is foretold is what happens, and foretelling leaves nothing.
    told = await made.service.explain(act("mail.send"))
    assert told.verdict.reasons == refused.reasons


OTHERS = (
    principal("usr_bo", Kind.HUMAN, "bo", segments=frozenset({"legal"})),
    principal("usr_cy", Kind.HUMAN, "cy", segments=frozenset({"sales"})),
)


def crowded(policy: str = PERMIT_ALL) -> Snapshot:
    """An office where Ada has a second agent with a task of its own, and two colleagues have tasks too."""
    whole = office(policy)
    people = whole.principals
    for entry in OTHERS:
        people = people.set(entry.id, entry)
    tasks, grants = whole.tasks, whole.grants
    for number, (who, agent) in enumerate(
        [("usr_ada", "agt_mail"), ("usr_bo", "agt_mail"), ("usr_cy", "agt_mail")], start=2
    ):
        given = grant(id=GrantId(f"gra_{number}"), user=UserId(who), agent=AgentId(agent))
        run = task(id=TaskId(f"tsk_{number}"), user=UserId(who), agent=AgentId(agent), grant=given.id)
        tasks, grants = tasks.set(run.id, run), grants.set(given.id, given)
    return replace(
        whole,
        principals=people,
        tasks=tasks,
        grants=grants,
        envelopes=whole.envelopes.set("e" * 64, envelope(office().tasks[TaskId("tsk_1")].ceiling)),
    )


def by_mail_bot(number: int, who: str) -> VerifiedSubject:
    """mail-bot in a task of its own for somebody."""
    return subject(
        instance=InstanceId("ins_mail"),
        agent=AgentId("agt_mail"),
        user=UserId(who),
        task=TaskId(f"tsk_{number}"),
        chain=(InstanceId("ins_mail"),),
    )


@pytest.mark.req("R56", "N4")
@pytest.mark.attack("PD-17")
async def test_another_agent_another_task_and_two_days_later_it_is_still_the_same_person(
    embedded: SqlUnitOfWork,
) -> None:
    made = await desk(embedded, policy=NO_MAIL_AFTER_READING, snapshot=crowded())
    later = NOON + 2 * DAY
    assert await effects(made, act("rooms.read")) == ["permit"]
    mine = act("mail.send", later, subject=by_mail_bot(2, "usr_ada"))
    theirs = act("mail.send", later, subject=by_mail_bot(3, "usr_bo"))
    assert await effects(made, mine, theirs) == ["deny", "permit"]


@pytest.mark.twin("PD-17")
async def test_a_rule_by_agent_is_walked_round(embedded: SqlUnitOfWork) -> None:
    loose = NO_MAIL_AFTER_READING.replace("by=user", "by=agent").replace("saw.user", "saw.agent")
    made = await desk(embedded, policy=loose, snapshot=crowded())
    mine = act("mail.send", subject=by_mail_bot(2, "usr_ada"))
    assert await effects(made, act("rooms.read"), mine) == ["permit", "permit"]


@pytest.mark.req("R56", "N4")
@pytest.mark.parametrize(
    ("whose", "reader", "sender", "stopped"),
    [
        ("department", ("tsk_1", "usr_ada"), (4, "usr_cy"), True),  # Ada and Cy are both in sales
        ("department", ("tsk_1", "usr_ada"), (3, "usr_bo"), False),
        ("task", ("tsk_1", "usr_ada"), (2, "usr_ada"), False),
        ("chain", ("tsk_1", "usr_ada"), (2, "usr_ada"), False),
    ],
)
async def test_about_whom_something_is_remembered(
    embedded: SqlUnitOfWork, whose: str, reader: tuple[str, str], sender: tuple[int, str], *, stopped: bool
) -> None:
    rule = NO_MAIL_AFTER_READING.replace("by=user", f"by={whose}").replace("saw.user", f"saw.{whose}")
    made = await desk(embedded, policy=rule, snapshot=crowded())
    second = act("mail.send", subject=by_mail_bot(*sender))
    assert await effects(made, act("rooms.read"), second) == ["permit", "deny" if stopped else "permit"]


@pytest.mark.req("N4")
async def test_a_chain_remembers_for_each_of_its_agents(embedded: SqlUnitOfWork) -> None:
    rule = NO_MAIL_AFTER_READING.replace("by=user", "by=chain").replace("saw.user", "saw.chain")
    made = await desk(embedded, policy=rule, snapshot=crowded())
    in_chain = subject(
        instance=InstanceId("ins_mail"),
        agent=AgentId("agt_mail"),
        chain=(InstanceId("ins_calendar"), InstanceId("ins_mail")),
        envelope="e" * 64,
    )
    alone = act("mail.send", subject=by_mail_bot(3, "usr_bo"))
    assert await effects(made, act("rooms.read", subject=in_chain), alone) == ["permit", "deny"]


FEW = (
    f'{PERMIT_ALL} @id("r") @remember("refunds by=user for=1h") permit(principal, {REFUND}, resource);'
    f'@id("few") forbid(principal, {REFUND}, resource) when {{ context.past.refunds.user.count >= 3 }};'
)


@pytest.mark.req("R56", "N4")
async def test_so_many_in_a_window_and_the_remedy_works(uow: SqlUnitOfWork) -> None:
    made = await desk(uow, policy=FEW)
    assert await effects(made, *(refund(str(number)) for number in range(3))) == ["permit"] * 3
    refused = (await made.service.decide(refund("4", NOON + HOUR / 2))).verdict
    assert refused.effect is Effect.DENY
    again = refused.nearest_miss[0].at
    assert again == NOON + HOUR
    assert refused.remedy is not None
    assert refused.remedy.action == "retry_at"
    assert await effects(made, refund("4", again)) == ["permit"]


APART = (
    f'{PERMIT_ALL} @id("m") @remember("booked by=user of=resource") permit(principal, {BOOK}, resource);'
    f'@id("apart") forbid(principal, {READ}, resource)'
    " when { context.past.booked.user.values.contains(context.resource.id) };"
)
WALL = (
    f'{PERMIT_ALL} @id("t") @remember("client by=user of=/order") permit(principal, {REFUND}, resource);'
    f'@id("wall") forbid(principal, {REFUND}, resource) unless'
    " { [context.resource.id].containsAll(context.past.client.user.values) };"
)


@pytest.mark.req("R56")
async def test_who_did_one_thing_with_a_resource_does_not_do_the_other(embedded: SqlUnitOfWork) -> None:
    made = await desk(embedded, policy=APART)
    other = act("rooms.read", arguments={"room": "Room-7"})
    assert await effects(made, act("rooms.book"), act("rooms.read"), other) == ["permit", "deny", "permit"]


@pytest.mark.req("R56")
async def test_behind_a_wall_only_the_first_client_is_reached(embedded: SqlUnitOfWork) -> None:
    made = await desk(embedded, policy=WALL)
    assert await effects(made, refund("a"), refund("b"), refund("a")) == ["permit", "deny", "permit"]


EITHER = NO_MAIL_AFTER_READING + (
    f'@id("mails") @remember("sent by=user") permit(principal, {MAIL}, resource);'
    f'@id("no-reading") forbid(principal, {READ}, resource) when {{ context.past.sent.user.count > 0 }};'
)


@pytest.mark.req("R56", "N4")
@pytest.mark.attack("PD-16")
async def test_of_two_halves_at_once_at_most_one_passes(uow: SqlUnitOfWork) -> None:
    made = await desk(uow, policy=EITHER)
    for _ in range(4):
        both = await asyncio.gather(
            made.service.decide(act("rooms.read")), made.service.decide(act("mail.send"))
        )
        assert [each.verdict.effect for each in both].count(Effect.PERMIT) <= 1
    assert await effects(made, act("rooms.read"), act("mail.send")) in (
        ["permit", "deny"],
        ["deny", "permit"],
    )


class Remembered:
    """Marks as they were before the transaction began."""

    def __init__(self, before: dict[tuple[str, str], Memory]) -> None:
        self._before = before

    def hold(self, places: object, at: datetime) -> None:
        """Hold nothing."""

    def look(self, question: Question) -> Memory:
        return self._before[question.mark, question.holder]


class Hasty(DecisionService):
    """Asks the past before it waits for its turn, as who caches history would."""

    async def decide(self, call: ProposedCall, **more: object) -> Decision:
        draft = self._draft(call, await self._snapshots.catch_up())
        asked = draft.recollection.asked if draft.recollection is not None else ()
        questions = [each for _, some in asked for each in some]
        self._before = await self._uow.read(
            lambda tx: {(each.mark, each.holder): tx.history.look(each) for each in questions}
        )
        await self._barrier.wait()
        return await super().decide(call)

    def _recall(self, tx: DecisionTransaction, draft: Draft, *, hold: bool) -> Draft:
        early = SimpleNamespace(history=Remembered(dict(self._before)))
        return super()._recall(early, draft, hold=hold)

    def at(self, barrier: asyncio.Barrier) -> "Hasty":
        self._barrier = barrier
        return self


@pytest.mark.twin("PD-16")
async def test_two_halves_that_asked_the_past_too_early_both_pass(uow: SqlUnitOfWork) -> None:
    made = await desk(uow, policy=EITHER)
    barrier = asyncio.Barrier(2)
    parts = vars(made.service)
    hasty = []
    for _ in range(2):
        one = Hasty.__new__(Hasty)
        vars(one).update(parts)
        hasty.append(one.at(barrier))
    both = await asyncio.gather(hasty[0].decide(act("rooms.read")), hasty[1].decide(act("mail.send")))
    assert [each.verdict.effect for each in both] == [Effect.PERMIT, Effect.PERMIT]


@pytest.mark.req("N4")
async def test_a_new_version_finds_what_the_old_one_left(embedded: SqlUnitOfWork) -> None:
    made = await desk(embedded, policy=NO_MAIL_AFTER_READING)
    assert await effects(made, act("rooms.read")) == ["permit"]
    await made.publish(NO_MAIL_AFTER_READING.replace('"no-mail"', '"no-mail-2"').replace(" > 0", " > 1"))
    assert await effects(made, act("mail.send"), act("rooms.read"), act("mail.send")) == [
        "permit",
        "permit",
        "deny",
    ]


async def test_a_call_that_never_ran_leaves_no_mark(uow: SqlUnitOfWork) -> None:
    made = await desk(uow, policy=NO_MAIL_AFTER_READING)
    read = await made.service.decide(act("rooms.read"))
    await made.service.settle(read.id, Settlement.UNUSED)
    assert await effects(made, act("mail.send")) == ["permit"]


async def test_what_was_refused_leaves_no_mark(embedded: SqlUnitOfWork) -> None:
    closed = NO_MAIL_AFTER_READING + f'@id("shut") forbid(principal, {READ}, resource);'
    made = await desk(embedded, policy=closed)
    assert await effects(made, act("rooms.read"), act("mail.send")) == ["deny", "permit"]


async def test_a_person_may_lift_a_rule_that_says_so_for_exactly_one_call(embedded: SqlUnitOfWork) -> None:
    lenient = NO_MAIL_AFTER_READING.replace('@id("no-mail")', '@id("no-mail") @approval("team:legal")')
    made = await desk(embedded, policy=lenient)
    assert await effects(made, act("rooms.read")) == ["permit"]
    asked = await made.service.decide(act("mail.send"))
    assert (asked.verdict.effect, asked.verdict.approvers) == (Effect.ASK, "team:legal")
    assert asked.key
    assert (await made.service.explain(act("mail.send"))).key == asked.key
    yes = yes_to(asked)

    def store(tx: SqlTransaction) -> None:
        tx.approvals.add(yes)
        tx.approvals.keep(agreed(yes))

    await embedded.commit(store)
    assert await effects(made, act("mail.send"), act("mail.send")) == ["permit", "ask"]


def yes_to(asked: Decision) -> Approval:
    return ask(
        state=ApprovalState.APPROVED,
        key=asked.key,
        requested_at=NOON - HOUR,
        expires_at=NOON + HOUR,
        decided_at=NOON,
    )


async def test_a_rule_under_observation_stops_nothing_and_is_told(embedded: SqlUnitOfWork) -> None:
    made = await desk(
        embedded, policy=NO_MAIL_AFTER_READING.replace('@id("no-mail")', '@id("no-mail") @mode("observe")')
    )
    await effects(made, act("rooms.read"))
    said = (await made.service.decide(act("mail.send"))).verdict
    assert said.effect is Effect.PERMIT
    assert [(seen.rule, seen.effect) for seen in said.observed] == [("no-mail", Effect.DENY)]


@pytest.mark.req("N39")
async def test_more_values_than_a_rule_can_look_at_deny(embedded: SqlUnitOfWork) -> None:
    made = await desk(embedded, policy=WALL)

    def fill(tx: DecisionTransaction) -> None:
        for number in range(257):
            tx.history.leave(
                Footprint(
                    mark="client", holder="user:usr_ada", value=f"{number}", bucket=0, at=NOON, until=None
                )
            )

    await embedded.commit(fill)
    refused = (await made.service.decide(refund("1"))).verdict
    assert (refused.effect, refused.reasons[0].code) == (Effect.DENY, "history_error")


async def test_a_window_that_is_over_is_forgotten(uow: SqlUnitOfWork) -> None:
    made = await desk(uow, policy=FEW)
    await effects(made, refund("1"))
    question = Question(mark="refunds", holder="user:usr_ada", since=NOON - DAY)
    assert await uow.commit(lambda tx: tx.history.forget(NOON + HOUR - timedelta(seconds=1), 10)) == 0
    assert (await uow.read(lambda tx: tx.history.look(question))).times == 1
    await uow.commit(lambda tx: tx.history.forget(NOON + HOUR + DAY, 10))
    assert (await uow.read(lambda tx: tx.history.look(question))).times == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f'@id("x") @remember("saw") permit(principal, {READ}, resource);', "`@remember` is `saw`"),
        (f'@id("x") @remember("saw by=cat") permit(principal, {READ}, resource);', "`@remember` is"),
        (f'@id("x") @remember("saw by=user") forbid(principal, {READ}, resource);', "belongs to a permit"),
        (
            f'@id("x") @remember("saw by=user") @approval("owner") permit(principal, {READ}, resource);',
            "`@approval` has no meaning on it",
        ),
        (
            f'@id("x") forbid(principal, {READ}, resource) when {{ context.past.saw.user.count > 0 }};',
            "no rule remembers `saw`",
        ),
        (
            (
                f'@id("m") @remember("saw by=task") permit(principal, {READ}, resource);'
                f'@id("x") forbid(principal, {READ}, resource) when {{ context.past.saw.user.count > 0 }};'
            ),
            "is remembered by task, not by user",
        ),
        (
            (
                f'@id("m") @remember("saw by=user") permit(principal, {READ}, resource);'
                f'@id("x") permit(principal, {READ}, resource) when {{ context.past.saw.user.count > 0 }};'
            ),
            "belongs to a forbid",
        ),
        (
            (
                f'@id("m") @remember("saw by=user") permit(principal, {READ}, resource);'
                f'@id("n") @remember("saw by=user for=1h") permit(principal, {MAIL}, resource);'
            ),
            "declared twice",
        ),
        (
            (
                f'@id("m") @remember("saw by=user") permit(principal, {READ}, resource);'
                f'@id("x") forbid(principal, {READ}, resource) when {{ context.past.saw.user.cuont > 0 }};'
            ),
            "cuont",
        ),
        (
            (
                f'@id("m") @remember("saw by=user") permit(principal, {READ}, resource);'
                f'@id("x") forbid(principal, {READ}, resource) when {{ context.past == context.past }};'
            ),
            "is looked at as",
        ),
    ],
)
async def test_a_rule_about_the_past_that_means_nothing_is_refused(
    embedded: SqlUnitOfWork, text: str, said: str
) -> None:
    made = await desk(embedded)
    with pytest.raises(PolicyRefused) as refused:
        await made.publish(PERMIT_ALL + text)
    assert any(said in fault.sentence for fault in refused.value.faults), refused.value.faults


@pytest.mark.attack("PD-16")
async def test_on_two_nodes_who_looks_and_who_leaves_wait_for_each_other(postgres_url: str) -> None:
    """Both orders of two transactions on two connections: the later one sees what the earlier one left."""
    engine = create_async_engine(postgres_url.replace("postgresql://", "postgresql+asyncpg://"))
    place = [("saw", "user:usr_ada")]
    async with engine.connect() as one, engine.connect() as other:
        begun = asyncio.Event()
        seen: list[int] = []

        async def node(connection: AsyncConnection, *, first: bool) -> None:
            await connection.execute(text("SELECT set_config('remit.tenant', 'default', true)"))
            if not first:
                await begun.wait()
            await connection.run_sync(lambda sync: _at(sync).hold(place, NOON))
            begun.set()
            seen.append((await connection.run_sync(lambda sync: _at(sync).look(ASKED))).times)
            await connection.run_sync(lambda sync: _at(sync).leave(LEFT))
            await connection.commit()

        await asyncio.gather(node(one, first=True), node(other, first=False))
    await engine.dispose()
    assert seen == [0, 1]


@pytest.mark.twin("PD-16")
async def test_on_two_nodes_without_the_lock_neither_sees_the_other(postgres_url: str) -> None:
    engine = create_async_engine(postgres_url.replace("postgresql://", "postgresql+asyncpg://"))
    async with engine.connect() as one, engine.connect() as other:
        for connection in (one, other):
            await connection.execute(text("SELECT set_config('remit.tenant', 'default', true)"))
        seen = [
            (await connection.run_sync(lambda sync: _at(sync).look(ASKED))).times
            for connection in [one, other]
        ]
        await one.run_sync(lambda sync: _at(sync).leave(LEFT))
        await one.commit()
        await other.run_sync(lambda sync: _at(sync).leave(LEFT))
        await other.commit()
    await engine.dispose()
    assert seen == [0, 0]


ASKED = Question(mark="saw", holder="user:usr_ada", since=NOON - DAY)
LEFT = Footprint(mark="saw", holder="user:usr_ada", value="", bucket=0, at=NOON, until=None)


class Plain:
    """The statements of a repository on a connection of one's own."""

    is_sole = False

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def run(self, statement: Executable, parameters: dict[str, object]) -> int:
        return self._connection.execute(statement, parameters).rowcount

    def rows(self, statement: Executable, parameters: dict[str, object]) -> list[object]:
        return list(self._connection.execute(statement, parameters).all())


def _at(connection: Connection) -> HistoryRepository:
    return HistoryRepository(Plain(connection), DEFAULT_TENANT)  # type: ignore[arg-type]  # what it calls


@given(
    moments=lists(integers(min_value=0, max_value=10_000), max_size=40),
    now=integers(min_value=0, max_value=12_000),
    window=integers(min_value=1, max_value=4_000),
)
def test_parts_of_a_window_forget_never_too_early_and_hardly_too_late(
    moments: list[int], now: int, window: int
) -> None:
    """Counted per part, beside every single moment remembered (seconds)."""
    mark = Mark(name="m", whose=frozenset(), lasts=timedelta(seconds=window), of="")
    rows: dict[int, tuple[int, datetime]] = {}
    before = [moment for moment in sorted(moments) if moment <= now]
    for moment in before:
        at = NOON + timedelta(seconds=moment)
        times, _ = rows.get(mark.bucket(at), (0, at))
        rows[mark.bucket(at)] = (times + 1, at)
    since = mark.since(NOON + timedelta(seconds=now))
    counted = sum(times for times, last in rows.values() if last > since)
    exact = sum(moment > now - window for moment in before)
    generous = sum(moment > now - window - window / 64 - 1 for moment in before)
    assert exact <= counted <= generous
