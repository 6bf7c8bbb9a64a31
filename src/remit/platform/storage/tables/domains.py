"""Tables of the trust matrix: domains, rules, the people of other domains, the tasks that began by grants."""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Table, Text

from remit.platform.storage.tables.metadata import metadata

trusted_domain: Final = Table(
    "trusted_domain",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("issuer", Text, nullable=False),
    Column("direction", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("body", Text, nullable=False),
)
"""A row is never deleted; among those that count, the name is unique, and issuer with direction."""

_COUNTS = trusted_domain.c.state == "active"

Index(
    "trusted_domain_name",
    trusted_domain.c.tenant,
    trusted_domain.c.name,
    unique=True,
    sqlite_where=_COUNTS,
    postgresql_where=_COUNTS,
)
Index(
    "trusted_domain_issuer",
    trusted_domain.c.tenant,
    trusted_domain.c.issuer,
    trusted_domain.c.direction,
    unique=True,
    sqlite_where=_COUNTS,
    postgresql_where=_COUNTS,
)

domain_rule: Final = Table(
    "domain_rule",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("domain", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("body", Text, nullable=False),
    Index("domain_rule_domain", "tenant", "domain", "state"),
)

domain_person: Final = Table(
    "domain_person",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("domain", Text, primary_key=True),
    Column("theirs", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("body", Text, nullable=False),
)
"""Who a subject of another domain is; the key is what that domain calls them."""

domain_run: Final = Table(
    "domain_run",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("domain", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("agent", Text, nullable=False),
    Column("task", Text, nullable=False),
    Column("ends_at", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Index("domain_run_rule", "tenant", "rule", "user_id", "agent", "ends_at"),
    Index("domain_run_domain", "tenant", "domain", "ends_at"),
    Index("domain_run_task", "tenant", "task"),
    Index("domain_run_end", "tenant", "ends_at"),
)
