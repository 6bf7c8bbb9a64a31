"""Capabilities over SQL: the one conditional UPDATE that makes a use single (P2)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import and_, bindparam, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert

from remit.authority.capability import Capability, CapabilityState, Use
from remit.kernel.ids import CallId, CapabilityId, TaskId, TenantId
from remit.platform.storage.instants import micros
from remit.platform.storage.sql import Scalar, Sql
from remit.platform.storage.tables.authority import capability as t

_CAPABILITY: Final = msgspec.json.Decoder(Capability)
_OURS = t.c.tenant == bindparam("ours")

# An index with a condition serves only a statement in whose text the condition stands.
_IS_LIVE = text("state = 'live'")
_IS_CONSUMED = text("state = 'consumed'")
_IS_STOPPED = text("state = 'stopped'")
_HAS_CALL = text("call_id <> ''")

_ADD = upsert(t)
_CONSUME = (
    update(t)
    .where(
        _OURS,
        t.c.jti == bindparam("this"),
        t.c.state == "live",
        t.c.exp > bindparam("now"),
        t.c.instance == bindparam("this_instance"),
        t.c.task == bindparam("this_task"),
        t.c.audience == bindparam("this_audience"),
        t.c.action == bindparam("this_action"),
        t.c.resource_type == bindparam("this_type"),
        t.c.resource == bindparam("this_resource"),
        t.c.args_sha256 == bindparam("this_arguments"),
        t.c.tool_sha256 == bindparam("this_tool"),
        t.c.cnf_jkt == bindparam("this_key"),
    )
    .values(
        state="consumed",
        call_id=bindparam("new_call"),
        node=bindparam("new_node"),
        consumed_at=bindparam("now"),
    )
)
_GET = select(t.c.body).where(_OURS, t.c.jti == bindparam("this"))
_STATE = select(t.c.state).where(_OURS, t.c.jti == bindparam("this"))
_BY_CALL = select(t.c.jti, t.c.state).where(_OURS, t.c.call_id == bindparam("this_call"), _HAS_CALL).limit(1)
_LIVE_OF_TASK = select(func.count()).where(
    _OURS, t.c.task == bindparam("this_task"), _IS_LIVE, t.c.exp > bindparam("now")
)
_SETTLE = (
    update(t)
    .where(_OURS, t.c.jti == bindparam("this"), t.c.state == "consumed")
    .values(state=bindparam("new_state"), settled_at=bindparam("now"))
)
_KILL_OF_TASK = (
    update(t)
    .where(_OURS, t.c.task == bindparam("this_task"), _IS_LIVE)
    .values(state="stopped", settled_at=bindparam("now"))
)
_EXPIRED = (
    select(t.c.jti)
    .where(_OURS, _IS_LIVE, t.c.exp <= bindparam("now"))
    .order_by(t.c.exp, t.c.jti)
    .limit(bindparam("count"))
)
_STOPPED = (
    select(t.c.jti).where(_OURS, _IS_STOPPED).order_by(t.c.settled_at, t.c.jti).limit(bindparam("count"))
)
_RETIRE = (
    update(t)
    .where(
        _OURS,
        t.c.jti == bindparam("this"),
        or_(t.c.state == "stopped", and_(t.c.state == "live", t.c.exp <= bindparam("now"))),
    )
    .values(state="unused", settled_at=bindparam("now"))
)
_UNFINISHED = (
    select(t.c.jti)
    .where(
        _OURS,
        _IS_CONSUMED,
        t.c.node == bindparam("this_node"),
        t.c.consumed_at < bindparam("before"),
    )
    .order_by(t.c.consumed_at, t.c.jti)
    .limit(bindparam("count"))
)


class CapabilityRepository:
    """Capabilities of one tenant and how far their one use has come."""

    def __init__(self, sql: Sql, tenant: TenantId) -> None:
        self._sql = sql
        self._tenant = tenant

    def insert_live(self, capability: Capability) -> None:
        """Store an unused capability."""
        row = self._row(capability, state=CapabilityState.LIVE)
        self._sql.later(_ADD, row, under=f"{self._tenant} {capability.task}" if capability.task else "")

    def insert_consumed(self, capability: Capability, *, call: CallId, at: datetime, node: str = "") -> None:
        """Store one that is used up in the transaction that made it."""
        row = self._row(capability, state=CapabilityState.CONSUMED)
        row |= {"call_id": call, "node": node, "consumed_at": micros(at)}
        self._sql.later(_ADD, row)

    def consume(self, use: Use, *, at: datetime, node: str = "") -> bool:
        """Use it up; True for exactly one of all callers, by the row count of one conditional UPDATE."""
        values: dict[str, Scalar] = {
            "ours": self._tenant,
            "this": use.capability,
            "now": micros(at),
            "this_instance": use.instance,
            "this_task": use.task or "",
            "this_audience": use.audience,
            "this_action": use.action,
            "this_type": use.resource_type,
            "this_resource": use.resource,
            "this_arguments": use.arguments,
            "this_tool": use.tool,
            "this_key": use.key,
            "new_call": use.call,
            "new_node": node,
        }
        # INVARIANT: the tenant of a use is the tenant of its transaction; a foreign one finds no row (CA-04).
        return use.tenant == self._tenant and self._sql.run(_CONSUME, values) == 1

    def get(self, ident: CapabilityId) -> Capability | None:
        """One capability."""
        row = self._sql.row(_GET, {"ours": self._tenant, "this": ident})
        return None if row is None else _CAPABILITY.decode(row[0])

    def state_of(self, ident: CapabilityId) -> CapabilityState | None:
        """How far its use has come."""
        row = self._sql.row(_STATE, {"ours": self._tenant, "this": ident})
        return None if row is None else CapabilityState(row[0])

    def by_call(self, call: CallId) -> tuple[CapabilityId, CapabilityState] | None:
        """The capability that a call used."""
        row = self._sql.row(_BY_CALL, {"ours": self._tenant, "this_call": call})
        return None if row is None else (CapabilityId(row[0]), CapabilityState(row[1]))

    def live_of_task(self, task: TaskId, at: datetime) -> int:
        """How many unused, unexpired ones a task holds."""
        now = micros(at)
        row = self._sql.row_apart(_LIVE_OF_TASK, {"ours": self._tenant, "this_task": task, "now": now})
        waiting = self._sql.waiting(_ADD, under=f"{self._tenant} {task}")
        return (0 if row is None else int(row[0])) + sum(_expires_after(now, each) for each in waiting)

    def settle(self, ident: CapabilityId, state: CapabilityState, at: datetime) -> bool:
        """Move a consumed one to done, failed or unknown; False if it is not consumed."""
        values: dict[str, Scalar] = {
            "ours": self._tenant,
            "this": ident,
            "new_state": state,
            "now": micros(at),
        }
        return self._sql.run(_SETTLE, values) == 1

    def kill_of_task(self, task: TaskId, at: datetime) -> int:
        """Make all unused ones of a task unusable; how many."""
        return self._sql.run(_KILL_OF_TASK, {"ours": self._tenant, "this_task": task, "now": micros(at)})

    def unused(self, *, at: datetime, limit: int) -> Sequence[CapabilityId]:
        """Those that nobody can use any more and nobody has: expired, or stopped with their task."""
        values: dict[str, Scalar] = {"ours": self._tenant, "now": micros(at), "count": limit}
        found = self._sql.rows(_EXPIRED, values)
        stopped: dict[str, Scalar] = {"ours": self._tenant, "count": limit - len(found)}
        return [CapabilityId(row[0]) for row in (*found, *self._sql.rows(_STOPPED, stopped))]

    def retire(self, ident: CapabilityId, at: datetime) -> bool:
        """Move an unused one to its end; False if it was used, or retired before. One conditional update."""
        return self._sql.run(_RETIRE, {"ours": self._tenant, "this": ident, "now": micros(at)}) == 1

    def unfinished(self, *, before: datetime, limit: int, node: str = "") -> Sequence[CapabilityId]:
        """Those that a node consumed before that moment and that have no outcome, oldest first."""
        values: dict[str, Scalar] = {
            "ours": self._tenant,
            "this_node": node,
            "before": micros(before),
            "count": limit,
        }
        return [CapabilityId(row[0]) for row in self._sql.rows(_UNFINISHED, values)]

    def _row(self, capability: Capability, *, state: CapabilityState) -> dict[str, Scalar]:
        return {
            "tenant": self._tenant,
            "jti": capability.id,
            "task": capability.task or "",
            "instance": capability.instance,
            "audience": capability.audience,
            "action": capability.action,
            "resource_type": capability.resource_type,
            "resource": capability.resource,
            "args_sha256": capability.arguments,
            "tool_sha256": capability.tool,
            "cnf_jkt": capability.key,
            "state": state,
            "exp": micros(capability.expires_at),
            "call_id": "",
            "node": "",
            "consumed_at": 0,
            "settled_at": 0,
            "body": msgspec.json.encode(capability).decode(),
        }


def _expires_after(now: int, row: Mapping[str, Scalar]) -> bool:
    expiry = row["exp"]
    return isinstance(expiry, int) and expiry > now
