"""Tables of authority: what runs, on whose consent, delegated to whom, issued and used up."""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Table, Text, text

from remit.platform.storage.tables.metadata import metadata

task: Final = Table(
    "task",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("user", Text, nullable=False),
    Column("agent", Text, nullable=False),
    Column("consent", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("deadline", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Index("task_agent", "tenant", "agent", "state"),
    Index("task_user", "tenant", "user", "state"),
    Index("task_consent", "tenant", "consent", "state"),
    Index("task_deadline", "tenant", "state", "deadline"),
)

companion: Final = Table(
    "companion",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("task", Text, primary_key=True),
    Column("user", Text, primary_key=True),
    Column("consent", Text, nullable=False),
    Index("companion_user", "tenant", "user"),
    Index("companion_consent", "tenant", "consent"),
)
"""Who else a task is for; its body says so too, this is how it is found by a person or a consent."""

consent: Final = Table(
    "consent",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("user", Text, nullable=False),
    Column("agent", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("body", Text, nullable=False),
    Index("consent_pair", "tenant", "user", "agent", "state"),
    Index("consent_agent", "tenant", "agent", "state", "id"),
)
"""Grants that people gave; `grant` is a reserved word of SQL."""

ceiling: Final = Table(
    "ceiling",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("principal", Text, primary_key=True),
    Column("changed_at", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
)

envelope: Final = Table(
    "envelope",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("task", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Column("depth", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Index("envelope_digest", "tenant", "digest", unique=True),
    Index("envelope_task", "tenant", "task", "depth"),
)

token: Final = Table(
    "token",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("principal", Text, nullable=False),
    Column("agent", Text, nullable=False),
    Column("user", Text, nullable=False),
    Column("task", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Index("token_principal", "tenant", "principal", "state"),
    Index("token_agent", "tenant", "agent", "state"),
    Index("token_user", "tenant", "user", "state"),
    Index("token_task", "tenant", "task", "state"),
    Index("token_expiry", "tenant", "expires_at"),
)
"""What issued access tokens said; never a token."""

capability: Final = Table(
    "capability",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("jti", Text, primary_key=True),
    Column("task", Text, nullable=False),
    Column("instance", Text, nullable=False),
    Column("audience", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("resource_type", Text, nullable=False),
    Column("resource", Text, nullable=False),
    Column("args_sha256", Text, nullable=False),
    Column("tool_sha256", Text, nullable=False),
    Column("cnf_jkt", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("exp", BigInteger, nullable=False),
    Column("call_id", Text, nullable=False),
    Column("node", Text, nullable=False),
    Column("consumed_at", BigInteger, nullable=False),
    Column("settled_at", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    # What can't be used any more is found by its id alone; a condition of an index stands in the text of the
    # statements that it serves.
    Index(
        "capability_task",
        "tenant",
        "task",
        sqlite_where=text("state = 'live'"),
        postgresql_where=text("state = 'live'"),
    ),
    # One call uses one capability, however often it is sent (CA-14); an unused one has no call yet.
    Index(
        "capability_call",
        "tenant",
        "call_id",
        unique=True,
        sqlite_where=text("call_id <> ''"),
        postgresql_where=text("call_id <> ''"),
    ),
    Index(
        "capability_open",
        "tenant",
        "consumed_at",
        sqlite_where=text("state = 'consumed'"),
        postgresql_where=text("state = 'consumed'"),
    ),
    Index(
        "capability_stopped",
        "tenant",
        "settled_at",
        sqlite_where=text("state = 'stopped'"),
        postgresql_where=text("state = 'stopped'"),
    ),
)

replay: Final = Table(
    "replay",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("jti", Text, primary_key=True),
    Column("keep_until", BigInteger, nullable=False),
    Index("replay_expiry", "tenant", "keep_until"),
    sqlite_with_rowid=False,
)
"""One row per proof, assertion or link that was shown: the primary key is the replay check."""
