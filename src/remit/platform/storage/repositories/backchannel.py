"""Requests to people behind the scenes, over SQL."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import bindparam, delete, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from remit.authority.oauth.asking.backchannel import Asked, BackchannelRequest, BackchannelState
from remit.authority.oauth.wire.polling import Pace
from remit.kernel.canonical import Digest
from remit.kernel.ids import PrincipalId, TenantId
from remit.platform.storage.instants import micros, moment
from remit.platform.storage.repositories.paced import paced, pause_column, polled_column
from remit.platform.storage.sql import Row, Scalar, Sql
from remit.platform.storage.tables.backchannel import request as b

_REQUEST: Final = msgspec.json.Decoder(BackchannelRequest)
_MANY: Final = 100
_ONE = (b.c.tenant == bindparam("ours"), b.c.id == bindparam("this"))

_ADD = upsert(b)
_GET = select(b.c.body, b.c.pause, b.c.polled_at).where(*_ONE)
_PACE = select(b.c.pause, b.c.polled_at).where(*_ONE)
_MOVE = (
    update(b)
    .where(*_ONE, b.c.step == bindparam("was"))
    .values(step=bindparam("new_step"), state=bindparam("new_state"), body=bindparam("new_body"))
)
_POLL = (
    update(b)
    .where(*_ONE, b.c.polled_at == bindparam("was"))
    .values(polled_at=bindparam("new_polled_at"), pause=bindparam("new_pause"))
)
_WAITING = (
    select(b.c.body, b.c.pause, b.c.polled_at)
    .where(
        b.c.tenant == bindparam("ours"),
        b.c.person == bindparam("whose"),
        b.c.expires_at > bindparam("now"),
        b.c.state == BackchannelState.WAITING.value,
    )
    .order_by(b.c.begun_at.desc())
    .limit(_MANY)
)
_ASKS = (
    select(b.c.begun_at, b.c.expires_at, b.c.state)
    .where(
        b.c.tenant == bindparam("ours"),
        or_(
            (b.c.state == BackchannelState.WAITING.value) & (b.c.expires_at > bindparam("now")),
            b.c.begun_at > bindparam("since"),
        ),
    )
    .order_by(b.c.begun_at.desc())
    .limit(_MANY)
)
_ASKS_TO = _ASKS.where(b.c.person == bindparam("whose"))
_ASKS_OF = _ASKS.where(b.c.agent == bindparam("whose"))
_OLD = (
    select(b.c.id)
    .where(b.c.tenant == bindparam("ours"), b.c.expires_at < bindparam("before"))
    .order_by(b.c.expires_at)
    .limit(bindparam("count"))
)
_DROP = delete(b).where(*_ONE)


class BackchannelRepository:
    """What one tenant's clients ask people, by digests of what they poll with."""

    def __init__(self, sql: Sql, tenant: TenantId) -> None:
        self._sql = sql
        self._tenant = tenant

    def add(self, request: BackchannelRequest) -> None:
        """Store a new one."""
        values: dict[str, Scalar] = {
            "tenant": self._tenant,
            "id": request.id,
            "person": request.person,
            "agent": request.agent,
            "state": request.state,
            "step": request.step,
            "pause": pause_column(request.pace),
            "polled_at": polled_column(request.pace),
            "begun_at": micros(request.begun_at),
            "expires_at": micros(request.expires_at),
            "body": _text(request),
        }
        self._sql.run(_ADD, values)

    def get(self, ident: Digest) -> BackchannelRequest | None:
        """One request, whatever its state."""
        row = self._sql.row(_GET, {"ours": self._tenant, "this": ident})
        return None if row is None else _read(row)

    def move(self, changed: BackchannelRequest, *, was: BackchannelRequest) -> bool:
        """Store the next step, not its polls; False if it moved meanwhile. One conditional update."""
        step = was.step + 1
        values: dict[str, Scalar] = {
            "ours": self._tenant,
            "this": was.id,
            "was": was.step,
            "new_step": step,
            "new_state": changed.state,
            "new_body": _text(replace(changed, step=step)),
        }
        return self._sql.run(_MOVE, values) == 1

    def pace(self, ident: Digest) -> Pace | None:
        """How one is polled; None if it is not there."""
        row = self._sql.row(_PACE, {"ours": self._tenant, "this": ident})
        return None if row is None else paced(row[0], row[1])

    def poll(self, ident: Digest, polled: Pace, *, was: Pace) -> bool:
        """Store when it was polled; False if it was polled meanwhile. One conditional update."""
        values: dict[str, Scalar] = {
            "ours": self._tenant,
            "this": ident,
            "was": polled_column(was),
            "new_polled_at": polled_column(polled),
            "new_pause": pause_column(polled),
        }
        return self._sql.run(_POLL, values) == 1

    def waiting(self, person: PrincipalId, at: datetime) -> Sequence[BackchannelRequest]:
        """What a person can answer now, newest first."""
        asked: dict[str, Scalar] = {"ours": self._tenant, "whose": person, "now": micros(at)}
        return [_read(row) for row in self._sql.rows(_WAITING, asked)]

    def asks(self, *, person: str = "", agent: str = "", since: datetime, at: datetime) -> Sequence[Asked]:
        """Requests to one person, or of one agent, that wait or were made since then."""
        asked: dict[str, Scalar] = {"ours": self._tenant, "now": micros(at), "since": micros(since)}
        rows = self._sql.rows(_ASKS_TO if person else _ASKS_OF, {**asked, "whose": person or agent})
        return [_asked(row, at) for row in rows]

    def forget(self, before: datetime, limit: int) -> int:
        """Drop what ran out before that moment; how many."""
        old = self._sql.rows(_OLD, {"ours": self._tenant, "before": micros(before), "count": limit})
        self._sql.run_many(_DROP, [{"ours": self._tenant, "this": row[0]} for row in old])
        return len(old)


def _read(row: Row) -> BackchannelRequest:
    return replace(_REQUEST.decode(str(row[0])), pace=paced(row[1], row[2]))


def _asked(row: Row, at: datetime) -> Asked:
    waits = row[2] == BackchannelState.WAITING.value and moment(int(row[1])) > at
    return Asked(begun_at=moment(int(row[0])), waits=waits)


def _text(body: BackchannelRequest) -> str:
    return msgspec.json.encode(body).decode()
