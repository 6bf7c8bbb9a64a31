"""Federation over SQL."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import bindparam, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from remit.identity.federation.trust import (
    IssuerId,
    KeySet,
    RuleId,
    TrustedIssuer,
    TrustRule,
    Workload,
)
from remit.kernel.ids import AgentId, PrincipalId, TenantId
from remit.platform.storage.instants import micros
from remit.platform.storage.sql import Scalar, Sql
from remit.platform.storage.tables.federation import issuer_keys as k
from remit.platform.storage.tables.federation import trust_rule as r
from remit.platform.storage.tables.federation import trusted_issuer as t
from remit.platform.storage.tables.federation import workload as w

_ISSUER: Final = msgspec.json.Decoder(TrustedIssuer)
_KEYS: Final = msgspec.json.Decoder(KeySet)
_RULE: Final = msgspec.json.Decoder(TrustRule)
_WORKLOAD: Final = msgspec.json.Decoder(Workload)
_NO_SEQUENCE: Final = -1

_ADD = upsert(t).on_conflict_do_nothing()
_GET = select(t.c.body).where(t.c.tenant == bindparam("tenant"), t.c.id == bindparam("this"))
_TRUSTED = select(t.c.body).where(
    t.c.tenant == bindparam("tenant"), t.c.issuer == bindparam("this"), t.c.state == "active"
)
_ALL = select(t.c.body).where(t.c.tenant == bindparam("tenant")).order_by(t.c.id)
_WITHDRAW = (
    update(t)
    .where(t.c.tenant == bindparam("ours"), t.c.id == bindparam("this"), t.c.state == "active")
    .values(state=bindparam("new_state"), body=bindparam("new_body"))
)


class IssuerRepository:
    """Issuers that one tenant trusts, or trusted."""

    def __init__(self, sql: Sql, tenant: TenantId) -> None:
        self._sql = sql
        self._tenant = tenant

    def add(self, issuer: TrustedIssuer) -> bool:
        """Store a new one; False if one that counts has its name or its address."""
        values: dict[str, Scalar] = {
            "tenant": self._tenant,
            "id": issuer.id,
            "name": issuer.name,
            "issuer": issuer.issuer,
            "state": issuer.state,
            "body": _text(issuer),
        }
        return self._sql.run(_ADD, values) == 1

    def get(self, ident: IssuerId) -> TrustedIssuer | None:
        """One issuer, trusted or not."""
        row = self._sql.row(_GET, {"tenant": self._tenant, "this": ident})
        return None if row is None else _ISSUER.decode(row[0])

    def trusted(self, issuer: str) -> TrustedIssuer | None:
        """The one whose `iss` is exactly this, if it counts."""
        row = self._sql.row(_TRUSTED, {"tenant": self._tenant, "this": issuer})
        return None if row is None else _ISSUER.decode(row[0])

    def all(self) -> Sequence[TrustedIssuer]:
        """Every one, by id."""
        return [_ISSUER.decode(row[0]) for row in self._sql.rows(_ALL, {"tenant": self._tenant})]

    def withdraw(self, issuer: TrustedIssuer) -> bool:
        """Store that it counts no more; False if it did not."""
        values: dict[str, Scalar] = {
            "ours": self._tenant,
            "this": issuer.id,
            "new_state": issuer.state,
            "new_body": _text(issuer),
        }
        return self._sql.run(_WITHDRAW, values) == 1


_new_keys = upsert(k)
_PUT_KEYS = _new_keys.on_conflict_do_update(
    index_elements=[k.c.tenant, k.c.issuer],
    set_={"sequence": _new_keys.excluded.sequence, "body": _new_keys.excluded.body},
    # A set only grows newer, whichever node saw it (AS-08).
    where=_new_keys.excluded.sequence >= k.c.sequence,
)
_GET_KEYS = select(k.c.body).where(
    k.c.tenant == bindparam("tenant"), k.c.issuer == bindparam("this"), k.c.body != ""
)
_ENSURE = upsert(k).on_conflict_do_nothing()
_CLAIM = (
    update(k)
    .where(
        k.c.tenant == bindparam("ours"), k.c.issuer == bindparam("this"), k.c.asked_at <= bindparam("free")
    )
    .values(asked_at=bindparam("now"))
)


class IssuerKeyRepository:
    """Keys of issuers as one tenant's nodes last saw them."""

    def __init__(self, sql: Sql, tenant: TenantId) -> None:
        self._sql = sql
        self._tenant = tenant

    def get(self, issuer: IssuerId) -> KeySet | None:
        """The last good set."""
        row = self._sql.row(_GET_KEYS, {"tenant": self._tenant, "this": issuer})
        return None if row is None else _KEYS.decode(row[0])

    def put(self, keys: KeySet) -> bool:
        """Store a set; False if the one that is there has a higher sequence."""
        sequence = _NO_SEQUENCE if keys.sequence is None else keys.sequence
        values: dict[str, Scalar] = {
            "tenant": self._tenant,
            "issuer": keys.issuer,
            "sequence": sequence,
            "asked_at": micros(keys.seen_at),
            "body": _text(keys),
        }
        return self._sql.run(_PUT_KEYS, values) == 1

    def claim(self, issuer: IssuerId, *, at: datetime, unless_after: datetime) -> bool:
        """Take the right to ask the issuer now; False if somebody asked after that moment."""
        row: dict[str, Scalar] = {"tenant": self._tenant, "issuer": issuer, "sequence": _NO_SEQUENCE}
        self._sql.run(_ENSURE, {**row, "asked_at": 0, "body": ""})
        values: dict[str, Scalar] = {
            "ours": self._tenant,
            "this": issuer,
            "free": micros(unless_after),
            "now": micros(at),
        }
        return self._sql.run(_CLAIM, values) == 1


