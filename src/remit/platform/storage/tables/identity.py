"""Tables of the directory; each body is the entry as JSON, beside what is searched by."""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Table, Text

from remit.platform.storage.tables.metadata import metadata

principal: Final = Table(
    "principal",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("parent", Text, nullable=False),
    Column("blueprint", Text, nullable=False),
    Column("environment", Text, nullable=False),
    Column("task", Text, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
)
"""A row is never deleted, so no id comes back; empty text stands for "none"."""

_LIVING = principal.c.state != "retired"

Index(
    "principal_living_name",
    principal.c.tenant,
    principal.c.kind,
    principal.c.name,
    unique=True,
    sqlite_where=_LIVING,
    postgresql_where=_LIVING,
)
for _order in ("name", "changed_at", "id"):
    # What lists are sorted and narrowed by, so that a page of many is found without reading a row.
    Index(
        f"principal_by_{_order}",
        principal.c.tenant,
        principal.c.kind,
        principal.c[_order],
        *((principal.c.id,) if _order != "id" else ()),
        *((principal.c.name,) if _order != "name" else ()),
        principal.c.state,
        principal.c.owner,
        principal.c.blueprint,
        principal.c.environment,
    )
Index("principal_owner", principal.c.tenant, principal.c.owner)
Index("principal_parent", principal.c.tenant, principal.c.parent)
Index("principal_blueprint", principal.c.tenant, principal.c.blueprint)
Index("principal_task", principal.c.tenant, principal.c.task)

credential: Final = Table(
    "credential",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("principal", Text, nullable=False),
    Column("thumbprint", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Index("credential_thumbprint", "tenant", "thumbprint", unique=True),
    Index("credential_principal", "tenant", "principal"),
)

server: Final = Table(
    "server",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("body", Text, nullable=False),
    Index("server_name", "tenant", "name", unique=True),
)

tool: Final = Table(
    "tool",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("server", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("pin", Text, nullable=False),
    Column("body", Text, nullable=False),
    Index("tool_name", "tenant", "server", "name", unique=True),
)
