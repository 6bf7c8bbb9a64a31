"""Tables of what decisions look at besides rights and rules, and of who else is behind a run."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add what relations, history, provenance and asking people need."""
    _create_history()
    _create_seen()
    _create_backchannel()
    _create_tenant_revision()
    _create_companion()
    _create_policy_seal()
    _create_relations()
    _create_breakglass()
    _create_source()
    _create_risk()
    _keep_tenants_apart()  # the last: it concerns every table that is there


def _create_history() -> None:
    op.create_table(
        "history",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("mark", TEXT, nullable=False),
        sa.Column("holder", TEXT, nullable=False),
        sa.Column("value", TEXT, nullable=False),
        sa.Column("bucket", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("times", sa.BigInteger(), nullable=False),
        sa.Column("last_at", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "mark", "holder", "value", "bucket"),
    )
    op.create_index("history_until", "history", ["tenant", "until"], unique=False)


def _create_seen() -> None:
    op.create_table(
        "seen",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("task", TEXT, nullable=False),
        sa.Column("digest", TEXT, nullable=False),
        sa.Column("label", TEXT, nullable=False),
        sa.Column("source", TEXT, nullable=False),
        sa.Column("flags", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "task", "digest"),
    )
    op.create_index("seen_until", "seen", ["tenant", "until"], unique=False)


def _create_backchannel() -> None:
    op.create_table(
        "backchannel_request",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("person", TEXT, nullable=False),
        sa.Column("agent", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("pause", sa.BigInteger(), nullable=False),
        sa.Column("polled_at", sa.BigInteger(), nullable=False),
        sa.Column("begun_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    for index, columns in (
        ("backchannel_request_person", ["tenant", "person", "expires_at"]),
        ("backchannel_request_agent", ["tenant", "agent", "expires_at"]),
        ("backchannel_request_expiry", ["tenant", "expires_at"]),
    ):
        op.create_index(index, "backchannel_request", columns, unique=False)
    op.create_table(
        "backchannel_notice",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("id", TEXT, nullable=False),
        sa.Column("outcome", TEXT, nullable=False),
        sa.Column("tries", sa.BigInteger(), nullable=False),
        sa.Column("due", sa.BigInteger(), nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    due = ["tenant", "outcome", "due"]
    op.create_index("backchannel_notice_due", "backchannel_notice", due, unique=False)


def _create_tenant_revision() -> None:
    """Each tenant counts its own changes, on from the number that it has been shown so far (MT-06)."""
    op.create_table(
        "tenant_revision",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant"),
    )
    # SAFETY: in this transaction alone, the owner of the tables sees the rows of every tenant.
    apart = op.get_bind().dialect.name == "postgresql"
    for table in ("change", "tenant_epoch") if apart else ():
        op.execute(f'ALTER TABLE "{table}" NO FORCE ROW LEVEL SECURITY')
    op.execute(
        "INSERT INTO tenant_revision (tenant, revision) "
        "SELECT tenant, (SELECT value FROM counter WHERE name = 'change') "
        "FROM (SELECT tenant FROM change UNION SELECT tenant FROM tenant_epoch) AS known"
    )
    for table in ("change", "tenant_epoch") if apart else ():
        op.execute(f'ALTER TABLE "{table}" FORCE ROW LEVEL SECURITY')


def _create_companion() -> None:
    """Who else a task is for (R36)."""
    op.create_table(
        "companion",
        sa.Column("tenant", TEXT, primary_key=True),
        sa.Column("task", TEXT, primary_key=True),
        sa.Column("user", TEXT, primary_key=True),
        sa.Column("consent", TEXT, nullable=False),
    )
    op.create_index("companion_user", "companion", ["tenant", "user"])
    op.create_index("companion_consent", "companion", ["tenant", "consent"])


def _create_policy_seal() -> None:
    """Signatures of versions; those that are there already are sealed by the first start that has a key."""
    op.create_table(
        "policy_seal",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("seal", TEXT, nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "number"),
    )


def _create_relations() -> None:
    """Stores, models, tuples, and the changes of tuples in order (R49)."""
    of_store = ("tenant", "store")
    op.create_table(
        "relation_store",
        *_texts("tenant", "id", "name"),
        *_numbers("enforced", "position", "forgotten", "created_at", "updated_at"),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_table(
        "relation_model",
        *_texts(*of_store),
        *_numbers("number"),
        *_texts("id", "body"),
        *_numbers("created_at"),
        sa.PrimaryKeyConstraint(*of_store, "number"),
    )
    op.create_index("relation_model_id", "relation_model", [*of_store, "id"], unique=True)
    key, held = ("object", "relation", "user"), ("condition", "context")
    op.create_table(
        "relation_tuple",
        *_texts(*of_store, *key, *held),
        *_numbers("at"),
        sa.PrimaryKeyConstraint(*of_store, *key),
    )
    op.create_index("relation_tuple_user", "relation_tuple", [*of_store, "user", "object"], unique=False)
    op.create_table(
        "relation_change",
        *_texts(*of_store),
        *_numbers("number"),
        *_texts(*key),
        *_numbers("written"),
        *_texts(*held),
        *_numbers("at"),
        sa.PrimaryKeyConstraint(*of_store, "number"),
    )


def _create_breakglass() -> None:
    """Rules that two persons lifted for a while, and what was decided under them (PD-28)."""
    op.create_table(
        "breakglass",
        *_texts("tenant", "id", "state", "body"),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_index("breakglass_state", "breakglass", ["tenant", "state", "id"], unique=False)
    op.create_table(
        "breakglass_use",
        *_texts("tenant", "glass", "decision", "effect"),
        *_numbers("at"),
        sa.PrimaryKeyConstraint("tenant", "glass", "decision"),
    )


def _create_source() -> None:
    """What is in the context of tasks, its labels, and prints of what may only be summarized (R130)."""
    of_holder = ("tenant", "holder")
    op.create_table(
        "source",
        *_texts(*of_holder, "id"),
        *_numbers("at"),
        *_texts("body"),
        sa.PrimaryKeyConstraint(*of_holder, "id"),
    )
    op.create_index("source_at", "source", [*of_holder, "at", "id"], unique=False)
    op.create_table(
        "source_label",
        *_texts(*of_holder, "label", "tag", "source"),
        *_numbers("at"),
        sa.PrimaryKeyConstraint(*of_holder, "label"),
    )
    op.create_table(
        "source_print",
        *_texts(*of_holder, "id", "prints"),
        sa.PrimaryKeyConstraint(*of_holder, "id"),
    )


def _texts(*names: str) -> "list[sa.Column[str]]":
    return [sa.Column(name, TEXT, nullable=False) for name in names]


def _numbers(*names: str) -> "list[sa.Column[int]]":
    return [sa.Column(name, sa.BigInteger(), autoincrement=False, nullable=False) for name in names]


def _create_risk() -> None:
    """What others say of the risk of somebody (PD-21)."""
    op.create_table(
        "risk_signal",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("subject", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("body", TEXT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "subject", "kind"),
    )


def _keep_tenants_apart() -> None:
    """Give each new table of tenants the policy that the others have had since 0004."""
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    named = connection.exec_driver_sql(
        "SELECT table_name FROM information_schema.columns "
        "WHERE table_schema = current_schema() AND column_name = 'tenant' AND table_name NOT IN "
        "(SELECT tablename FROM pg_policies WHERE schemaname = current_schema()) ORDER BY 1"
    )
    ours = "tenant = current_setting('remit.tenant', true)"
    for table in [str(row[0]) for row in named]:
        op.execute(f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY')
        op.execute(f'ALTER TABLE "{table}" FORCE ROW LEVEL SECURITY')
        op.execute(f'CREATE POLICY own_tenant ON "{table}" USING ({ours}) WITH CHECK ({ours})')
