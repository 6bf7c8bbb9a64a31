"""Tables of OpenID Connect, devices, sign-in by other providers, trust across domains, tenants."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add what applications, upstream providers, devices, other domains and further tenants need."""
    _create_upstream()
    _create_sign_ons()
    _create_devices()
    _create_domains()
    _create_tenants()
    _number_what_is_forgotten()
    _keep_tenants_apart()  # the last: it concerns every table that is there


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


def _create_domains() -> None:
    op.create_table(
        "trusted_domain",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("issuer", TEXT, nullable=False),
        sa.Column("direction", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    counts = sa.text("state = 'active'")
    for index, columns in (
        ("trusted_domain_name", ["tenant", "name"]),
        ("trusted_domain_issuer", ["tenant", "issuer", "direction"]),
    ):
        op.create_index(
            index, "trusted_domain", columns, unique=True, sqlite_where=counts, postgresql_where=counts
        )
    op.create_table(
        "domain_rule",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("domain", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_index("domain_rule_domain", "domain_rule", ["tenant", "domain", "state"], unique=False)
    op.create_table(
        "domain_person",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("domain", TEXT, nullable=False),
        sa.Column("theirs", TEXT, nullable=False),
        sa.Column("subject", TEXT, nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "domain", "theirs", "subject"),
    )
    op.create_table(
        "domain_run",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("domain", TEXT, nullable=False),
        sa.Column("rule", TEXT, nullable=False),
        sa.Column("user_id", TEXT, nullable=False),
        sa.Column("agent", TEXT, nullable=False),
        sa.Column("task", TEXT, nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    for index, columns in (
        ("domain_run_rule", ["tenant", "rule", "user_id", "agent", "ends_at"]),
        ("domain_run_domain", ["tenant", "domain", "ends_at"]),
        ("domain_run_task", ["tenant", "task"]),
        ("domain_run_end", ["tenant", "ends_at"]),
    ):
        op.create_index(index, "domain_run", columns, unique=False)


def _create_devices() -> None:
    op.create_table(
        "device_request",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("user_code", TEXT, nullable=False),
        sa.Column("client", TEXT, nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("pause", sa.BigInteger(), nullable=False),
        sa.Column("polled_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_index("device_request_code", "device_request", ["tenant", "user_code"], unique=True)
    op.create_index("device_request_expiry", "device_request", ["tenant", "expires_at"], unique=False)
    whose = ["tenant", "client", "expires_at"]
    op.create_index("device_request_client", "device_request", whose, unique=False)
    op.create_table(
        "device_mark",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("who", TEXT, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_index("device_mark_who", "device_mark", ["tenant", "kind", "who", "expires_at"], unique=False)
    op.create_index("device_mark_expiry", "device_mark", ["tenant", "expires_at"], unique=False)


def _create_sign_ons() -> None:
    op.create_table(
        "sign_on",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("user", TEXT, nullable=False),
        sa.Column("client", TEXT, nullable=False),
        sa.Column("withdrawn_at", sa.BigInteger(), nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_index("sign_on_pair", "sign_on", ["tenant", "user", "client"], unique=False)
    op.create_table(
        "logout_notice",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("outcome", TEXT, nullable=False),
        sa.Column("tries", sa.BigInteger(), nullable=False),
        sa.Column("due", sa.BigInteger(), nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_index("logout_notice_due", "logout_notice", ["tenant", "outcome", "due"], unique=False)


def _create_tenants() -> None:
    op.create_table(
        "tenant",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("tenant"),
    )


def _number_what_is_forgotten() -> None:
    """Up to where changes are gone stands beside their counter: no tenant sees the others' rows."""
    op.execute(
        "INSERT INTO counter (name, value) "
        "SELECT 'forgotten', COALESCE(MIN(revision) - 1, (SELECT value FROM counter WHERE name = 'change')) "
        "FROM change"
    )


def _keep_tenants_apart() -> None:
    """On PostgreSQL a transaction sees and writes the rows of the tenant that it names, or none.

    Also its owner: a migration that moves rows later must first say `NO FORCE ROW LEVEL SECURITY`.
    """
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    named = connection.exec_driver_sql(
        "SELECT table_name FROM information_schema.columns "
        "WHERE table_schema = current_schema() AND column_name = 'tenant' ORDER BY 1"
    )
    ours = "tenant = current_setting('remit.tenant', true)"
    for table in [str(row[0]) for row in named]:
        op.execute(f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY')
        op.execute(f'ALTER TABLE "{table}" FORCE ROW LEVEL SECURITY')
        op.execute(f'CREATE POLICY own_tenant ON "{table}" USING ({ours}) WITH CHECK ({ours})')
    # The register: who runs the installation reads all of it; each row is written by its tenant alone.
    op.execute(
        "CREATE POLICY installation ON tenant FOR SELECT "
        "USING (current_setting('remit.tenant', true) = 'default')"
    )
