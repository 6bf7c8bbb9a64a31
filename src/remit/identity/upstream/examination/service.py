"""`remit doctor idp NAME`: the use case of administrators who want to know why nobody comes in."""

from collections.abc import Mapping
from dataclasses import dataclass

from remit.identity.upstream.connecting import known
from remit.identity.upstream.errors import IdentityProviderUnfit
from remit.identity.upstream.examination.step import Step, Way, standing
from remit.identity.upstream.provider import IdentityProvider, Language
from remit.identity.upstream.repository import UpstreamTransaction
from remit.identity.upstream.secrets import open_secret
from remit.kernel.clock import Clock
from remit.kernel.sealing import Kek
from remit.kernel.uow import UnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderExaminer:
    """Walks the way to a provider. It changes nothing here, and nobody is signed in by it."""

    uow: UnitOfWork[UpstreamTransaction]
    clock: Clock
    kek: Kek
    ways: Mapping[Language, Way]

    async def examine(self, name: str) -> tuple[Step, ...]:
        """Every step that could be taken. Raises `UnknownIdentityProvider`, `IdentityProviderUnfit`."""

        def work(tx: UpstreamTransaction) -> tuple[IdentityProvider, bytes | None]:
            found = known(tx, name)
            return found, tx.identity_providers.sealed(found.id)

        provider, sealed = await self.uow.read(work)
        way = self.ways.get(provider.language)
        if way is None:
            raise IdentityProviderUnfit(
                f"`{provider.language}` is not spoken here", next_step="set federation.saml"
            )
        secret = open_secret(sealed, provider, kek=self.kek)
        taken = way.steps(provider, secret, at=self.clock.now())
        return (standing(provider), *[step async for step in taken])
