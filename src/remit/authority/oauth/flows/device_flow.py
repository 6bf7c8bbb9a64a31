"""The endpoints by which a device without a browser asks, and a person answers (RFC 8628)."""

from dataclasses import dataclass
from typing import Self

from remit.authority.consent_service import ConsentService
from remit.authority.oauth.endpoints.device import DeviceConsent, DeviceDesk
from remit.authority.oauth.endpoints.device_authorization import DeviceAuthorizationEndpoint
from remit.authority.oauth.proving.client_auth import ClientAuthenticator
from remit.authority.oauth.proving.possession import PossessionCheck
from remit.authority.oauth.repository import OAuthTransaction
from remit.authority.oauth.wire.options import OAuthOptions
from remit.authority.task_service import TaskService
from remit.kernel.ids import Entropy
from remit.kernel.secret import Secret
from remit.kernel.uow import UnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceFlow:
    """Absent where it is not served: then nothing of it is named either."""

    authorization: DeviceAuthorizationEndpoint
    desk: DeviceDesk
    consent: DeviceConsent

    @classmethod
    def open(
        cls,
        *,
        uow: UnitOfWork[OAuthTransaction],
        clients: ClientAuthenticator,
        possession: PossessionCheck,
        options: OAuthOptions,
        consents: ConsentService,
        tasks: TaskService,
        entropy: Entropy,
        codes: Secret,
    ) -> Self:
        """Bind the parts; `codes` is the key of the digests of user codes."""
        return cls(
            authorization=DeviceAuthorizationEndpoint(
                uow=uow,
                clients=clients,
                possession=possession,
                options=options,
                entropy=entropy,
                codes=codes,
            ),
            desk=DeviceDesk(uow=uow, options=options, entropy=entropy, codes=codes),
            consent=DeviceConsent(uow=uow, consents=consents, tasks=tasks, options=options, entropy=entropy),
        )
