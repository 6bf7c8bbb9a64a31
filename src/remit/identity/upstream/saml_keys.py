"""Certificates of SAML providers, read anew from their metadata: hourly, and at most once a minute."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from remit.identity.federation.assertion import STALE
from remit.identity.federation.keysets import REFRESH
from remit.identity.federation.refresh import PAUSE, Fetcher
from remit.identity.federation.saml.metadata import ProviderMetadata, read_metadata
from remit.identity.federation.trust import IssuerId, KeySet
from remit.identity.upstream.errors import IdentityProviderUnavailable
from remit.identity.upstream.provider import IdentityProvider, SamlPeer
from remit.identity.upstream.repository import UpstreamTransaction
from remit.kernel.errors import RemitError
from remit.kernel.uow import UnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class SamlKeys:
    """Has the certificates that a provider's answer needs."""

    uow: UnitOfWork[UpstreamTransaction]
    fetcher: Fetcher

    async def current(self, provider: IdentityProvider, peer: SamlPeer, *, at: datetime) -> tuple[str, ...]:
        """The last good certificates, a day old at most. Raises `IdentityProviderUnavailable`."""
        known = await self.kept(provider)
        if peer.metadata and (known is None or at >= known.refresh_at):
            await self._attempt(provider, peer, at)
            known = await self.kept(provider)
        if known is None or (peer.metadata and at - known.seen_at > STALE):
            raise IdentityProviderUnavailable(f"the metadata of `{provider.name}` can't be had now")
        return known.authorities

    async def fetch(
        self, address: str, *, at: datetime, entity: str = "", signers: Sequence[str] = ()
    ) -> ProviderMetadata:
        """Read metadata from its address. Raises `KeysUnfit`, or what the way out raises."""
        return read_metadata(await self.fetcher.fetch(address), entity=entity, at=at, signers=signers)

    async def read(self, provider: IdentityProvider, peer: SamlPeer, *, at: datetime) -> ProviderMetadata:
        """What a provider's metadata says now; nothing is kept of it."""
        return await self.fetch(peer.metadata, entity=provider.issuer, at=at, signers=peer.metadata_signers)

    async def kept(self, provider: IdentityProvider) -> KeySet | None:
        """The certificates on record, however old."""
        return await self.uow.read(lambda tx: tx.issuer_keys.get(place(provider)))

    async def _attempt(self, provider: IdentityProvider, peer: SamlPeer, at: datetime) -> None:
        claimed = await self.uow.commit(
            lambda tx: tx.issuer_keys.claim(place(provider), at=at, unless_after=at - PAUSE)
        )
        if not claimed:
            return
        try:
            found = await self.read(provider, peer, at=at)
        except RemitError:
            return  # the last good certificates stay, for a day; what they do not sign is refused
        await self.uow.commit(lambda tx: tx.issuer_keys.put(keys_of(provider, found.certificates, at)))


def keys_of(provider: IdentityProvider, certificates: tuple[str, ...], at: datetime) -> KeySet:
    """Certificates as they are kept."""
    return KeySet(
        issuer=place(provider), keys=(), authorities=certificates, seen_at=at, refresh_at=at + REFRESH
    )


def place(provider: IdentityProvider) -> IssuerId:
    """Keys of all issuers are kept in one place, by id; ids of providers and of trusted issuers differ."""
    return IssuerId(provider.id)
