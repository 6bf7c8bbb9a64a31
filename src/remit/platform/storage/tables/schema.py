"""Every table, known to `metadata` once this module is imported. One line per wing."""

from remit.platform.storage.tables import core
from remit.platform.storage.tables.metadata import metadata

__all__ = ["core", "metadata"]
