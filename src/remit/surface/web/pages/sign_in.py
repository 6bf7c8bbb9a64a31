"""Sign in, confirm, sign out: the pages of whoever is, or wants to be, somebody here (R17)."""

from collections.abc import Sequence
from typing import Protocol
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from remit.identity.errors import PasskeysNeedName
from remit.identity.passkey_desk import Question
from remit.identity.session_service import SessionService
from remit.identity.sessions import CLIENT_LIMIT, Session
from remit.identity.sign_in_service import SignInService
from remit.kernel.errors import RemitError
from remit.kernel.secret import Secret
from remit.oversight.approvals.visible import show
from remit.surface.web.errors import status_of
from remit.surface.web.pages.mine import Named
from remit.surface.web.pages.paper import HEADERS, Paper, options_text
from remit.surface.web.session import SIGN_IN, SessionDoor, local_path

HOME = "/me/passkeys"
_TITLE = "You can't sign in here"


class Elsewhere(Protocol):
    """Other places that people may come from, and leave for when they sign out."""

    async def offered(self, session: Session | None) -> Sequence[str]:
        """Names of providers to sign in with; for a session, those that can confirm it."""

    async def way_out(self, session: Session) -> tuple[str, str]:
        """Name and address of a provider's own sign-out for this session; empty without."""


class SignInPages:
    """Asks for a passkey and keeps the cookie of whoever has proven one."""

    def __init__(
        self,
        *,
        paper: Paper,
        door: SessionDoor,
        signing: SignInService,
        sessions: SessionService,
        name_of: Named,
        elsewhere: Elsewhere | None = None,
    ) -> None:
        self._paper = paper
        self._door = door
        self._signing = signing
        self._sessions = sessions
        self._name_of = name_of
        self._elsewhere = elsewhere

    def routes(self) -> list[BaseRoute]:
        """`/sign-in` (also for a fresh proof: `again=1`), `/sign-out`, `/me`."""
        return [
            Route(SIGN_IN, self.ask, methods=["GET"]),
            Route(SIGN_IN, self.take, methods=["POST"]),
            Route("/sign-out", self.leaving, methods=["GET"]),
            Route("/sign-out", self.leave, methods=["POST"]),
            Route("/me", _home, methods=["GET"]),
        ]

    async def ask(self, request: Request) -> Response:
        """Show the question; whoever is signed in already goes on, unless a fresh proof is wanted."""
        onward, again = onward_of(request.query_params.get("next", "")), "again" in request.query_params
        elsewhere = self._paper.at_home(request)
        if elsewhere is not None:
            return elsewhere
        session = await self._door.current_session(request)
        if session is not None and not again:
            return RedirectResponse(onward, status_code=303, headers=dict(HEADERS))
        return await self._question(request, session if again else None, onward=onward)

    async def take(self, request: Request) -> Response:
        """Take the answer: a session with a secret that nobody knew before, then on to where they wanted."""
        onward, session = HOME, None
        try:
            fields = await self._door.read_visitor(request)
            onward = onward_of(fields.get("next", ""))
            session = await self._door.current_session(request) if "again" in fields else None
            _, secret = await self._answered(request, fields, session)
        except RemitError as refused:
            return await self._question(request, session, onward=onward, refused=refused)
        response = self._paper.page("onward.html", title="You are signed in", onward=onward)
        self._door.keep(response, secret)
        return response

    async def leaving(self, request: Request) -> Response:
        """Ask before signing out: a link alone must not do it."""
        session = await self._door.current_session(request)
        if session is None:
            return RedirectResponse(SIGN_IN, status_code=303, headers=dict(HEADERS))
        csrf = self._door.csrf(request, "sign-out")
        return self._paper.page("sign_out.html", who=show(self._name_of(session.human)), csrf=csrf)

    async def leave(self, request: Request) -> Response:
        """End the session and take the cookie back (CO-17)."""
        try:
            await self._door.read_form(request, "sign-out")
        except RemitError as refused:
            return self._paper.refused(refused, title="You are still signed in")
        session, provider, away = await self._door.current_session(request), "", ""
        if session is not None:
            if self._elsewhere is not None:
                provider, away = await self._elsewhere.way_out(session)
            await self._sessions.end(session.id, of=session.human, by=session.human, because="signed out")
        response: Response = RedirectResponse(SIGN_IN, status_code=303, headers=dict(HEADERS))
        if away:
            response = self._paper.page("signed_out.html", provider=show(provider), away=away)
        self._door.drop(response)
        return response

    async def _answered(
        self, request: Request, fields: dict[str, str], session: Session | None
    ) -> tuple[Session, Secret]:
        text, ticket = fields.get("response", ""), fields.get("ticket", "")
        if session is not None:
            return await self._signing.confirm(text, ticket=ticket, session=session)
        return await self._signing.sign_in(
            text,
            ticket=ticket,
            bound_to=self._door.visit(request).name,
            leaving=self._door.secret(request),
            client=client_of(request),
        )

    async def _question(
        self, request: Request, session: Session | None, *, onward: str, refused: RemitError | None = None
    ) -> Response:
        visit, providers = self._door.visit(request), await self._offered(session)
        try:
            question = await self._asked(session, visit.name)
        except PasskeysNeedName as unable:
            if not providers:
                return self._paper.refused(unable, title=_TITLE)
            question = None
        words = _confirming(self._name_of(session.human)) if session else _SIGNING_IN
        response = self._paper.page(
            "sign_in.html",
            status=200 if refused is None else status_of(refused),
            ceremony=question is not None,
            **words,
            again=session is not None,
            error="" if refused is None else _sentence(refused),
            onward=onward,
            ticket="" if question is None else question.ticket,
            options="" if question is None else options_text(question.options),
            providers=[show(each) for each in providers],
            query=urlencode({"next": onward, **({} if session is None else {"again": "1"})}),
        )
        self._door.welcome(response, visit)
        return response

    async def _offered(self, session: Session | None) -> Sequence[str]:
        return () if self._elsewhere is None else await self._elsewhere.offered(session)

    async def _asked(self, session: Session | None, visit: str) -> Question:
        if session is not None:
            return await self._signing.ask_confirm(session)
        return self._signing.ask_sign_in(bound_to=visit)


_SIGNING_IN = {
    "title": "Sign in",
    "text": "With the passkey of this device, your phone, or a security key. There are no passwords here.",
    "button": "Sign in with a passkey",
}


def _confirming(name: str) -> dict[str, str]:
    return {
        "title": "Is it you?",
        "text": f"Signed in as {show(name).text}. What you are about to do needs a fresh proof, by passkey.",
        "button": "Confirm with a passkey",
    }


async def _home(_request: Request) -> Response:
    return RedirectResponse(HOME, status_code=303, headers=dict(HEADERS))


def client_of(request: Request) -> str:
    """What the client calls itself, for its person's own list."""
    return request.headers.get("user-agent", "")[:CLIENT_LIMIT]


def onward_of(text: str) -> str:
    """Where to go on to: a path of ours, whatever was asked for (CO-21)."""
    return local_path(text) or HOME


def _sentence(refused: RemitError) -> str:
    return refused.hint[:1].upper() + refused.hint[1:] + "."
