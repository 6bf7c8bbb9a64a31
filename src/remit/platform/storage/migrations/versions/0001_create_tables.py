"""Create every table of the first release."""

import sqlalchemy as sa
from alembic import op

from remit.platform.storage.tables.schema import metadata

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables, and the counters that number changes and events."""
    metadata.create_all(op.get_bind())
    counter = sa.table("counter", sa.column("name", sa.Text), sa.column("value", sa.BigInteger))
    op.bulk_insert(counter, [{"name": "change", "value": 0}, {"name": "outbox", "value": 0}])
