"""Browsers at the API: a person's session counts for calls from our own pages, and for no others (CO-05).

A browser adds a cookie to whatever it sends here, whoever made it send. So a session is believed only where
the browser says that a page of ours asks (Fetch Metadata, or `Origin`), and a change must bring along a word
that only a page of this very session can have read. Nothing of it opens anything to a program with a token.
"""

from datetime import datetime, timedelta
from typing import Final, Protocol

from starlette.requests import Request

from remit.authority.oauth.wire.errors import MissingToken
from remit.authority.oauth.wire.scopes import scopes_of_roles
from remit.authority.tokens import VerifiedSubject
from remit.decision.administration.current import in_force
from remit.decision.administration.judging import AdminPolicy
from remit.decision.administration.repository import ReadsRoles
from remit.identity.principals import Kind, Principal
from remit.identity.sessions import ACR_PASSKEY_UV, Session
from remit.kernel.canonical import same_bytes
from remit.kernel.clock import Clock
from remit.kernel.errors import Invalid, RemitError
from remit.kernel.ids import AgentId, InstanceId, PrincipalId, TokenId, UserId
from remit.kernel.uow import UnitOfWork
from remit.surface.web.caller import Caller, Doorkeeper, Signed
from remit.surface.web.errors import MediaTypeUnsupported
from remit.surface.web.inbound import is_json
from remit.surface.web.session import SIGN_IN, SessionDoor

CSRF_HEADER: Final = "remit-csrf"
FORM: Final = "api"
"""What the API's word is bound to, beside the session: a word of some page's form is not it."""
_SAFE: Final = frozenset({"GET", "HEAD"})
_OWN: Final = "same-origin"
FRESH: Final = timedelta(minutes=5)
"""How long a passkey's proof counts for what needs one."""


class SessionOver(MissingToken):
    """Nobody is signed in with this browser any more: the session ended, idled out, or its person did."""

    code = "session_over"


class CredentialsTwice(Invalid):
    """The call bears a session and a token: two answers to who calls."""

    code = "credentials_twice"


class ForeignCall(RemitError):
    """A browser's call that none of our own pages made, or that can't show that one did."""

    code = "call_foreign"
    kind = "forbidden"


class VerificationNeeded(RemitError):
    """This takes a passkey that verified the person a moment ago; being signed in is not enough."""

    code = "verification_needed"
    kind = "forbidden"


class People(Protocol):
    """Who people are."""

    def get(self, ident: PrincipalId) -> Principal | None:
        """One principal."""


class BrowserTransaction(ReadsRoles, Protocol):
    """The transaction that the door works in."""

    @property
    def principals(self) -> People:
        """The directory."""


class BrowserDoor:
    """Admits people signed in here, from our own pages, and leaves all others to the door of tokens.

    1 one kind of credentials   2 the page is ours   3 the session stands, its person lives   4 for a change:
    the session's own word, and a body that no plain form could send. Roles are those of this moment.
    """

    def __init__(
        self,
        *,
        tokens: Doorkeeper,
        sessions: SessionDoor,
        uow: UnitOfWork[BrowserTransaction],
        clock: Clock,
        issuer: str,
    ) -> None:
        self._tokens = tokens
        self._sessions = sessions
        self._uow = uow
        self._clock = clock
        self._issuer = issuer

    async def admit(self, request: Request) -> Caller:
        """Who calls; raises what the steps above refuse with."""
        if self._sessions.secret(request) is None:
            return await self._tokens.admit(request)
        if "authorization" in request.headers or "dpop" in request.headers:
            raise CredentialsTwice(
                "the call bears a session cookie and a token", next_step="send one of them alone"
            )
        self.check_page(request)
        session = await self._sessions.current_session(request)
        found = None if session is None else await self._person(session)
        if session is None or found is None:
            raise SessionOver("nobody is signed in with this browser", next_step=f"sign in at {SIGN_IN}")
        if request.method not in _SAFE:
            self.check_change(request)
        return self._caller(request, session, *found)

    def check_page(self, request: Request) -> None:
        """(2) Raise `ForeignCall` unless the browser says that a page of ours asks.

        SAFETY: a browser that says neither where its page is from nor how they relate is refused.
        """
        origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
        foreign = origin is not None and origin not in self._sessions.origins
        if foreign or (site != _OWN if site is not None else origin is None):
            raise ForeignCall("the call came from no page of this installation", next_step="open its console")

    def check_change(self, request: Request) -> None:
        """(4) Raise `ForeignCall` without the session's word, `MediaTypeUnsupported` for a form's body."""
        given = request.headers.get(CSRF_HEADER, "")
        if not same_bytes(given.encode(), self._sessions.csrf(request, FORM).encode()):
            raise ForeignCall(
                f"a change needs this session's `{CSRF_HEADER}`", next_step="read it from GET /api/v1/me"
            )
        media = request.headers.get("content-type")
        if media is not None and not is_json(media):
            raise MediaTypeUnsupported(f"body is `{media[:80]}`, not `application/json`")

    async def _person(self, session: Session) -> tuple[Principal, AdminPolicy] | None:
        found, policy = await self._uow.read(lambda tx: (tx.principals.get(session.human), in_force(tx)))
        return (found, policy) if found is not None and found.kind is Kind.HUMAN else None

    def _caller(self, request: Request, session: Session, person: Principal, policy: AdminPolicy) -> Caller:
        roles = dict(person.attributes).get("roles", "")
        scopes = frozenset(map(str, scopes_of_roles(roles)))
        return Caller(
            tenant=session.tenant,
            principal=person.id,
            person=True,
            roles=frozenset(roles.split()),
            scopes=scopes,
            subject=self._subject(session, scopes),
            policy=policy,
            name=person.name,
            signed=Signed(
                session=session.id,
                acr=session.acr,
                at=session.authenticated_at,
                csrf=self._sessions.csrf(request, FORM),
            ),
        )

    def _subject(self, session: Session, scopes: frozenset[str]) -> VerifiedSubject:
        """The session in the words of a token; its end, buried by id, ends what was opened with it."""
        human = session.human
        return VerifiedSubject(
            tenant=session.tenant,
            token=TokenId(session.id),
            instance=InstanceId(human),
            agent=AgentId(human),
            user=UserId(human),
            task=None,
            chain=(),
            envelope=None,
            ceiling=None,
            audience=f"{self._issuer}/api",
            scopes=scopes,
            key="",
            proof=None,
            acr=session.acr,
            signed_in_at=session.authenticated_at,
            issued_at=self._clock.now(),
            expires_at=session.expires_at,
            client=human,
        )


def require_verified(caller: Caller, *, at: datetime) -> None:
    """Raise `VerificationNeeded` for a session whose person did not use a passkey a moment ago (N16)."""
    signed = caller.signed
    if signed is None or (signed.acr == ACR_PASSKEY_UV and at - signed.at <= FRESH):
        return
    raise VerificationNeeded(
        f"this takes a passkey used within the last {FRESH // timedelta(minutes=1)} minutes",
        next_step=f"confirm that it is you: {SIGN_IN}?again=1",
    )
