"""Tables of people who sign in: sessions, passkeys, enrolment links, challenges that were answered."""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Table, Text

from remit.platform.storage.tables.metadata import metadata

session: Final = Table(
    "session",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("human", Text, nullable=False),
    Column("secret", Text, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Index("session_secret", "tenant", "secret", unique=True),
    Index("session_human", "tenant", "human", "ended_at"),
    Index("session_expiry", "tenant", "expires_at"),
)
"""`ended_at` 0 stands for a session that was not ended; `secret` is a digest."""

passkey: Final = Table(
    "passkey",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("human", Text, nullable=False),
    Column("credential", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("body", Text, nullable=False),
    Index("passkey_credential", "tenant", "credential", unique=True),
    Index("passkey_human", "tenant", "human"),
)
"""A row is never deleted, so no authenticator's credential is ever another person's."""

enrolment: Final = Table(
    "enrolment",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("human", Text, nullable=False),
    Column("secret", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Index("enrolment_secret", "tenant", "secret", unique=True),
    Index("enrolment_human", "tenant", "human", "state"),
)
"""`secret` is a digest: nothing in this table opens anything."""

challenge: Final = Table(
    "challenge",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("digest", Text, primary_key=True),
    Column("keep_until", BigInteger, nullable=False),
    Index("challenge_expiry", "tenant", "keep_until"),
)
"""Challenges that were answered; each is answered once."""
