"""The endpoint by which a client asks a person behind the scenes, and what that person answers at."""

from dataclasses import dataclass
from typing import Self

from remit.authority.consent_service import ConsentService
from remit.authority.oauth.client_auth import ClientAuthenticator
from remit.authority.oauth.endpoints.backchannel import BackchannelConsent, BackchannelDesk
from remit.authority.oauth.endpoints.backchannel_authentication import BackchannelAuthenticationEndpoint
from remit.authority.oauth.options import OAuthOptions
from remit.authority.oauth.possession import PossessionCheck
from remit.authority.oauth.repository import OAuthTransaction
from remit.authority.task_service import TaskService
from remit.kernel.ids import Entropy
from remit.kernel.jose.keys import KeyLookup
from remit.kernel.uow import UnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class BackchannelFlow:
    """Absent where nobody can be asked."""

    authentication: BackchannelAuthenticationEndpoint
    desk: BackchannelDesk
    consent: BackchannelConsent

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
    ) -> Self:
        """Bind the parts."""
        return cls(
            authentication=BackchannelAuthenticationEndpoint(
                uow=uow,
                clients=clients,
                possession=possession,
                options=options,
                keys=keys,
                entropy=entropy,
            ),
            desk=BackchannelDesk(uow=uow, options=options),
            consent=BackchannelConsent(
                uow=uow, consents=consents, tasks=tasks, options=options, entropy=entropy
            ),
        )
