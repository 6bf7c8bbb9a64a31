"""Tables of relations: stores, models, tuples, and the changes of tuples in order."""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Table, Text

from remit.platform.storage.tables.metadata import metadata

relation_store: Final = Table(
    "relation_store",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("enforced", BigInteger, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("forgotten", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
)
"""`position` is the number of the last change, `forgotten` of the last that is no longer kept.

Its row is what writers of one store wait for.
"""

relation_model: Final = Table(
    "relation_model",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("store", Text, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("id", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Index("relation_model_id", "tenant", "store", "id", unique=True),
)
"""Append-only: the highest number is the newest."""

relation_tuple: Final = Table(
    "relation_tuple",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("store", Text, primary_key=True),
    Column("object", Text, primary_key=True),
    Column("relation", Text, primary_key=True),
    Column("user", Text, primary_key=True),
    Column("condition", Text, nullable=False),
    Column("context", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Index("relation_tuple_user", "tenant", "store", "user", "object"),
)
"""Compared byte by byte."""

relation_change: Final = Table(
    "relation_change",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("store", Text, primary_key=True),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("object", Text, nullable=False),
    Column("relation", Text, nullable=False),
    Column("user", Text, nullable=False),
    Column("written", BigInteger, nullable=False),
    Column("condition", Text, nullable=False),
    Column("context", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
)
"""What nodes follow, and what ReadChanges tells: added at one end, forgotten from the other."""
