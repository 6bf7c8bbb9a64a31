"""People who sign in, over SQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from remit.identity.enrolment import Enrolment
from remit.identity.passkeys import Passkey
from remit.identity.sessions import Session
from remit.kernel.canonical import Digest
from remit.kernel.ids import PasskeyId, PrincipalId, SessionId, TenantId
from remit.platform.storage.instants import micros
from remit.platform.storage.sql import Scalar, Sql
from remit.platform.storage.tables.people import challenge as c
from remit.platform.storage.tables.people import enrolment as e
from remit.platform.storage.tables.people import passkey as p
from remit.platform.storage.tables.people import session as s

_SESSION: Final = msgspec.json.Decoder(Session)
_PASSKEY: Final = msgspec.json.Decoder(Passkey)
_ENROLMENT: Final = msgspec.json.Decoder(Enrolment)

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
            "body": _text(session),
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
            "new_body": _text(session),
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
            "new_body": _text(session),
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


_ADD_PASSKEY = upsert(p).on_conflict_do_nothing()
_PUT_PASSKEY = (
    update(p)
    .where(p.c.tenant == bindparam("ours"), p.c.id == bindparam("this"), p.c.body == bindparam("was"))
    .values(state=bindparam("new_state"), body=bindparam("new_body"))
)
_GET_PASSKEY = select(p.c.body).where(p.c.tenant == bindparam("ours"), p.c.id == bindparam("this"))
_BY_CREDENTIAL = select(p.c.body).where(p.c.tenant == bindparam("ours"), p.c.credential == bindparam("this"))
_PASSKEYS_OF = (
    select(p.c.body).where(p.c.tenant == bindparam("ours"), p.c.human == bindparam("whose")).order_by(p.c.id)
)


class PasskeyRepository:
    """Passkeys of one tenant's people."""

    def __init__(self, sql: Sql, tenant: TenantId) -> None:
        self._sql = sql
        self._tenant = tenant

    def add(self, passkey: Passkey) -> bool:
        """Store a new one; False if its credential was ever registered: the unique index says so."""
        values: dict[str, Scalar] = {
            "tenant": self._tenant,
            "id": passkey.id,
            "human": passkey.human,
            "credential": passkey.credential,
            "state": passkey.state,
            "body": _text(passkey),
        }
        return self._sql.run(_ADD_PASSKEY, values) == 1

    def put(self, passkey: Passkey, *, was: Passkey) -> bool:
        """Store a change if it is still exactly `was`; False if somebody was faster."""
        values: dict[str, Scalar] = {
            "ours": self._tenant,
            "this": was.id,
            "was": _text(was),
            "new_state": passkey.state,
            "new_body": _text(passkey),
        }
        return self._sql.run(_PUT_PASSKEY, values) == 1

    def get(self, ident: PasskeyId) -> Passkey | None:
        """One passkey, whatever its state."""
        row = self._sql.row(_GET_PASSKEY, {"ours": self._tenant, "this": ident})
        return None if row is None else _PASSKEY.decode(row[0])

    def by_credential(self, credential: str) -> Passkey | None:
        """The passkey of a credential id, whatever its state."""
        row = self._sql.row(_BY_CREDENTIAL, {"ours": self._tenant, "this": credential})
        return None if row is None else _PASSKEY.decode(row[0])

    def of(self, human: PrincipalId) -> Sequence[Passkey]:
        """All passkeys of a person, oldest first."""
        rows = self._sql.rows(_PASSKEYS_OF, {"ours": self._tenant, "whose": human})
        return [_PASSKEY.decode(row[0]) for row in rows]


_ADD_ENROLMENT = upsert(e)
_SETTLE = (
    update(e)
    .where(e.c.tenant == bindparam("ours"), e.c.id == bindparam("this"), e.c.state == "open")
    .values(state=bindparam("new_state"), body=bindparam("new_body"))
)
_ENROLMENT_BY_SECRET = select(e.c.body).where(
    e.c.tenant == bindparam("ours"), e.c.secret == bindparam("digest")
)
_OPEN_OF = select(e.c.body).where(
    e.c.tenant == bindparam("ours"), e.c.human == bindparam("whose"), e.c.state == "open"
)


class EnrolmentRepository:
    """Enrolment links of one tenant's people."""

    def __init__(self, sql: Sql, tenant: TenantId) -> None:
        self._sql = sql
        self._tenant = tenant

    def add(self, enrolment: Enrolment) -> None:
        """Store a new one."""
        values: dict[str, Scalar] = {
            "tenant": self._tenant,
            "id": enrolment.id,
            "human": enrolment.human,
            "secret": enrolment.secret_digest,
            "state": enrolment.state,
            "expires_at": micros(enrolment.expires_at),
            "body": _text(enrolment),
        }
        self._sql.run(_ADD_ENROLMENT, values)

    def settle(self, enrolment: Enrolment) -> bool:
        """Store its end if it is still open; False if somebody was faster."""
        values: dict[str, Scalar] = {
            "ours": self._tenant,
            "this": enrolment.id,
            "new_state": enrolment.state,
            "new_body": _text(enrolment),
        }
        return self._sql.run(_SETTLE, values) == 1

    def by_secret(self, digest: Digest) -> Enrolment | None:
        """The link whose secret has this digest, whatever its state."""
        row = self._sql.row(_ENROLMENT_BY_SECRET, {"ours": self._tenant, "digest": digest})
        return None if row is None else _ENROLMENT.decode(row[0])

    def open_of(self, human: PrincipalId) -> Sequence[Enrolment]:
        """The links of a person that are neither used nor withdrawn."""
        rows = self._sql.rows(_OPEN_OF, {"ours": self._tenant, "whose": human})
        return [_ENROLMENT.decode(row[0]) for row in rows]


_SPEND = upsert(c).on_conflict_do_nothing()
_SPENT = (
    select(c.c.digest)
    .where(c.c.tenant == bindparam("ours"), c.c.keep_until < bindparam("before"))
    .limit(bindparam("count"))
)
_DROP_SPENT = delete(c).where(c.c.tenant == bindparam("ours"), c.c.digest == bindparam("this"))


class ChallengeRepository:
    """Questions to authenticators that were answered, of one tenant."""

    def __init__(self, sql: Sql, tenant: TenantId) -> None:
        self._sql = sql
        self._tenant = tenant

    def spend(self, digest: Digest, *, keep_until: datetime) -> bool:
        """Remember that it was answered; False if it was before: the primary key says so."""
        values: dict[str, Scalar] = {
            "tenant": self._tenant,
            "digest": digest,
            "keep_until": micros(keep_until),
        }
        return self._sql.run(_SPEND, values) == 1

    def forget(self, before: datetime, limit: int) -> int:
        """Drop what can no longer be answered; returns how many."""
        values: dict[str, Scalar] = {"ours": self._tenant, "before": micros(before), "count": limit}
        rows = self._sql.rows(_SPENT, values)
        self._sql.run_many(_DROP_SPENT, [{"ours": self._tenant, "this": row[0]} for row in rows])
        return len(rows)


def _text(value: Session | Passkey | Enrolment) -> str:
    return msgspec.json.encode(value).decode()
