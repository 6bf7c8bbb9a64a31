"""A database that opens and does not hold what was written: said in a sentence, not in a traceback (F06)."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import msgspec

from remit.platform.storage.errors import UnfitDatabase
from remit.platform.storage.queued import TransactionLost

_UNREAD: Final = (
    sqlite3.Error,
    TransactionLost,
    msgspec.MsgspecError,
    ValueError,
    LookupError,
    TypeError,
    ArithmeticError,
)
"""How reading fails where a letter, a number or a name has become another: of states, times and texts."""


class DatabaseDamaged(UnfitDatabase):
    """Something in the database cannot be read as what it must be.

    The process does not start on it; one that runs answers nothing that it would have to read there.
    """

    code = "storage_damaged"


@contextmanager
def naming_damage() -> Iterator[None]:
    """Raise `DatabaseDamaged` for a row, page or schema that cannot be read; everything else passes."""
    try:
        yield
    except _UNREAD as unread:
        raise damaged(unread) from unread


def damaged(unread: Exception) -> DatabaseDamaged:
    """What is said of reading that failed so."""
    return DatabaseDamaged(
        "the database cannot be read as what was written to it: it is damaged",
        debug=f"{type(unread).__name__}: {unread}",
        next_step="check the disk, keep a copy of the data directory, then restore a backup",
    )
