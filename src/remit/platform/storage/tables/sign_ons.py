"""Tables of OpenID Connect: applications that people sign in to, and clients to be told of an end."""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Table, Text

from remit.platform.storage.tables.metadata import metadata

sign_on: Final = Table(
    "sign_on",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("user", Text, nullable=False),
    Column("client", Text, nullable=False),
    Column("withdrawn_at", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Index("sign_on_pair", "tenant", "user", "client"),
)
"""`withdrawn_at` 0 stands for a yes that was not taken back."""

logout: Final = Table(
    "logout_notice",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("outcome", Text, nullable=False),
    Column("tries", BigInteger, nullable=False),
    Column("due", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Index("logout_notice_due", "tenant", "outcome", "due"),
)
"""A row for each session and client: nobody is told twice of one end."""
