"""Requests on their way to a person, codes, families and refresh tokens, over SQL."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from remit.authority.oauth.asking.codes import AuthorizationCode
from remit.authority.oauth.asking.families import Family, FamilyId, FamilyState, RefreshToken
from remit.authority.oauth.asking.pending import Pending, PendingState
from remit.kernel.canonical import Digest
from remit.kernel.ids import TenantId, UserId
from remit.platform.storage.instants import micros
from remit.platform.storage.sql import Scalar, Sql
from remit.platform.storage.tables.authorization import code as c
from remit.platform.storage.tables.authorization import family as f
from remit.platform.storage.tables.authorization import pending as p
from remit.platform.storage.tables.authorization import refresh as r

_PENDING: Final = msgspec.json.Decoder(Pending)
_CODE: Final = msgspec.json.Decoder(AuthorizationCode)
_FAMILY: Final = msgspec.json.Decoder(Family)
_REFRESH: Final = msgspec.json.Decoder(RefreshToken)

_ADD_PENDING = upsert(p)
_GET_PENDING = select(p.c.body).where(p.c.tenant == bindparam("ours"), p.c.id == bindparam("this"))
_MOVE_PENDING = (
    update(p)
    .where(p.c.tenant == bindparam("ours"), p.c.id == bindparam("this"), p.c.state == bindparam("was"))
    .values(state=bindparam("new_state"), body=bindparam("new_body"))
)
_WAITING = (
    select(p.c.id).where(p.c.tenant == bindparam("ours")).order_by(p.c.id).limit(1).offset(bindparam("count"))
)
_WAITING_OF = (
    select(p.c.id)
    .where(p.c.tenant == bindparam("ours"), p.c.client == bindparam("whose"))
    .limit(1)
    .offset(bindparam("count"))
)
_OLD_PENDING = (
    select(p.c.id)
    .where(p.c.tenant == bindparam("ours"), p.c.expires_at < bindparam("before"))
    .order_by(p.c.expires_at)
    .limit(bindparam("count"))
)
_DROP_PENDING = delete(p).where(p.c.tenant == bindparam("ours"), p.c.id == bindparam("this"))


class PendingRepository:
    """Requests of one tenant's clients that wait for a person."""

    def __init__(self, sql: Sql, tenant: TenantId) -> None:
        self._sql = sql
        self._tenant = tenant

    def add(self, pending: Pending) -> None:
        """Store a new one."""
        values: dict[str, Scalar] = {
            "tenant": self._tenant,
            "id": pending.id,
            "client": pending.request.returning.client_id,
            "state": pending.state,
            "expires_at": micros(pending.expires_at),
            "body": _text(pending),
        }
        self._sql.run(_ADD_PENDING, values)

    def get(self, ident: Digest) -> Pending | None:
        """One request, whatever its state."""
        row = self._sql.row(_GET_PENDING, {"ours": self._tenant, "this": ident})
        return None if row is None else _PENDING.decode(row[0])

    def move(self, changed: Pending, *, was: PendingState) -> bool:
        """Store the next step; False if it is no longer where it was. One conditional update."""
        values: dict[str, Scalar] = {
            "ours": self._tenant,
            "this": changed.id,
            "was": was,
            "new_state": changed.state,
            "new_body": _text(changed),
        }
        return self._sql.run(_MOVE_PENDING, values) == 1

    def crowded(self, client: str, *, share: int, limit: int) -> bool:
        """Whether as many as `share` are kept of this client, or `limit` of all."""
        of_client: dict[str, Scalar] = {"ours": self._tenant, "whose": client, "count": share - 1}
        if self._sql.row(_WAITING_OF, of_client) is not None:
            return True
        return self._sql.row(_WAITING, {"ours": self._tenant, "count": limit - 1}) is not None

    def forget(self, before: datetime, limit: int) -> int:
        """Drop what ran out before that moment; how many."""
        rows = self._sql.rows(_OLD_PENDING, {"ours": self._tenant, "before": micros(before), "count": limit})
        self._sql.run_many(_DROP_PENDING, [{"ours": self._tenant, "this": row[0]} for row in rows])
        return len(rows)


