"""The authorization endpoint (RFC 6749 §3.1): a browser brings a client's request, a person answers it.

`begin` reads the request and keeps it under a handle; `look` says what its page has to do; `Consent.answer`
takes the person's yes or no. Until client and redirect URI are verified, errors are raised, for a page of
ours; afterwards they are addresses to send the browser to.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from remit.authority.oauth.asking import authorization_request
from remit.authority.oauth.asking.authorization_request import AuthorizationRequest, Prompt, answer_of
from remit.authority.oauth.asking.pending import (
    SHOWN_LIFE,
    URN,
    WAITING_LIMIT,
    WAITING_SHARE,
    Offer,
    Pending,
    PendingState,
)
from remit.authority.oauth.clients.registration import ClientRegistration
from remit.authority.oauth.consenting import sign_ons
from remit.authority.oauth.consenting.answered import Answered
from remit.authority.oauth.consenting.desk import Desk, Found
from remit.authority.oauth.consenting.offering import lines_before, sentences
from remit.authority.oauth.enrolling.client_directory import ClientDirectory
from remit.authority.oauth.proving.request_object import RequestObjects
from remit.authority.oauth.repository import OAuthTransaction, TransactionView
from remit.authority.oauth.wire import opaque
from remit.authority.oauth.wire.errors import (
    ConsentRequired,
    InvalidRequest,
    InvalidRequestUri,
    LoginRequired,
    OAuthError,
    RequestUriNotSupported,
    TemporarilyUnavailable,
    UnmetAuthentication,
)
from remit.authority.oauth.wire.options import OAuthOptions
from remit.authority.oauth.wire.parameters import Parameters
from remit.authority.oidc import conditions, disclosure, id_token
from remit.authority.oidc.conditions import BY_PASSKEY, MEETS
from remit.identity.principals import Principal
from remit.identity.sessions import Session
from remit.kernel.canonical import Digest
from remit.kernel.ids import Entropy, TenantId, UserId
from remit.kernel.jose.errors import TokenRejected
from remit.kernel.jose.keys import KeyLookup
from remit.kernel.uow import UnitOfWork

OVER: Final = "this request is over; go back to the application and start again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Away:
    """Send the browser there: an answer for the client."""

    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Go on at the page of this handle."""

    handle: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """Somebody must sign in first; `again`: whoever is signed in must prove it anew."""

    again: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Ask the person: the client and its agent, what is offered, and where the answer will go."""

    pending: Pending
    offer: Offer
    registration: ClientRegistration
    agent: Principal | None
    """None for an application, which acts for nobody."""
    person: Principal
    before: frozenset[str] = frozenset()
    """Sentences that this person said yes to, for this client, and that still stand."""


class AuthorizationEndpoint:
    """Takes requests of browsers up to the point where a person is asked."""

    def __init__(
        self,
        *,
        uow: UnitOfWork[OAuthTransaction],
        directory: ClientDirectory,
        options: OAuthOptions,
        tenant: TenantId,
        keys: KeyLookup,
        entropy: Entropy,
    ) -> None:
        self._keys = keys
        self._uow = uow
        self._directory = directory
        self._options = options
        self._desk = Desk(options=options)
        self._objects = RequestObjects(options=options)
        self._tenant = tenant
        self._entropy = entropy

    async def begin(self, parameters: Parameters, *, at: datetime) -> Away | Page:
        """Read a request, or take the pushed one that it names.

        Raises an `OAuthError` for our own page while it is not certain where an answer may go.
        """
        await self._directory.prepare(parameters, at=at)
        return await self._uow.commit(lambda tx: self._begin(tx, parameters, at))

    async def look(self, handle: str, session: Session | None, *, at: datetime) -> Away | SignIn | Ask:
        """What the page of a handle has to do, for whoever is there.

        Raises `InvalidRequest` if it is over, or was shown to somebody else.
        """
        return await self._uow.commit(lambda tx: self._look(tx, handle, session, at))

    def _begin(self, tx: OAuthTransaction, parameters: Parameters, at: datetime) -> Away | Page:
        registration = _client(tx, parameters.need("client_id"))
        if parameters.get("request_uri") and not parameters.get("request"):
            # RFC 9126 §4: whatever stands beside it counts for nothing.
            request = self._take(tx, parameters.get("request_uri"), registration, at)
        else:
            parameters = self._objects.parameters_of(
                parameters, registration, view=TransactionView(tx), at=at
            )
            where = authorization_request.returning(parameters, registration)
            try:
                request = authorization_request.read_request(parameters, where, registration, pushed=False)
                self._desk.find(tx, request, registration, at=at)
            except OAuthError as refused:
                return Away(url=answer_of(refused, where, issuer=self._options.issuer))
        return Page(handle=self._show(tx, request, registration, at))

    def _take(
        self, tx: OAuthTransaction, name: str, registration: ClientRegistration, at: datetime
    ) -> AuthorizationRequest:
        """The pushed request of that name, taken from its client once. Nothing is ever fetched (OA-16)."""
        if not name.startswith(URN):
            # RFC 9101 §10.4: an address is a way to make a server fetch things.
            raise RequestUriNotSupported("no request is fetched here: push it (RFC 9126)")
        handle = name.removeprefix(URN)
        known = tx.pendings.get(opaque.digest_of(handle))
        if (
            known is None
            or known.request.returning.client_id != registration.client_id
            or at >= known.expires_at
            or not tx.pendings.move(replace(known, state=PendingState.OVER), was=PendingState.PUSHED)
        ):
            raise InvalidRequestUri("`request_uri` is unknown, used, or has run out", reason="request_uri")
        return known.request

    def _show(
        self,
        tx: OAuthTransaction,
        request: AuthorizationRequest,
        registration: ClientRegistration,
        at: datetime,
    ) -> str:
        if tx.pendings.crowded(registration.client_id, share=WAITING_SHARE, limit=WAITING_LIMIT):
            raise TemporarilyUnavailable("too many requests wait for people", reason="pending_limit")
        handle = opaque.make(opaque.REQUEST, self._entropy)
        tx.pendings.add(
            Pending(
                id=opaque.digest_of(handle),
                tenant=self._tenant,
                request=request,
                registration=registration.digest,
                state=PendingState.SHOWN,
                begun_at=at,
                expires_at=at + SHOWN_LIFE,
            )
        )
        return handle

    def _look(
        self, tx: OAuthTransaction, handle: str, session: Session | None, at: datetime
    ) -> Away | SignIn | Ask:
        pending = shown(tx, handle, at=at)
        registration = _client(tx, pending.request.returning.client_id)
        if session is not None:
            require_holder(pending, session)
        require_same(pending, registration)
        try:
            need = sign_in_needed(pending, session, at, registration)
            if need is not None or session is None:
                return need or SignIn(again=False)
            self._require_person(pending, session, at)
            return self._ask(tx, pending, registration, session, at)
        except OAuthError as refused:
            tx.pendings.move(replace(pending, state=PendingState.OVER), was=PendingState.SHOWN)
            return Away(url=answer_of(refused, pending.request.returning, issuer=self._options.issuer))

    def _ask(
        self,
        tx: OAuthTransaction,
        pending: Pending,
        registration: ClientRegistration,
        session: Session,
        at: datetime,
    ) -> Away | Ask:
        person = tx.principals.get(session.human)
        if person is None:
            raise LoginRequired("nobody is signed in")
        found = self._desk.find(tx, pending.request, registration, at=at)
        offer = pending.offer or offer_of(found, session)
        if self._said_before(tx, pending, offer, registration, session):
            return self._again(tx, replace(pending, offer=offer), registration, session, at)
        if Prompt.NONE in pending.request.prompt:
            # OA-26: a task is a person's own act; what an agent may do is never given as it was before.
            raise ConsentRequired("the person must be asked")
        if pending.offer is None:
            pending = replace(pending, offer=offer)
            tx.pendings.move(pending, was=PendingState.SHOWN)
        return Ask(
            pending=pending,
            offer=offer,
            registration=registration,
            agent=found.agent,
            person=person,
            before=lines_before(tx, UserId(person.id), registration, at=at),
        )

    def _said_before(
        self,
        tx: OAuthTransaction,
        pending: Pending,
        offer: Offer,
        registration: ClientRegistration,
        session: Session,
    ) -> bool:
        """INVARIANT: no page is left out but for what that page has shown before (OA-26)."""
        return sign_ons.earlier(tx, pending, offer, registration, UserId(session.human))

    def _again(
        self,
        tx: OAuthTransaction,
        pending: Pending,
        registration: ClientRegistration,
        session: Session,
        at: datetime,
    ) -> Away:
        """Let an application in by an earlier yes, without a page; as ever, once for each request."""
        if pending.offer is None or not tx.pendings.move(
            replace(pending, state=PendingState.OVER), was=PendingState.SHOWN
        ):
            raise InvalidRequest(OVER, reason="pending_over")
        answered = Answered(
            pending=pending, offer=pending.offer, registration=registration, session=session, at=at
        )
        url = sign_ons.let_in_again(tx, answered, issuer=self._options.issuer, entropy=self._entropy)
        return Away(url=url)

    def _require_person(self, pending: Pending, session: Session, at: datetime) -> None:
        """The person whom the client means is the one who is there (Core §3.1.2.1, §5.5.1)."""
        request = pending.request
        meant = {request.claims.subject} - {""}
        if request.hint:
            meant.add(self._hinted(request, at))
        if meant - {session.human}:
            raise LoginRequired("somebody else is signed in here", reason="login_other")

    def _hinted(self, request: AuthorizationRequest, at: datetime) -> str:
        try:
            hint = id_token.read(
                request.hint,
                keys=self._keys,
                audience=request.returning.client_id,
                at=at,
                expired=True,
            )
        except TokenRejected as rejected:
            raise InvalidRequest(
                "`id_token_hint` is no ID token that this client had from here",
                reason="hint_rejected",
                debug=rejected.debug,
            ) from rejected
        return str(hint.subject)


def shown(tx: OAuthTransaction, handle: str, *, at: datetime, device: bool = False) -> Pending:
    """The request that a page shows. Raises `InvalidRequest` once it is over.

    `device`: one that began at a device, whose answer goes to no browser; neither page shows the other's.
    """
    ident: Digest = opaque.digest_of(handle)
    pending = tx.pendings.get(ident) if opaque.is_one(opaque.REQUEST, handle) else None
    if pending is None or pending.state is not PendingState.SHOWN or at >= pending.expires_at:
        raise InvalidRequest(OVER, reason="pending_over")
    if bool(pending.device) is not device:
        raise InvalidRequest(OVER, reason="pending_other_page")
    return pending


def require_holder(pending: Pending, session: Session) -> None:
    """What was offered to one person's session is nobody else's to see or to answer (OA-13)."""
    if pending.offer is not None and pending.offer.session != session.id:
        raise InvalidRequest(OVER, reason="pending_other_session")


def require_same(pending: Pending, registration: ClientRegistration) -> None:
    """What is shown of a client, and where it gets its answer, is as it was when it asked (standards §6)."""
    if not registration.live or registration.digest != pending.registration:
        raise InvalidRequest("the application has changed; start again from it", reason="client_changed")


def _client(tx: OAuthTransaction, client_id: str) -> ClientRegistration:
    registration = tx.registrations.get(client_id)
    if registration is None or not registration.live:
        raise InvalidRequest("`client_id` is not registered here", reason="client_unknown")
    return registration


def sign_in_needed(
    pending: Pending, session: Session | None, at: datetime, registration: ClientRegistration
) -> SignIn | None:
    """Whether somebody must sign in first, or again (OpenID Connect Core §3.1.2.3, RFC 9470 §5, R21)."""
    request = pending.request
    need = _need(pending, session, at)
    if need is None and session is not None:
        need = _condition(pending, session, registration)
    if Prompt.NONE in request.prompt and need is not None:
        raise LoginRequired("nobody is signed in, or not recently enough")
    return need


def _need(pending: Pending, session: Session | None, at: datetime) -> SignIn | None:
    if session is None:
        return SignIn(again=False)
    request = pending.request
    fresh = session.authenticated_at >= pending.begun_at
    stale = request.max_age is not None and at - session.authenticated_at > timedelta(seconds=request.max_age)
    if not fresh and (stale or Prompt.LOGIN in request.prompt):
        return SignIn(again=True)
    if request.acr and not any(session.acr in MEETS.get(wanted, frozenset()) for wanted in request.acr):
        if fresh or not any(wanted in MEETS for wanted in request.acr):
            raise UnmetAuthentication("nobody can sign in here as `acr_values` demands")
        return SignIn(again=True)
    return None


def _condition(pending: Pending, session: Session, registration: ClientRegistration) -> SignIn | None:
    """What the registration demands of a sign-in; a passkey proven anew can meet some of it."""
    missing = conditions.unmet(registration.requires, acr=session.acr, marks=session.marks)
    if not missing:
        return None
    if missing <= BY_PASSKEY and session.authenticated_at < pending.begun_at:
        return SignIn(again=True)
    raise UnmetAuthentication(conditions.sentence(missing), reason=f"unmet_{min(missing)}")


def offer_of(found: Found, session: Session) -> Offer:
    """What was found, as it is offered to the person of that session."""
    return Offer(
        session=session.id,
        resource=found.target.resource,
        scopes=found.scopes,
        ceiling=found.ceiling,
        lines=(
            *(() if found.ceiling is None else sentences(found.ceiling)),
            *disclosure.sentences(found.disclosure),
        ),
        ends_at=found.ends_at,
        disclosure=found.disclosure,
    )
