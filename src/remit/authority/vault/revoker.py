"""Tells providers what has ended, until each has confirmed it (RFC 7009, N3)."""

from datetime import datetime, timedelta
from typing import Final

from remit.authority.vault import facts
from remit.authority.vault.provider import Provider
from remit.authority.vault.repository import VaultTransaction
from remit.authority.vault.revocation import Outcome, Revocation, finished, postponed
from remit.authority.vault.sealing import Tokens, VaultSeal, provider_place, revocation_place
from remit.authority.vault.upstream import NotNow, ProviderClient
from remit.kernel.clock import Clock
from remit.kernel.secret import Secret
from remit.kernel.uow import UnitOfWork

AT_ONCE: Final = 20
_LATER: Final = timedelta(seconds=30)


class Revoker:
    """Works off what is due; repeating a try is harmless, since a token ends only once."""

    def __init__(
        self,
        *,
        uow: UnitOfWork[VaultTransaction],
        client: ProviderClient,
        seal: VaultSeal,
        clock: Clock,
    ) -> None:
        self._uow = uow
        self._client = client
        self._seal = seal
        self._clock = clock

    def has_due(self, tx: VaultTransaction) -> bool:
        """Whether a provider should be told something now."""
        return tx.vault.has_due_revocation(self._clock.now())

    async def run_due(self) -> int:
        """Try what is due, a few at a time; returns how many were confirmed."""
        at = self._clock.now()
        due = await self._uow.read(lambda tx: tx.vault.revocations(due=at, limit=AT_ONCE))
        done = [await self._try(revocation, sealed) for revocation, sealed in due]
        return sum(done)

    async def _try(self, revocation: Revocation, sealed: bytes) -> bool:
        known = await self._uow.read(lambda tx: _provider(tx, revocation))
        tokens = self._seal.open(sealed, revocation_place(revocation.tenant, revocation.id))
        if known is None:
            result: NotNow | None = NotNow(because="provider_unknown", wait=_LATER)
        else:
            provider, secret = known
            result = await self._tell(provider, self._opened(provider, secret), tokens)
        at = self._clock.now()
        await self._uow.commit(lambda tx: self._settle(tx, revocation, result, at=at))
        return result is None

    async def _tell(self, provider: Provider, secret: Secret | None, tokens: Tokens) -> NotNow | None:
        """The refresh token first: with it the grant ends (RFC 7009 §2.1); then what may still be good."""
        pairs = [(tokens.refresh, "refresh_token"), (tokens.access, "access_token")]
        for token, hint in pairs:
            if token is not None:
                failed = await self._client.revoke(provider, secret, token=token, hint=hint)
                if failed is not None:
                    return failed
        return None

    def _settle(
        self, tx: VaultTransaction, revocation: Revocation, result: NotNow | None, *, at: datetime
    ) -> None:
        entropy = self._seal.entropy
        if result is None:
            done = finished(revocation, Outcome.REVOKED, at=at)
            if tx.vault.save_revocation(done, was=revocation.tries):
                facts.about_revocation(tx, facts.UPSTREAM_REVOKED, done, at=at, entropy=entropy)
            return
        later = postponed(revocation, result.because, at=at, wait=result.wait)
        # The log is told the first time and whenever the reason changes; each try would fill it.
        if tx.vault.save_revocation(later, was=revocation.tries) and later.last != revocation.last:
            facts.about_revocation(tx, facts.UPSTREAM_POSTPONED, later, at=at, entropy=entropy)

    def _opened(self, provider: Provider, secret: bytes | None) -> Secret | None:
        if secret is None:
            return None
        return self._seal.open_one(secret, provider_place(provider.tenant, provider.id))


def _provider(tx: VaultTransaction, revocation: Revocation) -> tuple[Provider, bytes | None] | None:
    provider = tx.vault.provider(revocation.place.provider)
    return None if provider is None else (provider, tx.vault.provider_secret(provider.id))