_ADD_CODE = upsert(c)
_GET_CODE = select(c.c.body).where(c.c.tenant == bindparam("ours"), c.c.id == bindparam("this"))
_SPEND = (
    update(c)
    .where(c.c.tenant == bindparam("ours"), c.c.id == bindparam("this"), c.c.spent_at == 0)
    .values(spent_at=bindparam("new_spent_at"), body=bindparam("new_body"))
)
_OLD_CODES = (
    select(c.c.id)
    .where(c.c.tenant == bindparam("ours"), c.c.expires_at < bindparam("before"))
    .order_by(c.c.expires_at)
    .limit(bindparam("count"))
)
_DROP_CODE = delete(c).where(c.c.tenant == bindparam("ours"), c.c.id == bindparam("this"))


class CodeRepository:
    """Authorization codes of one tenant, by digest."""

    def __init__(self, sql: Sql, tenant: TenantId) -> None:
        self._sql = sql
        self._tenant = tenant

    def add(self, code: AuthorizationCode) -> None:
        """Store a new one."""
        values: dict[str, Scalar] = {
            "tenant": self._tenant,
            "id": code.id,
            "spent_at": 0,
            "expires_at": micros(code.expires_at),
            "body": _text(code),
        }
        self._sql.run(_ADD_CODE, values)

    def get(self, ident: Digest) -> AuthorizationCode | None:
        """One code, spent or not."""
        row = self._sql.row(_GET_CODE, {"ours": self._tenant, "this": ident})
        return None if row is None else _CODE.decode(row[0])

    def spend(self, code: AuthorizationCode, at: datetime) -> bool:
        """Use it up; True for exactly one of all callers. One conditional update."""
        values: dict[str, Scalar] = {
            "ours": self._tenant,
            "this": code.id,
            "new_spent_at": micros(at),
            "new_body": _text(replace(code, spent_at=at)),
        }
        return self._sql.run(_SPEND, values) == 1

    def forget(self, before: datetime, limit: int) -> int:
        """Drop those that ran out before that moment; how many."""
        rows = self._sql.rows(_OLD_CODES, {"ours": self._tenant, "before": micros(before), "count": limit})
        self._sql.run_many(_DROP_CODE, [{"ours": self._tenant, "this": row[0]} for row in rows])
        return len(rows)


_ADD_FAMILY = upsert(f)
_GET_FAMILY = select(f.c.body).where(f.c.tenant == bindparam("ours"), f.c.id == bindparam("this"))
_MOVE_FAMILY = (
    update(f)
    .where(
        f.c.tenant == bindparam("ours"),
        f.c.id == bindparam("this"),
        f.c.state == "live",
        f.c.number == bindparam("was"),
    )
    .values(number=bindparam("new_number"), body=bindparam("new_body"))
)
_END_FAMILY = (
    update(f)
    .where(f.c.tenant == bindparam("ours"), f.c.id == bindparam("this"), f.c.state == "live")
    .values(state="ended", body=bindparam("new_body"))
)
_LIVE_OF_PAIR = (
    select(f.c.body)
    .where(
        f.c.tenant == bindparam("ours"),
        f.c.user == bindparam("whose"),
        f.c.client == bindparam("by"),
        f.c.state == "live",
        f.c.ends_at > bindparam("now"),
    )
    .order_by(f.c.id)
)
_OF_USER = select(f.c.body).where(f.c.tenant == bindparam("ours"), f.c.user == bindparam("whose"))
_OLD_FAMILIES = (
    select(f.c.id)
    .where(f.c.tenant == bindparam("ours"), f.c.ends_at < bindparam("before"))
    .order_by(f.c.ends_at)
    .limit(bindparam("count"))
)
_DROP_FAMILY = delete(f).where(f.c.tenant == bindparam("ours"), f.c.id == bindparam("this"))
_ADD_REFRESH = upsert(r)
_GET_REFRESH = select(r.c.body).where(r.c.tenant == bindparam("ours"), r.c.id == bindparam("this"))
_USE = (
    update(r)
    .where(r.c.tenant == bindparam("ours"), r.c.id == bindparam("this"), r.c.used_at == 0)
    .values(used_at=bindparam("new_used_at"), body=bindparam("new_body"))
)
_DROP_REFRESH = delete(r).where(r.c.tenant == bindparam("ours"), r.c.family == bindparam("this"))


