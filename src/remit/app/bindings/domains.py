"""Trust across domains, put together: the matrix; the protocol's part is the authorization server's own."""

from remit.authority.oauth.domains.service import DomainService
from remit.identity.federation.registering import Ours
from remit.kernel.ids import Entropy, TenantId
from remit.platform.settings.model import Settings
from remit.platform.storage.unit_of_work import SqlUnitOfWork


def open_domains(
    settings: Settings, *, work: SqlUnitOfWork, entropy: Entropy, tenant: TenantId
) -> DomainService:
    """Bind the matrix; the keys of domains are brought by the one way that those of issuers are."""
    ours = Ours(
        issuer=settings.issuer_url,
        trust_domain=settings.trust_domain,
        plain_loopback=settings.federation.unsafe_loopback_http,
    )
    return DomainService(uow=work, entropy=entropy, tenant=tenant, ours=ours)
