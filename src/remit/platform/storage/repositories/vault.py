"""Providers, connections, connect flows and revocations over SQL; one statement decides each race."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import BigInteger, bindparam, delete, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert

from remit.authority.vault.connection import Connection, ConnectionId, ConnectionState, Place
from remit.authority.vault.flow import Flow
from remit.authority.vault.provider import Provider, ProviderId
from remit.authority.vault.repository import Sealed
from remit.authority.vault.revocation import Outcome, Revocation
from remit.kernel.canonical import Digest
from remit.kernel.ids import PrincipalId, TenantId, UserId
from remit.platform.storage.instants import micros
from remit.platform.storage.sql import Row, Scalar, Sql
from remit.platform.storage.tables.vault import connect_flow as f
from remit.platform.storage.tables.vault import connection as c
from remit.platform.storage.tables.vault import provider as p
from remit.platform.storage.tables.vault import upstream_revocation as r

_PROVIDER: Final = msgspec.json.Decoder(Provider)
_CONNECTION: Final = msgspec.json.Decoder(Connection)
_FLOW: Final = msgspec.json.Decoder(Flow)
_REVOCATION: Final = msgspec.json.Decoder(Revocation)

_ADD_PROVIDER = upsert(p).on_conflict_do_nothing()
_SAVE_PROVIDER = (
    update(p)
    .where(p.c.tenant == bindparam("ours"), p.c.id == bindparam("this"))
    .values(retired=bindparam("new_retired"), body=bindparam("new_body"))
)
_LIVING_PROVIDER = text("retired = 0")
_GET_PROVIDER = select(p.c.body, p.c.sealed).where(
    p.c.tenant == bindparam("ours"), p.c.id == bindparam("this")
)
_NAMED = select(p.c.body).where(
    p.c.tenant == bindparam("ours"), p.c.name == bindparam("this"), _LIVING_PROVIDER
)
_PROVIDERS = select(p.c.body).where(p.c.tenant == bindparam("ours"), _LIVING_PROVIDER).order_by(p.c.name)

_OURS = c.c.tenant == bindparam("ours")
_STANDS = text("state <> 'ended'")
_ADD = upsert(c).on_conflict_do_nothing()
_GET = select(c.c.body, c.c.sealed).where(_OURS, c.c.id == bindparam("this"))
_AT = select(c.c.body, c.c.sealed).where(
    _OURS,
    c.c.user == bindparam("this_user"),
    c.c.agent == bindparam("this_agent"),
    c.c.provider == bindparam("this_provider"),
    c.c.scopes == bindparam("these_scopes"),
    _STANDS,
)
_THIS_VERSION = (
    _OURS,
    c.c.id == bindparam("this"),
    c.c.version == bindparam("was"),
    c.c.state != ConnectionState.ENDED.value,
)
_RENEW = (
    update(c)
    .where(*_THIS_VERSION)
    .values(
        state=bindparam("new_state"),
        version=bindparam("new_version"),
        lease_until=0,
        sealed=bindparam("new_sealed"),
        body=bindparam("new_body"),
    )
)
_CHANGE = update(c).where(*_THIS_VERSION).values(state=bindparam("new_state"), body=bindparam("new_body"))
_END = _CHANGE.values(sealed=None)
_LEASE = (
    update(c)
    .where(*_THIS_VERSION, c.c.lease_until <= bindparam("now"))
    .values(lease_until=bindparam("until"))
)
_RELEASE = update(c).where(*_THIS_VERSION).values(lease_until=bindparam("until"))
_BY_ID = c.c.id > bindparam("after")
_OF_ALL = (
    select(c.c.body)
    .where(
        _OURS,
        _BY_ID,
        _STANDS,
        or_(bindparam("any_user", type_=BigInteger) == 1, c.c.user == bindparam("this_user")),
        or_(bindparam("any_provider", type_=BigInteger) == 1, c.c.provider == bindparam("this_provider")),
    )
    .order_by(c.c.id)
    .limit(bindparam("count"))
)
_OF_AGENT = (
    select(c.c.body)
    .where(_OURS, c.c.agent == bindparam("this_agent"), _BY_ID, _STANDS)
    .order_by(c.c.id)
    .limit(bindparam("count"))
)

_ADD_FLOW = upsert(f)
_OPEN_FLOWS = select(func.count()).where(
    f.c.tenant == bindparam("ours"), f.c.user == bindparam("this_user"), f.c.expires_at > bindparam("now")
)
_SPEND_FLOW = (
    delete(f)
    .where(f.c.tenant == bindparam("ours"), f.c.state == bindparam("this"))
    .returning(f.c.body, f.c.sealed)
)
_FORGET_FLOWS = delete(f).where(f.c.tenant == bindparam("ours"), f.c.expires_at <= bindparam("now"))

_IS_OPEN = text("outcome = 'open'")
_ADD_REVOCATION = upsert(r)
_SAVE_REVOCATION = (
    update(r)
    .where(
        r.c.tenant == bindparam("ours"),
        r.c.id == bindparam("this"),
        r.c.tries == bindparam("was"),
        r.c.outcome == Outcome.OPEN.value,
    )
    .values(
        outcome=bindparam("new_outcome"),
        tries=bindparam("new_tries"),
        due=bindparam("new_due"),
        body=bindparam("new_body"),
    )
)
_FINISH_REVOCATION = _SAVE_REVOCATION.values(sealed=None)
_DUE = (
    select(r.c.body, r.c.sealed)
    .where(r.c.tenant == bindparam("ours"), _IS_OPEN, r.c.due <= bindparam("now"))
    .order_by(r.c.due, r.c.id)
    .limit(bindparam("count"))
)
_OPEN = (
    select(r.c.body)
    .where(r.c.tenant == bindparam("ours"), _IS_OPEN)
    .order_by(r.c.due, r.c.id)
    .limit(bindparam("count"))
)


class VaultRepository:
    """The vault of one tenant."""

    def __init__(self, sql: Sql, tenant: TenantId) -> None:
        self._sql = sql
        self._tenant = tenant

    def add_provider(self, provider: Provider, secret: bytes | None) -> bool:
        """Store a new one with our sealed secret there; False if a living one has the name."""
        values: dict[str, Scalar] = {
            "tenant": self._tenant,
            "id": provider.id,
            "name": provider.name,
            "retired": 0,
            "sealed": secret,
            "body": _text(provider),
        }
        return self._sql.run(_ADD_PROVIDER, values) == 1

    def save_provider(self, provider: Provider) -> None:
        """Store a change; its secret stays."""
        retired = 0 if provider.retired_at is None else micros(provider.retired_at)
        values = self._this(provider.id) | {"new_retired": retired, "new_body": _text(provider)}
        self._sql.run(_SAVE_PROVIDER, values)

    def provider(self, ident: ProviderId) -> Provider | None:
        """One provider, retired or not."""
        row = self._sql.row(_GET_PROVIDER, self._this(ident))
        return None if row is None else _PROVIDER.decode(row[0])

    def provider_named(self, name: str) -> Provider | None:
        """The provider of that name that is not retired."""
        row = self._sql.row(_NAMED, self._this(name))
        return None if row is None else _PROVIDER.decode(row[0])

    def providers(self) -> Sequence[Provider]:
        """All that are not retired, by name."""
        return [_PROVIDER.decode(row[0]) for row in self._sql.rows(_PROVIDERS, {"ours": self._tenant})]

    def provider_secret(self, ident: ProviderId) -> bytes | None:
        """Our sealed secret at a provider."""
        row = self._sql.row(_GET_PROVIDER, self._this(ident))
        return None if row is None or row[1] is None else bytes(row[1])

    def add(self, connection: Connection, sealed: bytes) -> bool:
        """Store a new connection; False if its place has one that has not ended."""
        place = connection.place
        values: dict[str, Scalar] = {
            "tenant": self._tenant,
            "id": connection.id,
            "user": place.user or "",
            "agent": place.agent,
            "provider": place.provider,
            "scopes": " ".join(place.scopes),
            "state": connection.state,
            "version": connection.version,
            "lease_until": 0,
            "sealed": sealed,
            "body": _text(connection),
        }
        return self._sql.run(_ADD, values) == 1

    def get(self, ident: ConnectionId) -> Sealed | None:
        """One connection, whatever its state."""
        return _sealed(self._sql.row(_GET, self._this(ident)))

    def at(self, place: Place) -> Sealed | None:
        """The connection of a place that has not ended: never another one."""
        values: dict[str, Scalar] = {
            "ours": self._tenant,
            "this_user": place.user or "",
            "this_agent": place.agent,
            "this_provider": place.provider,
            "these_scopes": " ".join(place.scopes),
        }
        return _sealed(self._sql.row(_AT, values))

    def renew(self, connection: Connection, sealed: bytes, *, was: int) -> bool:
        """Store another credential if the version is still `was` and it has not ended."""
        values = self._version(connection.id, was) | {
            "new_state": connection.state,
            "new_version": connection.version,
            "new_sealed": sealed,
            "new_body": _text(connection),
        }
        return self._sql.run(_RENEW, values) == 1

    def save(self, connection: Connection, *, was: int) -> bool:
        """Store a change of state if the version is still `was`; its end drops what was sealed."""
        statement = _END if connection.state is ConnectionState.ENDED else _CHANGE
        change = {"new_state": connection.state, "new_body": _text(connection)}
        return self._sql.run(statement, self._version(connection.id, was) | change) == 1

    def lease(self, ident: ConnectionId, *, version: int, until: datetime, at: datetime) -> bool:
        """Take the right to renew this version: one of all callers on all nodes gets it."""
        values = self._version(ident, version) | {"now": micros(at), "until": micros(until)}
        return self._sql.run(_LEASE, values) == 1

    def release(self, ident: ConnectionId, *, version: int, until: datetime) -> None:
        """Give it back at that moment."""
        self._sql.run(_RELEASE, self._version(ident, version) | {"until": micros(until)})

    def of(
        self,
        *,
        user: UserId | None = None,
        agents: Sequence[PrincipalId] = (),
        provider: ProviderId | None = None,
        after: str = "",
        limit: int = 100,
    ) -> Sequence[Connection]:
        """Connections that have not ended, by id; of everybody unless one is named."""
        page: dict[str, Scalar] = {"ours": self._tenant, "after": after, "count": limit}
        if agents:
            rows = [
                row for agent in agents for row in self._sql.rows(_OF_AGENT, page | {"this_agent": agent})
            ]
            found = sorted((_CONNECTION.decode(row[0]) for row in rows), key=lambda each: each.id)
            return found[:limit]
        named: dict[str, Scalar] = {
            "any_user": int(user is None),
            "this_user": user or "",
            "any_provider": int(provider is None),
            "this_provider": provider or "",
        }
        return [_CONNECTION.decode(row[0]) for row in self._sql.rows(_OF_ALL, page | named)]

    def add_flow(self, flow: Flow, verifier: bytes, *, open_at_once: int, at: datetime) -> bool:
        """Store a flow; False if its person has that many open ones."""
        asked: dict[str, Scalar] = {"ours": self._tenant, "this_user": flow.user, "now": micros(at)}
        count = self._sql.row(_OPEN_FLOWS, asked)
        if count is not None and count[0] >= open_at_once:
            return False
        values: dict[str, Scalar] = {
            "tenant": self._tenant,
            "state": flow.state,
            "user": flow.user,
            "expires_at": micros(flow.expires_at),
            "sealed": verifier,
            "body": _text(flow),
        }
        self._sql.run(_ADD_FLOW, values)
        return True

    def spend_flow(self, state: Digest) -> tuple[Flow, bytes] | None:
        """Take a flow away; None if it is not there: one of all callers gets it."""
        rows = self._sql.rows(_SPEND_FLOW, self._this(state))
        return (_FLOW.decode(rows[0][0]), bytes(rows[0][1])) if rows else None

    def forget_flows(self, before: datetime) -> int:
        """Drop flows that ran out."""
        return self._sql.run(_FORGET_FLOWS, {"ours": self._tenant, "now": micros(before)})

    def add_revocation(self, revocation: Revocation, sealed: bytes) -> None:
        """Put a credential on the list of what the provider must end."""
        values: dict[str, Scalar] = {
            "tenant": self._tenant,
            "id": revocation.id,
            "connection": revocation.connection,
            "outcome": revocation.outcome,
            "tries": revocation.tries,
            "due": micros(revocation.due),
            "sealed": sealed,
            "body": _text(revocation),
        }
        self._sql.run(_ADD_REVOCATION, values)

    def save_revocation(self, revocation: Revocation, *, was: int) -> bool:
        """Store how it went if the count of tries is still `was`; a finished one drops what was sealed."""
        statement = _SAVE_REVOCATION if revocation.outcome is Outcome.OPEN else _FINISH_REVOCATION
        values = self._this(revocation.id) | {
            "was": was,
            "new_outcome": revocation.outcome,
            "new_tries": revocation.tries,
            "new_due": micros(revocation.due),
            "new_body": _text(revocation),
        }
        return self._sql.run(statement, values) == 1

    def revocations(self, *, due: datetime, limit: int) -> Sequence[tuple[Revocation, bytes]]:
        """Open ones that are due, oldest first."""
        rows = self._sql.rows(_DUE, {"ours": self._tenant, "now": micros(due), "count": limit})
        return [(_REVOCATION.decode(row[0]), bytes(row[1])) for row in rows]

    def open_revocations(self, *, limit: int) -> Sequence[Revocation]:
        """Those that are not finished, the next due first."""
        rows = self._sql.rows(_OPEN, {"ours": self._tenant, "count": limit})
        return [_REVOCATION.decode(row[0]) for row in rows]

    def has_due_revocation(self, at: datetime) -> bool:
        """Whether one is due."""
        return bool(self.revocations(due=at, limit=1))

    def _this(self, ident: str) -> dict[str, Scalar]:
        return {"ours": self._tenant, "this": ident}

    def _version(self, ident: str, version: int) -> dict[str, Scalar]:
        return {"ours": self._tenant, "this": ident, "was": version}


def _sealed(row: Row | None) -> Sealed | None:
    if row is None:
        return None
    return Sealed(connection=_CONNECTION.decode(row[0]), sealed=None if row[1] is None else bytes(row[1]))


def _text(value: Provider | Connection | Flow | Revocation) -> str:
    return msgspec.json.encode(value).decode()
