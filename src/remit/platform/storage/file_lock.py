"""One writing process per database file."""

import fcntl
import os
from pathlib import Path
from typing import Self

from remit.platform.storage.errors import UnfitDatabase


class FileLock:
    """Held while the process lives and gone with it: a stopped one (F25) keeps others out, a dead one not.

    A file of its own: closing any handle of the database itself would drop SQLite's locks (POSIX).
    """

    def __init__(self, handle: int) -> None:
        self._handle = handle

    @classmethod
    def take(cls, database: Path) -> Self:
        """Lock, or raise `UnfitDatabase` naming the remedy."""
        try:
            handle = os.open(database.with_name(database.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as refused:
            raise UnfitDatabase(
                f"cannot write beside the database `{database}`",
                debug=str(refused),
                next_step="create its folder, or choose one that this user may write",
            ) from refused
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as held:
            os.close(handle)
            raise UnfitDatabase(
                f"another process has the database `{database}` open", next_step="stop it, or talk to it"
            ) from held
        return cls(handle)

    def release(self) -> None:
        """Let the next process in."""
        os.close(self._handle)
