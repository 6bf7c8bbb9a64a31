"""The authorization endpoint over HTTP: a browser comes with a request, and leaves with an answer."""

from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from remit.authority.oauth.endpoints.authorize import Away, Page, SignIn
from remit.authority.oauth.provider import CodeFlow, OAuth
from remit.authority.oauth.wire.errors import InvalidRequest, OAuthError, TemporarilyUnavailable
from remit.authority.oauth.wire.parameters import parse_form
from remit.kernel.errors import RemitError, Unavailable
from remit.surface.web.errors import status_of
from remit.surface.web.pages.consent import ConsentPage
from remit.surface.web.pages.paper import HEADERS, Paper
from remit.surface.web.session import SessionDoor

_BAD_REQUEST, _UNAVAILABLE = 400, 503
_RETRY: Final = {"retry-after": "2"}
_ANSWERS: Final = {"allow": True, "deny": False}


class AuthorizeRoutes:
    """Serves `/authorize` and the page of each request below it."""

    def __init__(self, oauth: OAuth, flow: CodeFlow, *, door: SessionDoor, paper: Paper) -> None:
        self._oauth = oauth
        self._flow = flow
        self._door = door
        self._paper = paper
        self._page = ConsentPage(paper=paper)

    def routes(self) -> list[BaseRoute]:
        """`/authorize` takes a request, `/authorize/<handle>` shows it and takes the answer."""
        return [
            Route("/authorize", self.begin, methods=["GET"]),
            Route("/authorize/{handle}", self.look, methods=["GET"]),
            Route("/authorize/{handle}", self.answer, methods=["POST"]),
        ]

    async def begin(self, request: Request) -> Response:
        """Read the request; go on to its page, or back to the client with what is wrong."""
        try:
            # How long an address may be is for the outer door to say; a longer request is pushed (RFC 9126).
            query = parse_form(bytes(request.scope["query_string"]))
            found = await self._flow.authorization.begin(query, at=self._oauth.clock.now())
        except (OAuthError, Unavailable) as refused:
            return self._refused(refused)
        match found:
            case Away(url=url):
                return _go(url)
            case Page(handle=handle):
                return _go(f"/authorize/{handle}")

    async def look(self, request: Request) -> Response:
        """Show the request to whoever is signed in; others sign in first."""
        elsewhere = self._paper.at_home(request)
        if elsewhere is not None:
            return elsewhere
        handle = str(request.path_params["handle"])
        try:
            session = await self._door.current_session(request)
            found = await self._flow.authorization.look(handle, session, at=self._oauth.clock.now())
        except (OAuthError, Unavailable) as refused:
            return self._refused(refused)
        match found:
            case Away(url=url):
                return _go(url)
            case SignIn(again=again):
                return self._door.sign_in_first(request, again=again)
            case ask:
                return self._page.draw(ask, csrf=self._door.csrf(request, _form(handle)))

    async def answer(self, request: Request) -> Response:
        """Take the answer of the page's own form; 303 to the client, so that a reload repeats nothing."""
        handle = str(request.path_params["handle"])
        try:
            fields = await self._door.read_form(request, _form(handle))
            session = await self._door.current_session(request)
            if session is None or fields.get("answer", "") not in _ANSWERS:
                raise InvalidRequest("say allow or deny, signed in", reason="answer_malformed")
            approve = _ANSWERS[fields["answer"]]
            url = await self._flow.consent.answer(
                handle, session, approve=approve, at=self._oauth.clock.now()
            )
        except RemitError as refused:
            return self._refused(refused)
        return _go(url)

    def _refused(self, refused: RemitError) -> Response:
        """On a page of ours, and nowhere else: it is not certain, or not safe, to send anybody anywhere."""
        if isinstance(refused, TemporarilyUnavailable | Unavailable):
            response = self._page.refused(refused.hint, status=_UNAVAILABLE)
            response.headers.update(_RETRY)
            return response
        status = _BAD_REQUEST if isinstance(refused, OAuthError) else status_of(refused)
        return self._page.refused(refused.hint, status=status)


def _form(handle: str) -> str:
    """Each request has a form of its own: no other page's answer fits it."""
    return f"consent:{handle}"


def _go(url: str) -> Response:
    """Never 307, which would repeat a POST elsewhere (RFC 9700 §4.12); nothing in the history is told on."""
    response = RedirectResponse(url, status_code=303, headers=dict(HEADERS))
    response.headers["location"] = url
    response.headers["referrer-policy"] = "no-referrer"
    return response
