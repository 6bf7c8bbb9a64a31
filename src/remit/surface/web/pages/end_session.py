"""Signing out at the wish of an application: at once if its hint is of this session, else after asking."""

from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from remit.authority.oauth.endpoints.end_session import EndSessionEndpoint, Leaving
from remit.authority.oauth.wire.errors import OAuthError
from remit.authority.oauth.wire.parameters import Parameters, parse_form
from remit.identity.session_service import SessionService
from remit.identity.sessions import Session
from remit.kernel.clock import Clock
from remit.kernel.errors import RemitError, Unavailable
from remit.oversight.approvals.visible import show
from remit.surface.web.errors import status_of
from remit.surface.web.forms import read_fields
from remit.surface.web.pages.consent import policy_towards
from remit.surface.web.pages.mine import Own
from remit.surface.web.pages.paper import HEADERS
from remit.surface.web.pages.sign_in import Elsewhere
from remit.surface.web.session import FORM_LIMIT

END_SESSION: Final = "/end_session"
_CONFIRM: Final = f"{END_SESSION}/confirm"
_FORM: Final = "end-session"
_CARRIED: Final = ("client_id", "post_logout_redirect_uri", "state")
_BAD_REQUEST: Final = 400
_TITLE: Final = "You are still signed in"


class EndSessionPages:
    """Serves `/end_session` and the form of its page."""

    def __init__(
        self,
        *,
        own: Own,
        sessions: SessionService,
        endpoint: EndSessionEndpoint,
        clock: Clock,
        elsewhere: Elsewhere | None = None,
    ) -> None:
        self._elsewhere = elsewhere
        self._own = own
        self._sessions = sessions
        self._endpoint = endpoint
        self._clock = clock

    def routes(self) -> list[BaseRoute]:
        """A client may send the browser here by either method (§2); the answer comes by our own form."""
        return [
            Route(END_SESSION, self.leave, methods=["GET"]),
            Route(END_SESSION, self.sent, methods=["POST"]),
            Route(_CONFIRM, self.confirm, methods=["POST"]),
        ]

    async def sent(self, request: Request) -> Response:
        """A client's own form: the same as by address. The cookie does not come with another site's form."""
        try:
            fields = await read_fields(request, limit=FORM_LIMIT)
        except RemitError as refused:
            return self._own.paper.refused(refused, title=_TITLE)
        return _go(f"{END_SESSION}?{urlencode(fields)}")

    async def leave(self, request: Request) -> Response:
        """Sign out at once, ask, or say that nobody is signed in."""
        elsewhere = self._own.paper.at_home(request)
        if elsewhere is not None:
            return elsewhere
        try:
            parameters = parse_form(bytes(request.scope["query_string"]))
            leaving = await self._endpoint.read(parameters, at=self._clock.now())
            session = await self._own.door.current_session(request)
            if session is None:
                return self._gone(leaving, asked=leaving.hint is not None)
            if leaving.proves(session):
                return await self._end(session, leaving)
        except (OAuthError, Unavailable) as refused:
            return self._refused(refused)
        return self._ask(request, session, leaving)

    async def confirm(self, request: Request) -> Response:
        """The answer to the question; what the form carries is verified as if it had just come."""
        try:
            fields = await self._own.door.read_form(request, _FORM)
            session = await self._own.door.current_session(request)
            values = {name: (fields[name],) for name in _CARRIED if fields.get(name)}
            leaving = await self._endpoint.read(Parameters(values=values), at=self._clock.now())
        except RemitError as refused:
            return self._refused(refused)
        return self._gone(leaving, asked=True) if session is None else await self._end(session, leaving)

    async def _end(self, session: Session, leaving: Leaving) -> Response:
        client = leaving.registration
        because = "signed out" if client is None else f"signed out at {client.client_id}"[:256]
        provider, away = await self._way_out(session, leaving)
        await self._sessions.end(session.id, of=session.human, by=session.human, because=because)
        if not away:
            return self._gone(leaving, asked=True)
        response = self._own.paper.page("signed_out.html", provider=show(provider), away=away)
        self._own.door.drop(response)
        return response

    async def _way_out(self, session: Session, leaving: Leaving) -> tuple[str, str]:
        """The provider's own sign-out, while its hint is there; a client that waits is not held up (§3)."""
        if self._elsewhere is None or leaving.onward:
            return "", ""
        return await self._elsewhere.way_out(session)

    def _gone(self, leaving: Leaving, *, asked: bool) -> Response:
        """On to where the client said, if a person or a hint stands behind it; else a page."""
        if asked and leaving.onward:
            response: Response = _go(leaving.onward)
        else:
            text = "You are signed out here, and wherever this session signed you in."
            response = self._own.paper.page("message.html", title="You are signed out", text=text)
        self._own.door.drop(response)
        return response

    def _ask(self, request: Request, session: Session, leaving: Leaving) -> Response:
        client = leaving.registration
        carried = {
            "client_id": "" if client is None else client.client_id,
            "post_logout_redirect_uri": leaving.back,
            "state": leaving.state,
        }
        response = self._own.paper.page(
            "end_session.html",
            who=show(self._own.name_of(session.human)),
            client=None if client is None else show(client.name),
            carried={name: value for name, value in carried.items() if value},
            csrf=self._own.door.csrf(request, _FORM),
        )
        if leaving.back:
            response.headers["content-security-policy"] = policy_towards(leaving.back)
        return response

    def _refused(self, refused: RemitError) -> Response:
        status = _BAD_REQUEST if isinstance(refused, OAuthError) else status_of(refused)
        return self._own.paper.page("message.html", status=status, title=_TITLE, text=refused.hint)


def _go(url: str) -> Response:
    response = RedirectResponse(url, status_code=303, headers=dict(HEADERS))
    response.headers["location"] = url
    response.headers["referrer-policy"] = "no-referrer"
    return response
