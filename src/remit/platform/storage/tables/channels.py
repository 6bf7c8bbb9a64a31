"""Tables of how people are reached: ways out, ways to people, browsers, and what each was told."""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, LargeBinary, Table, Text

from remit.platform.storage.tables.metadata import metadata

channel: Final = Table(
    "channel",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("body", Text, nullable=False),
    Column("health", Text, nullable=False),
)
"""`sealed` holds what must not be seen; `health` is written with every try, `body` when it is changed."""

reach: Final = Table(
    "reach",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("person", Text, primary_key=True),
    Column("body", Text, nullable=False),
)

push_device: Final = Table(
    "push_device",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("person", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("body", Text, nullable=False),
    Index("push_device_of", "tenant", "person", "id"),
)
"""The endpoint of a subscription is a secret: whoever has it, and the keys, can write to that browser."""

message: Final = Table(
    "message",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("person", Text, nullable=False),
    Column("about", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("stated_at", BigInteger, nullable=False),
    Column("due", BigInteger, nullable=False),
    Column("tries", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Index("message_due", "tenant", "state", "due"),
    Index("message_of", "tenant", "person", "stated_at"),
    Index("message_about", "tenant", "about"),
    Index("message_stated", "tenant", "stated_at", "id"),
)
"""`state` and `tries` are the truth about where a message is; `body` holds the rest."""
