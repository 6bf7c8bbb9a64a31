"""OpenID Connect put together: yeses to applications, and what follows from the end of a session."""

from dataclasses import dataclass
from typing import Final, Self

from remit.app.keys import KeyHolder
from remit.authority.oauth.consenting.logouts import LogoutService
from remit.authority.oauth.consenting.sign_ons import SignOnService
from remit.authority.oauth.endpoints.end_session import EndSessionEndpoint
from remit.identity.events import SESSION_ENDED
from remit.identity.principals import PREFIX, Kind
from remit.identity.session_service import SIGNED_IN_ANEW, end_all
from remit.kernel.clock import Clock
from remit.kernel.events import Event
from remit.kernel.ids import Entropy, PrincipalId, SessionId, UserId
from remit.kernel.outbound import Outbound
from remit.oversight.approvals.service import ApprovalService
from remit.platform.storage.outbox import Subscriber
from remit.platform.storage.unit_of_work import SqlUnitOfWork

KILLED: Final = "oversight.kill.committed"
_PERSON: Final = f"{PREFIX[Kind.HUMAN]}_"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenId:
    """What surfaces and jobs need of it."""

    sign_ons: SignOnService
    logouts: LogoutService
    end_session: EndSessionEndpoint
    approvals: ApprovalService
    work: SqlUnitOfWork
    clock: Clock
    entropy: Entropy

    @classmethod
    def build(
        cls,
        *,
        work: SqlUnitOfWork,
        keys: KeyHolder,
        outbound: Outbound,
        approvals: ApprovalService,
        issuer: str,
        clock: Clock,
        entropy: Entropy,
    ) -> Self:
        """Bind the parts."""
        return cls(
            sign_ons=SignOnService(uow=work, entropy=entropy),
            logouts=LogoutService(
                uow=work, keys=keys, outbound=outbound, issuer=issuer, clock=clock, entropy=entropy
            ),
            end_session=EndSessionEndpoint(uow=work, keys=keys),
            approvals=approvals,
            work=work,
            clock=clock,
            entropy=entropy,
        )

    def subscribers(self) -> tuple[Subscriber, ...]:
        """Fact → handler."""
        return (
            Subscriber(name="sessions.ended", hears=frozenset({SESSION_ENDED}), handle=self.session_ended),
            Subscriber(name="sessions.killed", hears=frozenset({KILLED}), handle=self.person_killed),
        )

    async def session_ended(self, event: Event) -> None:
        """What came of a session ends with it, the asks of its tasks too; its clients are told."""
        detail = dict(event.detail)
        if detail.get("because") == SIGNED_IN_ANEW:
            return  # it only gave way to the next session of the same browser, and took nothing along
        tasks = await self.logouts.ended(
            SessionId(detail["session"]), UserId(event.subject), by=PrincipalId(event.actor)
        )
        if tasks:
            await self.approvals.cancel_for(principals=(), tasks=tasks)

    async def person_killed(self, event: Event) -> None:
        """A kill stops a person; their sessions end on record, so that applications hear of it."""
        if not event.subject.startswith(_PERSON):
            return
        at, human, by = self.clock.now(), PrincipalId(event.subject), PrincipalId(event.actor)
        await self.work.commit(
            lambda tx: end_all(tx, human, by=by, because="killed", at=at, entropy=self.entropy)
        )
