"""Tasks, consents, ceilings and delegations over SQL; each race is one conditional statement."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import BigInteger, ColumnElement, Select, bindparam, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from remit.authority.consent import Grant, GrantState
from remit.authority.delegations import RecordedEnvelope
from remit.authority.rights import Ceiling
from remit.authority.tasks import Task, TaskState
from remit.kernel.canonical import Digest
from remit.kernel.ids import (
    AgentId,
    EnvelopeId,
    GrantId,
    PrincipalId,
    TaskId,
    TenantId,
    UserId,
)
from remit.platform.storage.instants import micros
from remit.platform.storage.sql import Scalar, Sql
from remit.platform.storage.tables.authority import ceiling, companion, consent, envelope, task

_TASK: Final = msgspec.json.Decoder(Task)
_GRANT: Final = msgspec.json.Decoder(Grant)
_CEILING: Final = msgspec.json.Decoder(Ceiling)
_ENVELOPE: Final = msgspec.json.Decoder(RecordedEnvelope)
_RUNNING: Final = "running"


def _beside(which: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether a task is for a further person of whom that holds."""
    named = select(companion.c.task).where(companion.c.tenant == bindparam("tenant"), which)
    return task.c.id.in_(named)


_ADD_TASK = upsert(task)
_ADD_COMPANION = upsert(companion)
_GET_TASK = select(task.c.body).where(task.c.tenant == bindparam("tenant"), task.c.id == bindparam("this"))
_FINISH = (
    update(task)
    .where(task.c.tenant == bindparam("ours"), task.c.id == bindparam("this"), task.c.state == _RUNNING)
    .values(state=bindparam("new_state"), body=bindparam("new_body"))
)
_HOLD = (
    select(task.c.id)
    .where(
        task.c.tenant == bindparam("ours"),
        task.c.id == bindparam("this"),
        task.c.state == _RUNNING,
        task.c.deadline > bindparam("now"),
    )
    .with_for_update()
)
"""Takes the row's lock on PostgreSQL (SQLite has one writer), and says whether the task runs."""
_RUNNING_TASKS = (
    select(task.c.body)
    .where(
        task.c.tenant == bindparam("tenant"),
        task.c.state == _RUNNING,
        or_(bindparam("any_agent", type_=BigInteger) == 1, task.c.agent == bindparam("this_agent")),
        or_(
            bindparam("any_user", type_=BigInteger) == 1,
            task.c.user == bindparam("this_user"),
            _beside(companion.c.user == bindparam("this_user")),
        ),
    )
    .order_by(task.c.id)
    .limit(bindparam("count"))
)
_TASKS_UNDER = (
    select(task.c.body)
    .where(
        task.c.tenant == bindparam("tenant"),
        or_(
            task.c.consent == bindparam("this_consent"),
            _beside(companion.c.consent == bindparam("this_consent")),
        ),
        task.c.state == _RUNNING,
    )
    .order_by(task.c.id)
    .limit(bindparam("count"))
)
_OVERDUE = (
    select(task.c.body)
    .where(
        task.c.tenant == bindparam("tenant"), task.c.state == _RUNNING, task.c.deadline <= bindparam("now")
    )
    .order_by(task.c.deadline)
    .limit(bindparam("count"))
)
_TASK_PAGE = (
    select(task.c.body)
    .where(task.c.tenant == bindparam("tenant"), task.c.id > bindparam("after"))
    .order_by(task.c.id)
    .limit(bindparam("count"))
)


