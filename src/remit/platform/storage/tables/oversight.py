"""Tables of oversight: asks, kills, and break glass."""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Table, Text

from remit.platform.storage.tables.metadata import metadata

approval: Final = Table(
    "approval",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("key", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("agent", Text, nullable=False),
    Column("instance", Text, nullable=False),
    Column("user", Text, nullable=False),
    Column("task", Text, nullable=False),
    Column("requested_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("decided_at", BigInteger, nullable=False),
    Column("spent_by", Text, nullable=False),
    Column("body", Text, nullable=False),
    Index("approval_by_key", "tenant", "key", "id"),
    Index("approval_by_state", "tenant", "state", "expires_at"),
    Index("approval_by_agent", "tenant", "agent", "decided_at"),
    Index("approval_by_user", "tenant", "user", "requested_at"),
    Index("approval_by_task", "tenant", "task"),
)
"""`state` and `spent_by` are the truth about an answer and its one use; `body` holds the rest."""

approval_asked: Final = Table(
    "approval_asked",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("person", Text, primary_key=True),
    Column("approval", Text, primary_key=True),
)
"""Who may answer what: an inbox without a scan."""

kill: Final = Table(
    "kill",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("body", Text, nullable=False),
    Index("kill_by_state", "tenant", "state"),
)

breakglass: Final = Table(
    "breakglass",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("body", Text, nullable=False),
    Index("breakglass_state", "tenant", "state", "id"),
)
"""`state` is moved by conditional updates; `body` holds the rest."""

breakglass_use: Final = Table(
    "breakglass_use",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("glass", Text, primary_key=True),
    Column("decision", Text, primary_key=True),
    Column("effect", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
)
"""What was decided under which."""
