"""People with passkeys over a real store: the services on one desk, short ways through ceremonies."""

from dataclasses import dataclass, field, replace
from datetime import timedelta

from remit.identity.ceremonies import CeremonyBox
from remit.identity.enrolment_service import EnrolmentService
from remit.identity.passkey_desk import PasskeyDesk
from remit.identity.passkey_service import PasskeyService
from remit.identity.principals import Principal
from remit.identity.repository import IdentityTransaction
from remit.identity.session_service import SessionService
from remit.identity.sessions import Session, SessionRule
from remit.identity.sign_in_service import SignInService
from remit.kernel.ids import PrincipalId, system_entropy
from remit.kernel.secret import Secret
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.authenticator import Authenticator
from support.builders import World
from support.clock import FixedClock

ISSUER = "https://remit.example"
ADMIN = PrincipalId("usr_admin")
BOX = CeremonyBox(key=Secret(bytes(range(32))), tenant=DEFAULT_TENANT, entropy=system_entropy)
VISIT = "visit-1"


@dataclass
class People:
    """The services of people; `desk` may be a planted one."""

    uow: SqlUnitOfWork
    clock: FixedClock = field(default_factory=FixedClock)
    issuer: str = ISSUER
    kind: type[PasskeyDesk] = PasskeyDesk

    def __post_init__(self) -> None:
        self.rule = SessionRule()
        self.desk = self.kind(
            uow=self.uow,
            clock=self.clock,
            entropy=system_entropy,
            tenant=DEFAULT_TENANT,
            box=BOX,
            rule=self.rule,
            issuer=self.issuer,
        )
        self.enrolments = EnrolmentService(self.desk)
        self.passkeys = PasskeyService(self.desk)
        self.signing = SignInService(self.desk)
        self.sessions = SessionService(uow=self.uow, clock=self.clock, entropy=system_entropy, rule=self.rule)

    async def person(self, name: str = "ben") -> Principal:
        return await World(self.uow).human(name)

    async def enrolled(self, person: Principal, device: Authenticator) -> tuple[Session, Secret]:
        """Enrol by a fresh link."""
        _, secret = await self.enrolments.issue(person.id, by=ADMIN, lifetime=timedelta(minutes=30))
        _, question = await self.enrolments.ask(secret, visit=VISIT)
        return await self.enrolments.enrol(
            secret,
            device.create(question.options),
            ticket=question.ticket,
            visit=VISIT,
            name="phone",
            client="Test/1",
        )

    async def sign_in(
        self, device: Authenticator, *, leaving: Secret | None = None
    ) -> tuple[Session, Secret]:
        """Sign in from a visit."""
        question = self.signing.ask_sign_in(bound_to=VISIT)
        return await self.signing.sign_in(
            device.get(question.options),
            ticket=question.ticket,
            bound_to=VISIT,
            leaving=leaving,
            client="Test/1",
        )


def phone(issuer: str = ISSUER) -> Authenticator:
    """An authenticator that is used at our own address."""
    return Authenticator(origin=issuer)


async def grow_old(desk: PasskeyDesk, *who: PrincipalId, by: timedelta = timedelta(minutes=6)) -> None:
    """Let the proof behind every session of these people be that much older."""

    def work(tx: IdentityTransaction) -> None:
        for person in who:
            for each in tx.sessions.of(person):
                older = replace(each, authenticated_at=each.authenticated_at - by)
                assert tx.sessions.put(older, was=each.secret_digest)

    await desk.uow.commit(work)
