"""The documents and contexts of one tenant, bound to what they stand on."""

from collections.abc import Sequence
from datetime import datetime

from remit.app.ground import Ground
from remit.app.retrieval.desk import RetrievalDesk
from remit.decision.documents.sieve import Sieve
from remit.decision.service import DecisionService
from remit.decision.sources.source import Source
from remit.kernel.derivation import Purpose
from remit.kernel.ids import DecisionId
from remit.kernel.secret import Secret


def print_key_of(ground: Ground) -> Secret:
    """The tenant's key for prints of what may only be summarized."""
    return ground.kek.subkey(purpose=Purpose.LINEAGE, tenant=ground.tenant)


def retrieval_desk(ground: Ground) -> RetrievalDesk:
    """Which documents and resources anybody may see."""
    return RetrievalDesk(
        sieve=Sieve(uow=ground.work, snapshots=ground.snapshots, entropy=ground.entropy),
        snapshots=ground.snapshots,
        issuer=ground.issuer,
        clock=ground.clock,
        entropy=ground.entropy,
    )


async def sources_of(
    ground: Ground, holder: str, before: datetime | None, after: str, limit: int
) -> Sequence[tuple[str, Source]]:
    """What is in a context, oldest first, each with its place."""
    return await ground.work.read(lambda tx: tx.sources.page(holder, before=before, after=after, limit=limit))


async def decided_at(decisions: DecisionService, ident: str) -> datetime:
    """The moment of a decision; raises `DecisionUnknown`."""
    return (await decisions.why(DecisionId(ident))).explanation.at
