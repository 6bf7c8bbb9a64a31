"""SAML for people: the services of `identity.upstream.saml_*`, put together where it is spoken."""

from dataclasses import dataclass, replace
from typing import Self

from remit.app.bindings.upstream import Upstream
from remit.app.keys import KeyHolder
from remit.identity.federation.saml.judge import Judge
from remit.identity.upstream.examination.saml import SamlWay
from remit.identity.upstream.examination.service import ProviderExaminer
from remit.identity.upstream.provider import Language
from remit.identity.upstream.saml_connecting import SamlProviderService
from remit.identity.upstream.saml_farewell import Farewell
from remit.identity.upstream.saml_keys import SamlKeys
from remit.identity.upstream.saml_logout import SamlLogout
from remit.identity.upstream.saml_ours import OurMetadata, Places
from remit.identity.upstream.saml_requests import RequestSigner
from remit.identity.upstream.saml_signing import SamlSignIn
from remit.kernel.clock import Clock
from remit.kernel.ids import Entropy, TenantId
from remit.kernel.outbound import Outbound
from remit.platform.jwks import GuardedMetadata
from remit.platform.settings.model import Settings
from remit.platform.storage.unit_of_work import SqlUnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class SamlPeople:
    """What surfaces need of it."""

    providers: SamlProviderService
    signing: SamlSignIn
    logout: SamlLogout
    examiner: ProviderExaminer
    """Of providers in either protocol."""

    @classmethod
    def build(
        cls,
        settings: Settings,
        *,
        upstream: Upstream,
        own: KeyHolder,
        work: SqlUnitOfWork,
        exits: Outbound,
        home: str,
        clock: Clock,
        entropy: Entropy,
        tenant: TenantId,
    ) -> Self:
        """Bind the parts to those of the other protocol: both end in the same arrivals and links."""
        keys = SamlKeys(uow=work, fetcher=GuardedMetadata(exits))
        requests = RequestSigner(keys=own, name=settings.issuer_url)
        places = Places(home=home)
        signing = SamlSignIn(
            uow=work,
            leavings=upstream.signing.box,
            box=upstream.signing.box.box,
            keys=keys,
            arrivals=upstream.arrivals,
            links=upstream.links,
            clock=clock,
            tenant=tenant,
            ours=OurMetadata(places=places, keys=requests),
            judge=Judge(),
            requests=requests,
        )
        way = SamlWay(http=exits, keys=keys, asks=signing, places=places)
        return cls(
            providers=SamlProviderService(
                uow=work,
                keys=keys,
                clock=clock,
                entropy=entropy,
                tenant=tenant,
                issuer=settings.issuer_url,
                plain_loopback=settings.federation.unsafe_loopback_http,
            ),
            signing=signing,
            logout=SamlLogout(
                uow=work,
                keys=keys,
                farewell=Farewell(keys=requests, places=places, entropy=entropy),
                places=places,
                box=upstream.signing.box.box,
                clock=clock,
                entropy=entropy,
                tenant=tenant,
                kek=upstream.logout.kek,
            ),
            examiner=replace(upstream.examiner, ways={**upstream.examiner.ways, Language.SAML: way}),
        )
