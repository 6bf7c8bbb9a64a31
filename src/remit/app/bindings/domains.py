"""Trust across domains, put together: the matrix; the protocol's part is the authorization server's own."""

from collections.abc import Callable

from remit.authority.oauth.domains import transaction
from remit.authority.oauth.domains.service import DomainService
from remit.identity.federation.registering import Ours
from remit.kernel.clock import Clock
from remit.kernel.ids import Entropy, TenantId
from remit.kernel.jose.keys import KeyLookup
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


def transactions_at(
    settings: Settings, *, keys: KeyLookup, clock: Clock
) -> Callable[[str], transaction.Transaction] | None:
    """What reads transaction tokens at the gateway's door; None where they are not served."""
    if not settings.oauth.transaction_tokens:
        return None

    def read(text: str) -> transaction.Transaction:
        return transaction.read(text, keys=keys, trust_domain=settings.trust_domain, at=clock.now())

    return read
