"""Tables of people who come from other providers: providers, who is who, sessions that stand on theirs."""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, LargeBinary, Table, Text

from remit.platform.storage.tables.metadata import metadata

identity_provider: Final = Table(
    "identity_provider",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("issuer", Text, nullable=False),
    Column("standing", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=True),
    Column("body", Text, nullable=False),
)
"""A row is never deleted; `sealed` is our secret at the provider, where it needs one."""

_COUNTS = identity_provider.c.standing != "retired"

for _name in ("name", "issuer"):
    Index(
        f"identity_provider_{_name}",
        identity_provider.c.tenant,
        identity_provider.c[_name],
        unique=True,
        sqlite_where=_COUNTS,
        postgresql_where=_COUNTS,
    )

linked_identity: Final = Table(
    "linked_identity",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("issuer", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("human", Text, nullable=False),
    Column("body", Text, nullable=False),
    Index("linked_identity_subject", "tenant", "issuer", "subject", unique=True),
    Index("linked_identity_human", "tenant", "human"),
)
"""A row is never deleted, so nobody at an issuer is ever two people here."""

upstream_session: Final = Table(
    "upstream_session",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("session", Text, primary_key=True),
    Column("provider", Text, nullable=False),
    Column("sid", Text, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("sealed", LargeBinary, nullable=True),
    Index("upstream_session_sid", "tenant", "provider", "sid"),
    Index("upstream_session_expiry", "tenant", "expires_at"),
)
"""`sid` is the provider's name for its session, empty if it has none; `sealed` what it wants at sign-out."""
