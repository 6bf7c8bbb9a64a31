"""Tables of OpenID Connect, devices, sign-in by other providers, trust across domains, tenants."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add what applications, upstream providers, devices, other domains and further tenants need."""
    _create_upstream()


def _create_upstream() -> None:
    op.create_table(
        "identity_provider",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("issuer", TEXT, nullable=False),
        sa.Column("standing", TEXT, nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("body", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    counts = sa.text("standing != 'retired'")
    for name in ("name", "issuer"):
        columns = ["tenant", name]
        op.create_index(
            f"identity_provider_{name}",
            "identity_provider",
            columns,
            unique=True,
            sqlite_where=counts,
            postgresql_where=counts,
        )
    op.create_table(
        "linked_identity",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("issuer", TEXT, nullable=False),
        sa.Column("subject", TEXT, nullable=False),
        sa.Column("human", TEXT, nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    subject = ["tenant", "issuer", "subject"]
    op.create_index("linked_identity_subject", "linked_identity", subject, unique=True)
    op.create_index("linked_identity_human", "linked_identity", ["tenant", "human"], unique=False)
    op.create_table(
        "upstream_session",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("session", TEXT, nullable=False),
        sa.Column("provider", TEXT, nullable=False),
        sa.Column("sid", TEXT, nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("tenant", "session"),
    )
    op.create_index("upstream_session_sid", "upstream_session", ["tenant", "provider", "sid"], unique=False)
    op.create_index("upstream_session_expiry", "upstream_session", ["tenant", "expires_at"], unique=False)
