"""The endpoint by which a client asks a person behind the scenes, and what that person answers at."""

from dataclasses import dataclass
from typing import Self

from remit.authority.consent_service import ConsentService
from remit.authority.oauth.endpoints.backchannel import BackchannelConsent, BackchannelDesk
from remit.authority.oauth.endpoints.backchannel_authentication import BackchannelAuthenticationEndpoint
from remit.authority.oauth.flows.backchannel_push import Pusher
from remit.authority.oauth.flows.backchannel_telling import TellingService
from remit.authority.oauth.grants.ciba import PushedGrant
from remit.authority.oauth.issuing.issuance import Issuance
from remit.authority.oauth.proving.client_auth import ClientAuthenticator
from remit.authority.oauth.proving.possession import PossessionCheck
from remit.authority.oauth.repository import OAuthTransaction
from remit.authority.oauth.wire.options import OAuthOptions
from remit.authority.task_service import TaskService
from remit.kernel.clock import Clock
from remit.kernel.ids import Entropy
from remit.kernel.jose.keys import KeyLookup
from remit.kernel.outbound import Outbound
from remit.kernel.sealed import SealedBox
from remit.kernel.secret import Secret
from remit.kernel.uow import UnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class BackchannelFlow:
    """Absent where nobody can be asked."""

    authentication: BackchannelAuthenticationEndpoint
    desk: BackchannelDesk
    consent: BackchannelConsent
    telling: TellingService | None
    """None where there is no way out."""

    @classmethod
    def open(
        cls,
        *,
        uow: UnitOfWork[OAuthTransaction],
        clients: ClientAuthenticator,
        possession: PossessionCheck,
        options: OAuthOptions,
        keys: KeyLookup,
        consents: ConsentService,
        tasks: TaskService,
        entropy: Entropy,
        calls: Secret,
        clock: Clock,
        outbound: Outbound | None,
        grant: PushedGrant,
        issuance: Issuance,
    ) -> Self:
        """Bind the parts; `calls` is the key of what clients are told."""
        box = SealedBox(key=calls, entropy=entropy)
        return cls(
            authentication=BackchannelAuthenticationEndpoint(
                uow=uow,
                clients=clients,
                possession=possession,
                options=options,
                keys=keys,
                entropy=entropy,
                box=box,
            ),
            desk=BackchannelDesk(uow=uow, options=options),
            consent=BackchannelConsent(
                uow=uow, consents=consents, tasks=tasks, options=options, entropy=entropy
            ),
            telling=None
            if outbound is None
            else TellingService(
                uow=uow,
                outbound=outbound,
                box=box,
                pusher=Pusher(
                    uow=uow,
                    grant=grant,
                    issuance=issuance,
                    options=options,
                    box=box,
                    clock=clock,
                    entropy=entropy,
                ),
                clock=clock,
                entropy=entropy,
            ),
        )
