"""Tables of trusted issuers, their keys, the rules over both, and the workloads that proved themselves."""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Table, Text

from remit.platform.storage.tables.metadata import metadata

trusted_issuer: Final = Table(
    "trusted_issuer",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("issuer", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("body", Text, nullable=False),
)
"""A row is never deleted; among those that count, name and address are unique."""

_COUNTS = trusted_issuer.c.state == "active"

for _name in ("name", "issuer"):
    Index(
        f"trusted_issuer_{_name}",
        trusted_issuer.c.tenant,
        trusted_issuer.c[_name],
        unique=True,
        sqlite_where=_COUNTS,
        postgresql_where=_COUNTS,
    )

issuer_keys: Final = Table(
    "issuer_keys",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("issuer", Text, primary_key=True),
    Column("sequence", BigInteger, nullable=False),
    Column("asked_at", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
)
"""One row per issuer; `sequence` is -1 without one, `body` empty before the first good set."""

trust_rule: Final = Table(
    "trust_rule",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("issuer", Text, nullable=False),
    Column("agent", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("body", Text, nullable=False),
    Index("trust_rule_issuer", "tenant", "issuer", "state"),
    Index("trust_rule_agent", "tenant", "agent", "state"),
)

workload: Final = Table(
    "workload",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("instance", Text, primary_key=True),
    Column("issuer", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("ends_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Index("workload_subject", "tenant", "issuer", "subject", "ends_at"),
    Index("workload_rule", "tenant", "rule", "ends_at"),
    Index("workload_end", "tenant", "ended_at", "ends_at"),
)
"""One row per instance of a workload; `ended_at` is 0 while it goes on."""
