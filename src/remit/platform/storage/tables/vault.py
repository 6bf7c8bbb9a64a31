"""Tables of the vault: providers, connections, open connect flows, and what providers must end."""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, LargeBinary, Table, Text, text

from remit.platform.storage.tables.metadata import metadata

provider: Final = Table(
    "provider",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("retired", BigInteger, nullable=False),
    Column("sealed", LargeBinary),
    Column("body", Text, nullable=False),
    Index(
        "provider_name",
        "tenant",
        "name",
        unique=True,
        sqlite_where=text("retired = 0"),
        postgresql_where=text("retired = 0"),
    ),
)

connection: Final = Table(
    "connection",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("user", Text, nullable=False),
    Column("agent", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("lease_until", BigInteger, nullable=False),
    Column("sealed", LargeBinary),
    Column("body", Text, nullable=False),
    # One place has one connection that has not ended: there is never a choice.
    Index(
        "connection_place",
        "tenant",
        "user",
        "agent",
        "provider",
        "scopes",
        unique=True,
        sqlite_where=text("state <> 'ended'"),
        postgresql_where=text("state <> 'ended'"),
    ),
    Index(
        "connection_agent",
        "tenant",
        "agent",
        sqlite_where=text("state <> 'ended'"),
        postgresql_where=text("state <> 'ended'"),
    ),
)

connect_flow: Final = Table(
    "connect_flow",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("state", Text, primary_key=True),
    Column("user", Text, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("sealed", LargeBinary),
    Column("body", Text, nullable=False),
    Index("connect_flow_user", "tenant", "user"),
    Index("connect_flow_expiry", "tenant", "expires_at"),
)
"""A row goes as soon as an answer comes, whatever it says."""

upstream_revocation: Final = Table(
    "upstream_revocation",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("connection", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("tries", BigInteger, nullable=False),
    Column("due", BigInteger, nullable=False),
    Column("sealed", LargeBinary),
    Column("body", Text, nullable=False),
    Index(
        "upstream_revocation_due",
        "tenant",
        "due",
        sqlite_where=text("outcome = 'open'"),
        postgresql_where=text("outcome = 'open'"),
    ),
    Index("upstream_revocation_connection", "tenant", "connection"),
)
