"""Space kept back for the one thing that must still commit on a full disk: a kill."""

import errno
import os
import time
from pathlib import Path
from typing import Final

RESERVE_BYTES: Final = 8 << 20
_TRY_AGAIN_SECONDS: Final = 1.0


class Reserve:
    """A file of `RESERVE_BYTES` beside the database, freed when a kill meets a full disk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._held = False
        self._tried = float("-inf")

    def hold(self) -> bool:
        """Take the space, at most one attempt a second; returns False while the disk is full."""
        now = time.monotonic()
        if self._held or now - self._tried < _TRY_AGAIN_SECONDS:
            return self._held
        self._tried = now
        try:
            self._allocate()
        except OSError as refused:
            # Only a full disk makes the reserve matter; a read-only one is told by the first write.
            return refused.errno not in {errno.ENOSPC, errno.EDQUOT}
        self._held = True
        return True

    def is_held(self) -> bool:
        """Whether the space is ours to give."""
        return self._held

    def free(self) -> None:
        """Give the space to whoever writes next; raises OSError if even that fails."""
        self._held = False
        self._tried = time.monotonic()
        os.truncate(self._path, 0)

    def _allocate(self) -> None:
        handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(handle, 0, RESERVE_BYTES)
        except OSError:
            os.ftruncate(handle, 0)
            raise
        finally:
            os.close(handle)
