"""The trust matrix over SQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import Executable, bindparam, delete, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from remit.authority.domains.trust import (
    Direction,
    DomainId,
    DomainPerson,
    DomainRule,
    DomainRuleId,
    DomainRun,
    TrustedDomain,
)
from remit.kernel.ids import AgentId, TaskId, TenantId, UserId
from remit.platform.storage.instants import micros
from remit.platform.storage.sql import Scalar, Sql
from remit.platform.storage.tables.domains import domain_person as p
from remit.platform.storage.tables.domains import domain_rule as r
from remit.platform.storage.tables.domains import domain_run as n
from remit.platform.storage.tables.domains import trusted_domain as d

_DOMAIN: Final = msgspec.json.Decoder(TrustedDomain)
_RULE: Final = msgspec.json.Decoder(DomainRule)
_PERSON: Final = msgspec.json.Decoder(DomainPerson)
_RUN: Final = msgspec.json.Decoder(DomainRun)

_ADD = upsert(d).on_conflict_do_nothing()
_GET = select(d.c.body).where(d.c.tenant == bindparam("tenant"), d.c.id == bindparam("this"))
_TRUSTED = select(d.c.body).where(
    d.c.tenant == bindparam("tenant"),
    d.c.issuer == bindparam("this"),
    d.c.direction == bindparam("way"),
    d.c.state == "active",
)
_ALL = select(d.c.body).where(d.c.tenant == bindparam("tenant")).order_by(d.c.id)
_WITHDRAW = (
    update(d)
    .where(d.c.tenant == bindparam("ours"), d.c.id == bindparam("this"), d.c.state == "active")
    .values(state=bindparam("new_state"), body=bindparam("new_body"))
)
_ADD_RULE = upsert(r)
_GET_RULE = select(r.c.body).where(r.c.tenant == bindparam("tenant"), r.c.id == bindparam("this"))
_RULES = (
    select(r.c.body)
    .where(r.c.tenant == bindparam("tenant"), r.c.domain == bindparam("this"), r.c.state == "active")
    .order_by(r.c.id)
)
_WITHDRAW_RULE = (
    update(r)
    .where(r.c.tenant == bindparam("ours"), r.c.id == bindparam("this"), r.c.state == "active")
    .values(state=bindparam("new_state"), body=bindparam("new_body"))
)
_LINK = upsert(p).on_conflict_do_nothing()
_THIS_PERSON = (
    p.c.tenant == bindparam("ours"),
    p.c.domain == bindparam("this_domain"),
    p.c.theirs == bindparam("this_theirs"),
    p.c.subject == bindparam("this_subject"),
)
_UNLINK = delete(p).where(*_THIS_PERSON)
_PERSON_OF = select(p.c.body).where(*_THIS_PERSON)
_PEOPLE = (
    select(p.c.body)
    .where(p.c.tenant == bindparam("tenant"), p.c.domain == bindparam("this"))
    .order_by(p.c.theirs, p.c.subject)
    .limit(bindparam("count"))
)
_BEGIN = upsert(n).on_conflict_do_nothing()
_GET_RUN = select(n.c.body).where(n.c.tenant == bindparam("tenant"), n.c.id == bindparam("this"))
_LAST = (
    select(n.c.body)
    .where(
        n.c.tenant == bindparam("tenant"),
        n.c.rule == bindparam("this"),
        n.c.user_id == bindparam("whose"),
        n.c.agent == bindparam("by"),
    )
    .order_by(n.c.ends_at.desc())
    .limit(1)
)
_OF_TASK = select(n.c.body).where(n.c.tenant == bindparam("tenant"), n.c.task == bindparam("this"))
_OPEN = (
    select(n.c.body)
    .where(n.c.tenant == bindparam("tenant"), n.c.domain == bindparam("this"), n.c.ends_at > bindparam("now"))
    .order_by(n.c.id)
)
_OVER = (
    select(n.c.id)
    .where(n.c.tenant == bindparam("ours"), n.c.ends_at < bindparam("before"))
    .order_by(n.c.ends_at)
    .limit(bindparam("count"))
)
_FORGET = delete(n).where(n.c.tenant == bindparam("ours"), n.c.id.in_(_OVER))


class DomainRepository:
    """Domains of one tenant, with everything that hangs on them."""

    def __init__(self, sql: Sql, tenant: TenantId) -> None:
        self._sql = sql
        self._tenant = tenant

    def add(self, domain: TrustedDomain) -> bool:
        """Store a new one; False if one that counts has its name, or its issuer and direction."""
        values: dict[str, Scalar] = {
            "tenant": self._tenant,
            "id": domain.id,
            "name": domain.name,
            "issuer": domain.issuer,
            "direction": domain.direction,
            "state": domain.state,
            "body": _text(domain),
        }
        return self._sql.run(_ADD, values) == 1

    def get(self, ident: DomainId) -> TrustedDomain | None:
        """One domain, trusted or not."""
        row = self._sql.row(_GET, {"tenant": self._tenant, "this": ident})
        return None if row is None else _DOMAIN.decode(row[0])

    def trusted(self, issuer: str, direction: Direction) -> TrustedDomain | None:
        """The one of exactly this issuer, if it counts in that direction."""
        row = self._sql.row(_TRUSTED, {"tenant": self._tenant, "this": issuer, "way": direction})
        return None if row is None else _DOMAIN.decode(row[0])

    def all(self) -> Sequence[TrustedDomain]:
        """Every one, by id."""
        return [_DOMAIN.decode(row[0]) for row in self._sql.rows(_ALL, {"tenant": self._tenant})]

    def withdraw(self, domain: TrustedDomain) -> bool:
        """Store that it counts no more; False if it did not."""
        return self._sql.run(_WITHDRAW, self._changed(domain)) == 1

    def add_rule(self, rule: DomainRule) -> None:
        """Store a new rule."""
        values: dict[str, Scalar] = {
            "tenant": self._tenant,
            "id": rule.id,
            "domain": rule.domain,
            "state": rule.state,
            "body": _text(rule),
        }
        self._sql.run(_ADD_RULE, values)

    def rule(self, ident: DomainRuleId) -> DomainRule | None:
        """One rule, in force or not."""
        row = self._sql.row(_GET_RULE, {"tenant": self._tenant, "this": ident})
        return None if row is None else _RULE.decode(row[0])

    def rules(self, domain: DomainId) -> Sequence[DomainRule]:
        """Those in force, by id."""
        rows = self._sql.rows(_RULES, {"tenant": self._tenant, "this": domain})
        return [_RULE.decode(row[0]) for row in rows]

    def withdraw_rule(self, rule: DomainRule) -> bool:
        """Store that it is not in force; False if it was not."""
        return self._sql.run(_WITHDRAW_RULE, self._changed(rule)) == 1

    def link(self, person: DomainPerson) -> bool:
        """Store who a subject is; False if it is linked already."""
        values: dict[str, Scalar] = {
            "tenant": self._tenant,
            "domain": person.domain,
            "theirs": person.theirs,
            "subject": person.subject,
            "body": _text(person),
        }
        return self._sql.run(_LINK, values) == 1

    def unlink(self, person: DomainPerson) -> bool:
        """Forget it; False if it was not linked."""
        return self._sql.run(_UNLINK, self._named(person.domain, person.theirs, person.subject)) == 1

    def person(self, domain: DomainId, theirs: str, subject: str) -> DomainPerson | None:
        """Who a subject is."""
        row = self._sql.row(_PERSON_OF, self._named(domain, theirs, subject))
        return None if row is None else _PERSON.decode(row[0])

    def people(self, domain: DomainId, limit: int) -> Sequence[DomainPerson]:
        """All that are linked, by subject."""
        rows = self._sql.rows(_PEOPLE, {"tenant": self._tenant, "this": domain, "count": limit})
        return [_PERSON.decode(row[0]) for row in rows]

    def begin(self, run: DomainRun) -> bool:
        """Store a task's beginning; False if the grant began one already."""
        values: dict[str, Scalar] = {
            "tenant": self._tenant,
            "id": run.id,
            "domain": run.domain,
            "rule": run.rule,
            "user_id": run.user,
            "agent": run.agent,
            "task": run.task,
            "ends_at": micros(run.ends_at),
            "body": _text(run),
        }
        return self._sql.run(_BEGIN, values) == 1

    def run(self, ident: str) -> DomainRun | None:
        """What a grant began."""
        return self._run(_GET_RUN, {"tenant": self._tenant, "this": ident})

    def last(self, rule: DomainRuleId, user: UserId, agent: AgentId) -> DomainRun | None:
        """The newest that began by that rule, for that person, with that agent."""
        return self._run(_LAST, {"tenant": self._tenant, "this": rule, "whose": user, "by": agent})

    def came_with(self, task: TaskId) -> DomainRun | None:
        """How a task came from another domain, if it did."""
        return self._run(_OF_TASK, {"tenant": self._tenant, "this": task})

    def open_runs(self, domain: DomainId, at: datetime) -> Sequence[DomainRun]:
        """Those whose tasks may still run."""
        rows = self._sql.rows(_OPEN, {"tenant": self._tenant, "this": domain, "now": micros(at)})
        return [_RUN.decode(row[0]) for row in rows]

    def forget(self, before: datetime, limit: int) -> int:
        """Drop those that ended before that moment; how many."""
        return self._sql.run(_FORGET, {"ours": self._tenant, "before": micros(before), "count": limit})

    def _run(self, statement: Executable, values: dict[str, Scalar]) -> DomainRun | None:
        row = self._sql.row(statement, values)
        return None if row is None else _RUN.decode(row[0])

    def _named(self, domain: DomainId, theirs: str, subject: str) -> dict[str, Scalar]:
        return {
            "ours": self._tenant,
            "this_domain": domain,
            "this_theirs": theirs,
            "this_subject": subject,
        }

    def _changed(self, changed: TrustedDomain | DomainRule) -> dict[str, Scalar]:
        return {
            "ours": self._tenant,
            "this": changed.id,
            "new_state": changed.state,
            "new_body": _text(changed),
        }


def _text(value: TrustedDomain | DomainRule | DomainPerson | DomainRun) -> str:
    return msgspec.json.encode(value).decode()