_ADD_RULE = upsert(r)
_GET_RULE = select(r.c.body).where(r.c.tenant == bindparam("tenant"), r.c.id == bindparam("this"))
_OF_ISSUER = (
    select(r.c.body)
    .where(r.c.tenant == bindparam("tenant"), r.c.issuer == bindparam("this"), r.c.state == "active")
    .order_by(r.c.id)
)
_OF_AGENT = (
    select(r.c.body)
    .where(r.c.tenant == bindparam("tenant"), r.c.agent == bindparam("this"), r.c.state == "active")
    .order_by(r.c.id)
)
_WITHDRAW_RULE = (
    update(r)
    .where(r.c.tenant == bindparam("ours"), r.c.id == bindparam("this"), r.c.state == "active")
    .values(state=bindparam("new_state"), body=bindparam("new_body"))
)


class TrustRuleRepository:
    """Rules of one tenant."""

    def __init__(self, sql: Sql, tenant: TenantId) -> None:
        self._sql = sql
        self._tenant = tenant

    def add(self, rule: TrustRule) -> None:
        """Store a new one."""
        values: dict[str, Scalar] = {
            "tenant": self._tenant,
            "id": rule.id,
            "issuer": rule.issuer,
            "agent": rule.agent,
            "state": rule.state,
            "body": _text(rule),
        }
        self._sql.run(_ADD_RULE, values)

    def get(self, ident: RuleId) -> TrustRule | None:
        """One rule, in force or not."""
        row = self._sql.row(_GET_RULE, {"tenant": self._tenant, "this": ident})
        return None if row is None else _RULE.decode(row[0])

    def of_issuer(self, issuer: IssuerId) -> Sequence[TrustRule]:
        """Those in force over an issuer, by id."""
        rows = self._sql.rows(_OF_ISSUER, {"tenant": self._tenant, "this": issuer})
        return [_RULE.decode(row[0]) for row in rows]

    def of_agent(self, agent: AgentId) -> Sequence[TrustRule]:
        """Those in force that make workloads this agent, by id."""
        rows = self._sql.rows(_OF_AGENT, {"tenant": self._tenant, "this": agent})
        return [_RULE.decode(row[0]) for row in rows]

    def withdraw(self, rule: TrustRule) -> bool:
        """Store that it is not in force; False if it was not."""
        values: dict[str, Scalar] = {
            "ours": self._tenant,
            "this": rule.id,
            "new_state": rule.state,
            "new_body": _text(rule),
        }
        return self._sql.run(_WITHDRAW_RULE, values) == 1


