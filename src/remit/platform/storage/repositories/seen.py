"""What tasks have seen, over SQL: keyed digests and where each value came from."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import BigInteger, and_, bindparam, delete, select
from sqlalchemy.dialects.postgresql import insert as upsert

from remit.decision.provenance.labels import Label
from remit.decision.provenance.seen import Row
from remit.kernel.ids import TaskId, TenantId
from remit.ledger.repository import LedgerReader
from remit.platform.storage.instants import micros
from remit.platform.storage.sql import Sql
from remit.platform.storage.tables.decision import seen as s

_STARTED: Final = "authority.task.started"
_GOAL: Final = "goal"
_ANCHORED: Final = 1
_WRITTEN: Final = 2

_LOAD = select(s.c.digest, s.c.label, s.c.source, s.c.flags).where(
    s.c.tenant == bindparam("ours"), s.c.task == bindparam("whose")
)
_NEW = upsert(s).values(
    tenant=bindparam("ours"),
    task=bindparam("whose"),
    digest=bindparam("mark"),
    label=bindparam("ground"),
    source=bindparam("origin"),
    flags=bindparam("signs", type_=BigInteger),
    until=bindparam("end", type_=BigInteger),
)
_KEEP = _NEW.on_conflict_do_update(
    index_elements=[s.c.tenant, s.c.task, s.c.digest],
    set_={
        "label": _NEW.excluded.label,
        "source": _NEW.excluded.source,
        "flags": _NEW.excluded.flags,
        "until": _NEW.excluded.until,
    },
)
_OVER = (
    select(s.c.task, s.c.digest)
    .where(s.c.tenant == bindparam("ours"), s.c.until <= bindparam("now", type_=BigInteger))
    .limit(bindparam("count", type_=BigInteger))
)
_FORGET = delete(s).where(
    and_(s.c.tenant == bindparam("ours"), s.c.task == bindparam("whose"), s.c.digest == bindparam("mark"))
)
_FORGET_TASK = delete(s).where(s.c.tenant == bindparam("ours"), s.c.task == bindparam("whose"))


class SeenRepository:
    """`SeenStore` of one tenant; the goals are read where they are sealed."""

    def __init__(self, sql: Sql, tenant: TenantId, ledger: LedgerReader) -> None:
        self._sql = sql
        self._tenant = tenant
        self._ledger = ledger

    def goal(self, task: TaskId) -> str:
        """What the person asked; empty if it was erased."""
        for placed in self._ledger.mentioning(task):
            if placed.record.kind == _STARTED and placed.record.task == task:
                told = self._ledger.contents(placed.record.id)
                return next((each.text or "" for each in told if each.name == _GOAL), "")
        return ""

    def load(self, task: TaskId) -> Sequence[Row]:
        """Everything that a task has seen."""
        return [
            Row(
                digest=bytes.fromhex(str(digest)),
                label=Label(str(label)),
                source=str(source),
                anchored=bool(int(flags) & _ANCHORED),
                written=bool(int(flags) & _WRITTEN),
            )
            for digest, label, source, flags in self._sql.rows(_LOAD, {"ours": self._tenant, "whose": task})
        ]

    def keep(self, task: TaskId, rows: Iterable[Row], until: datetime) -> None:
        """Store new and firmer rows."""
        for row in rows:
            self._sql.run(
                _KEEP,
                {
                    "ours": self._tenant,
                    "whose": task,
                    "mark": row.digest.hex(),
                    "ground": row.label.value,
                    "origin": row.source,
                    "signs": _ANCHORED * row.anchored + _WRITTEN * row.written,
                    "end": micros(until),
                },
            )

    def forget(self, at: datetime, count: int) -> int:
        """Remove what is over, at most so many rows."""
        found = self._sql.rows(_OVER, {"ours": self._tenant, "now": micros(at), "count": count})
        for task, digest in found:
            self._sql.run(_FORGET, {"ours": self._tenant, "whose": task, "mark": digest})
        return len(found)

    def forget_task(self, task: TaskId) -> None:
        """Remove all of an ended task."""
        self._sql.run(_FORGET_TASK, {"ours": self._tenant, "whose": task})
