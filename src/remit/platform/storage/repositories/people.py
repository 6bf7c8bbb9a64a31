"""People who sign in, over SQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from remit.identity.sessions import Session
from remit.kernel.canonical import Digest
from remit.kernel.ids import PrincipalId, SessionId, TenantId
from remit.platform.storage.instants import micros
from remit.platform.storage.sql import Scalar, Sql
from remit.platform.storage.tables.people import session as s

_SESSION: Final = msgspec.json.Decoder(Session)

_OURS = s.c.tenant == bindparam("ours")
_OPEN = s.c.ended_at == 0
_ADD = upsert(s)
_PUT = (
    update(s)
    .where(_OURS, s.c.id == bindparam("this"), s.c.secret == bindparam("was"), _OPEN)
    .values(
        secret=bindparam("new_secret"), expires_at=bindparam("new_expires_at"), body=bindparam("new_body")
    )
)
_END = (
    update(s)
    .where(_OURS, s.c.id == bindparam("this"), _OPEN)
    .values(ended_at=bindparam("new_ended_at"), body=bindparam("new_body"))
)
_GET = select(s.c.body).where(_OURS, s.c.id == bindparam("this"))
_BY_SECRET = select(s.c.body).where(_OURS, s.c.secret == bindparam("digest"))
_OF = select(s.c.body).where(_OURS, s.c.human == bindparam("whose"), _OPEN).order_by(s.c.id.desc())
_OLD = select(s.c.id).where(_OURS, s.c.expires_at < bindparam("before")).limit(bindparam("count"))
_DROP = delete(s).where(_OURS, s.c.id == bindparam("this"))


class SessionRepository:
    """Sessions of one tenant's people."""

    def __init__(self, sql: Sql, tenant: TenantId) -> None:
        self._sql = sql
        self._tenant = tenant

    def add(self, session: Session) -> None:
        """Store a new one."""
        values: dict[str, Scalar] = {
            "tenant": self._tenant,
            "id": session.id,
            "human": session.human,
            "secret": session.secret_digest,
            "expires_at": micros(session.expires_at),
            "ended_at": 0,
            "body": msgspec.json.encode(session).decode(),
        }
        self._sql.run(_ADD, values)

    def put(self, session: Session, *, was: Digest) -> bool:
        """Store a change; False if it was ended, or its secret is no longer `was`."""
        values: dict[str, Scalar] = {
            "ours": self._tenant,
            "this": session.id,
            "was": was,
            "new_secret": session.secret_digest,
            "new_expires_at": micros(session.expires_at),
            "new_body": msgspec.json.encode(session).decode(),
        }
        return self._sql.run(_PUT, values) == 1

    def end(self, session: Session) -> bool:
        """Store that it ended; False if it had ended before."""
        if session.ended_at is None:
            raise ValueError("a session that is to end says when")
        values: dict[str, Scalar] = {
            "ours": self._tenant,
            "this": session.id,
            "new_ended_at": micros(session.ended_at),
            "new_body": msgspec.json.encode(session).decode(),
        }
        return self._sql.run(_END, values) == 1

    def get(self, ident: SessionId) -> Session | None:
        """One session, ended or not."""
        row = self._sql.row(_GET, {"ours": self._tenant, "this": ident})
        return None if row is None else _SESSION.decode(row[0])

    def by_secret(self, digest: Digest) -> Session | None:
        """The session whose cookie has this digest, ended or not."""
        row = self._sql.row(_BY_SECRET, {"ours": self._tenant, "digest": digest})
        return None if row is None else _SESSION.decode(row[0])

    def of(self, human: PrincipalId) -> Sequence[Session]:
        """The sessions of a person that were not ended, newest first."""
        rows = self._sql.rows(_OF, {"ours": self._tenant, "whose": human})
        return [_SESSION.decode(row[0]) for row in rows]

    def forget(self, before: datetime, limit: int) -> int:
        """Drop what expired before that; returns how many."""
        values: dict[str, Scalar] = {"ours": self._tenant, "before": micros(before), "count": limit}
        rows = self._sql.rows(_OLD, values)
        self._sql.run_many(_DROP, [{"ours": self._tenant, "this": row[0]} for row in rows])
        return len(rows)
