"""Tables of the authorization server: clients, sessions, codes, trusted issuers, downstream credentials."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add what people, other issuers and upstream providers need."""
    _create_clients()
    _create_people()
    _create_federation()
    _create_authorization()
    _create_vault()
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
    op.create_table(
        "client_invitation",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("digest", TEXT, nullable=False),
        sa.Column("uses", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "digest"),
    )
    op.create_index("client_invitation_expiry", "client_invitation", ["tenant", "expires_at"], unique=False)
    op.create_table(
        "token_status",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("list", TEXT, nullable=False),
        sa.Column("idx", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "list", "idx"),
    )
    op.create_index("token_status_expiry", "token_status", ["tenant", "expires_at"], unique=False)


def _index_stopped_capabilities() -> None:
    """What a capability reserved is given back by a job that looks for those that ended with their task."""
    where = sa.text("state = 'stopped'")
    op.create_index(
        "capability_stopped",
        "capability",
        ["tenant", "settled_at"],
        unique=False,
        sqlite_where=where,
        postgresql_where=where,
    )


def _create_people() -> None:
    op.create_table(
        "session",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("human", TEXT, nullable=False),
        sa.Column("secret", TEXT, nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_index("session_secret", "session", ["tenant", "secret"], unique=True)
    op.create_index("session_human", "session", ["tenant", "human", "ended_at"], unique=False)
    op.create_index("session_expiry", "session", ["tenant", "expires_at"], unique=False)
    op.create_table(
        "passkey",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("human", TEXT, nullable=False),
        sa.Column("credential", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_index("passkey_credential", "passkey", ["tenant", "credential"], unique=True)
    op.create_index("passkey_human", "passkey", ["tenant", "human"], unique=False)
    op.create_table(
        "enrolment",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("human", TEXT, nullable=False),
        sa.Column("secret", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_index("enrolment_secret", "enrolment", ["tenant", "secret"], unique=True)
    op.create_index("enrolment_human", "enrolment", ["tenant", "human", "state"], unique=False)
    op.create_table(
        "challenge",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("digest", TEXT, nullable=False),
        sa.Column("keep_until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "digest"),
    )
    op.create_index("challenge_expiry", "challenge", ["tenant", "keep_until"], unique=False)


def _create_authorization() -> None:
    op.create_table(
        "pending_request",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("client", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_index("pending_request_expiry", "pending_request", ["tenant", "expires_at"], unique=False)
    op.create_index("pending_request_client", "pending_request", ["tenant", "client"], unique=False)
    op.create_table(
        "authorization_code",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("spent_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_index("authorization_code_expiry", "authorization_code", ["tenant", "expires_at"], unique=False)
    op.create_table(
        "token_family",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("client", TEXT, nullable=False),
        sa.Column("user", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_index("token_family_pair", "token_family", ["tenant", "user", "client", "state"], unique=False)
    op.create_index("token_family_end", "token_family", ["tenant", "ends_at"], unique=False)
    op.create_table(
        "refresh_token",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("family", TEXT, nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_index("refresh_token_family", "refresh_token", ["tenant", "family"], unique=False)


def _create_federation() -> None:
    op.create_table(
        "trusted_issuer",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("issuer", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    where = sa.text("state = 'active'")
    for column in ("name", "issuer"):
        op.create_index(
            f"trusted_issuer_{column}",
            "trusted_issuer",
            ["tenant", column],
            unique=True,
            sqlite_where=where,
            postgresql_where=where,
        )
    op.create_table(
        "issuer_keys",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("issuer", TEXT, nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("asked_at", sa.BigInteger(), nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "issuer"),
    )
    op.create_table(
        "trust_rule",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("issuer", TEXT, nullable=False),
        sa.Column("agent", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_index("trust_rule_issuer", "trust_rule", ["tenant", "issuer", "state"], unique=False)
    op.create_index("trust_rule_agent", "trust_rule", ["tenant", "agent", "state"], unique=False)
    op.create_table(
        "workload",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("instance", TEXT, nullable=False),
        sa.Column("issuer", TEXT, nullable=False),
        sa.Column("rule", TEXT, nullable=False),
        sa.Column("subject", TEXT, nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "instance"),
    )
    op.create_index("workload_subject", "workload", ["tenant", "issuer", "subject", "ends_at"], unique=False)
    op.create_index("workload_rule", "workload", ["tenant", "rule", "ends_at"], unique=False)
    op.create_index("workload_end", "workload", ["tenant", "ended_at", "ends_at"], unique=False)


def _create_vault() -> None:
    op.create_table(
        "provider",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("retired", sa.BigInteger(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("body", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    _index_where("provider_name", "provider", ["tenant", "name"], "retired = 0", unique=True)
    op.create_table(
        "connection",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("user", TEXT, nullable=False),
        sa.Column("agent", TEXT, nullable=False),
        sa.Column("provider", TEXT, nullable=False),
        sa.Column("scopes", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("body", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    place = ["tenant", "user", "agent", "provider", "scopes"]
    _index_where("connection_place", "connection", place, "state <> 'ended'", unique=True)
    _index_where("connection_agent", "connection", ["tenant", "agent"], "state <> 'ended'")
    op.create_table(
        "connect_flow",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("user", TEXT, nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("body", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "state"),
    )
    op.create_index("connect_flow_user", "connect_flow", ["tenant", "user"], unique=False)
    op.create_index("connect_flow_expiry", "connect_flow", ["tenant", "expires_at"], unique=False)
    op.create_table(
        "upstream_revocation",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("connection", TEXT, nullable=False),
        sa.Column("outcome", TEXT, nullable=False),
        sa.Column("tries", sa.BigInteger(), nullable=False),
        sa.Column("due", sa.BigInteger(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("body", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    _index_where("upstream_revocation_due", "upstream_revocation", ["tenant", "due"], "outcome = 'open'")
    waiting = ["tenant", "connection"]
    op.create_index("upstream_revocation_connection", "upstream_revocation", waiting, unique=False)


def _index_where(name: str, table: str, columns: list[str], condition: str, *, unique: bool = False) -> None:
    where = sa.text(condition)
    op.create_index(name, table, columns, unique=unique, sqlite_where=where, postgresql_where=where)
