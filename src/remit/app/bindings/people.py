"""People who sign in: the services of passkeys and sessions, on one desk."""

from dataclasses import dataclass
from typing import Self

from remit.identity.ceremonies import CeremonyBox
from remit.identity.enrolment_service import EnrolmentService
from remit.identity.passkey_desk import PasskeyDesk
from remit.identity.passkey_service import PasskeyService
from remit.identity.repository import IdentityTransaction
from remit.identity.session_service import SessionService
from remit.identity.sessions import SessionRule
from remit.identity.sign_in_service import SignInService
from remit.kernel.clock import Clock
from remit.kernel.derivation import Purpose
from remit.kernel.ids import Entropy, TenantId
from remit.kernel.sealing import Kek
from remit.kernel.uow import UnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Everything that pages and the API may ask about people who sign in."""

    desk: PasskeyDesk
    sessions: SessionService
    signing: SignInService
    passkeys: PasskeyService
    enrolments: EnrolmentService

    @classmethod
    def build(
        cls,
        *,
        uow: UnitOfWork[IdentityTransaction],
        clock: Clock,
        entropy: Entropy,
        tenant: TenantId,
        kek: Kek,
        rule: SessionRule,
        issuer: str,
    ) -> Self:
        """Bind them to one store, one clock and one key."""
        key = kek.subkey(purpose=Purpose.CEREMONY, tenant=tenant)
        desk = PasskeyDesk(
            uow=uow,
            clock=clock,
            entropy=entropy,
            tenant=tenant,
            box=CeremonyBox(key=key, tenant=tenant, entropy=entropy),
            rule=rule,
            issuer=issuer,
        )
        return cls(
            desk=desk,
            sessions=SessionService(uow=uow, clock=clock, entropy=entropy, rule=rule),
            signing=SignInService(desk),
            passkeys=PasskeyService(desk),
            enrolments=EnrolmentService(desk),
        )
