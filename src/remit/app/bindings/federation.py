"""Federation put together: trust, the keys of issuers through the guarded way out, and our own SVIDs."""

from dataclasses import dataclass
from typing import Self

from remit.app.keys import KeyHolder
from remit.identity.federation.refresh import KeyRefresher
from remit.identity.federation.registering import Ours
from remit.identity.federation.service import FederationService
from remit.identity.federation.svids import SvidService
from remit.kernel.ids import Entropy, TenantId
from remit.platform.jwks import GuardedKeys, GuardedMetadata
from remit.platform.outbound import GuardedHttp
from remit.platform.settings.model import Settings
from remit.platform.storage.unit_of_work import SqlUnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class Federation:
    """What surfaces and jobs need of it."""

    service: FederationService
    refresher: KeyRefresher
    svids: SvidService
    exits: GuardedHttp

    @classmethod
    def build(
        cls, settings: Settings, *, work: SqlUnitOfWork, keys: KeyHolder, entropy: Entropy, tenant: TenantId
    ) -> Self:
        """Bind the parts."""
        chosen = settings.federation
        exits = GuardedHttp(rule=chosen.rule())
        ours = Ours(
            issuer=settings.issuer_url,
            trust_domain=settings.trust_domain,
            plain_loopback=chosen.unsafe_loopback_http,
            saml=chosen.saml,
        )
        return cls(
            service=FederationService(uow=work, entropy=entropy, tenant=tenant, ours=ours),
            refresher=KeyRefresher(
                uow=work,
                fetcher=GuardedKeys(exits),
                metadata=GuardedMetadata(exits),
                entropy=entropy,
                tenant=tenant,
                plain_loopback=chosen.unsafe_loopback_http,
            ),
            svids=SvidService(
                uow=work, keys=keys, trust_domain=settings.trust_domain, entropy=entropy, tenant=tenant
            ),
            exits=exits,
        )
