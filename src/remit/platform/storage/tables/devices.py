"""Tables of devices without a browser: what they ask, and what is counted about those who answer."""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Table, Text

from remit.platform.storage.tables.metadata import metadata

request: Final = Table(
    "device_request",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("user_code", Text, nullable=False),
    Column("client", Text, nullable=False),
    Column("step", BigInteger, nullable=False),
    Column("pause", BigInteger, nullable=False),
    Column("polled_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Index("device_request_code", "tenant", "user_code", unique=True),
    Index("device_request_expiry", "tenant", "expires_at"),
    Index("device_request_client", "tenant", "client", "expires_at"),
)
"""Ids are digests of device codes, user codes keyed digests: nobody can use what stands here."""

mark: Final = Table(
    "device_mark",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Index("device_mark_who", "tenant", "kind", "who", "expires_at"),
    Index("device_mark_expiry", "tenant", "expires_at"),
)
