"""Tables of the authorization server's clients."""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Table, Text

from remit.platform.storage.tables.metadata import metadata

client: Final = Table(
    "client",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("principal", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("revoked", BigInteger, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Index("client_principal", "tenant", "principal"),
)
"""A row is never deleted; `id` is the `client_id`, an https URL for a metadata document."""

invitation: Final = Table(
    "client_invitation",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("digest", Text, primary_key=True),
    Column("uses", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Index("client_invitation_expiry", "tenant", "expires_at"),
)
"""Initial access tokens; `uses` is how many are left."""

status: Final = Table(
    "token_status",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("list", Text, primary_key=True),
    Column("idx", BigInteger, primary_key=True, autoincrement=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Index("token_status_expiry", "tenant", "expires_at"),
)
"""Which token has which place of a status list, and what it stands on."""
