"""Create every table of the first release."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""Compared as bytes by both engines: SQLite does so by default, PostgreSQL when told."""


def upgrade() -> None:
    """Create the tables wing by wing, and the counters that number changes and events."""
    _create_core()
    _create_identity()
    _create_authority()
    _create_decision()
    _create_oversight()
    _create_ledger()
    _start_counters()


def _create_core() -> None:
    op.create_table(
        "counter",
        sa.Column("name", TEXT, nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "tenant_epoch",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant"),
    )
    op.create_table(
        "tombstone",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("ident", TEXT, nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("cause", TEXT, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "kind", "ident", "epoch"),
    )
    op.create_index("tombstone_ident", "tombstone", ["tenant", "ident"], unique=False)
    op.create_table(
        "change",
        sa.Column("revision", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("ident", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("revision"),
    )
    op.create_table(
        "outbox",
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("event", TEXT, nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("position"),
    )
    op.create_table(
        "delivery",
        sa.Column("subscriber", TEXT, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("subscriber"),
    )
    op.create_table(
        "job",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("due", sa.BigInteger(), nullable=False),
        sa.Column("holder", TEXT, nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "name"),
    )
    op.create_table(
        "node",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "unit",
        sa.Column("id", TEXT, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("unit_at", "unit", ["at"], unique=False)
    op.create_table(
        "idempotency",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("principal", TEXT, nullable=False),
        sa.Column("key", TEXT, nullable=False),
        sa.Column("request_hash", TEXT, nullable=False),
        sa.Column("response", sa.LargeBinary(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "principal", "key"),
    )
    op.create_index("idempotency_at", "idempotency", ["at"], unique=False)
    op.create_table(
        "clock_mark",
        sa.Column("node", TEXT, nullable=False),
        sa.Column("high_water", sa.BigInteger(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("node"),
    )
    op.create_table(
        "signing_key",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("kid", TEXT, nullable=False),
        sa.Column("key_class", TEXT, nullable=False),
        sa.Column("issuer", TEXT, nullable=False),
        sa.Column("algorithm", TEXT, nullable=False),
        sa.Column("public", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("not_before", sa.BigInteger(), nullable=False),
        sa.Column("not_after", sa.BigInteger(), nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "kid"),
    )
    op.create_table(
        "setting",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "name"),
    )


def _create_identity() -> None:
    op.create_table(
        "principal",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("owner", TEXT, nullable=False),
        sa.Column("parent", TEXT, nullable=False),
        sa.Column("blueprint", TEXT, nullable=False),
        sa.Column("environment", TEXT, nullable=False),
        sa.Column("task", TEXT, nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_index("principal_blueprint", "principal", ["tenant", "blueprint"], unique=False)
    op.create_index(
        "principal_living_name",
        "principal",
        ["tenant", "kind", "name"],
        unique=True,
        sqlite_where=sa.text("state != 'retired'"),
        postgresql_where=sa.text("state != 'retired'"),
    )
    op.create_index("principal_owner", "principal", ["tenant", "owner"], unique=False)
    op.create_index("principal_parent", "principal", ["tenant", "parent"], unique=False)
    op.create_index("principal_task", "principal", ["tenant", "task"], unique=False)
    op.create_table(
        "credential",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("principal", TEXT, nullable=False),
        sa.Column("thumbprint", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_index("credential_principal", "credential", ["tenant", "principal"], unique=False)
    op.create_index("credential_thumbprint", "credential", ["tenant", "thumbprint"], unique=True)
    op.create_table(
        "server",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_index("server_name", "server", ["tenant", "name"], unique=True)
    op.create_table(
        "tool",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("server", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("pin", TEXT, nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_index("tool_name", "tool", ["tenant", "server", "name"], unique=True)


def _create_authority() -> None:
    op.create_table(
        "task",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("user", TEXT, nullable=False),
        sa.Column("agent", TEXT, nullable=False),
        sa.Column("consent", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("deadline", sa.BigInteger(), nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_index("task_agent", "task", ["tenant", "agent", "state"], unique=False)
    op.create_index("task_consent", "task", ["tenant", "consent", "state"], unique=False)
    op.create_index("task_deadline", "task", ["tenant", "state", "deadline"], unique=False)
    op.create_index("task_user", "task", ["tenant", "user", "state"], unique=False)
    op.create_table(
        "consent",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("user", TEXT, nullable=False),
        sa.Column("agent", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_index("consent_pair", "consent", ["tenant", "user", "agent", "state"], unique=False)
    op.create_table(
        "ceiling",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("principal", TEXT, nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "principal"),
    )
    op.create_table(
        "envelope",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("task", TEXT, nullable=False),
        sa.Column("digest", TEXT, nullable=False),
        sa.Column("depth", sa.BigInteger(), nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_index("envelope_digest", "envelope", ["tenant", "digest"], unique=True)
    op.create_index("envelope_task", "envelope", ["tenant", "task", "depth"], unique=False)
    op.create_table(
        "token",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("principal", TEXT, nullable=False),
        sa.Column("agent", TEXT, nullable=False),
        sa.Column("user", TEXT, nullable=False),
        sa.Column("task", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_index("token_agent", "token", ["tenant", "agent", "state"], unique=False)
    op.create_index("token_expiry", "token", ["tenant", "expires_at"], unique=False)
    op.create_index("token_principal", "token", ["tenant", "principal", "state"], unique=False)
    op.create_index("token_task", "token", ["tenant", "task", "state"], unique=False)
    op.create_index("token_user", "token", ["tenant", "user", "state"], unique=False)
    op.create_table(
        "capability",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("jti", TEXT, nullable=False),
        sa.Column("task", TEXT, nullable=False),
        sa.Column("instance", TEXT, nullable=False),
        sa.Column("audience", TEXT, nullable=False),
        sa.Column("action", TEXT, nullable=False),
        sa.Column("resource_type", TEXT, nullable=False),
        sa.Column("resource", TEXT, nullable=False),
        sa.Column("args_sha256", TEXT, nullable=False),
        sa.Column("tool_sha256", TEXT, nullable=False),
        sa.Column("cnf_jkt", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("exp", sa.BigInteger(), nullable=False),
        sa.Column("call_id", TEXT, nullable=False),
        sa.Column("node", TEXT, nullable=False),
        sa.Column("consumed_at", sa.BigInteger(), nullable=False),
        sa.Column("settled_at", sa.BigInteger(), nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "jti"),
    )
    op.create_index(
        "capability_call",
        "capability",
        ["tenant", "call_id"],
        unique=True,
        sqlite_where=sa.text("call_id <> ''"),
        postgresql_where=sa.text("call_id <> ''"),
    )
    op.create_index("capability_open", "capability", ["tenant", "state", "consumed_at"], unique=False)
    op.create_index("capability_task", "capability", ["tenant", "task", "state"], unique=False)
    op.create_table(
        "replay",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("key", TEXT, nullable=False),
        sa.Column("jti", TEXT, nullable=False),
        sa.Column("keep_until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "key", "jti"),
    )
    op.create_index("replay_expiry", "replay", ["tenant", "keep_until"], unique=False)


def _create_decision() -> None:
    op.create_table(
        "policy",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("digest", TEXT, nullable=False),
        sa.Column("text", TEXT, nullable=False),
        sa.Column("published_by", TEXT, nullable=False),
        sa.Column("published_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "number"),
    )
    op.create_table(
        "budget",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("period", sa.BigInteger(), nullable=False),
        sa.Column("spent", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_table(
        "decision",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("call", TEXT, nullable=False),
        sa.Column("agent", TEXT, nullable=False),
        sa.Column("effect", TEXT, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("outcome", TEXT, nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_index("decision_agent", "decision", ["tenant", "agent", "id"], unique=False)
    op.create_index("decision_call", "decision", ["tenant", "call"], unique=False)


def _create_oversight() -> None:
    op.create_table(
        "approval",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("key", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("agent", TEXT, nullable=False),
        sa.Column("instance", TEXT, nullable=False),
        sa.Column("user", TEXT, nullable=False),
        sa.Column("task", TEXT, nullable=False),
        sa.Column("requested_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("decided_at", sa.BigInteger(), nullable=False),
        sa.Column("spent_by", TEXT, nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_index("approval_by_agent", "approval", ["tenant", "agent", "decided_at"], unique=False)
    op.create_index("approval_by_key", "approval", ["tenant", "key", "id"], unique=False)
    op.create_index("approval_by_state", "approval", ["tenant", "state", "expires_at"], unique=False)
    op.create_index("approval_by_task", "approval", ["tenant", "task"], unique=False)
    op.create_index("approval_by_user", "approval", ["tenant", "user", "requested_at"], unique=False)
    op.create_table(
        "approval_asked",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("person", TEXT, nullable=False),
        sa.Column("approval", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "person", "approval"),
    )
    op.create_table(
        "kill",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_index("kill_by_state", "kill", ["tenant", "state"], unique=False)


def _create_ledger() -> None:
    op.create_table(
        "ledger_shard",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("shard", TEXT, nullable=False),
        sa.Column("node", TEXT, nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("frontier", sa.LargeBinary(), nullable=False),
        sa.Column("indexed", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "shard"),
    )
    op.create_table(
        "ledger_entries",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("shard", TEXT, nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("earliest", sa.BigInteger(), nullable=False),
        sa.Column("latest", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "shard", "first"),
    )
    op.create_index("ledger_entries_time", "ledger_entries", ["tenant", "latest"], unique=False)
    op.create_table(
        "ledger_tile",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("shard", TEXT, nullable=False),
        sa.Column("level", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "shard", "level", "number"),
    )
    op.create_table(
        "ledger_mention",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("ident", TEXT, nullable=False),
        sa.Column("shard", TEXT, nullable=False),
        sa.Column("place", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "ident", "shard", "place"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "ledger_content",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("record", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("subject", TEXT, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "record", "name"),
    )
    op.create_index("ledger_content_subject", "ledger_content", ["tenant", "subject"], unique=False)
    op.create_table(
        "ledger_checkpoint",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("shard", TEXT, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "shard", "size"),
    )
    op.create_table(
        "subject_key",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("subject", TEXT, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("erased", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("tenant", "subject", "version"),
    )


def _start_counters() -> None:
    counter = sa.table("counter", sa.column("name", sa.Text), sa.column("value", sa.BigInteger))
    op.bulk_insert(counter, [{"name": "change", "value": 0}, {"name": "outbox", "value": 0}])