class TaskRepository:
    """Tasks of one tenant."""

    def __init__(self, sql: Sql, tenant: TenantId) -> None:
        self._sql = sql
        self._tenant = tenant

    def add(self, new: Task) -> None:
        """Store a new task."""
        values: dict[str, Scalar] = {
            "tenant": self._tenant,
            "id": new.id,
            "user": new.user or "",
            "agent": new.agent,
            "consent": new.grant or "",
            "state": new.state,
            "deadline": micros(new.deadline),
            "body": _text(new),
        }
        self._sql.run(_ADD_TASK, values)
        for each in new.companions:
            beside: dict[str, Scalar] = {
                "tenant": self._tenant,
                "task": new.id,
                "user": each.user,
                "consent": each.grant,
            }
            self._sql.run(_ADD_COMPANION, beside)

    def get(self, ident: TaskId) -> Task | None:
        """One task."""
        row = self._sql.row(_GET_TASK, {"tenant": self._tenant, "this": ident})
        return None if row is None else _TASK.decode(row[0])

    def finish(self, ident: TaskId, state: TaskState, at: datetime) -> bool:
        """End a running task; False if it is not running. A task's body is changed by `restrain` besides."""
        known = self.get(ident)
        if known is None:
            return False
        body = _text(replace(known, state=state, ended_at=at))
        values: dict[str, Scalar] = {
            "ours": self._tenant,
            "this": ident,
            "new_state": state,
            "new_body": body,
        }
        return self._sql.run(_FINISH, values) == 1

    def hold(self, ident: TaskId, at: datetime) -> bool:
        """Lock a running task before its deadline for the rest of the transaction; False if there is none."""
        return self._sql.row(_HOLD, {"ours": self._tenant, "this": ident, "now": micros(at)}) is not None

    def restrain(self, ident: TaskId, because: str) -> bool:
        """Let a running task only read from now on; False if it is not running, or does already."""
        known = self.get(ident)
        if known is None or known.read_only:
            return False
        values: dict[str, Scalar] = {
            "ours": self._tenant,
            "this": ident,
            "new_state": known.state,
            "new_body": _text(replace(known, read_only=because)),
        }
        return self._sql.run(_FINISH, values) == 1

    def running(
        self, *, agent: AgentId | None = None, user: UserId | None = None, limit: int
    ) -> Sequence[Task]:
        """Running tasks, optionally of one agent or user, oldest first."""
        values: dict[str, Scalar] = {
            "any_agent": int(agent is None),
            "this_agent": agent or "",
            "any_user": int(user is None),
            "this_user": user or "",
            "count": limit,
        }
        return self._many(_RUNNING_TASKS, values)

    def under(self, grant: GrantId, limit: int) -> Sequence[Task]:
        """Running tasks that stand on a consent."""
        return self._many(_TASKS_UNDER, {"this_consent": grant, "count": limit})

    def overdue(self, at: datetime, limit: int) -> Sequence[Task]:
        """Running tasks whose deadline has passed."""
        return self._many(_OVERDUE, {"now": micros(at), "count": limit})

    def page(self, *, after: str, limit: int) -> Sequence[Task]:
        """All tasks by id; `after` is the last id seen."""
        return self._many(_TASK_PAGE, {"after": after, "count": limit})

    def _many(self, statement: Select[tuple[str]], values: Mapping[str, Scalar]) -> Sequence[Task]:
        rows = self._sql.rows(statement, {"tenant": self._tenant, **values})
        return [_TASK.decode(row[0]) for row in rows]


_ADD_CONSENT = upsert(consent)
_GET_CONSENT = select(consent.c.body).where(
    consent.c.tenant == bindparam("tenant"), consent.c.id == bindparam("this")
)
_STANDING = (
    select(consent.c.body)
    .where(
        consent.c.tenant == bindparam("tenant"),
        consent.c.user == bindparam("this_user"),
        consent.c.agent == bindparam("this_agent"),
        consent.c.state == "given",
    )
    .order_by(consent.c.id.desc())
    .limit(1)
)
_WITHDRAW = (
    update(consent)
    .where(
        consent.c.tenant == bindparam("ours"), consent.c.id == bindparam("this"), consent.c.state == "given"
    )
    .values(state="withdrawn", body=bindparam("new_body"))
)
_CONSENTS_OF = (
    select(consent.c.body)
    .where(consent.c.tenant == bindparam("tenant"), consent.c.user == bindparam("this_user"))
    .order_by(consent.c.id.desc())
    .limit(bindparam("count"))
)
_CONSENTS_TO = (
    select(consent.c.body)
    .where(
        consent.c.tenant == bindparam("tenant"),
        consent.c.agent == bindparam("this_agent"),
        consent.c.state == "given",
    )
    .order_by(consent.c.id.desc())
    .limit(bindparam("count"))
)


