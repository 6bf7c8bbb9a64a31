"""The directory over SQL."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import BigInteger, bindparam, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from remit.identity.credentials import Credential, CredentialState
from remit.identity.lifecycle import State
from remit.identity.principals import Environment, Kind, Principal
from remit.identity.tools import Server, Tool
from remit.kernel.ids import KeyId, PrincipalId, ServerId, TaskId, TenantId, ToolId
from remit.platform.storage.instants import micros
from remit.platform.storage.sql import Scalar, Sql
from remit.platform.storage.tables.identity import credential as c
from remit.platform.storage.tables.identity import principal as p
from remit.platform.storage.tables.identity import server as s
from remit.platform.storage.tables.identity import tool as t

_PRINCIPAL: Final = msgspec.json.Decoder(Principal)
_CREDENTIAL: Final = msgspec.json.Decoder(Credential)
_SERVER: Final = msgspec.json.Decoder(Server)
_TOOL: Final = msgspec.json.Decoder(Tool)

_OURS = p.c.tenant == bindparam("tenant")
_LIVING = p.c.state != "retired"
_ADD = upsert(p).on_conflict_do_nothing()
_SAVE = (
    update(p)
    .where(_OURS, p.c.id == bindparam("this"), p.c.state == bindparam("was"))
    .values(
        name=bindparam("new_name"),
        state=bindparam("new_state"),
        owner=bindparam("new_owner"),
        environment=bindparam("new_environment"),
        changed_at=bindparam("new_changed_at"),
        body=bindparam("new_body"),
    )
)
_GET = select(p.c.body).where(_OURS, p.c.id == bindparam("this"))
_COUNT = (
    select(func.count())
    .select_from(p)
    .where(_OURS, p.c.kind == bindparam("this_kind"), p.c.state == bindparam("this_state"))
)
_NAMED = select(p.c.body).where(
    _OURS, p.c.kind == bindparam("this_kind"), p.c.name == bindparam("this_name"), _LIVING
)
_PAGE = (
    select(p.c.body)
    .where(
        _OURS,
        p.c.id > bindparam("after"),
        or_(bindparam("any_kind", type_=BigInteger) == 1, p.c.kind == bindparam("this_kind")),
        or_(bindparam("any_state", type_=BigInteger) == 1, p.c.state == bindparam("this_state")),
        or_(bindparam("any_owner", type_=BigInteger) == 1, p.c.owner == bindparam("this_owner")),
        or_(
            bindparam("any_environment", type_=BigInteger) == 1,
            p.c.environment == bindparam("this_environment"),
        ),
    )
    .order_by(p.c.id)
    .limit(bindparam("count"))
)
_CHILDREN = select(p.c.body).where(_OURS, p.c.parent == bindparam("this"), _LIVING).order_by(p.c.id)
_MADE_FROM = select(p.c.body).where(_OURS, p.c.blueprint == bindparam("this"), _LIVING).order_by(p.c.id)
_OWNED_BY = select(p.c.body).where(_OURS, p.c.owner == bindparam("this"), _LIVING).order_by(p.c.id)
_BOUND_TO = select(p.c.body).where(_OURS, p.c.task == bindparam("this"), _LIVING).order_by(p.c.id)


class PrincipalRepository:
    """Entries of one tenant's directory."""

    def __init__(self, sql: Sql, tenant: TenantId) -> None:
        self._sql = sql
        self._tenant = tenant

    def add(self, principal: Principal) -> bool:
        """Store a new one; False if a living one of its kind has the name, or its id was ever used."""
        values: dict[str, Scalar] = {
            "tenant": self._tenant,
            "id": principal.id,
            "kind": principal.kind,
            "name": principal.name,
            "state": principal.state,
            "owner": principal.owner or "",
            "parent": principal.parent or "",
            "blueprint": principal.blueprint or "",
            "environment": principal.environment or "",
            "task": principal.task or "",
            "changed_at": micros(principal.changed_at),
            "body": _text(principal),
        }
        return self._sql.run(_ADD, values) == 1

    def save(self, principal: Principal, *, was: State) -> bool:
        """Store a change if the state is still `was`; parent, blueprint and task of an entry never change."""
        values: dict[str, Scalar] = {
            "tenant": self._tenant,
            "this": principal.id,
            "was": was,
            "new_name": principal.name,
            "new_state": principal.state,
            "new_owner": principal.owner or "",
            "new_environment": principal.environment or "",
            "new_changed_at": micros(principal.changed_at),
            "new_body": _text(principal),
        }
        return self._sql.run(_SAVE, values) == 1

    def get(self, ident: PrincipalId) -> Principal | None:
        """One entry, whatever its state."""
        row = self._sql.row(_GET, {"tenant": self._tenant, "this": ident})
        return None if row is None else _PRINCIPAL.decode(row[0])

    def count(self, kind: Kind, state: State) -> int:
        """How many entries of a kind are in a state."""
        row = self._sql.row(_COUNT, {"tenant": self._tenant, "this_kind": kind, "this_state": state})
        return 0 if row is None else int(row[0])

    def named(self, kind: Kind, name: str) -> Principal | None:
        """The entry of that kind and name that is not retired."""
        values: dict[str, Scalar] = {"tenant": self._tenant, "this_kind": kind, "this_name": name}
        row = self._sql.row(_NAMED, values)
        return None if row is None else _PRINCIPAL.decode(row[0])

    def page(
        self,
        *,
        kind: Kind | None = None,
        state: State | None = None,
        owner: PrincipalId | None = None,
        environment: Environment | None = None,
        after: str = "",
        limit: int = 100,
    ) -> Sequence[Principal]:
        """Entries by id, filtered; `after` is the last id seen."""
        filters = {"kind": kind, "state": state, "owner": owner, "environment": environment}
        values: dict[str, Scalar] = {"tenant": self._tenant, "after": after, "count": limit}
        for name, wanted in filters.items():
            values[f"any_{name}"] = int(wanted is None)
            values[f"this_{name}"] = wanted or ""
        return [_PRINCIPAL.decode(row[0]) for row in self._sql.rows(_PAGE, values)]

    def children(self, parent: PrincipalId) -> Sequence[Principal]:
        """Instances of an agent, tools of a server: those not retired."""
        rows = self._sql.rows(_CHILDREN, {"tenant": self._tenant, "this": parent})
        return [_PRINCIPAL.decode(row[0]) for row in rows]

    def made_from(self, blueprint: PrincipalId) -> Sequence[Principal]:
        """Agents and instances of a blueprint that are not retired."""
        rows = self._sql.rows(_MADE_FROM, {"tenant": self._tenant, "this": blueprint})
        return [_PRINCIPAL.decode(row[0]) for row in rows]

    def owned_by(self, owner: PrincipalId) -> Sequence[Principal]:
        """Everything that a principal owns and that is not retired."""
        rows = self._sql.rows(_OWNED_BY, {"tenant": self._tenant, "this": owner})
        return [_PRINCIPAL.decode(row[0]) for row in rows]

    def bound_to(self, task: TaskId) -> Sequence[Principal]:
        """Instances that were made for a task alone and are not retired."""
        rows = self._sql.rows(_BOUND_TO, {"tenant": self._tenant, "this": task})
        return [_PRINCIPAL.decode(row[0]) for row in rows]


