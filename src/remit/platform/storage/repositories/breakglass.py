"""Break glass over SQL: its state moves by conditional updates, its uses are only ever added."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import bindparam, func, insert, select, update

from remit.kernel.ids import BreakGlassId, DecisionId, TenantId
from remit.oversight.breakglass.glass import BreakGlass, GlassState
from remit.oversight.breakglass.repository import GlassUse
from remit.platform.storage.instants import micros, moment
from remit.platform.storage.sql import Scalar, Sql
from remit.platform.storage.tables.oversight import breakglass as t
from remit.platform.storage.tables.oversight import breakglass_use as u

_DECODER: Final = msgspec.json.Decoder(BreakGlass)
_OURS = t.c.tenant == bindparam("tenant")
_ADD = insert(t)
_GET = select(t.c.body).where(_OURS, t.c.id == bindparam("this"))
_MOVE = (
    update(t)
    .where(_OURS, t.c.id == bindparam("this"), t.c.state == bindparam("was"))
    .values(state=bindparam("new_state"), body=bindparam("new_body"))
)
_STANDING = select(t.c.body).where(_OURS, t.c.state.in_(("asked", "open"))).order_by(t.c.id)
_PAGE = {
    with_state: select(t.c.body)
    .where(
        _OURS, t.c.id < bindparam("after"), *([t.c.state == bindparam("this_state")] if with_state else [])
    )
    .order_by(t.c.id.desc())
    .limit(bindparam("count"))
    for with_state in (False, True)
}
_LAST_ID: Final = "bgl_~"
_OF = (u.c.tenant == bindparam("tenant"), u.c.glass == bindparam("this"))
_USED = insert(u)
_USES = (
    select(u.c.decision, u.c.effect, u.c.at)
    .where(*_OF, u.c.decision > bindparam("after"))
    .order_by(u.c.decision)
    .limit(bindparam("count"))
)
_COUNT = select(func.count()).select_from(u).where(*_OF)
_STATES = select(t.c.state, func.count()).where(_OURS).group_by(t.c.state)


class GlassRepository:
    """Break glass of one tenant."""

    def __init__(self, sql: Sql, tenant: TenantId) -> None:
        self._sql = sql
        self._tenant = tenant

    def add(self, glass: BreakGlass) -> None:
        """Store a new one."""
        self._sql.run(
            _ADD, {"tenant": self._tenant, "id": glass.id, "state": glass.state, "body": _body(glass)}
        )

    def get(self, ident: BreakGlassId) -> BreakGlass | None:
        """One."""
        row = self._sql.row(_GET, self._ours(this=ident))
        return None if row is None else _DECODER.decode(row[0])

    def move(self, glass: BreakGlass, *, was: GlassState) -> bool:
        """Store its next state if it is still in that one; False if somebody was faster."""
        values = self._ours(this=glass.id, was=was, new_state=glass.state, new_body=_body(glass))
        return self._sql.run(_MOVE, values) == 1

    def standing(self) -> Sequence[BreakGlass]:
        """Those that are asked for or open, oldest first."""
        return [_DECODER.decode(row[0]) for row in self._sql.rows(_STANDING, self._ours())]

    def page(self, *, state: GlassState | None, after: str, limit: int) -> Sequence[BreakGlass]:
        """Newest first."""
        values = self._ours(after=after or _LAST_ID, count=limit)
        if state is not None:
            values["this_state"] = state
        return [_DECODER.decode(row[0]) for row in self._sql.rows(_PAGE[state is not None], values)]

    def used(self, glass: BreakGlassId, *, decision: DecisionId, effect: str, at: datetime) -> None:
        """Note a decision that it made a difference to."""
        self._sql.run(
            _USED,
            {
                "tenant": self._tenant,
                "glass": glass,
                "decision": decision,
                "effect": effect,
                "at": micros(at),
            },
        )

    def uses(self, ident: BreakGlassId, *, after: str, limit: int) -> Sequence[GlassUse]:
        """What was decided under it, oldest first."""
        rows = self._sql.rows(_USES, self._ours(this=ident, after=after, count=limit))
        return [GlassUse(decision=DecisionId(row[0]), effect=row[1], at=moment(row[2])) for row in rows]

    def count_uses(self, ident: BreakGlassId) -> int:
        """How many decisions that were."""
        row = self._sql.row(_COUNT, self._ours(this=ident))
        return int(row[0]) if row else 0

    def count(self) -> dict[str, int]:
        """How many there are of each state."""
        return {str(state): int(count) for state, count in self._sql.rows(_STATES, self._ours())}

    def _ours(self, **values: Scalar) -> dict[str, Scalar]:
        return {"tenant": self._tenant, **values}


def _body(glass: BreakGlass) -> str:
    return msgspec.json.encode(glass).decode()
