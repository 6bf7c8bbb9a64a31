"""People who come from other providers: the services of `identity.upstream`, put together."""

from dataclasses import dataclass
from typing import Self

from remit.app.bindings.people import People
from remit.app.keys import KeyHolder
from remit.identity.sessions import SessionRule
from remit.identity.upstream.arrivals import ArrivalService
from remit.identity.upstream.connecting import IdentityProviderService
from remit.identity.upstream.examination.asking import Asker
from remit.identity.upstream.examination.oidc import OidcWay
from remit.identity.upstream.examination.service import ProviderExaminer
from remit.identity.upstream.keys import ProviderKeys
from remit.identity.upstream.leaving import LeavingBox
from remit.identity.upstream.links import LinkService
from remit.identity.upstream.logout import UpstreamLogout
from remit.identity.upstream.provider import Language
from remit.identity.upstream.signing import OidcSignIn
from remit.identity.upstream.speaker import Speaker
from remit.kernel.clock import Clock
from remit.kernel.derivation import Purpose
from remit.kernel.ids import Entropy, TenantId
from remit.kernel.outbound import Outbound
from remit.kernel.sealed import SealedBox
from remit.kernel.sealing import Kek
from remit.platform.jwks import GuardedKeys
from remit.platform.settings.model import Settings
from remit.platform.storage.unit_of_work import SqlUnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """What surfaces need of it; `arrivals` is where every protocol ends."""

    providers: IdentityProviderService
    arrivals: ArrivalService
    signing: OidcSignIn
    links: LinkService
    logout: UpstreamLogout
    examiner: ProviderExaminer

    @classmethod
    def build(
        cls,
        settings: Settings,
        *,
        work: SqlUnitOfWork,
        keys: KeyHolder,
        kek: Kek,
        people: People,
        exits: Outbound,
        clock: Clock,
        entropy: Entropy,
        tenant: TenantId,
    ) -> Self:
        """Bind the parts; `exits` goes to public addresses, and to the private ones that federation may."""
        fetcher, rule, home = GuardedKeys(exits), settings.people.rule(), people.desk.home
        box = SealedBox(key=kek.subkey(purpose=Purpose.UPSTREAM, tenant=tenant), entropy=entropy)
        provider_keys = ProviderKeys(uow=work, fetcher=fetcher)
        leavings = LeavingBox(box=box, tenant=tenant, entropy=entropy)
        speaker = Speaker(http=exits, keys=keys, home=home, entropy=entropy)
        way = OidcWay(
            http=exits,
            asker=Asker(speaker=speaker, box=leavings),
            plain_loopback=settings.federation.unsafe_loopback_http,
        )
        arrivals = _arrivals(work, clock, entropy, tenant, rule, kek)
        links = LinkService(uow=work, box=box, clock=clock, entropy=entropy, tenant=tenant, rule=rule)
        return cls(
            providers=IdentityProviderService(
                uow=work,
                fetcher=fetcher,
                keys=provider_keys,
                clock=clock,
                entropy=entropy,
                tenant=tenant,
                kek=kek,
                issuer=settings.issuer_url,
                plain_loopback=settings.federation.unsafe_loopback_http,
            ),
            arrivals=arrivals,
            signing=OidcSignIn(
                uow=work,
                box=leavings,
                speaker=speaker,
                keys=provider_keys,
                arrivals=arrivals,
                links=links,
                clock=clock,
                kek=kek,
            ),
            links=links,
            logout=UpstreamLogout(
                uow=work, keys=provider_keys, clock=clock, entropy=entropy, tenant=tenant, kek=kek, home=home
            ),
            examiner=ProviderExaminer(uow=work, clock=clock, kek=kek, ways={Language.OIDC: way}),
        )


def _arrivals(
    work: SqlUnitOfWork, clock: Clock, entropy: Entropy, tenant: TenantId, rule: SessionRule, kek: Kek
) -> ArrivalService:
    return ArrivalService(uow=work, clock=clock, entropy=entropy, tenant=tenant, rule=rule, kek=kek)
