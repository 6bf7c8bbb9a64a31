"""Tables of the ledger: heads, entries, tiles, the index by id, sealed contents, checkpoints."""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, LargeBinary, Table, Text

from remit.platform.storage.tables.metadata import metadata

ledger_shard: Final = Table(
    "ledger_shard",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("shard", Text, primary_key=True),
    Column("node", Text, nullable=False),
    Column("fence", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("root", LargeBinary, nullable=False),
    Column("frontier", LargeBinary, nullable=False),
    Column("indexed", BigInteger, nullable=False),
)
"""One row per log. `frontier`: its peaks, highest first. `indexed`: how far `ledger_mention` reaches."""

ledger_entries: Final = Table(
    "ledger_entries",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("shard", Text, primary_key=True),
    Column("first", BigInteger, primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("earliest", BigInteger, nullable=False),
    Column("latest", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("hashes", LargeBinary, nullable=False),
    Index("ledger_entries_time", "tenant", "latest"),
)
"""Append-only. Consecutive entries: their lengths in two bytes each, then the bytes.

`hashes` are their leaf hashes, so that a changed entry is known by its own name.
"""

ledger_tile: Final = Table(
    "ledger_tile",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("shard", Text, primary_key=True),
    Column("level", BigInteger, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("root", LargeBinary, nullable=False),
    Column("hashes", LargeBinary, nullable=False),
)
"""Append-only. 256 complete nodes of tree level 8 · `level`; `root` is the node above them."""

ledger_mention: Final = Table(
    "ledger_mention",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("ident", Text, primary_key=True),
    Column("shard", Text, primary_key=True),
    Column("place", BigInteger, primary_key=True),
    Column("also", LargeBinary),
    sqlite_with_rowid=False,
)
"""Which entries name an id: the one at `place`, and those so many places after it as `also` says in four
bytes each. Derived: it can be rebuilt from the entries.
"""

ledger_content: Final = Table(
    "ledger_content",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("record", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("subject", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("salt", LargeBinary, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)

ledger_checkpoint: Final = Table(
    "ledger_checkpoint",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("shard", Text, primary_key=True),
    Column("size", BigInteger, primary_key=True),
    Column("note", LargeBinary, nullable=False),
    Column("at", BigInteger, nullable=False),
)
"""Append-only, one note per size: two roots of one size are never both signed."""

subject_key: Final = Table(
    "subject_key",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("version", BigInteger, primary_key=True),
    Column("sealed", LargeBinary),
    Column("erased", BigInteger),
)
"""Data key of a subject's texts, sealed. Erasure sets `sealed` to NULL; later texts get the next version."""
