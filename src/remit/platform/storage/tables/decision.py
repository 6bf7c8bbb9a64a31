"""Tables of decisions: policy texts, counters, and every answer that was given."""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Table, Text, text

from remit.platform.storage.tables.metadata import metadata

policy: Final = Table(
    "policy",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("digest", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("published_by", Text, nullable=False),
    Column("published_at", BigInteger, nullable=False),
)
"""Append-only: the highest number is in force."""

admin_policy: Final = Table(
    "admin_policy",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("digest", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("published_by", Text, nullable=False),
    Column("published_at", BigInteger, nullable=False),
)
"""Who may administer; append-only: the highest number is in force, none is what is shipped."""

policy_seal: Final = Table(
    "policy_seal",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("seal", Text, nullable=False),
    Column("closed_at", BigInteger, nullable=False),
)
"""What was signed of each version; `closed_at` is 0 until the end of a trial on a part is on record."""

budget: Final = Table(
    "budget",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("period", BigInteger, nullable=False),
    Column("spent", BigInteger, nullable=False),
)
"""One counter per account and dimension; `period` is the day or minute that `spent` belongs to."""

decision: Final = Table(
    "decision",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("call", Text, nullable=False),
    Column("agent", Text, nullable=False),
    Column("effect", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("body", Text, nullable=False),
    Index("decision_call", "tenant", "call"),
    Index("decision_agent", "tenant", "agent", "id"),
    # Permits cost it nothing: among them a rare refusal is found without reading them all.
    Index(
        "decision_unpermitted",
        "tenant",
        "effect",
        "id",
        sqlite_where=text("effect <> 'permit'"),
        postgresql_where=text("effect <> 'permit'"),
    ),
)
"""`outcome` is the truth about the reservation of a permit; `body` holds the trace."""

history: Final = Table(
    "history",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("mark", Text, primary_key=True),
    Column("holder", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    Column("bucket", BigInteger, primary_key=True, autoincrement=False),
    Column("times", BigInteger, nullable=False),
    Column("last_at", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
    Index("history_until", "tenant", "until"),
)
"""Marks of permitted calls, counted per part of their window; one without a window ends at the last instant.

The row with bucket -1 is the lock of a mark on a holder: it counts nothing and is made on first use.
"""

seen: Final = Table(
    "seen",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("task", Text, primary_key=True),
    Column("digest", Text, primary_key=True),
    Column("label", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("flags", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=False),
    Index("seen_until", "tenant", "until"),
)
"""What a task has seen: a keyed digest of each value, in hexadecimal, and where it was seen; never a value.

`flags`: 1 the user's words select its record, 2 the agent wrote it itself from ground that is not believed.
"""

source: Final = Table(
    "source",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("holder", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Index("source_at", "tenant", "holder", "at", "id"),
)
"""Documents and results in the context of a task, or of an agent's own runs; kept like decisions."""

source_label: Final = Table(
    "source_label",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("holder", Text, primary_key=True),
    Column("label", Text, primary_key=True),
    Column("tag", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
)
"""Labels of a context, each with the first source that brought it and when one did last.

A label that begins with `=` says that the tag behind it has more values than are kept.
"""

source_print: Final = Table(
    "source_print",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("holder", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("prints", Text, nullable=False),
)
"""Keyed digests of runs of words of what may only be summarized; never the words."""
risk_signal: Final = Table(
    "risk_signal",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("body", Text, nullable=False),
)
"""What others say of the risk of somebody: the newest of each kind."""
