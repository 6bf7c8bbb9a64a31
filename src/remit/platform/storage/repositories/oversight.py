"""Asks over SQL: one conditional update decides every race about them."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import Select, and_, bindparam, delete, func, insert, select, update

from remit.decision.call.covering import Allowance
from remit.decision.repository import ApprovalStanding
from remit.kernel.canonical import Digest
from remit.kernel.ids import (
    ApprovalId,
    CallId,
    DecisionId,
    PrincipalId,
    RecordId,
    TenantId,
)
from remit.oversight.approvals.approval import Approval, ApprovalState
from remit.oversight.approvals.evidence import Evidence, holds
from remit.oversight.approvals.repository import Use
from remit.oversight.approvals.scope import Scope
from remit.platform.storage.instants import micros, moment
from remit.platform.storage.repositories.ledger_contents import ContentRows
from remit.platform.storage.sql import Row, Scalar, Sql
from remit.platform.storage.tables.oversight import approval as t
from remit.platform.storage.tables.oversight import approval_answer as answer
from remit.platform.storage.tables.oversight import approval_asked as asked
from remit.platform.storage.tables.oversight import approval_grant as grant
from remit.platform.storage.tables.oversight import approval_use as use
from remit.platform.storage.tables.oversight import attention

_DECODER: Final = msgspec.json.Decoder(Approval)

_EVIDENCE: Final = msgspec.json.Decoder(Evidence)

_OURS = t.c.tenant == bindparam("tenant")

_ADD = insert(t)

_ADD_ASKED = insert(asked)

_GET = select(t.c.body, t.c.spent_by).where(_OURS, t.c.id == bindparam("this"))

_SETTLE = (
    update(t)
    .where(_OURS, t.c.id == bindparam("this"), t.c.state == "pending")
    .values(
        state=bindparam("new_state"),
        decided_at=bindparam("new_decided_at"),
        expires_at=bindparam("new_moves_at"),
        body=bindparam("new_body"),
    )
)

_HOLD = update(t).where(_OURS, t.c.id == bindparam("this"), t.c.state == "pending").values(state="pending")

_SAVE = (
    update(t)
    .where(_OURS, t.c.id == bindparam("this"), t.c.state == "pending")
    .values(expires_at=bindparam("new_moves_at"), body=bindparam("new_body"))
)

_WITHDRAW = (
    update(t)
    .where(_OURS, t.c.id == bindparam("this"), t.c.state == "approved", t.c.spent_by == "")
    .values(state=bindparam("new_state"), body=bindparam("new_body"))
)

_NOBODY = (
    update(attention)
    .where(attention.c.tenant == bindparam("tenant"), attention.c.approval == bindparam("this"))
    .values(waits=0)
)

"""What is answered waits in nobody's inbox."""

_SAID = _NOBODY.where(attention.c.person == bindparam("this_person"))

_AGAIN = _SAID.values(waits=1)

_SPEND = (
    update(t)
    .where(
        _OURS,
        t.c.id == bindparam("this"),
        t.c.state == "approved",
        t.c.spent_by == "",
        t.c.expires_at > bindparam("now"),
    )
    .values(spent_by=bindparam("new_call"))
)

_BY_KEY = (
    select(t.c.body, t.c.spent_by)
    .where(_OURS, t.c.key == bindparam("this_key"))
    .order_by(t.c.id.desc())
    .limit(1)
)

_PENDING_OF_AGENT = select(t.c.body, t.c.spent_by).where(
    _OURS, t.c.agent == bindparam("this_agent"), t.c.state == "pending"
)

_SINCE_OF_USER = select(t.c.body, t.c.spent_by).where(
    _OURS, t.c.user == bindparam("this_user"), t.c.requested_at > bindparam("since")
)

_LAST_OF = (
    select(t.c.body, t.c.spent_by)
    .where(_OURS, t.c.agent == bindparam("this_agent"), t.c.decided_at > 0)
    .order_by(t.c.decided_at.desc(), t.c.id.desc())
    .limit(bindparam("count"))
)

