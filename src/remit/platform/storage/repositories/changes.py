"""Changes that wait for a second person, over SQL: the state moves by conditional updates."""

from collections.abc import Sequence
from typing import Final

import msgspec
from sqlalchemy import bindparam, insert, select, update

from remit.kernel.ids import ChangeId, PrincipalId, TenantId
from remit.oversight.changes.change import Change, ChangeState
from remit.platform.storage.sql import Scalar, Sql
from remit.platform.storage.tables.oversight import pending_change as t

_DECODER: Final = msgspec.json.Decoder(Change)
_OURS = t.c.tenant == bindparam("tenant")
_ADD = insert(t)
_GET = select(t.c.body).where(_OURS, t.c.id == bindparam("this"))
_MOVE = (
    update(t)
    .where(_OURS, t.c.id == bindparam("this"), t.c.state == bindparam("was"))
    .values(state=bindparam("new_state"), body=bindparam("new_body"))
)
_WAITING = (
    select(t.c.body)
    .where(_OURS, t.c.state == "pending", t.c.proposed_by == bindparam("whose"))
    .order_by(t.c.id.desc())
    .limit(bindparam("count"))
)
_PAGE = {
    with_state: select(t.c.body)
    .where(
        _OURS, t.c.id < bindparam("after"), *([t.c.state == bindparam("this_state")] if with_state else [])
    )
    .order_by(t.c.id.desc())
    .limit(bindparam("count"))
    for with_state in (False, True)
}
_LAST_ID: Final = "chg_~"


class PendingChangeRepository:
    """Changes of one tenant."""

    def __init__(self, sql: Sql, tenant: TenantId) -> None:
        self._sql = sql
        self._tenant = tenant

    def add(self, change: Change) -> None:
        """Store a new one."""
        values = self._ours(id=change.id, state=change.state, proposed_by=change.by, body=_body(change))
        self._sql.run(_ADD, values)

    def get(self, ident: ChangeId) -> Change | None:
        """One."""
        row = self._sql.row(_GET, self._ours(this=ident))
        return None if row is None else _DECODER.decode(row[0])

    def move(self, change: Change, *, was: ChangeState) -> bool:
        """Store its next state if it is still in that one; False if somebody was faster."""
        values = self._ours(this=change.id, was=was, new_state=change.state, new_body=_body(change))
        return self._sql.run(_MOVE, values) == 1

    def waiting(self, by: PrincipalId, *, limit: int) -> Sequence[Change]:
        """Those of one person that wait, newest first."""
        return [
            _DECODER.decode(row[0]) for row in self._sql.rows(_WAITING, self._ours(whose=by, count=limit))
        ]

    def page(self, *, state: ChangeState | None, after: str, limit: int) -> Sequence[Change]:
        """Newest first."""
        values = self._ours(after=after or _LAST_ID, count=limit)
        if state is not None:
            values["this_state"] = state
        rows = self._sql.rows(_PAGE[state is not None], values)
        return [_DECODER.decode(row[0]) for row in rows]

    def _ours(self, **more: Scalar) -> dict[str, Scalar]:
        return {"tenant": self._tenant, **more}


def _body(change: Change) -> str:
    return msgspec.json.encode(change).decode()
