"""Tables of the platform itself: order, epoch, outbox, leases, idempotency, clock, keys, settings."""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, LargeBinary, Table, Text

from remit.platform.storage.tables.metadata import metadata

counter: Final = Table(
    "counter",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
)
"""One row per sequence (`change`, `outbox`); its lock is held to the commit: numbers are in commit order."""

tenant_epoch: Final = Table(
    "tenant_epoch",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("epoch", BigInteger, nullable=False),
)

tombstone: Final = Table(
    "tombstone",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("ident", Text, primary_key=True),
    Column("epoch", BigInteger, primary_key=True),
    Column("cause", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Index("tombstone_ident", "tenant", "ident"),
)
"""Append-only (P12): no statement of ours updates or deletes a row."""

change: Final = Table(
    "change",
    metadata,
    Column("revision", BigInteger, primary_key=True, autoincrement=False),
    Column("tenant", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("ident", Text, nullable=False),
)

tenant_revision: Final = Table(
    "tenant_revision",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("revision", BigInteger, nullable=False),
)
"""How many changes each tenant has had: the number that it sees says nothing of the others (MT-06)."""

outbox: Final = Table(
    "outbox",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("tenant", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("body", Text, nullable=False),
)

delivery: Final = Table(
    "delivery",
    metadata,
    Column("subscriber", Text, primary_key=True),
    Column("position", BigInteger, nullable=False),
)
"""How far each subscriber has read the outbox."""

job: Final = Table(
    "job",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("due", BigInteger, nullable=False),
    Column("holder", Text, nullable=False),
    Column("fence", BigInteger, nullable=False),
    Column("lease_until", BigInteger, nullable=False),
)

node: Final = Table(
    "node",
    metadata,
    Column("id", Text, primary_key=True),
    Column("fence", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("lease_until", BigInteger, nullable=False),
)

unit: Final = Table(
    "unit",
    metadata,
    Column("id", Text, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Index("unit_at", "at"),
)
"""One row per group commit on PostgreSQL: tells, after a lost reply, whether the commit happened."""

idempotency: Final = Table(
    "idempotency",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("principal", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("request_hash", Text, nullable=False),
    Column("response", LargeBinary),
    Column("at", BigInteger, nullable=False),
    Index("idempotency_at", "at"),
)

clock_mark: Final = Table(
    "clock_mark",
    metadata,
    Column("node", Text, primary_key=True),
    Column("high_water", BigInteger, nullable=False),
    Column("generation", BigInteger, nullable=False),
)

signing_key: Final = Table(
    "signing_key",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("kid", Text, primary_key=True),
    Column("key_class", Text, nullable=False),
    Column("issuer", Text, nullable=False),
    Column("algorithm", Text, nullable=False),
    Column("public", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("not_before", BigInteger, nullable=False),
    Column("not_after", BigInteger),
    Column("sealed", LargeBinary, nullable=False),
)
"""`sealed` is the private part under the key-encryption key; `public` a JWK. No row is ever removed."""

setting: Final = Table(
    "setting",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("body", Text, nullable=False),
)