_ADD_KEY = upsert(c).on_conflict_do_nothing()
_GET_KEY = select(c.c.body).where(c.c.tenant == bindparam("tenant"), c.c.id == bindparam("this"))
_KEY_BY_THUMBPRINT = select(c.c.body).where(
    c.c.tenant == bindparam("tenant"), c.c.thumbprint == bindparam("this_thumbprint")
)
_KEYS_OF = (
    select(c.c.body)
    .where(c.c.tenant == bindparam("tenant"), c.c.principal == bindparam("whose"))
    .order_by(c.c.created_at.desc(), c.c.id.desc())
)
_LASTING = (
    select(p.c.parent)
    .distinct()
    .select_from(c.join(p, (p.c.tenant == c.c.tenant) & (p.c.id == c.c.principal)))
    .where(
        c.c.tenant == bindparam("tenant"),
        c.c.state == "active",
        c.c.body.like('%"not_after":null%'),
        p.c.kind == "instance",
        p.c.state == "active",
    )
    .order_by(p.c.parent)
)
_REVOKE_KEY = (
    update(c)
    .where(c.c.tenant == bindparam("ours"), c.c.id == bindparam("this"), c.c.state == "active")
    .values(state="revoked", body=bindparam("new_body"))
)
_PROLONG_KEY = (
    update(c)
    .where(c.c.tenant == bindparam("ours"), c.c.id == bindparam("this"), c.c.state == "active")
    .values(body=bindparam("new_body"))
)


class CredentialRepository:
    """Public keys of one tenant's principals."""

    def __init__(self, sql: Sql, tenant: TenantId) -> None:
        self._sql = sql
        self._tenant = tenant

    def add(self, credential: Credential) -> bool:
        """Store a new key; False if its thumbprint was ever registered (R7): the unique index says so."""
        values: dict[str, Scalar] = {
            "tenant": self._tenant,
            "id": credential.id,
            "principal": credential.principal,
            "thumbprint": credential.thumbprint,
            "state": credential.state,
            "created_at": micros(credential.created_at),
            "body": _text(credential),
        }
        return self._sql.run(_ADD_KEY, values) == 1

    def get(self, ident: KeyId) -> Credential | None:
        """One key by its id."""
        row = self._sql.row(_GET_KEY, {"tenant": self._tenant, "this": ident})
        return None if row is None else _CREDENTIAL.decode(row[0])

    def by_thumbprint(self, thumbprint: str) -> Credential | None:
        """One key by its thumbprint, whatever its state."""
        values: dict[str, Scalar] = {"tenant": self._tenant, "this_thumbprint": thumbprint}
        row = self._sql.row(_KEY_BY_THUMBPRINT, values)
        return None if row is None else _CREDENTIAL.decode(row[0])

    def of(self, principal: PrincipalId) -> Sequence[Credential]:
        """All keys of a principal, newest first."""
        rows = self._sql.rows(_KEYS_OF, {"tenant": self._tenant, "whose": principal})
        return [_CREDENTIAL.decode(row[0]) for row in rows]

    def revoke(self, ident: KeyId) -> bool:
        """Revoke a key; False if it is not active."""
        known = self.get(ident)
        if known is None:
            return False
        body = _text(replace(known, state=CredentialState.REVOKED))
        values: dict[str, Scalar] = {"ours": self._tenant, "this": ident, "new_body": body}
        return self._sql.run(_REVOKE_KEY, values) == 1

    def prolong(self, ident: KeyId, not_after: datetime) -> bool:
        """Let an active key that has an end count until a later one; False if nothing changed."""
        known = self.get(ident)
        if known is None or known.not_after is None or known.not_after >= not_after:
            return False
        body = _text(replace(known, not_after=not_after))
        values: dict[str, Scalar] = {"ours": self._tenant, "this": ident, "new_body": body}
        return self._sql.run(_PROLONG_KEY, values) == 1

    def lasting(self) -> Sequence[PrincipalId]:
        """The agents of which a living instance has an active key without an end, by id."""
        return [PrincipalId(row[0]) for row in self._sql.rows(_LASTING, {"tenant": self._tenant})]


