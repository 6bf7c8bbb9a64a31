"""The page of a person who is asked behind the scenes (CIBA Core §8): what waits, what it asks, their answer.

Nobody but the person sees it, signed in. They answer with a passkey that verified them, proven in the last
five minutes. What is shown and given is what the authorization endpoint would show and give, and the answer
is taken by the same `Consent`: a yes is a consent and a task of the agent.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from remit.authority.oauth.asking import backchannel as rules
from remit.authority.oauth.asking.backchannel import BackchannelRequest, BackchannelState
from remit.authority.oauth.asking.backchannel_notices import notice_of
from remit.authority.oauth.asking.codes import LIFE
from remit.authority.oauth.asking.device import Mark, MarkKind
from remit.authority.oauth.asking.pending import Offer, Pending, PendingState
from remit.authority.oauth.clients.registration import ClientRegistration
from remit.authority.oauth.consenting.answered import Answered, code_of
from remit.authority.oauth.consenting.desk import Desk
from remit.authority.oauth.endpoints.authorize import Ask, SignIn, offer_of
from remit.authority.oauth.endpoints.consent import Consent
from remit.authority.oauth.enrolling.instances import registration_of
from remit.authority.oauth.proving.lineage import registration_dead
from remit.authority.oauth.repository import OAuthTransaction, TransactionView
from remit.authority.oauth.wire.errors import AccessDenied, InvalidRequest, OAuthError
from remit.authority.oauth.wire.options import OAuthOptions
from remit.authority.tasks import Task
from remit.identity.sessions import ACR_PASSKEY_UV, Session
from remit.kernel.errors import RemitError
from remit.kernel.events import Event
from remit.kernel.ids import EventId, PrincipalId, mint_id
from remit.kernel.uow import UnitOfWork

OVER: Final = "nothing waits here for your answer any more"
DENIED_REPEATEDLY: Final = "authority.agent.denied_repeatedly"
"""The fact that people keep saying no to an agent; `app` has it suspended (CB-01)."""


class PasskeyAgain(RemitError):
    """The answer needs a passkey that verified the person a moment ago."""

    code = "passkey_again"
    kind = "unauthenticated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """One request that waits for its person, as a list tells it."""

    request: BackchannelRequest
    registration: ClientRegistration


@dataclass(frozen=True, slots=True, kw_only=True)
class BackchannelAsk:
    """What a client asks of this person, and from where."""

    ask: Ask
    request: BackchannelRequest


class BackchannelDesk:
    """Shows a person what waits for them."""

    def __init__(self, *, uow: UnitOfWork[OAuthTransaction], options: OAuthOptions) -> None:
        self._uow = uow
        self._desk = Desk(options=options)

    async def waiting(self, session: Session, *, at: datetime) -> Sequence[Waiting]:
        """What this person can answer now, newest first."""
        return await self._uow.read(lambda tx: self._waiting(tx, session.human, at))

    async def look(self, ident: str, session: Session, *, at: datetime) -> SignIn | BackchannelAsk:
        """One request with what it comes to. Raises an `OAuthError`, for a page of ours."""
        return await self._uow.commit(lambda tx: self._look(tx, ident, session, at))

    def _waiting(self, tx: OAuthTransaction, person: PrincipalId, at: datetime) -> Sequence[Waiting]:
        found = [(each, registration_of(tx, each.client_id)) for each in tx.backchannels.waiting(person, at)]
        return [Waiting(request=each, registration=known) for each, known in found if known is not None]

    def _look(
        self, tx: OAuthTransaction, ident: str, session: Session, at: datetime
    ) -> SignIn | BackchannelAsk:
        request = _own(tx, ident, session, at)
        registration = _same(tx, request, at)
        person = tx.principals.get(session.human)
        if person is None:
            raise AccessDenied("nobody is signed in", reason="person_unknown")
        if not confirmed(session, at):
            return SignIn(again=True)
        found = self._desk.find(tx, request.request, registration, at=at)
        offer = request.offer
        if offer is None or offer.session != session.id:
            offer = offer_of(found, session)
            if not tx.backchannels.move(replace(request, offer=offer), was=request):
                raise InvalidRequest(OVER, reason="backchannel_over")
        ask = Ask(
            pending=_pending(request, offer),
            offer=offer,
            registration=registration,
            agent=found.agent,
            person=person,
        )
        return BackchannelAsk(ask=ask, request=request)


class BackchannelConsent(Consent):
    """Takes the answers: the client fetches what a yes gave."""

    def _close(self, tx: OAuthTransaction, handle: str, session: Session, at: datetime) -> Answered:
        request = _own(tx, handle, session, at)
        registration = _same(tx, request, at)
        offer = request.offer
        if offer is None or offer.session != session.id:
            raise InvalidRequest("the request was not shown yet; open its page", reason="pending_unseen")
        self._require_proof(session, at)
        return Answered(
            pending=_pending(request, offer),
            offer=offer,
            registration=registration,
            session=session,
            at=at,
        )

    def _require_proof(self, session: Session, at: datetime) -> None:
        if not confirmed(session, at):
            raise PasskeyAgain("prove your passkey again, and answer within five minutes")

    def _yes(self, tx: OAuthTransaction, answered: Answered, task: Task) -> str:
        request = self._settle(tx, answered, BackchannelState.APPROVED)
        # It can be fetched for as long as the client polls, and at least a minute.
        given = code_of("", answered, task.id, entropy=self._entropy)
        end = max(request.expires_at, answered.at + LIFE)
        tx.codes.add(replace(given, id=request.id, expires_at=end))
        return ""

    def _no(self, tx: OAuthTransaction, answered: Answered, error: OAuthError) -> str:
        request = self._settle(tx, answered, BackchannelState.DENIED, cause=error.reason)
        if error.reason == AccessDenied.code:
            self._count_no(tx, request, answered.at)
        return str(error.reason)

    def _settle(
        self, tx: OAuthTransaction, answered: Answered, state: BackchannelState, *, cause: str = ""
    ) -> BackchannelRequest:
        """INVARIANT: one conditional update decides between all answers (CB-04)."""
        request = _own(tx, answered.pending.id, answered.session, answered.at)
        if not tx.backchannels.move(replace(request, state=state, cause=cause), was=request):
            raise InvalidRequest(OVER, reason="backchannel_over")
        notice = notice_of(request, answered.registration, answered.at)
        if notice is not None:
            tx.notices.add(notice)
        return request

    def _count_no(self, tx: OAuthTransaction, request: BackchannelRequest, at: datetime) -> None:
        tx.devices.mark(
            Mark(
                id=mint_id("mrk", at=at, entropy=self._entropy),
                kind=MarkKind.REFUSED_AGENT,
                who=request.agent,
                at=at,
                expires_at=at + rules.DENIAL_WINDOW,
            )
        )
        said_no = tx.devices.marks(MarkKind.REFUSED_AGENT, who=request.agent, at=at, limit=rules.DENIALS)
        if len(said_no) >= rules.DENIALS:
            tx.publish(
                Event(
                    id=EventId(mint_id("evt", at=at, entropy=self._entropy)),
                    at=at,
                    tenant=request.tenant,
                    name=DENIED_REPEATEDLY,
                    actor=request.agent,
                    subject=request.agent,
                )
            )


def confirmed(session: Session, at: datetime) -> bool:
    """Whether a passkey verified this person a moment ago (standards 23)."""
    return session.acr == ACR_PASSKEY_UV and at - session.authenticated_at <= rules.FRESHNESS


def _own(tx: OAuthTransaction, ident: str, session: Session, at: datetime) -> BackchannelRequest:
    """The request, if it is this person's to see, and waits. Anybody else's looks like none."""
    found = tx.backchannels.get(ident)
    if found is None or not found.is_for(session.human) or not found.waits(at):
        raise InvalidRequest(OVER, reason="backchannel_over")
    return found


def _same(tx: OAuthTransaction, request: BackchannelRequest, at: datetime) -> ClientRegistration:
    """The client, alive and as it was when it asked (N2, OA-24)."""
    registration = registration_of(tx, request.client_id)
    if registration is None or not registration.live or registration.digest != request.registration:
        raise InvalidRequest("who asked has changed meanwhile; it must ask anew", reason="client_changed")
    if dead := registration_dead(TransactionView(tx), registration, at=at):
        raise InvalidRequest("who asked does not act here any more", reason=dead)
    return registration


def _pending(request: BackchannelRequest, offer: Offer) -> Pending:
    """The request as `Consent` knows requests; it is kept nowhere but as what it is."""
    return Pending(
        id=request.id,
        tenant=request.tenant,
        request=request.request,
        registration=request.registration,
        state=PendingState.SHOWN,
        begun_at=request.begun_at,
        expires_at=request.expires_at,
        offer=offer,
        device=request.id,
    )
