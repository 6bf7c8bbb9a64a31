"""Signing the log's heads, and keeping the last ones outside the database: who restores it is found out."""

import asyncio
import threading
from collections.abc import Sequence
from datetime import datetime

from remit.app.keys import LogSigner
from remit.kernel.ids import TenantId
from remit.ledger.repository import SignedCheckpoint
from remit.platform.storage.anchors import AnchorFiles
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork, Work


class HeadKeeper:
    """Signs every log of one tenant: there is one per writer, so one on SQLite and two on PostgreSQL."""

    def __init__(
        self, *, work: SqlUnitOfWork, tenant: TenantId, signer: LogSigner, anchors: AnchorFiles
    ) -> None:
        self._work = work
        self._tenant = tenant
        self._signer = signer
        self._anchors = anchors
        self._writing = threading.Lock()  # the job and a person's request may both keep a head

    def wanted(self, tx: SqlTransaction) -> bool:
        """Whether some log has grown past its last signed head."""
        return any(_unsigned(tx, shard) for shard in tx.ledger.shards())

    def signing(self, at: datetime) -> Work[dict[str, SignedCheckpoint]]:
        """The unit of work that signs them; its result goes to `keep` once it is durable."""

        def work(tx: SqlTransaction) -> dict[str, SignedCheckpoint]:
            shards: Sequence[str] = tx.ledger.shards() or (tx.ledger.head().shard,)
            return {shard: tx.ledger.checkpoint(self._signer, at=at, shard=shard) for shard in shards}

        return work

    async def keep(self, signed: dict[str, SignedCheckpoint]) -> None:
        """Put durable heads beside the database.

        CRASH: before this the anchor is one head behind, which is a smaller promise, never a wrong one.
        """
        await asyncio.to_thread(self._keep, signed)

    async def sign(self, at: datetime) -> SignedCheckpoint:
        """Sign and keep now; gives the head of the main log."""
        signed = await self._work.commit(self.signing(at))
        await self.keep(signed)
        main = await self._work.read(lambda tx: tx.ledger.head().shard)
        return signed[main]

    def _keep(self, signed: dict[str, SignedCheckpoint]) -> None:
        with self._writing:
            for shard, head in signed.items():
                self._anchors.keep(self._tenant, shard, head.note)


def _unsigned(tx: SqlTransaction, shard: str) -> bool:
    signed = tx.ledger.latest_checkpoint(shard)
    return tx.ledger.head(shard).size > (signed.size if signed else 0)