_DUE = (
    select(t.c.body, t.c.spent_by)
    .where(_OURS, t.c.state == "pending", t.c.expires_at <= bindparam("now"))
    .order_by(t.c.expires_at)
    .limit(bindparam("count"))
)

_PENDING_WHERE = {
    column: select(t.c.body, t.c.spent_by).where(
        _OURS, t.c[column] == bindparam("this_one"), t.c.state == "pending"
    )
    for column in ("agent", "instance", "user", "task")
}

_PAGE = {
    (with_state, with_person): select(t.c.body, t.c.spent_by)
    .where(
        _OURS,
        t.c.id < bindparam("after"),
        *([t.c.state == bindparam("this_state")] if with_state else []),
        *(
            [
                select(asked.c.approval)
                .where(
                    asked.c.tenant == t.c.tenant,
                    asked.c.person == bindparam("person"),
                    asked.c.approval == t.c.id,
                )
                .exists()
            ]
            if with_person
            else []
        ),
    )
    .order_by(t.c.id.desc())
    .limit(bindparam("count"))
    for with_state in (False, True)
    for with_person in (False, True)
}

_ARGUMENTS: Final = "arguments"

_ERASED: Final = '{"(erased)":true}'

"""What is shown of a call whose subject's data was erased."""

_LAST_ID: Final = "apr_~"

"""Greater than every id: the start of a page that goes backwards."""

_DROP_ASKED = delete(asked).where(
    asked.c.tenant == bindparam("tenant"), asked.c.approval == bindparam("this")
)

_KEEP = insert(answer)

_OF_ANSWER = (answer.c.tenant == bindparam("tenant"), answer.c.approval == bindparam("this"))

_ANSWERED = select(answer.c.body).where(
    *_OF_ANSWER, answer.c.seat == bindparam("this_seat"), answer.c.human == bindparam("this_human")
)

_ANSWERS = select(answer.c.body).where(*_OF_ANSWER).order_by(answer.c.at, answer.c.human)

_GRANT = insert(grant)

_OUR_GRANT = (grant.c.tenant == bindparam("tenant"), grant.c.id == bindparam("this"))

_STANDS = (grant.c.left > 0, grant.c.revoked == 0)

_USE = (
    update(grant).where(*_OUR_GRANT, *_STANDS, grant.c.until > bindparam("now")).values(left=grant.c.left - 1)
)

_REVOKE = update(grant).where(*_OUR_GRANT, *_STANDS).values(revoked=1)

_LEFT = select(grant.c.left).where(*_OUR_GRANT, *_STANDS)

_FAMILY = (
    select(t.c.body, t.c.spent_by, grant.c.left)
    .join(t, and_(t.c.tenant == grant.c.tenant, t.c.id == grant.c.id))
    .where(
        grant.c.tenant == bindparam("tenant"),
        grant.c.family == bindparam("this_family"),
        grant.c.until > bindparam("now"),
        *_STANDS,
        t.c.state == "approved",
    )
    .order_by(grant.c.id.desc())
    .limit(bindparam("count"))
)

_FAMILIES: Final = 32

"""Bounded yeses of one agent in one task, for one tool, that are looked through for a call."""

_ADD_USE = insert(use)

_USES = (
    select(use.c.call, use.c.decision, use.c.at)
    .where(use.c.tenant == bindparam("tenant"), use.c.approval == bindparam("this"))
    .order_by(use.c.at.desc(), use.c.call)
    .limit(bindparam("count"))
)

_COUNT_PENDING = select(func.count()).select_from(t).where(_OURS, t.c.state == "pending")


