"""Nodes that write: each start is a new one, with a lease; one declared dead can never write again (F25)."""

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import BigInteger, Text, bindparam, insert, select, update

from remit.platform.storage.instants import micros
from remit.platform.storage.sql import Sql
from remit.platform.storage.tables import core

NODE_LEASE: Final = timedelta(seconds=10)
ALIVE: Final = "alive"
DEAD: Final = "dead"

_REGISTER = insert(core.node)
_RENEW = (
    update(core.node)
    .where(core.node.c.id == bindparam("this"), core.node.c.state == ALIVE)
    .values(lease_until=bindparam("until"))
)
_EXPIRE = (
    update(core.node)
    .where(core.node.c.state == ALIVE, core.node.c.lease_until < bindparam("now"))
    .values(state=DEAD, fence=core.node.c.fence + 1)
    .returning(core.node.c.id)
)
_BURY_OTHERS = (
    update(core.node)
    .where(core.node.c.state == ALIVE, core.node.c.id != bindparam("this"))
    .values(state=DEAD, fence=core.node.c.fence + 1)
    .returning(core.node.c.id)
)
_DEAD = select(core.node.c.id).where(core.node.c.state == DEAD).order_by(core.node.c.id)

# The row lock makes "still alive" hold until the commit: whoever declares this node dead waits for it.
ADD_UNIT_IF_ALIVE: Final = insert(core.unit).from_select(
    ["id", "at"],
    select(bindparam("unit", type_=Text), bindparam("now", type_=BigInteger))
    .where(core.node.c.id == bindparam("node"), core.node.c.state == ALIVE)
    .with_for_update(read=True, of=core.node),
)
"""Names a commit, and changes no row if the node that wants it was declared dead."""


class Nodes:
    """Who may write, in one open transaction."""

    def __init__(self, sql: Sql) -> None:
        self._sql = sql

    def register(self, node: str, *, at: datetime) -> None:
        """Begin a node's life; ids are never reused."""
        until = micros(at + NODE_LEASE)
        self._sql.run(_REGISTER, {"id": node, "fence": 1, "state": ALIVE, "lease_until": until})

    def renew(self, node: str, *, at: datetime) -> bool:
        """Lengthen the lease; False if the node was declared dead."""
        return self._sql.run(_RENEW, {"this": node, "until": micros(at + NODE_LEASE)}) == 1

    def expire(self, *, at: datetime) -> list[str]:
        """Declare dead whoever let its lease lapse, and name them."""
        return [str(row[0]) for row in self._sql.rows(_EXPIRE, {"now": micros(at)})]

    def bury_others(self, node: str) -> list[str]:
        """Declare dead all but one: for an engine with one writing process, at its start."""
        return [str(row[0]) for row in self._sql.rows(_BURY_OTHERS, {"this": node})]

    def dead(self) -> list[str]:
        """All nodes that will never write again: what they left half done may be settled."""
        return [str(row[0]) for row in self._sql.rows(_DEAD)]