_PUT_SERVER = upsert(s).on_conflict_do_update(
    index_elements=[s.c.tenant, s.c.id],
    set_={"name": upsert(s).excluded.name, "body": upsert(s).excluded.body},
)
_GET_SERVER = select(s.c.body).where(s.c.tenant == bindparam("tenant"), s.c.id == bindparam("this"))
_SERVER_NAMED = select(s.c.body).where(s.c.tenant == bindparam("tenant"), s.c.name == bindparam("this_name"))
_SERVERS = select(s.c.body).where(s.c.tenant == bindparam("tenant")).order_by(s.c.name)


class ServerRepository:
    """MCP servers of one tenant."""

    def __init__(self, sql: Sql, tenant: TenantId) -> None:
        self._sql = sql
        self._tenant = tenant

    def put(self, server: Server) -> None:
        """Store or replace."""
        values: dict[str, Scalar] = {
            "tenant": self._tenant,
            "id": server.id,
            "name": server.name,
            "body": _text(server),
        }
        self._sql.run(_PUT_SERVER, values)

    def get(self, ident: ServerId) -> Server | None:
        """One server."""
        row = self._sql.row(_GET_SERVER, {"tenant": self._tenant, "this": ident})
        return None if row is None else _SERVER.decode(row[0])

    def named(self, name: str) -> Server | None:
        """One server by the name in its path."""
        row = self._sql.row(_SERVER_NAMED, {"tenant": self._tenant, "this_name": name})
        return None if row is None else _SERVER.decode(row[0])

    def all(self) -> Sequence[Server]:
        """All servers, by name."""
        return [_SERVER.decode(row[0]) for row in self._sql.rows(_SERVERS, {"tenant": self._tenant})]


_PUT_TOOL = upsert(t).on_conflict_do_update(
    index_elements=[t.c.tenant, t.c.id],
    set_={"pin": upsert(t).excluded.pin, "body": upsert(t).excluded.body},
)
_GET_TOOL = select(t.c.body).where(t.c.tenant == bindparam("tenant"), t.c.id == bindparam("this"))
_TOOL_NAMED = select(t.c.body).where(
    t.c.tenant == bindparam("tenant"),
    t.c.server == bindparam("this_server"),
    t.c.name == bindparam("this_name"),
)
_TOOLS_OF = (
    select(t.c.body)
    .where(t.c.tenant == bindparam("tenant"), t.c.server == bindparam("this_server"))
    .order_by(t.c.name)
)


class ToolRepository:
    """Pinned tools of one tenant."""

    def __init__(self, sql: Sql, tenant: TenantId) -> None:
        self._sql = sql
        self._tenant = tenant

    def put(self, tool: Tool) -> None:
        """Store or replace."""
        values: dict[str, Scalar] = {
            "tenant": self._tenant,
            "id": tool.id,
            "server": tool.server,
            "name": tool.name,
            "pin": tool.pin,
            "body": _text(tool),
        }
        self._sql.run(_PUT_TOOL, values)

    def get(self, ident: ToolId) -> Tool | None:
        """One tool."""
        row = self._sql.row(_GET_TOOL, {"tenant": self._tenant, "this": ident})
        return None if row is None else _TOOL.decode(row[0])

    def named(self, server: ServerId, name: str) -> Tool | None:
        """One tool of a server by its name."""
        values: dict[str, Scalar] = {"tenant": self._tenant, "this_server": server, "this_name": name}
        row = self._sql.row(_TOOL_NAMED, values)
        return None if row is None else _TOOL.decode(row[0])

    def of(self, server: ServerId) -> Sequence[Tool]:
        """All tools of a server, by name."""
        rows = self._sql.rows(_TOOLS_OF, {"tenant": self._tenant, "this_server": server})
        return [_TOOL.decode(row[0]) for row in rows]


def _text(value: Principal | Credential | Server | Tool) -> str:
    return msgspec.json.encode(value).decode()
