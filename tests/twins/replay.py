"""Stores that forget too soon: for twins alone."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from remit.authority.tokens import Proof
from remit.kernel.canonical import Digest
from remit.kernel.ids import TenantId
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.blindness import VeiledWork

SHORT: timedelta = timedelta(seconds=60)


class _Brief:
    """Remembers for a minute less than it was told to: as long as something lives, and no skew beside."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class BriefReplay(_Brief):
    """RT-11: proofs and assertions."""

    def burn(self, tenant: TenantId, proof: Proof) -> bool:
        return bool(self._inner.burn(tenant, replace(proof, keep_until=proof.keep_until - SHORT)))


class BriefChallenges(_Brief):
    """RT-11: what providers of people sign."""

    def spend(self, digest: Digest, *, keep_until: datetime) -> bool:
        return bool(self._inner.spend(digest, keep_until=keep_until - SHORT))


def brief(uow: SqlUnitOfWork) -> SqlUnitOfWork:
    """The same units of work over a short memory."""
    return VeiledWork(
        uow,
        replay=lambda tx: BriefReplay(tx.replay),
        challenges=lambda tx: BriefChallenges(tx.challenges),
    )
