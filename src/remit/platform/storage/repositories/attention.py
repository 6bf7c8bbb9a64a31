"""Inboxes and budgets of attention over SQL; asks themselves stay where they are."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import BigInteger, and_, bindparam, case, delete, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert as upsert

from remit.kernel.canonical import Digest
from remit.kernel.ids import ApprovalId, PrincipalId, TenantId
from remit.oversight.approvals.approval import Approval
from remit.oversight.attention.budget import ApproverBudget, Taken
from remit.oversight.attention.fold import alike_key, rank_of
from remit.oversight.attention.repository import Given, Slot
from remit.platform.storage.instants import micros, moment
from remit.platform.storage.repositories.oversight import ApprovalRepository
from remit.platform.storage.sql import Row, Scalar, Sql
from remit.platform.storage.tables.oversight import approval as a
from remit.platform.storage.tables.oversight import attention as t
from remit.platform.storage.tables.oversight import attention_budget as b

_BUDGET: Final = msgspec.json.Decoder(ApproverBudget)
_OURS = t.c.tenant == bindparam("tenant")
_WHOSE = and_(_OURS, t.c.person == bindparam("whose"))
_PUT = upsert(t).on_conflict_do_nothing(index_elements=[t.c.tenant, t.c.person, t.c.approval])
_TAKEN = (
    select(t.c.agent, t.c.asked_at)
    .where(_WHOSE, t.c.asked_at > bindparam("since"), t.c.card == 1)
    .order_by(t.c.asked_at.desc())
    .limit(bindparam("count"))
)
_SLOT = (t.c.approval, t.c.rank, t.c.expires_at, t.c.alike)
_WAITING = and_(_WHOSE, t.c.waits == 1)
_FIRST = (
    select(*_SLOT).where(_WAITING).order_by(t.c.rank, t.c.expires_at, t.c.approval).limit(bindparam("count"))
)
_rank = bindparam("past_rank", type_=BigInteger)
_end = bindparam("past_end", type_=BigInteger)
_NEXT = (
    select(*_SLOT)
    .where(
        _WAITING,
        # One comparison of rows, which the index answers; three of columns would read what lies before.
        tuple_(t.c.rank, t.c.expires_at, t.c.approval) > tuple_(_rank, _end, bindparam("past")),
    )
    .order_by(t.c.rank, t.c.expires_at, t.c.approval)
    .limit(bindparam("count"))
)
_ALIKE = (
    select(*_SLOT)
    .where(_WAITING, t.c.alike == bindparam("key"), t.c.answered_at == 0)
    .order_by(t.c.rank, t.c.expires_at, t.c.approval)
    .limit(bindparam("count"))
)
_ONE = select(a.c.body, a.c.spent_by).where(a.c.tenant == bindparam("tenant"), a.c.id == bindparam("this"))
_WHOLE = select(a.c.body, a.c.spent_by).join(t, and_(a.c.tenant == t.c.tenant, a.c.id == t.c.approval))
_KNOWN = (
    _WHOLE.where(
        _OURS,
        t.c.agent == bindparam("whose"),
        t.c.action == bindparam("what"),
        t.c.answered_at > 0,
        t.c.answer == "approve",
    )
    .order_by(t.c.answered_at.desc())
    .limit(bindparam("count"))
)
_SHOWN = (
    update(t)
    .where(_WHOSE, t.c.approval == bindparam("this"), t.c.waits == 1)
    .values(shown_at=bindparam("now", type_=BigInteger))
)
_ANSWERED = (
    update(t)
    .where(_WHOSE, t.c.approval == bindparam("this"), t.c.answered_at == 0)
    .values(
        answered_at=bindparam("now", type_=BigInteger),
        answer=bindparam("said"),
        together=bindparam("many", type_=BigInteger),
    )
)
_GIVEN_COLUMNS = (t.c.approval, t.c.agent, t.c.answer, t.c.shown_at, t.c.answered_at, t.c.together)
_THAT = select(*_GIVEN_COLUMNS).where(_WHOSE, t.c.approval == bindparam("this"))
_CLOSE = update(t).where(_OURS, t.c.approval == bindparam("this")).values(waits=0)
_GIVEN = (
    select(*_GIVEN_COLUMNS)
    .where(_WHOSE, t.c.answered_at > bindparam("since"))
    .order_by(t.c.answered_at.desc(), t.c.approval.desc())
    .limit(bindparam("count"))
)
_COUNTS = select(func.coalesce(func.sum(t.c.card), 0), func.count()).where(
    _WHOSE, t.c.asked_at > bindparam("since")
)
_ANSWERERS = (
    select(t.c.person)
    .distinct()
    .where(_OURS, t.c.person > bindparam("after"), t.c.asked_at > bindparam("since"))
    .order_by(t.c.person)
    .limit(bindparam("count"))
)
_MANY = func.count()
_YES = func.sum(case((t.c.answer == "approve", 1), else_=0))
_REPEATED = (
    select(t.c.alike, _MANY, _YES)
    .where(_OURS, t.c.alike != "", t.c.answered_at > bindparam("since"))
    .group_by(t.c.alike)
    .having(bindparam("least", type_=BigInteger) <= _MANY)
    .order_by(_MANY.desc(), t.c.alike)
    .limit(bindparam("count"))
)
_ANSWERED_ALIKE = (
    _WHOLE.where(_OURS, t.c.alike == bindparam("key"), t.c.answered_at > bindparam("since"))
    .order_by(t.c.answered_at.desc(), t.c.approval.desc())
    .limit(bindparam("count"))
)
_OLD = (
    select(t.c.person, t.c.approval)
    .where(_OURS, t.c.asked_at < bindparam("before", type_=BigInteger), t.c.waits == 0)
    .order_by(t.c.asked_at)
    .limit(bindparam("count"))
)
_FORGET = delete(t).where(_WHOSE, t.c.approval == bindparam("this"))
_BUDGET_OF = select(b.c.body).where(b.c.tenant == bindparam("tenant"), b.c.name == bindparam("this"))
_NEW_BUDGET = upsert(b)
_SAVE = _NEW_BUDGET.on_conflict_do_update(
    index_elements=[b.c.tenant, b.c.name], set_={"body": _NEW_BUDGET.excluded.body}
)
_REMOVE = delete(b).where(b.c.tenant == bindparam("tenant"), b.c.name == bindparam("this"))


class InboxRepository:
    """Inboxes of one tenant."""

    def __init__(self, sql: Sql, tenant: TenantId, asks: ApprovalRepository) -> None:
        self._sql = sql
        self._tenant = tenant
        self._asks = asks

    def put(self, ask: Approval, people: Sequence[PrincipalId], *, new: Sequence[PrincipalId]) -> None:
        """Lay an ask before people; for those in `new` it is a card of its own."""
        fixed: dict[str, Scalar] = {
            "tenant": self._tenant,
            "approval": ask.id,
            "waits": 1,
            "rank": rank_of(ask),
            "expires_at": micros(ask.expires_at),
            "alike": alike_key(ask) or "",
            "agent": ask.agent,
            "action": ask.action,
            "asked_at": micros(ask.requested_at),
            "shown_at": 0,
            "answered_at": 0,
            "answer": "",
            "together": 0,
        }
        self._sql.run_many(_PUT, [{**fixed, "person": each, "card": int(each in new)} for each in people])

    def taken(self, person: PrincipalId, *, since: datetime, limit: int) -> Sequence[Taken]:
        """The cards that were put to a person, newest first."""
        rows = self._sql.rows(_TAKEN, self._of(person, since=micros(since), count=limit))
        return [Taken(agent=PrincipalId(agent), at=moment(at)) for agent, at in rows]

    def slots(self, person: PrincipalId, *, after: Slot | None, limit: int) -> Sequence[Slot]:
        """What waits for a person, by what is at stake and when it ends."""
        if after is None:
            return [_slot(row) for row in self._sql.rows(_FIRST, self._of(person, count=limit))]
        past: dict[str, Scalar] = {
            "past_rank": after.rank,
            "past_end": micros(after.expires_at),
            "past": after.approval,
        }
        return [_slot(row) for row in self._sql.rows(_NEXT, self._of(person, count=limit, **past))]

    def alike(self, person: PrincipalId, key: Digest, *, limit: int) -> Sequence[Slot]:
        """What waits for a person and is alike."""
        return [_slot(row) for row in self._sql.rows(_ALIKE, self._of(person, key=key, count=limit))]

    def many(self, idents: Sequence[ApprovalId]) -> Sequence[Approval]:
        """These asks, whole, in their order; what is not there is left out."""
        found = (self._sql.row(_ONE, {"tenant": self._tenant, "this": each}) for each in idents)
        return [self._asks.opened(row) for row in found if row is not None]

    def known(self, agent: PrincipalId, action: str, *, limit: int) -> Sequence[Approval]:
        """The last asks of an agent for an action that a person said yes to."""
        return self._whole(self._sql.rows(_KNOWN, self._of(agent, what=action, count=limit)))

    def shown(self, person: PrincipalId, idents: Sequence[ApprovalId], at: datetime) -> None:
        """A person has these before them."""
        for ident in idents:
            self._sql.run(_SHOWN, self._of(person, this=ident, now=micros(at)))

    def answered(
        self, person: PrincipalId, ident: ApprovalId, *, answer: str, together: int, at: datetime
    ) -> Given | None:
        """Note an answer; None if the person was not asked."""
        values = self._of(person, this=ident, said=answer, many=together, now=micros(at))
        if self._sql.run(_ANSWERED, values) != 1:
            return None
        row = self._sql.row(_THAT, self._of(person, this=ident))
        return None if row is None else _given(row)

    def close(self, ident: ApprovalId) -> None:
        """Nobody is asked any more."""
        self._sql.run(_CLOSE, {"tenant": self._tenant, "this": ident})

    def given(self, person: PrincipalId, *, since: datetime, limit: int) -> Sequence[Given]:
        """A person's answers, newest first."""
        rows = self._sql.rows(_GIVEN, self._of(person, since=micros(since), count=limit))
        return [_given(row) for row in rows]

    def counts(self, person: PrincipalId, *, since: datetime) -> tuple[int, int]:
        """How many cards a person was put since then, and how many asks."""
        row = self._sql.row(_COUNTS, self._of(person, since=micros(since)))
        return (0, 0) if row is None else (int(row[0]), int(row[1]))

    def answerers(self, *, since: datetime, after: str, limit: int) -> Sequence[PrincipalId]:
        """Who was asked anything since then, by id."""
        values: dict[str, Scalar] = {
            "tenant": self._tenant,
            "since": micros(since),
            "after": after,
            "count": limit,
        }
        return [PrincipalId(str(row[0])) for row in self._sql.rows(_ANSWERERS, values)]

    def repeated(self, *, since: datetime, at_least: int, limit: int) -> Sequence[tuple[Digest, int, int]]:
        """What alike asks were answered how often since then, and how often with yes; most first."""
        values: dict[str, Scalar] = {
            "tenant": self._tenant,
            "since": micros(since),
            "least": at_least,
            "count": limit,
        }
        return [(str(key), int(all_), int(yes)) for key, all_, yes in self._sql.rows(_REPEATED, values)]

    def answered_alike(self, key: Digest, *, since: datetime, limit: int) -> Sequence[Approval]:
        """The answered asks that are alike, newest first."""
        values: dict[str, Scalar] = {
            "tenant": self._tenant,
            "key": key,
            "since": micros(since),
            "count": limit,
        }
        return self._whole(self._sql.rows(_ANSWERED_ALIKE, values))

    def forget(self, before: datetime, limit: int) -> int:
        """Remove what is over and older; returns how many rows."""
        values: dict[str, Scalar] = {"tenant": self._tenant, "before": micros(before), "count": limit}
        found = self._sql.rows(_OLD, values)
        for person, approval in found:
            self._sql.run(_FORGET, self._of(person, this=approval))
        return len(found)

    def _whole(self, rows: Sequence[Row]) -> Sequence[Approval]:
        return list({ask.id: ask for ask in map(self._asks.opened, rows)}.values())

    def _of(self, person: str, **values: Scalar) -> dict[str, Scalar]:
        return {"tenant": self._tenant, "whose": person, **values}


