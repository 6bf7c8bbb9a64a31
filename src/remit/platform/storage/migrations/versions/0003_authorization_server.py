"""Tables of the authorization server: clients, sessions, codes, trusted issuers, downstream credentials."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add what people, other issuers and upstream providers need."""
    _create_clients()
    _index_stopped_capabilities()


def _create_clients() -> None:
    op.create_table(
        "client",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("principal", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("revoked", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_index("client_principal", "client", ["tenant", "principal"], unique=False)


def _index_stopped_capabilities() -> None:
    """What a capability reserved is given back by a job that looks for those that ended with their task."""
    where = sa.text("state = 'stopped'")
    op.create_index(
        "capability_stopped",
        "capability",
        ["tenant"],
        unique=False,
        sqlite_where=where,
        postgresql_where=where,
    )
