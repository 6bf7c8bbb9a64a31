"""Kills as they are kept, and what each of them reaches."""

from collections.abc import Sequence
from typing import Final

import msgspec
from sqlalchemy import and_, bindparam, func, insert, or_, select, update

from remit.kernel.ids import (
    CallId,
    KillId,
    PrincipalId,
    TaskId,
    TenantId,
)
from remit.oversight.containment.kill import Kill
from remit.platform.storage.sql import Scalar, Sql
from remit.platform.storage.tables.authority import capability, task, token
from remit.platform.storage.tables.oversight import kill as k

_KILL: Final = msgspec.json.Decoder(Kill)

_ADD_KILL = insert(k)

_COUNT = (
    select(k.c.state, func.count())
    .where(k.c.tenant == bindparam("tenant"))
    .group_by(k.c.state)
    .order_by(k.c.state)
)

_SAVE_KILL = (
    update(k)
    .where(k.c.tenant == bindparam("tenant"), k.c.id == bindparam("this"))
    .values(state=bindparam("new_state"), body=bindparam("new_body"))
)

_GET_KILL = select(k.c.body).where(k.c.tenant == bindparam("tenant"), k.c.id == bindparam("this"))

_UNFINISHED = (
    select(k.c.body).where(k.c.tenant == bindparam("tenant"), k.c.state == "killing").order_by(k.c.id)
)

_PAGE_KILLS = (
    select(k.c.body)
    .where(k.c.tenant == bindparam("tenant"), k.c.id < bindparam("after"))
    .order_by(k.c.id.desc())
    .limit(bindparam("count"))
)

_TASKS_THROUGH = (
    select(token.c.task)
    .distinct()
    .join(task, and_(task.c.tenant == token.c.tenant, task.c.id == token.c.task))
    .where(
        token.c.tenant == bindparam("tenant"),
        or_(token.c.agent == bindparam("this"), token.c.principal == bindparam("this")),
        task.c.state == "running",
    )
    .order_by(token.c.task)
)

_STARTED_BY = (
    select(task.c.id)
    .where(task.c.tenant == bindparam("tenant"), task.c.agent == bindparam("this"), task.c.state == "running")
    .order_by(task.c.id)
)

_IN_FLIGHT = (
    select(capability.c.call_id)
    .where(
        capability.c.tenant == bindparam("tenant"),
        capability.c.state == "consumed",
        or_(capability.c.instance == bindparam("instance"), capability.c.task == bindparam("task")),
    )
    .order_by(capability.c.consumed_at)
)


class KillRepository:
    """Kills of one tenant."""

    def __init__(self, sql: Sql, tenant: TenantId) -> None:
        self._sql = sql
        self._tenant = tenant

    def add(self, kill: Kill) -> None:
        """Store a committed kill."""
        self._sql.run(
            _ADD_KILL, {"tenant": self._tenant, "id": kill.id, "state": kill.state, "body": _kill(kill)}
        )

    def save(self, kill: Kill) -> None:
        """Store its planes and state."""
        values = {"this": kill.id, "new_state": kill.state, "new_body": _kill(kill)}
        self._sql.run(_SAVE_KILL, {"tenant": self._tenant, **values})

    def get(self, ident: KillId) -> Kill | None:
        """One kill."""
        row = self._sql.row(_GET_KILL, {"tenant": self._tenant, "this": ident})
        return None if row is None else _KILL.decode(row[0])

    def unfinished(self) -> Sequence[Kill]:
        """Kills whose planes have not all confirmed, oldest first."""
        return [_KILL.decode(row[0]) for row in self._sql.rows(_UNFINISHED, {"tenant": self._tenant})]

    def count(self) -> dict[str, int]:
        """How many there are of each state."""
        return {str(state): int(count) for state, count in self._sql.rows(_COUNT, {"tenant": self._tenant})}

    def page(self, *, after: str, limit: int) -> Sequence[Kill]:
        """Kills, newest first; `after` is the last id seen."""
        values: dict[str, Scalar] = {"tenant": self._tenant, "after": after or "kil_~", "count": limit}
        return [_KILL.decode(row[0]) for row in self._sql.rows(_PAGE_KILLS, values)]

    def tasks_through(self, principal: PrincipalId) -> Sequence[TaskId]:
        """Running tasks that it began, or in whose chain it holds or held a token."""
        values = {"tenant": self._tenant, "this": principal}
        rows = [*self._sql.rows(_STARTED_BY, values), *self._sql.rows(_TASKS_THROUGH, values)]
        return list(dict.fromkeys(TaskId(row[0]) for row in rows))

    def calls_in_flight(self, *, instance: str = "-", task: str = "-") -> Sequence[CallId]:
        """Calls of an instance or task that have consumed a capability and have no outcome yet."""
        values = {"tenant": self._tenant, "instance": instance, "task": task}
        return [CallId(row[0]) for row in self._sql.rows(_IN_FLIGHT, values)]


def _kill(kill: Kill) -> str:
    return msgspec.json.encode(kill).decode()