class ApproverBudgetRepository:
    """Budgets of attention of one tenant."""

    def __init__(self, sql: Sql, tenant: TenantId) -> None:
        self._sql = sql
        self._tenant = tenant

    def get(self, name: str) -> ApproverBudget | None:
        """The budget of this name."""
        row = self._sql.row(_BUDGET_OF, {"tenant": self._tenant, "this": name})
        return None if row is None else _BUDGET.decode(row[0])

    def save(self, budget: ApproverBudget) -> None:
        """Store it."""
        body = msgspec.json.encode(budget).decode()
        self._sql.run(_SAVE, {"tenant": self._tenant, "name": budget.name, "body": body})

    def remove(self, name: str) -> bool:
        """Let the default hold again; False if it did."""
        return self._sql.run(_REMOVE, {"tenant": self._tenant, "this": name}) == 1


def _slot(row: Row) -> Slot:
    ident, rank, end, alike = row
    return Slot(approval=ApprovalId(ident), rank=int(rank), expires_at=moment(end), alike=str(alike) or None)


def _given(row: Row) -> Given:
    ident, agent, answer, shown_at, answered_at, together = row
    return Given(
        approval=ApprovalId(ident),
        agent=PrincipalId(agent),
        answer=str(answer),
        shown_at=moment(shown_at) if shown_at else None,
        answered_at=moment(answered_at),
        together=int(together),
    )
