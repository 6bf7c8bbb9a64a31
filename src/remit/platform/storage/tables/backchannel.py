"""The table of people asked behind the scenes."""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Table, Text

from remit.platform.storage.tables.metadata import metadata

request: Final = Table(
    "backchannel_request",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("person", Text, nullable=False),
    Column("agent", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("step", BigInteger, nullable=False),
    Column("pause", BigInteger, nullable=False),
    Column("polled_at", BigInteger, nullable=False),
    Column("begun_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Index("backchannel_request_person", "tenant", "person", "expires_at"),
    Index("backchannel_request_agent", "tenant", "agent", "expires_at"),
    Index("backchannel_request_expiry", "tenant", "expires_at"),
)
"""Ids are digests of `auth_req_id`s: nobody can poll with what stands here."""