class GrantRepository:
    """Consents of one tenant's people."""

    def __init__(self, sql: Sql, tenant: TenantId) -> None:
        self._sql = sql
        self._tenant = tenant

    def add(self, grant: Grant) -> None:
        """Store a new consent."""
        values: dict[str, Scalar] = {
            "tenant": self._tenant,
            "id": grant.id,
            "user": grant.user,
            "agent": grant.agent,
            "state": grant.state,
            "body": _text(grant),
        }
        self._sql.run(_ADD_CONSENT, values)

    def get(self, ident: GrantId) -> Grant | None:
        """One consent."""
        row = self._sql.row(_GET_CONSENT, {"tenant": self._tenant, "this": ident})
        return None if row is None else _GRANT.decode(row[0])

    def standing(self, user: UserId, agent: AgentId) -> Grant | None:
        """The newest consent of a user for an agent that was not withdrawn."""
        values: dict[str, Scalar] = {"tenant": self._tenant, "this_user": user, "this_agent": agent}
        row = self._sql.row(_STANDING, values)
        return None if row is None else _GRANT.decode(row[0])

    def withdraw(self, ident: GrantId, at: datetime) -> bool:
        """Take a consent back; False if it does not stand."""
        known = self.get(ident)
        if known is None:
            return False
        body = _text(replace(known, state=GrantState.WITHDRAWN, withdrawn_at=at))
        return self._sql.run(_WITHDRAW, {"ours": self._tenant, "this": ident, "new_body": body}) == 1

    def to_agent(self, agent: AgentId, limit: int) -> Sequence[Grant]:
        """Consents that stand, to an agent, newest first."""
        values: dict[str, Scalar] = {"tenant": self._tenant, "this_agent": agent, "count": limit}
        return [_GRANT.decode(row[0]) for row in self._sql.rows(_CONSENTS_TO, values)]

    def of_user(self, user: UserId, limit: int) -> Sequence[Grant]:
        """All consents of a user, newest first."""
        values: dict[str, Scalar] = {"tenant": self._tenant, "this_user": user, "count": limit}
        return [_GRANT.decode(row[0]) for row in self._sql.rows(_CONSENTS_OF, values)]


_PUT_CEILING = upsert(ceiling).on_conflict_do_update(
    index_elements=[ceiling.c.tenant, ceiling.c.principal],
    set_={"changed_at": upsert(ceiling).excluded.changed_at, "body": upsert(ceiling).excluded.body},
)
_GET_CEILING = select(ceiling.c.body).where(
    ceiling.c.tenant == bindparam("tenant"), ceiling.c.principal == bindparam("this")
)


class CeilingRepository:
    """Standing ceilings of one tenant's principals."""

    def __init__(self, sql: Sql, tenant: TenantId) -> None:
        self._sql = sql
        self._tenant = tenant

    def put(self, principal_: PrincipalId, new: Ceiling, at: datetime) -> None:
        """Store or replace a ceiling."""
        values: dict[str, Scalar] = {
            "tenant": self._tenant,
            "principal": principal_,
            "changed_at": micros(at),
            "body": _text(new),
        }
        self._sql.run(_PUT_CEILING, values)

    def get(self, principal_: PrincipalId) -> Ceiling | None:
        """The ceiling, or None: then the principal may do nothing."""
        row = self._sql.row(_GET_CEILING, {"tenant": self._tenant, "this": principal_})
        return None if row is None else _CEILING.decode(row[0])


_ADD_ENVELOPE = upsert(envelope).on_conflict_do_nothing()
_GET_ENVELOPE = select(envelope.c.body).where(
    envelope.c.tenant == bindparam("tenant"), envelope.c.id == bindparam("this")
)
_BY_DIGEST = select(envelope.c.body).where(
    envelope.c.tenant == bindparam("tenant"), envelope.c.digest == bindparam("this_digest")
)
_OF_TASK = (
    select(envelope.c.body)
    .where(envelope.c.tenant == bindparam("tenant"), envelope.c.task == bindparam("this_task"))
    .order_by(envelope.c.depth, envelope.c.id)
)


class EnvelopeRepository:
    """Verified envelopes of one tenant."""

    def __init__(self, sql: Sql, tenant: TenantId) -> None:
        self._sql = sql
        self._tenant = tenant

    def add(self, new: RecordedEnvelope) -> bool:
        """Store it unless this digest is stored already; False in that case."""
        values: dict[str, Scalar] = {
            "tenant": self._tenant,
            "id": new.id,
            "task": new.task,
            "digest": new.digest,
            "depth": len(new.hops),
            "body": _text(new),
        }
        return self._sql.run(_ADD_ENVELOPE, values) == 1

    def get(self, ident: EnvelopeId) -> RecordedEnvelope | None:
        """One envelope."""
        row = self._sql.row(_GET_ENVELOPE, {"tenant": self._tenant, "this": ident})
        return None if row is None else _ENVELOPE.decode(row[0])

    def by_digest(self, digest: Digest) -> RecordedEnvelope | None:
        """The envelope that a token names."""
        row = self._sql.row(_BY_DIGEST, {"tenant": self._tenant, "this_digest": digest})
        return None if row is None else _ENVELOPE.decode(row[0])

    def of_task(self, ident: TaskId) -> Sequence[RecordedEnvelope]:
        """All envelopes of a task, the root first."""
        rows = self._sql.rows(_OF_TASK, {"tenant": self._tenant, "this_task": ident})
        return [_ENVELOPE.decode(row[0]) for row in rows]


def _text(value: Task | Grant | Ceiling | RecordedEnvelope) -> str:
    return msgspec.json.encode(value).decode()
