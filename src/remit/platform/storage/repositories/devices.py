"""Requests of devices that wait for a person, and what is counted about them, over SQL."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from remit.authority.oauth.asking.device import DeviceRequest, Mark, MarkKind
from remit.authority.oauth.wire.polling import Pace
from remit.kernel.canonical import Digest
from remit.kernel.ids import TenantId
from remit.platform.storage.instants import micros, moment
from remit.platform.storage.repositories.paced import paced, pause_column, polled_column
from remit.platform.storage.sql import Row, Scalar, Sql
from remit.platform.storage.tables.devices import mark as m
from remit.platform.storage.tables.devices import request as d

_REQUEST: Final = msgspec.json.Decoder(DeviceRequest)
_COLUMNS = (d.c.body, d.c.pause, d.c.polled_at)

_ADD = upsert(d)
_PACE = select(d.c.pause, d.c.polled_at).where(d.c.tenant == bindparam("ours"), d.c.id == bindparam("this"))
_GET = select(*_COLUMNS).where(d.c.tenant == bindparam("ours"), d.c.id == bindparam("this"))
_BY_CODE = select(*_COLUMNS).where(d.c.tenant == bindparam("ours"), d.c.user_code == bindparam("typed"))
_MOVE = (
    update(d)
    .where(d.c.tenant == bindparam("ours"), d.c.id == bindparam("this"), d.c.step == bindparam("was"))
    .values(step=bindparam("new_step"), body=bindparam("new_body"))
)
_POLL = (
    update(d)
    .where(d.c.tenant == bindparam("ours"), d.c.id == bindparam("this"), d.c.polled_at == bindparam("was"))
    .values(polled_at=bindparam("new_polled_at"), pause=bindparam("new_pause"))
)
_WAITING = (
    select(d.c.id)
    .where(d.c.tenant == bindparam("ours"), d.c.expires_at > bindparam("now"))
    .limit(1)
    .offset(bindparam("count"))
)
_WAITING_OF = (
    select(d.c.id)
    .where(
        d.c.tenant == bindparam("ours"), d.c.client == bindparam("whose"), d.c.expires_at > bindparam("now")
    )
    .limit(1)
    .offset(bindparam("count"))
)
_OLD = (
    select(d.c.id)
    .where(d.c.tenant == bindparam("ours"), d.c.expires_at < bindparam("before"))
    .order_by(d.c.expires_at)
    .limit(bindparam("count"))
)
_DROP = delete(d).where(d.c.tenant == bindparam("ours"), d.c.id == bindparam("this"))
_MARK = upsert(m)
_MARKS = (
    select(m.c.at)
    .where(m.c.tenant == bindparam("ours"), m.c.kind == bindparam("what"), m.c.expires_at > bindparam("now"))
    .order_by(m.c.at.desc())
    .limit(bindparam("count"))
)
_MARKS_OF = _MARKS.where(m.c.who == bindparam("whose"))
_OLD_MARKS = (
    select(m.c.id)
    .where(m.c.tenant == bindparam("ours"), m.c.expires_at < bindparam("before"))
    .order_by(m.c.expires_at)
    .limit(bindparam("count"))
)
_DROP_MARK = delete(m).where(m.c.tenant == bindparam("ours"), m.c.id == bindparam("this"))


class DeviceRepository:
    """Devices of one tenant's clients, by digests of their codes."""

    def __init__(self, sql: Sql, tenant: TenantId) -> None:
        self._sql = sql
        self._tenant = tenant

    def add(self, request: DeviceRequest) -> None:
        """Store a new one."""
        values: dict[str, Scalar] = {
            "tenant": self._tenant,
            "id": request.id,
            "user_code": request.user_code,
            "client": request.request.returning.client_id,
            "step": request.step,
            "pause": pause_column(request.pace),
            "polled_at": polled_column(request.pace),
            "expires_at": micros(request.expires_at),
            "body": _text(request),
        }
        self._sql.run(_ADD, values)

    def get(self, ident: Digest) -> DeviceRequest | None:
        """One request, whatever its state."""
        return _read(self._sql.row(_GET, {"ours": self._tenant, "this": ident}))

    def by_user_code(self, user_code: Digest) -> DeviceRequest | None:
        """The request of that user code, whatever its state."""
        return _read(self._sql.row(_BY_CODE, {"ours": self._tenant, "typed": user_code}))

    def move(self, changed: DeviceRequest, *, was: DeviceRequest) -> bool:
        """Store the next step, not its polls; False if it moved meanwhile. One conditional update."""
        step = was.step + 1
        values: dict[str, Scalar] = {
            "ours": self._tenant,
            "this": was.id,
            "was": was.step,
            "new_step": step,
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

    def crowded(self, client: str, *, share: int, limit: int, at: datetime) -> bool:
        """Whether as many as `share` wait of this client, or `limit` of all."""
        now: dict[str, Scalar] = {"ours": self._tenant, "now": micros(at)}
        if self._sql.row(_WAITING_OF, {**now, "whose": client, "count": share - 1}) is not None:
            return True
        return self._sql.row(_WAITING, {**now, "count": limit - 1}) is not None

    def mark(self, mark: Mark) -> None:
        """Count one thing."""
        values: dict[str, Scalar] = {
            "tenant": self._tenant,
            "id": mark.id,
            "kind": mark.kind,
            "who": mark.who,
            "at": micros(mark.at),
            "expires_at": micros(mark.expires_at),
        }
        self._sql.run(_MARK, values)

    def marks(self, kind: MarkKind, *, who: str, at: datetime, limit: int) -> Sequence[datetime]:
        """When this was counted, newest first, of one or (`who` empty) of all; at most so many."""
        asked: dict[str, Scalar] = {"ours": self._tenant, "what": kind, "now": micros(at), "count": limit}
        rows = self._sql.rows(_MARKS_OF, {**asked, "whose": who}) if who else self._sql.rows(_MARKS, asked)
        return [moment(int(row[0])) for row in rows]

    def forget(self, before: datetime, limit: int) -> int:
        """Drop what ran out before that moment; how many."""
        asked: dict[str, Scalar] = {"ours": self._tenant, "before": micros(before), "count": limit}
        old, marks = self._sql.rows(_OLD, asked), self._sql.rows(_OLD_MARKS, asked)
        self._sql.run_many(_DROP, [{"ours": self._tenant, "this": row[0]} for row in old])
        self._sql.run_many(_DROP_MARK, [{"ours": self._tenant, "this": row[0]} for row in marks])
        return max(len(old), len(marks))


def _read(row: Row | None) -> DeviceRequest | None:
    if row is None:
        return None
    return replace(_REQUEST.decode(str(row[0])), pace=paced(row[1], row[2]))


def _text(body: DeviceRequest) -> str:
    return msgspec.json.encode(body).decode()
