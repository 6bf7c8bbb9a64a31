"""Facts leave exactly with their transaction, and reach each subscriber in order, at least once."""

import asyncio
from functools import partial

import pytest

from remit.kernel.errors import Unavailable
from remit.kernel.events import Event
from remit.kernel.ids import EventId
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.platform.storage.jobs import JOB_LEASE, JobRunner
from remit.platform.storage.outbox import Dispatcher, Outbox, Subscriber
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork
from support.clock import NOON, FixedClock


def publish(tx: SqlTransaction, number: int, name: str = "authority.token.revoked") -> None:
    tx.publish(
        Event(id=EventId(f"evt_{number}"), at=NOON, tenant=DEFAULT_TENANT, name=name, actor="usr_1",
              subject=f"tok_{number}", detail=(("kind", "token"),))
    )  # fmt: skip


class Ear:
    """A subscriber that can fail, or die, at a given fact."""

    def __init__(
        self, name: str = "ear", *, fails_at: str = "", error: type[BaseException] = Unavailable
    ) -> None:
        self.name = name
        self.heard: list[str] = []
        self.fails_at = fails_at
        self.error = error

    async def handle(self, event: Event) -> None:
        self.heard.append(event.id)
        if event.id == self.fails_at:
            self.fails_at = ""
            raise self.error("no")

    def subscriber(self) -> Subscriber:
        return Subscriber(name=self.name, hears=frozenset({"authority.token.revoked"}), handle=self.handle)


class Desk:
    """A dispatcher on a scheduler."""

    def __init__(self, uow: SqlUnitOfWork, clock: FixedClock, *ears: Ear) -> None:
        self.failures: list[str] = []
        dispatcher = Dispatcher(
            [ear.subscriber() for ear in ears], on_failure=lambda name, error: self.failures.append(name)
        )
        self.job = dispatcher.job()
        self.clock = clock
        self.runner = JobRunner(uow, [self.job], holder="n", clock=clock, on_failure=lambda name, error: None)

    async def tick(self) -> bool:
        self.clock.advance(1)
        return await self.runner.run_once(self.job)


async def test_facts_arrive_in_commit_order_and_are_forgotten(uow: SqlUnitOfWork) -> None:
    ear = Ear()
    await asyncio.gather(*(uow.commit(partial(publish, number=n)) for n in range(250)))
    desk = Desk(uow, FixedClock(), ear)
    assert await desk.tick()
    assert ear.heard == [f"evt_{n}" for n in range(250)]
    assert await uow.read(lambda tx: Outbox(tx.sql, tx.tenant).after(0)) == []
    assert not await desk.tick()


async def test_a_fact_of_a_rolled_back_work_is_never_heard(uow: SqlUnitOfWork) -> None:
    def failing(tx: SqlTransaction) -> None:
        publish(tx, 1)
        raise Unavailable("no")

    await asyncio.gather(uow.commit(failing), uow.commit(partial(publish, number=2)), return_exceptions=True)
    ear = Ear()
    await Desk(uow, FixedClock(), ear).tick()
    assert ear.heard == ["evt_2"]


@pytest.mark.fault("F24")
async def test_a_subscriber_that_failed_hears_again_and_holds_nobody_up(uow: SqlUnitOfWork) -> None:
    for n in range(5):
        await uow.commit(partial(publish, number=n))
    flaky, steady = Ear("flaky", fails_at="evt_2"), Ear("steady")
    desk = Desk(uow, FixedClock(), flaky, steady)
    await desk.tick()
    assert desk.failures == ["flaky"]
    assert steady.heard == [f"evt_{n}" for n in range(5)]
    await desk.tick()
    assert flaky.heard == ["evt_0", "evt_1", "evt_2", "evt_2", "evt_3", "evt_4"]
    assert steady.heard == [f"evt_{n}" for n in range(5)]


class Died(BaseException):
    """The process is gone: nothing after this line of the dispatcher runs."""


@pytest.mark.fault("F22")
async def test_a_dispatcher_that_died_is_succeeded_without_a_gap(uow: SqlUnitOfWork) -> None:
    for n in range(4):
        await uow.commit(partial(publish, number=n))
    clock = FixedClock()
    dying = Ear("ear", fails_at="evt_2", error=Died)
    with pytest.raises(Died):
        await Desk(uow, clock, dying).tick()
    clock.advance(JOB_LEASE)
    heir = Ear("ear")
    await Desk(uow, clock, heir).tick()
    assert dying.heard == ["evt_0", "evt_1", "evt_2"]
    assert heir.heard == ["evt_2", "evt_3"]


async def test_other_facts_are_passed_over(uow: SqlUnitOfWork) -> None:
    await uow.commit(partial(publish, number=1, name="identity.tool.pinned"))
    await uow.commit(partial(publish, number=2))
    ear = Ear()
    await Desk(uow, FixedClock(), ear).tick()
    assert ear.heard == ["evt_2"]