class FamilyRepository:
    """Families of one tenant's tokens, and their refresh tokens by digest."""

    def __init__(self, sql: Sql, tenant: TenantId) -> None:
        self._sql = sql
        self._tenant = tenant

    def add(self, family: Family) -> None:
        """Store a new one."""
        values: dict[str, Scalar] = {
            "tenant": self._tenant,
            "id": family.id,
            "client": family.client_id,
            "user": family.user,
            "state": family.state,
            "number": family.number,
            "ends_at": micros(family.ends_at),
            "body": _text(family),
        }
        self._sql.run(_ADD_FAMILY, values)

    def get(self, ident: FamilyId) -> Family | None:
        """One family, live or not."""
        row = self._sql.row(_GET_FAMILY, {"ours": self._tenant, "this": ident})
        return None if row is None else _FAMILY.decode(row[0])

    def move(self, changed: Family, *, was: int) -> bool:
        """Store a use; False if it ended, or was used meanwhile. One conditional update."""
        values: dict[str, Scalar] = {
            "ours": self._tenant,
            "this": changed.id,
            "was": was,
            "new_number": changed.number,
            "new_body": _text(changed),
        }
        return self._sql.run(_MOVE_FAMILY, values) == 1

    def end(self, family: Family, *, cause: str) -> bool:
        """End a live one; False if it had ended. One conditional update."""
        ended = replace(family, state=FamilyState.ENDED, cause=cause)
        values: dict[str, Scalar] = {"ours": self._tenant, "this": family.id, "new_body": _text(ended)}
        return self._sql.run(_END_FAMILY, values) == 1

    def live_of(self, user: UserId, client_id: str, at: datetime) -> Sequence[Family]:
        """Live families of a person with a client, oldest first."""
        values: dict[str, Scalar] = {
            "ours": self._tenant,
            "whose": user,
            "by": client_id,
            "now": micros(at),
        }
        return [_FAMILY.decode(row[0]) for row in self._sql.rows(_LIVE_OF_PAIR, values)]

    def of_user(self, user: UserId) -> Sequence[Family]:
        """Every family of a person that is still kept, live or not."""
        rows = self._sql.rows(_OF_USER, {"ours": self._tenant, "whose": user})
        return [_FAMILY.decode(row[0]) for row in rows]

    def add_token(self, token: RefreshToken) -> None:
        """Store a refresh token that is being given."""
        values: dict[str, Scalar] = {
            "tenant": self._tenant,
            "id": token.id,
            "family": token.family,
            "used_at": 0,
            "body": _text(token),
        }
        self._sql.run(_ADD_REFRESH, values)

    def token(self, ident: Digest) -> RefreshToken | None:
        """One refresh token, used or not."""
        row = self._sql.row(_GET_REFRESH, {"ours": self._tenant, "this": ident})
        return None if row is None else _REFRESH.decode(row[0])

    def use(self, used: RefreshToken, at: datetime) -> bool:
        """Use it up; True for exactly one of all callers. One conditional update."""
        values: dict[str, Scalar] = {
            "ours": self._tenant,
            "this": used.id,
            "new_used_at": micros(at),
            "new_body": _text(used),
        }
        return self._sql.run(_USE, values) == 1

    def forget(self, before: datetime, limit: int) -> int:
        """Drop families that ended before that moment, with their tokens; how many."""
        rows = self._sql.rows(_OLD_FAMILIES, {"ours": self._tenant, "before": micros(before), "count": limit})
        named: list[dict[str, Scalar]] = [{"ours": self._tenant, "this": row[0]} for row in rows]
        self._sql.run_many(_DROP_REFRESH, named)
        self._sql.run_many(_DROP_FAMILY, named)
        return len(rows)


def _text(body: Pending | AuthorizationCode | Family | RefreshToken) -> str:
    return msgspec.json.encode(body).decode()
