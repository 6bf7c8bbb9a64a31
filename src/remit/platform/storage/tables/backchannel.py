"""Tables of people asked behind the scenes, and of clients to be told that they have answered."""

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

notice: Final = Table(
    "backchannel_notice",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("outcome", Text, nullable=False),
    Column("tries", BigInteger, nullable=False),
    Column("due", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Index("backchannel_notice_due", "tenant", "outcome", "due"),
)
"""A row for each answer that somebody is told of; what is sent is sealed, and gone once it ended."""
