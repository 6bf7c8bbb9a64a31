"""The last signed heads, kept in files beside the database: a database of yesterday does not bring them back.

A restore that also restores these files is found only by who holds a checkpoint elsewhere.
"""

import hashlib
import os
from pathlib import Path
from typing import Final

from remit.kernel.ids import TenantId
from remit.ledger.checkpoint import Checkpoint, CheckpointRejected, parse_checkpoint
from remit.ledger.repository import LedgerFenced

MAX_NOTE: Final = 16 << 10


class AnchorFiles:
    """One signed note per log, in a folder of its own; a crash leaves the old note or the new one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def last(self, tenant: TenantId, shard: str) -> Checkpoint | None:
        """The last head kept, or None. Raises `LedgerFenced` for a file that is no note."""
        path = self._path(tenant, shard)
        try:
            note = path.read_bytes()[: MAX_NOTE + 1]
        except FileNotFoundError:
            return None
        try:
            return parse_checkpoint(note)
        except CheckpointRejected as broken:
            raise LedgerFenced(f"`{path}` holds no checkpoint") from broken

    def keep(self, tenant: TenantId, shard: str, note: bytes) -> None:
        """Keep a head, unless a larger one is kept already."""
        held, path = self.last(tenant, shard), self._path(tenant, shard)
        if held is not None and held.size >= parse_checkpoint(note).size:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        # CRASH: before the rename the old head stands; after it the new one. Never half of one.
        with fresh.open("wb") as file:
            file.write(note)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _path(self, tenant: TenantId, shard: str) -> Path:
        """A name that no tenant can choose its way out of."""
        return self._folder / f"{hashlib.sha256(f'{tenant}/{shard}'.encode()).hexdigest()[:32]}.checkpoint"