_ADD_WORKLOAD = upsert(w)
_GET_WORKLOAD = select(w.c.body).where(w.c.tenant == bindparam("tenant"), w.c.instance == bindparam("this"))
_OF_SUBJECT = (
    select(w.c.body)
    .where(
        w.c.tenant == bindparam("tenant"),
        w.c.issuer == bindparam("this_issuer"),
        w.c.subject == bindparam("this_subject"),
        w.c.ends_at > bindparam("now"),
    )
    .order_by(w.c.instance)
)
_OF_RULE = (
    select(w.c.body)
    .where(w.c.tenant == bindparam("tenant"), w.c.rule == bindparam("this"), w.c.ends_at > bindparam("now"))
    .order_by(w.c.instance)
)
_PROLONG = (
    update(w)
    .where(w.c.tenant == bindparam("ours"), w.c.instance == bindparam("this"), w.c.ended_at == 0)
    .values(ends_at=bindparam("until"), body=bindparam("new_body"))
)
_END = (
    update(w)
    .where(w.c.tenant == bindparam("ours"), w.c.instance == bindparam("this"), w.c.ended_at == 0)
    .values(ended_at=bindparam("now"), ends_at=bindparam("until"), body=bindparam("new_body"))
)
_DUE = (
    select(w.c.body)
    .where(w.c.tenant == bindparam("tenant"), w.c.ended_at == 0, w.c.ends_at <= bindparam("now"))
    .order_by(w.c.ends_at)
    .limit(bindparam("count"))
)


class WorkloadRepository:
    """Workloads of one tenant."""

    def __init__(self, sql: Sql, tenant: TenantId) -> None:
        self._sql = sql
        self._tenant = tenant

    def add(self, workload: Workload) -> None:
        """Store a new one."""
        values: dict[str, Scalar] = {
            "tenant": self._tenant,
            "instance": workload.instance,
            "issuer": workload.issuer,
            "rule": workload.rule,
            "subject": workload.subject,
            "ends_at": micros(workload.ends_at),
            "ended_at": 0,
            "body": _text(workload),
        }
        self._sql.run(_ADD_WORKLOAD, values)

    def of_subject(self, issuer: IssuerId, subject: str, at: datetime) -> Sequence[Workload]:
        """All of one workload whose time has not run out, stopped ones included."""
        values: dict[str, Scalar] = {
            "tenant": self._tenant,
            "this_issuer": issuer,
            "this_subject": subject,
            "now": micros(at),
        }
        return [_WORKLOAD.decode(row[0]) for row in self._sql.rows(_OF_SUBJECT, values)]

    def of_rule(self, rule: RuleId, at: datetime) -> Sequence[Workload]:
        """All that stand on a rule and whose time has not run out."""
        values: dict[str, Scalar] = {"tenant": self._tenant, "this": rule, "now": micros(at)}
        return [_WORKLOAD.decode(row[0]) for row in self._sql.rows(_OF_RULE, values)]

    def prolong(self, instance: PrincipalId, ends_at: datetime) -> None:
        """Let one go on for longer; a moment before its present end changes nothing."""
        known = self._get(instance)
        if known is not None and known.ends_at < ends_at:
            self._sql.run(_PROLONG, self._changed(replace(known, ends_at=ends_at)))

    def end(self, instance: PrincipalId, at: datetime) -> None:
        """Note that one has ended; its time ends with it."""
        known = self._get(instance)
        if known is not None:
            changed = replace(known, ends_at=min(known.ends_at, at))
            self._sql.run(_END, {**self._changed(changed), "now": micros(at)})

    def due(self, at: datetime, limit: int) -> Sequence[Workload]:
        """Those whose time has run out and that are not noted as ended."""
        values: dict[str, Scalar] = {"tenant": self._tenant, "now": micros(at), "count": limit}
        return [_WORKLOAD.decode(row[0]) for row in self._sql.rows(_DUE, values)]

    def _get(self, instance: PrincipalId) -> Workload | None:
        row = self._sql.row(_GET_WORKLOAD, {"tenant": self._tenant, "this": instance})
        return None if row is None else _WORKLOAD.decode(row[0])

    def _changed(self, changed: Workload) -> dict[str, Scalar]:
        return {
            "ours": self._tenant,
            "this": changed.instance,
            "until": micros(changed.ends_at),
            "new_body": _text(changed),
        }


def _text(value: TrustedIssuer | KeySet | TrustRule | Workload) -> str:
    return msgspec.json.encode(value).decode()
