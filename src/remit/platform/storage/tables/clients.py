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
