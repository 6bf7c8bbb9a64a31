"""Tables of oversight: asks, the attention that they take, kills, and break glass."""

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

attention: Final = Table(
    "attention",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("person", Text, primary_key=True),
    Column("approval", Text, primary_key=True),
    Column("waits", BigInteger, nullable=False),
    Column("rank", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("alike", Text, nullable=False),
    Column("agent", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("asked_at", BigInteger, nullable=False),
    Column("card", BigInteger, nullable=False),
    Column("shown_at", BigInteger, nullable=False),
    Column("answered_at", BigInteger, nullable=False),
    Column("answer", Text, nullable=False),
    Column("together", BigInteger, nullable=False),
    Index("attention_waiting", "tenant", "person", "waits", "rank", "expires_at", "approval"),
    Index("attention_alike", "tenant", "alike", "answered_at"),
    Index("attention_approval", "tenant", "approval"),
    Index("attention_asked", "tenant", "person", "asked_at"),
    Index("attention_answered", "tenant", "person", "answered_at"),
    Index("attention_action", "tenant", "agent", "action", "answered_at"),
    Index("attention_age", "tenant", "asked_at"),
)
"""One ask to one person, from the moment it was put to them until its measures are too old."""

attention_budget: Final = Table(
    "attention_budget",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("body", Text, nullable=False),
)

agent_case: Final = Table(
    "agent_case",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("agent", Text, nullable=False),
    Column("task", Text, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Index("agent_case_by_state", "tenant", "state", "expires_at"),
    Index("agent_case_by_task", "tenant", "task", "state"),
    Index("agent_case_by_agent", "tenant", "agent", "state"),
)
"""`state` is moved by conditional updates; question and answer lie sealed beside it, never in `body`."""

agent_case_asked: Final = Table(
    "agent_case_asked",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("person", Text, primary_key=True),
    Column("agent_case", Text, primary_key=True),
)

approval_answer: Final = Table(
    "approval_answer",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("approval", Text, primary_key=True),
    Column("seat", BigInteger, primary_key=True, autoincrement=False),
    Column("human", Text, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
)
"""Who has answered, with what they signed: one row per natural person and seat, whatever the account."""

approval_grant: Final = Table(
    "approval_grant",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("family", Text, nullable=False),
    Column("left", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
    Column("revoked", BigInteger, nullable=False),
    Index("approval_grant_by_family", "tenant", "family", "until"),
)
"""Yeses for several calls: `left`, `until` and `revoked` are the truth about what they still cover."""

approval_use: Final = Table(
    "approval_use",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("approval", Text, primary_key=True),
    Column("call", Text, primary_key=True),
    Column("decision", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
)
"""Which calls a yes for several has covered."""

oncall_shift: Final = Table(
    "oncall_shift",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("roster", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("starts_at", BigInteger, nullable=False),
    Column("ends_at", BigInteger, nullable=False),
    Index("oncall_shift_by_roster", "tenant", "roster", "ends_at"),
)

absence: Final = Table(
    "absence",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("person", Text, primary_key=True),
    Column("starts_at", BigInteger, nullable=False),
    Column("ends_at", BigInteger, nullable=False),
    Column("deputy", Text, nullable=False),
    Index("absence_by_end", "tenant", "ends_at"),
)

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

pending_change: Final = Table(
    "pending_change",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("proposed_by", Text, nullable=False),
    Column("body", Text, nullable=False),
    Index("pending_change_state", "tenant", "state", "id"),
)
"""Administration that waits for a second person; `state` is moved by conditional updates."""

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
