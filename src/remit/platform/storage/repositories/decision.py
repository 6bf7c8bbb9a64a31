"""Policies, counters and decisions over SQL; one conditional statement decides every race."""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Final, NamedTuple

import msgspec
from msgspec import structs
from sqlalchemy import (
    BigInteger,
    Select,
    and_,
    bindparam,
    case,
    insert,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert

from remit.decision.answer.response import Effect
from remit.decision.budget.cost import Line, Settlement
from remit.decision.policy.bundle import PolicyVersion
from remit.decision.policy.seal import PublishedPolicy
from remit.decision.replaying.recorded import OutlinedDecision, RecordedDecision
from remit.decision.trail.trace import StoredDecision
from remit.kernel.ids import CallId, DecisionId, PrincipalId, TenantId, first_id
from remit.platform.storage.instants import micros, moment
from remit.platform.storage.sql import Row, Scalar, Sql
from remit.platform.storage.tables.decision import budget as b
from remit.platform.storage.tables.decision import decision as d
from remit.platform.storage.tables.decision import policy as p
from remit.platform.storage.tables.decision import policy_seal as ps

_DECISION: Final = msgspec.json.Decoder(StoredDecision)

_PUBLISH = upsert(p).on_conflict_do_nothing()
_SEALED = p.outerjoin(ps, and_(ps.c.tenant == p.c.tenant, ps.c.number == p.c.number))
_POLICY = (
    select(p.c.number, p.c.digest, p.c.text, p.c.published_by, p.c.published_at, ps.c.seal)
    .select_from(_SEALED)
    .where(p.c.tenant == bindparam("tenant"))
)
_SEALS = (
    select(p.c.number, ps.c.seal)
    .select_from(_SEALED)
    .where(p.c.tenant == bindparam("tenant"), p.c.number > bindparam("after"))
    .order_by(p.c.number)
)
_SEAL = upsert(ps).on_conflict_do_nothing()
_CLOSE = (
    update(ps)
    .where(ps.c.tenant == bindparam("ours"), ps.c.number == bindparam("this"), ps.c.closed_at == 0)
    .values(closed_at=bindparam("at", type_=BigInteger))
)
_NEWEST = _POLICY.order_by(p.c.number.desc()).limit(1)
_ONE_POLICY = _POLICY.where(p.c.number == bindparam("this"))
_POLICY_PAGE = (
    _POLICY.where(p.c.number < bindparam("before")).order_by(p.c.number.desc()).limit(bindparam("count"))
)


class PolicyRepository:
    """Versions of one tenant's policy."""

    def __init__(self, sql: Sql, tenant: TenantId) -> None:
        self._sql = sql
        self._tenant = tenant

    def add(self, policy: PublishedPolicy) -> bool:
        """Store a version; False if its number is taken."""
        added = (
            self._sql.run(
                _PUBLISH,
                {
                    "tenant": self._tenant,
                    "number": policy.version.number,
                    "digest": policy.version.digest,
                    "text": policy.text,
                    "published_by": policy.published_by,
                    "published_at": micros(policy.published_at),
                },
            )
            == 1
        )
        if added and policy.seal:
            self.seal(policy.version.number, policy.seal)
        return added

    def seal(self, number: int, seal: str) -> None:
        """Seal a version from before versions were sealed; a seal that is there stays."""
        self._sql.run(_SEAL, {"tenant": self._tenant, "number": number, "seal": seal, "closed_at": 0})

    def seals(self, *, after: int = 0) -> Sequence[tuple[int, str]]:
        """Number and seal of every version above a number, oldest first."""
        rows = self._sql.rows(_SEALS, {"tenant": self._tenant, "after": after})
        return [(row[0], row[1] or "") for row in rows]

    def close(self, number: int, at: datetime) -> bool:
        """Note that a trial on a part is over; False if that was noted before."""
        return self._sql.run(_CLOSE, {"ours": self._tenant, "this": number, "at": micros(at)}) == 1

    def newest(self) -> PublishedPolicy | None:
        """The last that was published."""
        return _policy(self._sql.row(_NEWEST, {"tenant": self._tenant}))

    def get(self, number: int) -> PublishedPolicy | None:
        """One version."""
        return _policy(self._sql.row(_ONE_POLICY, {"tenant": self._tenant, "this": number}))

    def page(self, *, before: int, limit: int) -> Sequence[PublishedPolicy]:
        """Versions below a number, newest first."""
        rows = self._sql.rows(_POLICY_PAGE, {"tenant": self._tenant, "before": before, "count": limit})
        return [found for row in rows if (found := _policy(row)) is not None]


_period, _cost, _cap = (bindparam(name, type_=BigInteger) for name in ("new_period", "cost", "cap"))
_first = upsert(b).values(tenant=bindparam("ours"), id=bindparam("this"), period=_period, spent=_cost)
_RESERVE = _first.on_conflict_do_update(
    index_elements=[b.c.tenant, b.c.id],
    set_={
        # A period that is over is forgotten; one that a clock step would bring back is not.
        "spent": case((b.c.period >= _period, b.c.spent + _cost), else_=_cost),
        "period": case((b.c.period >= _period, b.c.period), else_=_period),
    },
    where=or_(and_(b.c.period >= _period, b.c.spent + _cost <= _cap), b.c.period < _period),
)
_MOST_SPENT: Final = 1 << 62
"""Where a counter stops: what is reserved on top still fits 64 bits."""
_CHARGE = _first.on_conflict_do_update(
    index_elements=[b.c.tenant, b.c.id],
    set_={
        "spent": case(
            (b.c.period < _period, _cost),
            (b.c.spent > _MOST_SPENT - _cost, _MOST_SPENT),
            else_=b.c.spent + _cost,
        ),
        "period": case((b.c.period >= _period, b.c.period), else_=_period),
    },
)
_RELEASE = (
    update(b)
    .where(
        b.c.tenant == bindparam("ours"),
        b.c.id == bindparam("this"),
        b.c.period == bindparam("old_period"),
        b.c.spent >= bindparam("cost"),
    )
    .values(spent=b.c.spent - bindparam("cost"))
)
_SPENT = select(b.c.period, b.c.spent).where(b.c.tenant == bindparam("ours"), b.c.id == bindparam("this"))


class BudgetRepository:
    """Counters of one tenant."""

    def __init__(self, sql: Sql, tenant: TenantId) -> None:
        self._sql = sql
        self._tenant = tenant

    def reserve(self, line: Line) -> bool:
        """Add the cost if the cap allows it; False if not."""
        if not 0 <= line.cost <= line.cap:
            return False
        values: dict[str, Scalar] = {
            "ours": self._tenant,
            "this": line.id,
            "new_period": line.period,
            "cost": line.cost,
            "cap": line.cap,
        }
        return self._sql.run(_RESERVE, values) == 1

    def release(self, line: Line) -> None:
        """Give a reservation back, if its period still runs."""
        values: dict[str, Scalar] = {
            "ours": self._tenant,
            "this": line.id,
            "old_period": line.period,
            "cost": line.cost,
        }
        self._sql.run(_RELEASE, values)

    def charge(self, line: Line) -> None:
        """Add the cost whatever the cap: it was used already."""
        values: dict[str, Scalar] = {
            "ours": self._tenant,
            "this": line.id,
            "new_period": line.period,
            "cost": line.cost,
        }
        self._sql.run(_CHARGE, values)

    def spent(self, line: Line) -> int:
        """How much of the line's period is used."""
        row = self._sql.row(_SPENT, {"ours": self._tenant, "this": line.id})
        return int(row[1]) if row is not None and row[0] >= line.period else 0


_ADD = insert(d)
_OURS = d.c.tenant == bindparam("tenant")
_GET = select(d.c.body, d.c.outcome).where(_OURS, d.c.id == bindparam("this"))
_OF_CALL = select(d.c.body, d.c.outcome).where(_OURS, d.c.call == bindparam("this")).order_by(d.c.id.desc())
_SETTLE = (
    update(d)
    .where(
        d.c.tenant == bindparam("ours"), d.c.id == bindparam("this"), d.c.outcome == Settlement.RESERVED.value
    )
    .values(outcome=bindparam("new_outcome"))
)
_SINCE = (d.c.id >= bindparam("first")) & (d.c.at >= bindparam("since"))
"""DS-09: by id as well, in whose order lists are read: what is older is not looked at at all."""
_NOT_PERMITTED = d.c.effect != literal_column("'permit'")
"""Word for word the condition of the index `decision_unpermitted`."""


@cache
def _page(*, agent: bool, effect: str) -> "Select[tuple[str, str]]":
    """The newest of what was asked for; each choice has the statement whose index fits it."""
    page = select(d.c.body, d.c.outcome).where(_OURS, _SINCE, d.c.id < bindparam("after"))
    if agent:
        page = page.where(d.c.agent == bindparam("this_agent"))
    if effect:
        page = page.where(d.c.effect == bindparam("this_effect"))
    if effect == "other":
        page = page.where(_NOT_PERMITTED)
    return page.order_by(d.c.id.desc()).limit(bindparam("count"))


_OUTLINED: Final = msgspec.json.Decoder(OutlinedDecision)
_RECORDED: Final = msgspec.json.Decoder(RecordedDecision)
_NTH_NEWEST = select(d.c.id).where(_OURS, _SINCE).order_by(d.c.id.desc()).limit(1).offset(bindparam("count"))
_ONWARD = (
    select(d.c.body, d.c.outcome)
    .where(_OURS, _SINCE, d.c.id > bindparam("after"))
    .order_by(d.c.id)
    .limit(bindparam("count"))
)


class Stored(NamedTuple):
    """A decision as it is stored, and what became of its reservation."""

    body: str
    outcome: str


_LAST: Final = "dec_~"
"""After every id."""


class DecisionRepository:
    """Every decision of one tenant."""

    def __init__(self, sql: Sql, tenant: TenantId) -> None:
        self._sql = sql
        self._tenant = tenant

    def add(self, decision: StoredDecision) -> None:
        """Store a decision."""
        told = decision.explanation
        self._sql.later(
            _ADD,
            {
                "tenant": self._tenant,
                "id": decision.id,
                "call": told.call,
                "agent": told.agent,
                "effect": told.verdict.effect,
                "at": micros(told.at),
                "outcome": decision.outcome or "",
                "body": msgspec.json.encode(decision).decode(),
            },
        )

    def get(self, ident: DecisionId) -> StoredDecision | None:
        """One decision."""
        row = self._sql.row(_GET, {"tenant": self._tenant, "this": ident})
        return None if row is None else _stored(row)

    def page(
        self, *, agent: str = "", effect: str = "", since: datetime | None = None, after: str = "", limit: int
    ) -> Sequence[StoredDecision]:
        """Newest first; `after` is the last id seen."""
        values: dict[str, Scalar] = {
            **self._since(since),
            "after": after or _LAST,
            "count": limit,
            **({"this_agent": agent} if agent else {}),
            **({"this_effect": effect} if effect else {}),
        }
        kind = "" if not effect else "permit" if effect == Effect.PERMIT else "other"
        return [_stored(row) for row in self._sql.rows(_page(agent=bool(agent), effect=kind), values)]

    def _since(self, since: datetime | None) -> dict[str, Scalar]:
        """Whose decisions, from which moment on."""
        first = first_id("dec", at=since) if since else ""
        return {"tenant": self._tenant, "first": first, "since": micros(since) if since else 0}

    def before_newest(self, count: int, since: datetime) -> str:
        """The id before the newest so many decisions of a time; empty where there are no more than that."""
        row = self._sql.row(_NTH_NEWEST, {**self._since(since), "count": count})
        return "" if row is None else str(row[0])

    def onward(self, *, since: datetime, after: str, limit: int) -> Sequence[Stored]:
        """Oldest first, for `outlined` and `recorded` to make out; `after` is the last id seen."""
        values: dict[str, Scalar] = {**self._since(since), "after": after, "count": limit}
        return [Stored(str(body), str(outcome)) for body, outcome in self._sql.rows(_ONWARD, values)]

    def of_call(self, call: CallId) -> Sequence[StoredDecision]:
        """All decisions about one call, newest first."""
        return [_stored(row) for row in self._sql.rows(_OF_CALL, {"tenant": self._tenant, "this": call})]

    def settle(self, ident: DecisionId, outcome: str) -> bool:
        """Move a reservation to its outcome; False if it was settled before."""
        values: dict[str, Scalar] = {"ours": self._tenant, "this": ident, "new_outcome": outcome}
        return self._sql.run(_SETTLE, values) == 1


def _policy(row: Row | None) -> PublishedPolicy | None:
    if row is None:
        return None
    return PublishedPolicy(
        version=PolicyVersion(number=row[0], digest=row[1]),
        text=row[2],
        published_by=PrincipalId(row[3]),
        published_at=moment(row[4]),
        seal=row[5] or "",
    )


def outlined(row: Stored) -> OutlinedDecision:
    """What of a decision says what else is to be read."""
    return _OUTLINED.decode(row.body)


def recorded(row: Stored) -> RecordedDecision:
    """What a replay looks at of a decision."""
    return structs.replace(
        _RECORDED.decode(row.body), outcome=Settlement(row.outcome) if row.outcome else None
    )


def _stored(row: Row) -> StoredDecision:
    found = _DECISION.decode(row[0])
    return structs.replace(found, outcome=Settlement(row[1]) if row[1] else None)
