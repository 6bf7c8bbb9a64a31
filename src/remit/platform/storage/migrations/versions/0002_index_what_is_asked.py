"""Index what is asked for and no more: each index of a table is written with every row of it."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Index capabilities that can still be used or settled; several mentions of an id share a row."""
    _index_only("capability_task", ["tenant", "task"], "state = 'live'")
    _index_only("capability_open", ["tenant", "consumed_at"], "state = 'consumed'")
    op.drop_index("ledger_content_subject", table_name="ledger_content")
    op.add_column("ledger_mention", sa.Column("also", sa.LargeBinary()))
    if op.get_bind().dialect.name == "sqlite":
        _keep_replay_in_one_tree()


def _index_only(name: str, columns: list[str], condition: str) -> None:
    op.drop_index(name, table_name="capability")
    where = sa.text(condition)
    op.create_index(
        name, "capability", columns, unique=False, sqlite_where=where, postgresql_where=where
    )  # fmt: skip


def _keep_replay_in_one_tree() -> None:
    """SQLite keeps a table by its primary key instead of beside it only if it was made so."""
    op.drop_index("replay_expiry", table_name="replay")
    op.rename_table("replay", "replay_before")
    op.create_table(
        "replay",
        sa.Column("tenant", TEXT, nullable=False),
        sa.Column("key", TEXT, nullable=False),
        sa.Column("jti", TEXT, nullable=False),
        sa.Column("keep_until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "key", "jti"),
        sqlite_with_rowid=False,
    )
    op.execute("INSERT INTO replay SELECT tenant, key, jti, keep_until FROM replay_before")
    op.drop_table("replay_before")
    op.create_index("replay_expiry", "replay", ["tenant", "keep_until"], unique=False)