class ApprovalRepository:
    """Asks of one tenant; also what the decision needs to know about them.

    SAFETY: the arguments of a call never stand in `body`. They are sealed under the key of the subject whose
    data they are, as the log's own texts are: shredding that key takes them too (AU-09).
    """

    def __init__(self, sql: Sql, tenant: TenantId, texts: ContentRows) -> None:
        self._sql = sql
        self._tenant = tenant
        self._texts = texts

    def add(self, approval: Approval) -> None:
        """Store a new ask and whom it was addressed to."""
        self._sql.run(
            _ADD,
            {
                "tenant": self._tenant,
                "id": approval.id,
                "key": approval.key,
                "state": approval.state,
                "agent": approval.agent,
                "instance": approval.instance,
                "user": approval.user or "",
                "task": approval.task or "",
                "requested_at": micros(approval.requested_at),
                "expires_at": micros(approval.moves_at),
                "decided_at": 0,
                "spent_by": "",
                "body": _body(approval),
            },
        )
        self._address(approval)
        whose = approval.user or approval.agent
        self._texts.add(approval.id, _ARGUMENTS, whose, self._texts.salt(), approval.arguments)

    def get(self, ident: ApprovalId) -> Approval | None:
        """One ask."""
        return self._one(self._sql.row(_GET, {"tenant": self._tenant, "this": ident}))

    def settle(self, approval: Approval) -> bool:
        """Store a terminal state if the ask is still pending; False if somebody was faster (CB-04)."""
        decided = micros(approval.decided_at) if approval.decided_at else 0
        changed = self._sql.run(
            _SETTLE,
            {
                "tenant": self._tenant,
                "this": approval.id,
                "new_state": approval.state,
                "new_decided_at": decided,
                "new_moves_at": micros(approval.moves_at),
                "new_body": _body(approval),
            },
        )
        if changed == 1:
            self._sql.run(_NOBODY, {"tenant": self._tenant, "this": approval.id})
        return changed == 1

    def hold(self, ident: ApprovalId) -> bool:
        """Lock a pending ask for the rest of the transaction; False if it is not pending."""
        return self._sql.run(_HOLD, self._ours({"this": ident})) == 1

    def save(self, approval: Approval) -> None:
        """Store what has changed about a pending ask that is held."""
        values: dict[str, Scalar] = {"this": approval.id, "new_body": _body(approval)}
        self._sql.run(_SAVE, self._ours({**values, "new_moves_at": micros(approval.moves_at)}))

    def readdress(self, approval: Approval) -> None:
        """Store whom it is put to now, in place of those before."""
        values = self._ours({"this": approval.id})
        self._sql.run(_DROP_ASKED, values)
        self._sql.run(_NOBODY, values)
        for person in approval.asked:  # a seat's people; of those before, whoever is asked again
            self._sql.run(_AGAIN, {**values, "this_person": person})
        self._address(approval)

    def keep(self, evidence: Evidence) -> bool:
        """Store an answer; False if this natural person has answered this seat."""
        place: dict[str, Scalar] = {"this": evidence.approval, "this_seat": evidence.seat}
        if self._sql.row(_ANSWERED, self._ours({**place, "this_human": evidence.human})) is not None:
            return False
        self._sql.run(
            _KEEP,
            self._ours(
                {
                    "approval": evidence.approval,
                    "seat": evidence.seat,
                    "human": evidence.human,
                    "at": micros(evidence.at),
                    "body": msgspec.json.encode(evidence).decode(),
                }
            ),
        )
        whose: dict[str, Scalar] = {"this": evidence.approval, "this_person": evidence.person}
        self._sql.run(_SAID, self._ours(whose))
        return True

    def evidence(self, ident: ApprovalId) -> Sequence[Evidence]:
        """The answers to an ask, in the order in which they were given."""
        return [_EVIDENCE.decode(row[0]) for row in self._sql.rows(_ANSWERS, self._ours({"this": ident}))]

    def grant(self, approval: Approval, scope: Scope) -> None:
        """Let an approved ask cover several calls, as many as its scope says."""
        self._sql.run(
            _GRANT,
            self._ours(
                {
                    "id": approval.id,
                    "family": approval.family,
                    "left": scope.choice.calls,
                    "until": micros(scope.until),
                    "revoked": 0,
                }
            ),
        )

    def withdraw(self, approval: Approval) -> bool:
        """Store a yes as taken back; False if it is used up or gone."""
        values = self._ours({"this": approval.id})
        if approval.scope is not None and self._sql.run(_REVOKE, values) != 1:
            return False
        stored: dict[str, Scalar] = {"new_state": approval.state, "new_body": _body(approval)}
        return self._sql.run(_WITHDRAW, {**values, **stored}) == 1

    def left(self, ident: ApprovalId) -> int:
        """How many calls a bounded yes still covers; 0 where there is none."""
        row = self._sql.row(_LEFT, self._ours({"this": ident}))
        return int(row[0]) if row else 0

    def uses(self, ident: ApprovalId, *, limit: int) -> Sequence[Use]:
        """The calls that a bounded yes covered, newest first."""
        rows = self._sql.rows(_USES, self._ours({"this": ident, "count": limit}))
        return [
            Use(call=CallId(call), decision=DecisionId(decision), at=moment(at))
            for call, decision, at in rows
        ]

    def allowances(self, tenant: TenantId, family: Digest, at: datetime) -> Sequence[Allowance]:
        """Bounded yeses of this family that stand and cover one call more, the newest first."""
        values: dict[str, Scalar] = {"this_family": family, "now": micros(at), "count": _FAMILIES}
        rows = self._sql.rows(_FAMILY, {"tenant": tenant, **values})
        found = [(_decoded((body, spent_by)), int(left)) for body, spent_by, left in rows]
        return [
            _allowance(approval, approval.scope, left)
            for approval, left in found
            if approval.scope is not None and self._holds(approval)
        ]

    def spend(
        self, tenant: TenantId, approval: ApprovalId, *, call: CallId, decision: DecisionId, at: datetime
    ) -> bool:
        """Use an approved, live ask for one call, up or once more; False if it is gone."""
        values: dict[str, Scalar] = {"tenant": tenant, "this": approval, "now": micros(at)}
        if self._sql.run(_USE, values) == 1:
            used: dict[str, Scalar] = {"call": call, "decision": decision, "at": micros(at)}
            self._sql.run(_ADD_USE, {"tenant": tenant, "approval": approval, **used})
            return True
        return self._sql.run(_SPEND, {**values, "new_call": call}) == 1

    def unspent(self, tenant: TenantId, key: Digest, at: datetime) -> ApprovalId | None:
        """The newest ask for a key, if it is approved, unspent and not yet expired."""
        found = _sealed(self._sql.row(_BY_KEY, {"tenant": tenant, "this_key": key}))
        if found is None or not _is_single(found) or found.expires_at <= at:
            return None
        return found.id if self._holds(found) else None

    def standing(self, tenant: TenantId, key: Digest, at: datetime) -> ApprovalStanding | None:
        """How the newest ask for a key stands: what ran out counts as expired, a spent one as none."""
        found = _sealed(self._sql.row(_BY_KEY, {"tenant": tenant, "this_key": key}))
        if found is None or found.spent_by or found.scope is not None:
            return None
        if found.is_ended_by_silence:
            return ApprovalStanding(id=found.id, state="lapsed")
        over = found.expires_at <= at and found.state in {ApprovalState.PENDING, ApprovalState.APPROVED}
        return ApprovalStanding(id=found.id, state="expired" if over else found.state.value)

    def open_for(self, key: Digest) -> Approval | None:
        """The ask for this key that is pending, or approved and unspent."""
        found = self.latest_for(key)
        if found is None or (found.state is not ApprovalState.PENDING and not _is_single(found)):
            return None
        return found

    def latest_for(self, key: Digest) -> Approval | None:
        """The newest ask for this key, whatever its state."""
        return self._one(self._sql.row(_BY_KEY, {"tenant": self._tenant, "this_key": key}))

    def sharing(self, agent: PrincipalId, user: str | None, *, since: datetime) -> Sequence[Approval]:
        """All pending asks of the agent, and those of the user since then."""
        found = self._sql.rows(_PENDING_OF_AGENT, {"tenant": self._tenant, "this_agent": agent})
        if user:
            values: dict[str, Scalar] = {"tenant": self._tenant, "this_user": user, "since": micros(since)}
            found = [*found, *self._sql.rows(_SINCE_OF_USER, values)]
        return list({ask.id: ask for ask in map(self.opened, found)}.values())

    def last_of(self, agent: PrincipalId, count: int) -> Sequence[Approval]:
        """The last answered asks of an agent, newest first."""
        return self._many(_LAST_OF, {"this_agent": agent, "count": count})

    def answers_of(self, agent: PrincipalId, count: int) -> Sequence[Approval]:
        """The same without opening their arguments: how they ended, and about what."""
        values: dict[str, Scalar] = {"this_agent": agent, "count": count}
        return [_decoded(row) for row in self._sql.rows(_LAST_OF, self._ours(values))]

    def due(self, at: datetime, limit: int) -> Sequence[Approval]:
        """Pending asks whose time is over, oldest first."""
        return self._many(_DUE, {"now": micros(at), "count": limit})

    def pending_of(self, principals: Iterable[str], tasks: Iterable[str]) -> Sequence[Approval]:
        """Pending asks of any of these agents, instances, users or tasks."""
        found: dict[ApprovalId, Approval] = {}
        for ident in principals:
            for column in ("agent", "instance", "user"):
                found |= {a.id: a for a in self._many(_PENDING_WHERE[column], {"this_one": ident})}
        for ident in tasks:
            found |= {a.id: a for a in self._many(_PENDING_WHERE["task"], {"this_one": ident})}
        return list(found.values())

    def page(
        self, *, state: ApprovalState | None, asked: PrincipalId | None, after: str, limit: int
    ) -> Sequence[Approval]:
        """Asks newest first, optionally of one state or for one person."""
        values: dict[str, Scalar] = {"after": after or _LAST_ID, "count": limit}
        if state is not None:
            values["this_state"] = state
        if asked is not None:
            values["person"] = asked
        return self._many(_PAGE[state is not None, asked is not None], values)

    def count_pending(self) -> int:
        """How many asks wait for somebody."""
        row = self._sql.row(_COUNT_PENDING, self._ours({}))
        return int(row[0]) if row else 0

    def _address(self, approval: Approval) -> None:
        self._sql.run_many(
            _ADD_ASKED,
            [{"tenant": self._tenant, "person": p, "approval": approval.id} for p in approval.asked],
        )

    def _holds(self, approval: Approval) -> bool:
        """Whether what is stored is what people said yes to (P8)."""
        return holds(approval, self.evidence(approval.id))

    def _many(self, statement: Select[tuple[str, str]], values: dict[str, Scalar]) -> list[Approval]:
        return [self.opened(row) for row in self._sql.rows(statement, self._ours(values))]

    def _ours(self, values: dict[str, Scalar]) -> dict[str, Scalar]:
        return {"tenant": self._tenant, **values}

    def _one(self, row: Row | None) -> Approval | None:
        return None if row is None else self.opened(row)

    def opened(self, row: Row) -> Approval:
        """The whole ask of a row of body and spending call, its arguments opened."""
        found = _decoded(row)
        texts = (each.text for each in self._texts.of(RecordId(found.id)) if each.name == _ARGUMENTS)
        return replace(found, arguments=next(texts, None) or _ERASED)


def _is_single(approval: Approval) -> bool:
    """Whether it is a yes for one call that was not made yet."""
    return approval.state is ApprovalState.APPROVED and not approval.spent_by and approval.scope is None


def _allowance(approval: Approval, scope: Scope, left: int) -> Allowance:
    return Allowance(
        id=approval.id,
        left=left,
        until=scope.until,
        generation=scope.generation,
        rest=scope.rest,
        loose=scope.loose,
        limits=scope.choice.limits,
        resources=scope.resources,
    )


def _sealed(row: Row | None) -> Approval | None:
    """An ask of which nobody needs the arguments."""
    return None if row is None else _decoded(row)


def _decoded(row: Row) -> Approval:
    body, spent_by = row
    found = _DECODER.decode(body)
    return replace(found, spent_by=CallId(spent_by)) if spent_by else found


def _body(approval: Approval) -> str:
    return msgspec.json.encode(replace(approval, arguments="")).decode()
