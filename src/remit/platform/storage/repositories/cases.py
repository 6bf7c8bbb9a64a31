"""Cases over SQL: one conditional update decides every race about them; their texts lie sealed beside."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import and_, bindparam, func, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from remit.kernel.ids import CaseId, PrincipalId, RecordId, TaskId, TenantId
from remit.oversight.cases.case import Case, CaseState
from remit.platform.storage.instants import micros
from remit.platform.storage.repositories.ledger_contents import ContentRows
from remit.platform.storage.sql import Row, Scalar, Sql
from remit.platform.storage.tables.oversight import agent_case as t
from remit.platform.storage.tables.oversight import agent_case_asked as asked

_DECODER: Final = msgspec.json.Decoder(Case)
_ERASED: Final = "(erased)"
"""What is left of a text whose subject's data was erased."""
_LAST_ID: Final = "cas_~"
_OURS = t.c.tenant == bindparam("tenant")
_ADD = upsert(t).on_conflict_do_nothing(index_elements=[t.c.tenant, t.c.id])
_ADD_ASKED = upsert(asked).on_conflict_do_nothing()
_GET = select(t.c.body).where(_OURS, t.c.id == bindparam("this"))
_SETTLE = (
    update(t)
    .where(_OURS, t.c.id == bindparam("this"), t.c.state == "open")
    .values(state=bindparam("new_state"), body=bindparam("new_body"))
)
_COUNT = select(func.count()).select_from(t)
_OF_TASK = _COUNT.where(_OURS, t.c.task == bindparam("whose"))
_OPEN_OF_TASK = _OF_TASK.where(t.c.state == "open")
_OPEN_OF_AGENT = _COUNT.where(_OURS, t.c.agent == bindparam("whose"), t.c.state == "open")
_DUE = (
    select(t.c.body)
    .where(_OURS, t.c.state == "open", t.c.expires_at <= bindparam("now"))
    .order_by(t.c.expires_at)
    .limit(bindparam("count"))
)
_OPEN = (
    select(t.c.body)
    .where(_OURS, t.c.task == bindparam("whose"), t.c.state == "open")
    .order_by(t.c.id)
    .limit(bindparam("count"))
)
_MINE = and_(
    asked.c.tenant == t.c.tenant, asked.c.person == bindparam("person"), asked.c.agent_case == t.c.id
)
_PAGE = {
    (with_state, with_person): select(t.c.body)
    .where(
        _OURS,
        t.c.id < bindparam("after"),
        *([t.c.state == bindparam("this_state")] if with_state else []),
        *([select(asked.c.agent_case).where(_MINE).exists()] if with_person else []),
    )
    .order_by(t.c.id.desc())
    .limit(bindparam("count"))
    for with_state in (False, True)
    for with_person in (False, True)
}


class CaseRepository:
    """Cases of one tenant.

    SAFETY: question and answer never stand in `body`. They are sealed under the key of the subject whose data
    they are: shredding that key takes them too (AU-09).
    """

    def __init__(self, sql: Sql, tenant: TenantId, texts: ContentRows) -> None:
        self._sql = sql
        self._tenant = tenant
        self._texts = texts

    def add(self, case: Case) -> bool:
        """Store a new one; False if one of its id is there."""
        row: dict[str, Scalar] = {
            "tenant": self._tenant,
            "id": case.id,
            "state": case.state,
            "agent": case.agent,
            "task": case.task,
            "expires_at": micros(case.expires_at),
            "body": _body(case),
        }
        if self._sql.run(_ADD, row) != 1:
            return False
        self._sql.run_many(
            _ADD_ASKED,
            [{"tenant": self._tenant, "person": each, "agent_case": case.id} for each in case.asked],
        )
        self._keep(case, "question", case.question)
        return True

    def get(self, ident: CaseId) -> Case | None:
        """One case, its texts opened."""
        row = self._sql.row(_GET, self._ours(this=ident))
        return None if row is None else self._opened(row)

    def settle(self, case: Case) -> bool:
        """Store a terminal state if it is still open; False if somebody was faster."""
        values = self._ours(this=case.id, new_state=case.state, new_body=_body(case))
        if self._sql.run(_SETTLE, values) != 1:
            return False
        if case.answer:
            self._keep(case, "answer", case.answer)
        return True

    def counts(self, agent: PrincipalId, task: TaskId) -> tuple[int, int, int]:
        """How many: open in the task, open of the agent, all of the task."""
        found = (
            self._sql.row(_OPEN_OF_TASK, self._ours(whose=task)),
            self._sql.row(_OPEN_OF_AGENT, self._ours(whose=agent)),
            self._sql.row(_OF_TASK, self._ours(whose=task)),
        )
        in_task, of_agent, ever = (int(row[0]) if row else 0 for row in found)
        return in_task, of_agent, ever

    def due(self, at: datetime, limit: int) -> Sequence[Case]:
        """Open cases whose time is over."""
        return self._many(self._sql.rows(_DUE, self._ours(now=micros(at), count=limit)))

    def open_of(self, task: TaskId, limit: int) -> Sequence[Case]:
        """Open cases of a task."""
        return self._many(self._sql.rows(_OPEN, self._ours(whose=task, count=limit)))

    def page(
        self, *, person: PrincipalId | None, state: CaseState | None, after: str, limit: int
    ) -> Sequence[Case]:
        """Newest first."""
        values = self._ours(after=after or _LAST_ID, count=limit)
        if state is not None:
            values["this_state"] = state
        if person is not None:
            values["person"] = person
        return self._many(self._sql.rows(_PAGE[state is not None, person is not None], values))

    def _keep(self, case: Case, name: str, text: str) -> None:
        self._texts.add(case.id, name, case.user or case.agent, self._texts.salt(), text)

    def _many(self, rows: Sequence[Row]) -> Sequence[Case]:
        return [self._opened(row) for row in rows]

    def _opened(self, row: Row) -> Case:
        case = _DECODER.decode(row[0])
        texts = {each.name: each.text for each in self._texts.of(RecordId(case.id))}
        answer = texts.get("answer") or _ERASED if case.state is CaseState.ANSWERED else ""
        return replace(case, question=texts.get("question") or _ERASED, answer=answer)

    def _ours(self, **values: Scalar) -> dict[str, Scalar]:
        return {"tenant": self._tenant, **values}


def _body(case: Case) -> str:
    return msgspec.json.encode(replace(case, question="", answer="")).decode()
