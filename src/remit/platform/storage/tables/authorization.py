"""Tables of authorization: requests on their way, codes, and what came of them."""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Table, Text

from remit.platform.storage.tables.metadata import metadata

pending: Final = Table(
    "pending_request",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("client", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Index("pending_request_expiry", "tenant", "expires_at"),
    Index("pending_request_client", "tenant", "client"),
)
"""Ids are digests of handles: who reads the table can go on with no request of it."""

code: Final = Table(
    "authorization_code",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("spent_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Index("authorization_code_expiry", "tenant", "expires_at"),
)

family: Final = Table(
    "token_family",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("client", Text, nullable=False),
    Column("user", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("ends_at", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Index("token_family_pair", "tenant", "user", "client", "state"),
    Index("token_family_end", "tenant", "ends_at"),
)

refresh: Final = Table(
    "refresh_token",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("family", Text, nullable=False),
    Column("used_at", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Index("refresh_token_family", "tenant", "family"),
)
"""Ids are digests: the tokens themselves are nowhere."""
