"""What access tokens said, and what was shown once, over SQL."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import bindparam, delete, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from remit.authority.tokens import IssuedToken, Proof, TokenState
from remit.kernel.ids import (
    PrincipalId,
    TaskId,
    TenantId,
    TokenId,
)
from remit.platform.storage.instants import micros
from remit.platform.storage.sql import Scalar, Sql
from remit.platform.storage.tables.authority import replay, token

_TOKEN: Final = msgspec.json.Decoder(IssuedToken)

_ADD_TOKEN = upsert(token)
_GET_TOKEN = select(token.c.body).where(
    token.c.tenant == bindparam("tenant"), token.c.id == bindparam("this")
)
_REVOKE = (
    update(token)
    .where(token.c.tenant == bindparam("ours"), token.c.id == bindparam("this"), token.c.state == "active")
    .values(state="revoked", body=bindparam("new_body"))
)
_LIVE = (
    token.c.tenant == bindparam("tenant"),
    token.c.state == "active",
    token.c.expires_at > bindparam("now"),
)
_LIVE_OF_TASK = select(token.c.body).where(*_LIVE, token.c.task == bindparam("this")).order_by(token.c.id)
_LIVE_OF_PRINCIPAL = (
    select(token.c.body)
    .where(
        *_LIVE,
        or_(
            token.c.principal == bindparam("this"),
            token.c.agent == bindparam("this"),
            token.c.user == bindparam("this"),
        ),
    )
    .order_by(token.c.id)
)
_EXPIRED = (
    select(token.c.id)
    .where(token.c.tenant == bindparam("tenant"), token.c.expires_at < bindparam("before"))
    .order_by(token.c.expires_at)
    .limit(bindparam("count"))
)
_DROP_TOKEN = delete(token).where(token.c.tenant == bindparam("tenant"), token.c.id == bindparam("this"))


class TokenRepository:
    """What one tenant's access tokens said."""

    def __init__(self, sql: Sql, tenant: TenantId) -> None:
        self._sql = sql
        self._tenant = tenant

    def add(self, new: IssuedToken) -> None:
        """Remember a token that is being issued."""
        values: dict[str, Scalar] = {
            "tenant": self._tenant,
            "id": new.id,
            "principal": new.principal,
            "agent": new.agent or "",
            "user": new.user or "",
            "task": new.task or "",
            "state": new.state,
            "expires_at": micros(new.expires_at),
            "body": msgspec.json.encode(new).decode(),
        }
        self._sql.later(_ADD_TOKEN, values)

    def get(self, ident: TokenId) -> IssuedToken | None:
        """One token."""
        row = self._sql.row(_GET_TOKEN, {"tenant": self._tenant, "this": ident})
        return None if row is None else _TOKEN.decode(row[0])

    def revoke(self, ident: TokenId) -> bool:
        """Revoke one; False if it is not active."""
        known = self.get(ident)
        return known is not None and self._revoke(known)

    def revoke_of_task(self, ident: TaskId, at: datetime) -> Sequence[TokenId]:
        """Revoke all unexpired ones of a task; which."""
        return [known.id for known in self.live_of_task(ident, at) if self._revoke(known)]

    def revoke_of_principal(self, ident: PrincipalId, at: datetime) -> Sequence[TokenId]:
        """Revoke all unexpired ones that a principal holds, acts in or is acted for by; which."""
        values: dict[str, Scalar] = {"tenant": self._tenant, "now": micros(at), "this": ident}
        found = [_TOKEN.decode(row[0]) for row in self._sql.rows(_LIVE_OF_PRINCIPAL, values)]
        return [known.id for known in found if self._revoke(known)]

    def live_of_task(self, ident: TaskId, at: datetime) -> Sequence[IssuedToken]:
        """Active, unexpired tokens of a task."""
        values: dict[str, Scalar] = {"tenant": self._tenant, "now": micros(at), "this": ident}
        return [_TOKEN.decode(row[0]) for row in self._sql.rows(_LIVE_OF_TASK, values)]

    def forget(self, before: datetime, limit: int) -> int:
        """Drop tokens that expired before that moment; how many."""
        values: dict[str, Scalar] = {"tenant": self._tenant, "before": micros(before), "count": limit}
        expired = self._sql.rows(_EXPIRED, values)
        self._sql.run_many(_DROP_TOKEN, [{"tenant": self._tenant, "this": row[0]} for row in expired])
        return len(expired)

    def _revoke(self, known: IssuedToken) -> bool:
        body = msgspec.json.encode(replace(known, state=TokenState.REVOKED)).decode()
        return self._sql.run(_REVOKE, {"ours": self._tenant, "this": known.id, "new_body": body}) == 1


_BURN = upsert(replay).on_conflict_do_nothing()
_SHOWN = (
    select(replay.c.key, replay.c.jti)
    .where(replay.c.tenant == bindparam("tenant"), replay.c.keep_until < bindparam("before"))
    .order_by(replay.c.keep_until)
    .limit(bindparam("count"))
)
_DROP_SHOWN = delete(replay).where(
    replay.c.tenant == bindparam("tenant"), replay.c.key == bindparam("key"), replay.c.jti == bindparam("jti")
)


class ReplayRepository:
    """What was shown once; the primary key makes the second showing fail."""

    def __init__(self, sql: Sql) -> None:
        self._sql = sql

    def burn(self, tenant: TenantId, proof: Proof) -> bool:
        """Remember (key, jti) for as long as it could be shown again; False if it was there already."""
        values: dict[str, Scalar] = {
            "tenant": tenant,
            "key": proof.key,
            "jti": proof.jti,
            "keep_until": micros(proof.keep_until),
        }
        return self._sql.claim(_BURN, values, key=(tenant, proof.key, proof.jti))

    def forget(self, tenant: TenantId, before: datetime, limit: int) -> int:
        """Drop what could no longer be shown; how many."""
        values: dict[str, Scalar] = {"tenant": tenant, "before": micros(before), "count": limit}
        rows = self._sql.rows(_SHOWN, values)
        self._sql.run_many(_DROP_SHOWN, [{"tenant": tenant, "key": row[0], "jti": row[1]} for row in rows])
        return len(rows)
