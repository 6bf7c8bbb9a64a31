"""Tables of people in the loop: what they are asked, how they are reached, what they rule."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add what asking people well needs."""
    _create_shelves()
    _find_what_was_not_permitted()
    _create_attention()
    _create_administration()
    _create_cases()
    _create_channels()
    _create_changes()
    _create_approval_answers()
    _create_rosters()
    _keep_tenants_apart()  # the last: it concerns every table that is there


def _find_what_was_not_permitted() -> None:
    rare = sa.text("effect <> 'permit'")
    op.create_index(
        "decision_unpermitted",
        "decision",
        ["tenant", "effect", "id"],
        sqlite_where=rare,
        postgresql_where=rare,
    )


def _texts(*names: str) -> "list[sa.Column[str]]":
    return [sa.Column(name, TEXT, nullable=False) for name in names]


def _numbers(*names: str) -> "list[sa.Column[int]]":
    return [sa.Column(name, sa.BigInteger(), autoincrement=False, nullable=False) for name in names]


def _create_shelves() -> None:
    """Order the directory by what lists are sorted by, with all that narrows them in the index."""
    op.create_index("consent_agent", "consent", ["tenant", "agent", "state", "id"])
    narrowing = ["state", "owner", "blueprint", "environment"]
    for order, rest in (
        ("name", ["id"]),
        ("changed_at", ["id", "name"]),
        ("id", ["name"]),
    ):
        op.create_index(f"principal_by_{order}", "principal", ["tenant", "kind", order, *rest, *narrowing])


def _create_attention() -> None:
    """Who is asked what, when they saw it and what they said; and how much they may be asked."""
    op.create_table(
        "attention",
        *_texts("tenant", "person", "approval"),
        *_numbers("waits", "rank", "expires_at"),
        *_texts("alike", "agent", "action"),
        *_numbers("asked_at", "card", "shown_at", "answered_at"),
        *_texts("answer"),
        *_numbers("together"),
        sa.PrimaryKeyConstraint("tenant", "person", "approval"),
    )
    for name, columns in {
        "waiting": ("person", "waits", "rank", "expires_at", "approval"),
        "alike": ("alike", "answered_at"),
        "approval": ("approval",),
        "asked": ("person", "asked_at"),
        "answered": ("person", "answered_at"),
        "action": ("agent", "action", "answered_at"),
        "age": ("asked_at",),
    }.items():
        op.create_index(f"attention_{name}", "attention", ["tenant", *columns], unique=False)
    op.create_table(
        "attention_budget", *_texts("tenant", "name", "body"), sa.PrimaryKeyConstraint("tenant", "name")
    )
    # What waits when the migration runs is in the inboxes too, as what is like nothing and comes first.
    op.execute(
        "INSERT INTO attention (tenant, person, approval, waits, rank, expires_at, alike, agent, action, "
        "asked_at, card, shown_at, answered_at, answer, together) "
        "SELECT a.tenant, p.person, a.id, 1, 0, a.expires_at, '', a.agent, '', "
        "a.requested_at, 1, 0, 0, '', 0 "
        "FROM approval a JOIN approval_asked p ON p.tenant = a.tenant AND p.approval = a.id "
        "WHERE a.state = 'pending'"
    )


def _create_administration() -> None:
    op.create_table(
        "admin_policy",
        *_texts("tenant"),
        *_numbers("number"),
        *_texts("digest", "text", "published_by"),
        *_numbers("published_at"),
        sa.PrimaryKeyConstraint("tenant", "number"),
    )


def _create_cases() -> None:
    """What agents ask people inside their tasks."""
    op.create_table(
        "agent_case",
        *_texts("tenant", "id", "state", "agent", "task"),
        *_numbers("expires_at"),
        *_texts("body"),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    for name, columns in {
        "state": ("state", "expires_at"),
        "task": ("task", "state"),
        "agent": ("agent", "state"),
    }.items():
        op.create_index(f"agent_case_by_{name}", "agent_case", ["tenant", *columns], unique=False)
    op.create_table(
        "agent_case_asked",
        *_texts("tenant", "person", "agent_case"),
        sa.PrimaryKeyConstraint("tenant", "person", "agent_case"),
    )


def _create_channels() -> None:
    op.create_table(
        "channel",
        *_texts("tenant", "name"),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        *_texts("body", "health"),
        sa.PrimaryKeyConstraint("tenant", "name"),
    )
    op.create_table("reach", *_texts("tenant", "person", "body"), sa.PrimaryKeyConstraint("tenant", "person"))
    op.create_table(
        "push_device",
        *_texts("tenant", "id", "person"),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        *_texts("body"),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_index("push_device_of", "push_device", ["tenant", "person", "id"])
    op.create_table(
        "message",
        *_texts("tenant", "id", "person", "about", "state"),
        *_numbers("stated_at", "due", "tries"),
        *_texts("body"),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_index("message_due", "message", ["tenant", "state", "due"])
    op.create_index("message_of", "message", ["tenant", "person", "stated_at"])
    op.create_index("message_about", "message", ["tenant", "about"])
    op.create_index("message_stated", "message", ["tenant", "stated_at", "id"])


def _create_changes() -> None:
    op.create_table(
        "pending_change",
        *_texts("tenant", "id", "state", "proposed_by", "body"),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_index("pending_change_state", "pending_change", ["tenant", "state", "id"])


def _create_approval_answers() -> None:
    op.create_table(
        "approval_answer",
        *_texts("tenant", "approval"),
        *_numbers("seat"),
        *_texts("human"),
        *_numbers("at"),
        *_texts("body"),
        sa.PrimaryKeyConstraint("tenant", "approval", "seat", "human"),
    )
    op.create_table(
        "approval_grant",
        *_texts("tenant", "id", "family"),
        *_numbers("left", "until", "revoked"),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_index("approval_grant_by_family", "approval_grant", ["tenant", "family", "until"])
    op.create_table(
        "approval_use",
        *_texts("tenant", "approval", "call", "decision"),
        *_numbers("at"),
        sa.PrimaryKeyConstraint("tenant", "approval", "call"),
    )


def _create_rosters() -> None:
    op.create_table(
        "oncall_shift",
        *_texts("tenant", "id", "roster", "person"),
        *_numbers("starts_at", "ends_at"),
        sa.PrimaryKeyConstraint("tenant", "id"),
    )
    op.create_index("oncall_shift_by_roster", "oncall_shift", ["tenant", "roster", "ends_at"])
    op.create_table(
        "absence",
        *_texts("tenant", "person"),
        *_numbers("starts_at", "ends_at"),
        *_texts("deputy"),
        sa.PrimaryKeyConstraint("tenant", "person"),
    )
    op.create_index("absence_by_end", "absence", ["tenant", "ends_at"])


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
