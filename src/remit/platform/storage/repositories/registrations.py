"""Registrations of OAuth clients over SQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import BigInteger, bindparam, delete, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from remit.authority.oauth.clients.invitations import Invitation
from remit.authority.oauth.clients.registration import ClientRegistration, RegistrationKind
from remit.kernel.canonical import Digest
from remit.kernel.ids import PrincipalId, TenantId
from remit.platform.storage.instants import micros
from remit.platform.storage.sql import Scalar, Sql
from remit.platform.storage.tables.clients import client as t
from remit.platform.storage.tables.clients import invitation as i

_BODY: Final = msgspec.json.Decoder(ClientRegistration)
_INVITED: Final = msgspec.json.Decoder(Invitation)
_OURS: Final = t.c.tenant == bindparam("tenant")

_ADD = upsert(t).on_conflict_do_nothing()
_PUT = (
    update(t)
    .where(t.c.tenant == bindparam("ours"), t.c.id == bindparam("this"), t.c.revoked == 0)
    .values(
        revoked=bindparam("new_revoked"), changed_at=bindparam("new_changed_at"), body=bindparam("new_body")
    )
)
_GET = select(t.c.body).where(_OURS, t.c.id == bindparam("this"))
_OF = select(t.c.body).where(_OURS, t.c.principal == bindparam("this")).order_by(t.c.id)
_PAGE = (
    select(t.c.body)
    .where(
        _OURS,
        t.c.principal > bindparam("after"),
        or_(bindparam("any_kind", type_=BigInteger) == 1, t.c.kind == bindparam("this_kind")),
    )
    .order_by(t.c.principal)
    .limit(bindparam("count"))
)
_CROWD = select(func.count()).where(_OURS, t.c.kind == bindparam("this_kind"), t.c.revoked == 0)


class RegistrationRepository:
    """Clients of one tenant's authorization server."""

    def __init__(self, sql: Sql, tenant: TenantId) -> None:
        self._sql = sql
        self._tenant = tenant

    def add(self, registration: ClientRegistration) -> bool:
        """Store a new one; False if its id was ever used."""
        values: dict[str, Scalar] = {
            "tenant": self._tenant,
            "id": registration.client_id,
            "principal": registration.principal,
            "kind": registration.kind,
            "revoked": int(not registration.live),
            "changed_at": micros(registration.changed_at),
            "body": _text(registration),
        }
        return self._sql.run(_ADD, values) == 1

    def put(self, registration: ClientRegistration) -> bool:
        """Store a change; False if it is not there, or was revoked: nothing revives it."""
        values: dict[str, Scalar] = {
            "ours": self._tenant,
            "this": registration.client_id,
            "new_revoked": int(not registration.live),
            "new_changed_at": micros(registration.changed_at),
            "new_body": _text(registration),
        }
        return self._sql.run(_PUT, values) == 1

    def get(self, client_id: str) -> ClientRegistration | None:
        """One client by its id, revoked or not."""
        row = self._sql.row(_GET, {"tenant": self._tenant, "this": client_id})
        return None if row is None else _BODY.decode(row[0])

    def of(self, principal: PrincipalId) -> Sequence[ClientRegistration]:
        """The clients that are this instance or application, by id."""
        rows = self._sql.rows(_OF, {"tenant": self._tenant, "this": principal})
        return [_BODY.decode(row[0]) for row in rows]

    def crowd(self, kind: RegistrationKind) -> int:
        """How many of a kind were not revoked."""
        row = self._sql.row(_CROWD, {"tenant": self._tenant, "this_kind": kind})
        return 0 if row is None else int(row[0])

    def list(
        self, *, kind: RegistrationKind | None = None, after: str = "", limit: int = 100
    ) -> Sequence[ClientRegistration]:
        """Clients by their principals, revoked ones included; `after` is the last principal seen."""
        values: dict[str, Scalar] = {
            "tenant": self._tenant,
            "after": after,
            "any_kind": int(kind is None),
            "this_kind": kind or "",
            "count": limit,
        }
        return [_BODY.decode(row[0]) for row in self._sql.rows(_PAGE, values)]


def _text(registration: ClientRegistration) -> str:
    return msgspec.json.encode(registration).decode()


_INVITE = insert(i)
_USE = (
    update(i)
    .where(
        i.c.tenant == bindparam("ours"),
        i.c.digest == bindparam("this"),
        i.c.uses > 0,
        i.c.expires_at > bindparam("now"),
    )
    .values(uses=i.c.uses - 1)
)
_INVITATION = select(i.c.body).where(i.c.tenant == bindparam("tenant"), i.c.digest == bindparam("this"))
_OVER = (
    select(i.c.digest)
    .where(i.c.tenant == bindparam("tenant"), i.c.expires_at < bindparam("before"))
    .order_by(i.c.expires_at)
    .limit(bindparam("count"))
)
_DROP = delete(i).where(i.c.tenant == bindparam("tenant"), i.c.digest == bindparam("this"))


class InvitationRepository:
    """Initial access tokens of one tenant, by digest."""

    def __init__(self, sql: Sql, tenant: TenantId) -> None:
        self._sql = sql
        self._tenant = tenant

    def add(self, invitation: Invitation) -> None:
        """Store a new one."""
        values: dict[str, Scalar] = {
            "tenant": self._tenant,
            "digest": invitation.digest,
            "uses": invitation.uses,
            "expires_at": micros(invitation.expires_at),
            "body": msgspec.json.encode(invitation).decode(),
        }
        self._sql.run(_INVITE, values)

    def use(self, digest: Digest, at: datetime) -> Invitation | None:
        """Use it once more; None if it is unknown, used up or over."""
        used = self._sql.run(_USE, {"ours": self._tenant, "this": digest, "now": micros(at)})
        row = self._sql.row(_INVITATION, {"tenant": self._tenant, "this": digest}) if used == 1 else None
        return None if row is None else _INVITED.decode(row[0])

    def forget(self, before: datetime, limit: int) -> int:
        """Drop those that ended before that moment; how many."""
        values: dict[str, Scalar] = {"tenant": self._tenant, "before": micros(before), "count": limit}
        rows = self._sql.rows(_OVER, values)
        gone: list[dict[str, Scalar]] = [{"tenant": self._tenant, "this": row[0]} for row in rows]
        self._sql.run_many(_DROP, gone)
        return len(gone)
