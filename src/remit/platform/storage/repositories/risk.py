"""Signals about risk, over SQL: the newest of each kind of each subject."""

from collections.abc import Sequence
from typing import Final

import msgspec
from sqlalchemy import and_, bindparam, delete, or_, select
from sqlalchemy.dialects.postgresql import insert as upsert

from remit.decision.facts.signals import Signal
from remit.kernel.ids import PrincipalId, TenantId
from remit.platform.storage.sql import Scalar, Sql
from remit.platform.storage.tables.decision import risk_signal as r

_new = upsert(r)
_PUT: Final = _new.on_conflict_do_update(
    index_elements=[r.c.tenant, r.c.subject, r.c.kind], set_={"body": _new.excluded.body}
)
_OURS: Final = r.c.tenant == bindparam("ours")
_OF: Final = and_(_OURS, r.c.subject == bindparam("whose"))
_ONE: Final = and_(_OF, r.c.kind == bindparam("which"))
_GET: Final = select(r.c.body).where(_ONE)
_ALL: Final = select(r.c.body).where(_OF).order_by(r.c.kind)
_PAGE: Final = (
    select(r.c.body)
    .where(
        _OURS,
        or_(
            r.c.subject > bindparam("whose"),
            and_(r.c.subject == bindparam("whose"), r.c.kind > bindparam("which")),
        ),
    )
    .order_by(r.c.subject, r.c.kind)
    .limit(bindparam("count"))
)
_REMOVE: Final = delete(r).where(_ONE)
_decode: Final = msgspec.json.Decoder(Signal).decode


class RiskSignalRepository:
    """The signals of one tenant."""

    def __init__(self, sql: Sql, tenant: TenantId) -> None:
        self._sql = sql
        self._tenant = tenant

    def put(self, signal: Signal) -> None:
        """Store a signal in place of the one of the same kind and subject."""
        body = msgspec.json.encode(signal).decode()
        self._sql.run(
            _PUT, {"tenant": self._tenant, "subject": signal.subject, "kind": signal.kind, "body": body}
        )

    def get(self, subject: PrincipalId, kind: str) -> Signal | None:
        """One signal."""
        row = self._sql.row(_GET, {"ours": self._tenant, "whose": subject, "which": kind})
        return None if row is None else _decode(row[0])

    def of(self, subject: PrincipalId) -> Sequence[Signal]:
        """All of a subject, by kind."""
        return [_decode(row[0]) for row in self._sql.rows(_ALL, {"ours": self._tenant, "whose": subject})]

    def page(self, *, after: tuple[str, str], limit: int) -> Sequence[Signal]:
        """All of the tenant by subject and kind, after one of them."""
        values: dict[str, Scalar] = {
            "ours": self._tenant,
            "whose": after[0],
            "which": after[1],
            "count": limit,
        }
        return [_decode(row[0]) for row in self._sql.rows(_PAGE, values)]

    def remove(self, subject: PrincipalId, kind: str) -> bool:
        """Take one away; False if there was none."""
        return self._sql.run(_REMOVE, {"ours": self._tenant, "whose": subject, "which": kind}) > 0
