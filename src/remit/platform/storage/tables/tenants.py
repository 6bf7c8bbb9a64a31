"""The register of further tenants; `default` has no row, since it is the installation."""

from typing import Final

from sqlalchemy import Column, Table, Text

from remit.platform.storage.tables.metadata import metadata

tenant: Final = Table(
    "tenant",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("body", Text, nullable=False),
)
"""A row is never deleted: a name is never given twice."""
