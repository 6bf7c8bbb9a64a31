"""Yeses to applications, over SQL."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import bindparam, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from remit.authority.oidc.sign_on import SignOn, SignOnId
from remit.kernel.ids import TenantId, UserId
from remit.platform.storage.instants import micros
from remit.platform.storage.sql import Scalar, Sql
from remit.platform.storage.tables.sign_ons import sign_on as s

_SIGN_ON: Final = msgspec.json.Decoder(SignOn)
_ADD = upsert(s)
_GET = select(s.c.body).where(s.c.tenant == bindparam("ours"), s.c.id == bindparam("this"))
_OF = (
    select(s.c.body)
    .where(s.c.tenant == bindparam("ours"), s.c.user == bindparam("whose"))
    .order_by(s.c.id.desc())
)
_STANDING = select(s.c.body).where(
    s.c.tenant == bindparam("ours"),
    s.c.user == bindparam("whose"),
    s.c.client == bindparam("by"),
    s.c.withdrawn_at == 0,
)
_WITHDRAW = (
    update(s)
    .where(s.c.tenant == bindparam("ours"), s.c.id == bindparam("this"), s.c.withdrawn_at == 0)
    .values(withdrawn_at=bindparam("new_withdrawn_at"), body=bindparam("new_body"))
)


class SignOnRepository:
    """Yeses of one tenant's people to applications."""

    def __init__(self, sql: Sql, tenant: TenantId) -> None:
        self._sql = sql
        self._tenant = tenant

    def add(self, sign_on: SignOn) -> None:
        """Store a new one."""
        values: dict[str, Scalar] = {
            "tenant": self._tenant,
            "id": sign_on.id,
            "user": sign_on.user,
            "client": sign_on.client_id,
            "withdrawn_at": 0,
            "body": _text(sign_on),
        }
        self._sql.run(_ADD, values)

    def get(self, ident: SignOnId) -> SignOn | None:
        """One, whether it stands or not."""
        row = self._sql.row(_GET, {"ours": self._tenant, "this": ident})
        return None if row is None else _SIGN_ON.decode(row[0])

    def of(self, user: UserId) -> Sequence[SignOn]:
        """All of a person, newest first."""
        rows = self._sql.rows(_OF, {"ours": self._tenant, "whose": user})
        return [_SIGN_ON.decode(row[0]) for row in rows]

    def standing(self, user: UserId, client_id: str) -> Sequence[SignOn]:
        """Those of a person to a client that were not taken back."""
        rows = self._sql.rows(_STANDING, {"ours": self._tenant, "whose": user, "by": client_id})
        return [_SIGN_ON.decode(row[0]) for row in rows]

    def withdraw(self, sign_on: SignOn, at: datetime) -> bool:
        """Take one back; False if it was. One conditional update."""
        values: dict[str, Scalar] = {
            "ours": self._tenant,
            "this": sign_on.id,
            "new_withdrawn_at": micros(at),
            "new_body": _text(replace(sign_on, withdrawn_at=at)),
        }
        return self._sql.run(_WITHDRAW, values) == 1


def _text(body: SignOn) -> str:
    return msgspec.json.encode(body).decode()
