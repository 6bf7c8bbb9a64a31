"""Facts that left their transaction: delivered to each subscriber in order, at least once."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import msgspec
from sqlalchemy import bindparam, delete, select
from sqlalchemy.dialects.postgresql import insert as upsert

from remit.kernel.errors import RemitError
from remit.kernel.events import Event
from remit.kernel.ids import TenantId
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.platform.storage.jobs import Job, JobRun
from remit.platform.storage.sql import Sql
from remit.platform.storage.tables import core
from remit.platform.storage.unit_of_work import SqlTransaction

BATCH: Final = 100
"""Events handed over between two notes of how far a subscriber is."""
EVERY: Final = timedelta(milliseconds=500)

_POSITION = select(core.delivery.c.position).where(core.delivery.c.subscriber == bindparam("name"))
_row = upsert(core.delivery)
_SET_POSITION = _row.on_conflict_do_update(
    index_elements=[core.delivery.c.subscriber], set_={"position": _row.excluded.position}
)
_NEXT = (
    select(core.outbox.c.position, core.outbox.c.event, core.outbox.c.body)
    .where(core.outbox.c.tenant == bindparam("this_tenant"), core.outbox.c.position > bindparam("after"))
    .order_by(core.outbox.c.position)
    .limit(BATCH)
)
_FORGET = delete(core.outbox).where(
    core.outbox.c.tenant == bindparam("this_tenant"), core.outbox.c.position <= bindparam("last")
)
_events = msgspec.json.Decoder(Event)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriber:
    """Who hears which facts. `handle` may get a fact twice: after a crash, or after it raised."""

    name: str
    hears: frozenset[str]
    """Names of events, as in `authority.token.revoked`."""
    handle: Callable[[Event], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One fact and its place in the outbox."""

    position: int
    event: Event


class Outbox:
    """The outbox of one tenant in one open transaction: nobody hears what happens at another."""

    def __init__(self, sql: Sql, tenant: TenantId) -> None:
        self._sql = sql
        self._tenant = tenant

    def position(self, subscriber: str) -> int:
        """Up to where a subscriber has heard; 0 for a new one."""
        row = self._sql.row(_POSITION, {"name": self._name(subscriber)})
        return 0 if row is None else int(row[0])

    def advance(self, subscriber: str, position: int) -> None:
        """Note up to where a subscriber has heard."""
        self._sql.run(_SET_POSITION, {"subscriber": self._name(subscriber), "position": position})

    def after(self, position: int) -> list[Delivery]:
        """The next facts, in commit order."""
        rows = self._sql.rows(_NEXT, {"this_tenant": self._tenant, "after": position})
        return [Delivery(row[0], _events.decode(row[2])) for row in rows]

    def forget(self, subscribers: Collection[str]) -> int:
        """Drop what all of these have heard; returns how many went."""
        if not subscribers:
            return 0
        last = min(self.position(name) for name in subscribers)
        return self._sql.run(_FORGET, {"this_tenant": self._tenant, "last": last})

    def _name(self, subscriber: str) -> str:
        """The row of a subscriber; the default tenant's bears the bare name."""
        return subscriber if self._tenant == DEFAULT_TENANT else f"{self._tenant}/{subscriber}"


class Dispatcher:
    """Hands facts to in-process subscribers; its job's lease makes it the only one."""

    def __init__(
        self, subscribers: Sequence[Subscriber], *, on_failure: Callable[[str, Exception], None]
    ) -> None:
        self._subscribers = tuple(subscribers)
        self._on_failure = on_failure

    def job(self) -> Job:
        """The recurring work, for a `JobRunner`."""
        return Job(name="outbox.deliver", every=EVERY, run=self.deliver, wanted=self._is_behind)

    def _is_behind(self, tx: SqlTransaction) -> bool:
        outbox = _of(tx)
        return any(outbox.after(outbox.position(each.name)) for each in self._subscribers)

    async def deliver(self, run: JobRun) -> None:
        """Hand over everything that waits; a subscriber that fails waits alone for the next time."""
        names = [each.name for each in self._subscribers]
        for subscriber in self._subscribers:
            try:
                while await self._deliver_some(subscriber, run):
                    pass
            except RemitError as failed:
                self._on_failure(subscriber.name, failed)
        await run.commit(lambda tx: _of(tx).forget(names))

    async def _deliver_some(self, subscriber: Subscriber, run: JobRun) -> bool:
        start, waiting = await run.uow.read(
            lambda tx: (at := _of(tx).position(subscriber.name), _of(tx).after(at))
        )
        heard = start
        try:
            for delivery in waiting:
                if delivery.event.name in subscriber.hears:
                    await subscriber.handle(delivery.event)
                heard = delivery.position
        finally:
            # CRASH: handed over, not yet noted; the next dispatcher hands it over again.
            if heard > start:
                await run.commit(lambda tx: _of(tx).advance(subscriber.name, heard))
        return len(waiting) == BATCH


def _of(tx: SqlTransaction) -> Outbox:
    return Outbox(tx.sql, tx.tenant)
