"""Identity providers, linked identities, and sessions that stand on a provider's, over SQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from remit.identity.upstream.linked import LinkedIdentity, LinkId, UpstreamSession
from remit.identity.upstream.provider import IdentityProvider, IdpId
from remit.kernel.ids import PrincipalId, SessionId, TenantId
from remit.platform.storage.instants import micros, moment
from remit.platform.storage.sql import Row, Scalar, Sql
from remit.platform.storage.tables.upstream import identity_provider as p
from remit.platform.storage.tables.upstream import linked_identity as i
from remit.platform.storage.tables.upstream import upstream_session as u

_PROVIDER: Final = msgspec.json.Decoder(IdentityProvider)
_LINK: Final = msgspec.json.Decoder(LinkedIdentity)

_OURS = p.c.tenant == bindparam("ours")
_ADD = upsert(p).on_conflict_do_nothing()
_PUT = (
    update(p)
    .where(_OURS, p.c.id == bindparam("this"), p.c.body == bindparam("was"))
    .values(standing=bindparam("new_standing"), body=bindparam("new_body"))
)
_GET = select(p.c.body).where(_OURS, p.c.id == bindparam("this"))
_NAMED = select(p.c.body).where(_OURS, p.c.name == bindparam("this"), p.c.standing != "retired")
_ALL = select(p.c.body).where(_OURS, p.c.standing != "retired").order_by(p.c.name)
_SEALED = select(p.c.sealed).where(_OURS, p.c.id == bindparam("this"))


class IdentityProviderRepository:
    """Identity providers of one tenant."""

    def __init__(self, sql: Sql, tenant: TenantId) -> None:
        self._sql = sql
        self._tenant = tenant

    def add(self, provider: IdentityProvider, sealed: bytes | None) -> bool:
        """Store a new one; False if one that is not retired has its name or issuer: the indexes say so."""
        values: dict[str, Scalar] = {
            "tenant": self._tenant,
            "id": provider.id,
            "name": provider.name,
            "issuer": provider.issuer,
            "standing": provider.standing,
            "sealed": sealed,
            "body": _text(provider),
        }
        return self._sql.run(_ADD, values) == 1

    def put(self, provider: IdentityProvider, *, was: IdentityProvider) -> bool:
        """Store a change if it is still exactly `was`; False if somebody was faster."""
        values: dict[str, Scalar] = {
            "ours": self._tenant,
            "this": was.id,
            "was": _text(was),
            "new_standing": provider.standing,
            "new_body": _text(provider),
        }
        return self._sql.run(_PUT, values) == 1

    def get(self, ident: IdpId) -> IdentityProvider | None:
        """One provider, whatever its standing."""
        row = self._sql.row(_GET, {"ours": self._tenant, "this": ident})
        return None if row is None else _PROVIDER.decode(row[0])

    def named(self, name: str) -> IdentityProvider | None:
        """The one of that name that is not retired."""
        row = self._sql.row(_NAMED, {"ours": self._tenant, "this": name})
        return None if row is None else _PROVIDER.decode(row[0])

    def all(self) -> Sequence[IdentityProvider]:
        """Every one that is not retired, by name."""
        return [_PROVIDER.decode(row[0]) for row in self._sql.rows(_ALL, {"ours": self._tenant})]

    def sealed(self, ident: IdpId) -> bytes | None:
        """Our secret at it, sealed; None if there is none."""
        row = self._sql.row(_SEALED, {"ours": self._tenant, "this": ident})
        return None if row is None or row[0] is None else bytes(row[0])


_MINE = i.c.tenant == bindparam("ours")
_ADD_LINK = upsert(i).on_conflict_do_nothing()
_PUT_LINK = (
    update(i)
    .where(_MINE, i.c.id == bindparam("this"), i.c.body == bindparam("was"))
    .values(human=bindparam("new_human"), body=bindparam("new_body"))
)
_GET_LINK = select(i.c.body).where(_MINE, i.c.id == bindparam("this"))
_OF_SUBJECT = select(i.c.body).where(
    _MINE, i.c.issuer == bindparam("whose"), i.c.subject == bindparam("whom")
)
_OF_HUMAN = select(i.c.body).where(_MINE, i.c.human == bindparam("whose")).order_by(i.c.id)


class LinkedIdentityRepository:
    """Who at a provider is whom, in one tenant."""

    def __init__(self, sql: Sql, tenant: TenantId) -> None:
        self._sql = sql
        self._tenant = tenant

    def add(self, link: LinkedIdentity) -> bool:
        """Store a new one; False if its issuer and subject were ever linked."""
        values: dict[str, Scalar] = {
            "tenant": self._tenant,
            "id": link.id,
            "issuer": link.issuer,
            "subject": link.subject,
            "human": link.human,
            "body": _text(link),
        }
        return self._sql.run(_ADD_LINK, values) == 1

    def put(self, link: LinkedIdentity, *, was: LinkedIdentity) -> bool:
        """Store a change if it is still exactly `was`; False if somebody was faster."""
        values: dict[str, Scalar] = {
            "ours": self._tenant,
            "this": was.id,
            "was": _text(was),
            "new_human": link.human,
            "new_body": _text(link),
        }
        return self._sql.run(_PUT_LINK, values) == 1

    def get(self, ident: LinkId) -> LinkedIdentity | None:
        """One link, whatever its state."""
        row = self._sql.row(_GET_LINK, {"ours": self._tenant, "this": ident})
        return None if row is None else _LINK.decode(row[0])

    def of_subject(self, issuer: str, subject: str) -> LinkedIdentity | None:
        """The link of somebody at an issuer, whatever its state."""
        row = self._sql.row(_OF_SUBJECT, {"ours": self._tenant, "whose": issuer, "whom": subject})
        return None if row is None else _LINK.decode(row[0])

    def of(self, human: PrincipalId) -> Sequence[LinkedIdentity]:
        """All links of a person, oldest first."""
        rows = self._sql.rows(_OF_HUMAN, {"ours": self._tenant, "whose": human})
        return [_LINK.decode(row[0]) for row in rows]


_THEIRS = u.c.tenant == bindparam("ours")
_FIELDS = select(u.c.session, u.c.provider, u.c.sid, u.c.expires_at)
_ADD_SESSION = upsert(u)
_GET_SESSION = _FIELDS.where(_THEIRS, u.c.session == bindparam("this"))
_HINT = select(u.c.sealed).where(_THEIRS, u.c.session == bindparam("this"))
_OF_SID = _FIELDS.where(_THEIRS, u.c.provider == bindparam("whose"), u.c.sid == bindparam("which"))
_OF_PROVIDER = (
    _FIELDS.where(_THEIRS, u.c.provider == bindparam("whose"), u.c.session > bindparam("after"))
    .order_by(u.c.session)
    .limit(bindparam("count"))
)
_OLD = select(u.c.session).where(_THEIRS, u.c.expires_at < bindparam("before")).limit(bindparam("count"))
_DROP = delete(u).where(_THEIRS, u.c.session == bindparam("this"))


class UpstreamSessionRepository:
    """Which sessions of one tenant stand on a provider's."""

    def __init__(self, sql: Sql, tenant: TenantId) -> None:
        self._sql = sql
        self._tenant = tenant

    def add(self, standing: UpstreamSession, hint: bytes | None) -> None:
        """Store a new one, with the sealed hint for signing out there."""
        values: dict[str, Scalar] = {
            "tenant": self._tenant,
            "session": standing.session,
            "provider": standing.provider,
            "sid": standing.sid,
            "expires_at": micros(standing.expires_at),
            "sealed": hint,
        }
        self._sql.run(_ADD_SESSION, values)

    def get(self, session: SessionId) -> UpstreamSession | None:
        """What a session stands on."""
        row = self._sql.row(_GET_SESSION, {"ours": self._tenant, "this": session})
        return None if row is None else self._read(row)

    def hint(self, session: SessionId) -> bytes | None:
        """The sealed hint of a session."""
        row = self._sql.row(_HINT, {"ours": self._tenant, "this": session})
        return None if row is None or row[0] is None else bytes(row[0])

    def named(self, provider: IdpId, sid: str) -> Sequence[UpstreamSession]:
        """Those of one session at a provider."""
        rows = self._sql.rows(_OF_SID, {"ours": self._tenant, "whose": provider, "which": sid})
        return [self._read(row) for row in rows]

    def of_provider(self, provider: IdpId, *, after: str, limit: int) -> Sequence[UpstreamSession]:
        """Those of a provider, by session id."""
        values: dict[str, Scalar] = {
            "ours": self._tenant,
            "whose": provider,
            "after": after,
            "count": limit,
        }
        return [self._read(row) for row in self._sql.rows(_OF_PROVIDER, values)]

    def forget(self, before: datetime, limit: int) -> int:
        """Drop what expired before that; returns how many."""
        values: dict[str, Scalar] = {"ours": self._tenant, "before": micros(before), "count": limit}
        rows = self._sql.rows(_OLD, values)
        self._sql.run_many(_DROP, [{"ours": self._tenant, "this": row[0]} for row in rows])
        return len(rows)

    def _read(self, row: Row) -> UpstreamSession:
        session, provider, sid, expires_at = row
        return UpstreamSession(
            tenant=self._tenant,
            session=session,
            provider=provider,
            sid=sid,
            expires_at=moment(expires_at),
        )


def _text(value: IdentityProvider | LinkedIdentity) -> str:
    return msgspec.json.encode(value).decode()
