"""Keys of providers: by the rules of trusted issuers' (once a minute at most, the last good set stays)."""

import asyncio
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from remit.identity.federation.errors import KeysUnfit
from remit.identity.federation.keysets import read_keys
from remit.identity.federation.profiles import Profile, ProfileName, profile_of
from remit.identity.federation.refresh import PAUSE, Fetcher
from remit.identity.federation.trust import IssuerId, KeySet
from remit.identity.upstream.errors import IdentityProviderUnavailable
from remit.identity.upstream.provider import IdentityProvider, IdpId
from remit.identity.upstream.repository import UpstreamTransaction
from remit.kernel.errors import RemitError
from remit.kernel.jose import jws
from remit.kernel.jose.algorithms import Algorithm
from remit.kernel.jose.errors import TokenRejected
from remit.kernel.uow import UnitOfWork

PROFILE: Final[Profile] = replace(profile_of(ProfileName.GENERIC_OIDC), algorithms=frozenset(Algorithm))


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderKeys:
    """Has the keys that a provider's token needs, as far as the provider can be reached."""

    uow: UnitOfWork[UpstreamTransaction]
    fetcher: Fetcher
    _running: dict[IdpId, asyncio.Task[None]] = field(default_factory=dict)  # OWNED BY: the event loop

    async def for_token(self, provider: IdentityProvider, text: str, *, at: datetime) -> KeySet:
        """The last good set, fetched anew if it is old, or lacks the `kid` that the token names.

        Raises `IdentityProviderUnavailable` if there is none at all.
        """
        known = await self._known(provider)
        if known is None or at >= known.refresh_at or known.named(_kid(text)) is None:
            await self._once(provider, at)
            known = await self._known(provider)
        if known is None:
            raise IdentityProviderUnavailable(f"the keys of `{provider.name}` can't be had now")
        return known

    async def first(self, provider: IdentityProvider, *, at: datetime) -> None:
        """Fetch them when the provider is connected. Raises `KeysUnfit`, or what the way out raises."""
        await self._store(provider, at)

    async def _known(self, provider: IdentityProvider) -> KeySet | None:
        return await self.uow.read(lambda tx: tx.issuer_keys.get(_place(provider)))

    async def _once(self, provider: IdentityProvider, at: datetime) -> None:
        """One question at a time on this node: who comes meanwhile waits for the same answer."""
        running = self._running.get(provider.id)
        if running is None:
            running = asyncio.create_task(self._attempt(provider, at))
            self._running[provider.id] = running
            running.add_done_callback(lambda _: self._running.pop(provider.id, None))
        await asyncio.shield(running)

    async def _attempt(self, provider: IdentityProvider, at: datetime) -> None:
        claimed = await self.uow.commit(
            lambda tx: tx.issuer_keys.claim(_place(provider), at=at, unless_after=at - PAUSE)
        )
        if not claimed:
            return
        try:
            await self._store(provider, at)
        except RemitError:
            return  # the last good set stays; what it does not hold is refused by the judge, with its reason

    async def _store(self, provider: IdentityProvider, at: datetime) -> None:
        if provider.oidc is None:
            raise KeysUnfit(f"`{provider.name}` has no keys of this kind")
        raw = await self.fetcher.fetch(provider.oidc.jwks_uri)
        found = read_keys(raw, PROFILE, issuer=_place(provider), at=at)
        await self.uow.commit(lambda tx: tx.issuer_keys.put(found))


def _place(provider: IdentityProvider) -> IssuerId:
    """Keys of all issuers are kept in one place, by id; ids of providers and of trusted issuers differ."""
    return IssuerId(provider.id)


def _kid(text: str) -> str:
    """What the token says of its key; nothing of it is proven."""
    try:
        return jws.read_header(jws.take_apart(text).protected, beside=frozenset({"x5t", "x5t#S256"})).kid
    except TokenRejected:
        return ""  # the judge says why
