"""Registrations of OAuth clients over SQL."""

from collections.abc import Sequence
from typing import Final

import msgspec
from sqlalchemy import BigInteger, bindparam, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from remit.authority.oauth.registration import ClientRegistration, RegistrationKind
from remit.kernel.ids import PrincipalId, TenantId
from remit.platform.storage.instants import micros
from remit.platform.storage.sql import Scalar, Sql
from remit.platform.storage.tables.clients import client as t

_BODY: Final = msgspec.json.Decoder(ClientRegistration)
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
        t.c.id > bindparam("after"),
        or_(bindparam("any_kind", type_=BigInteger) == 1, t.c.kind == bindparam("this_kind")),
    )
    .order_by(t.c.id)
    .limit(bindparam("count"))
)


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

    def list(
        self, *, kind: RegistrationKind | None = None, after: str = "", limit: int = 100
    ) -> Sequence[ClientRegistration]:
        """Clients by id, revoked ones included; `after` is the last id seen."""
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
