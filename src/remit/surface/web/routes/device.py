"""The pages of devices over HTTP (RFC 8628 §3.3): sign in, type the code, see, answer."""

from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from remit.authority.oauth.endpoints.authorize import SignIn
from remit.authority.oauth.endpoints.device import CodeUnknown, TooManyCodes
from remit.authority.oauth.flows.device_flow import DeviceFlow
from remit.authority.oauth.provider import OAuth
from remit.authority.oauth.wire.errors import InvalidRequest, OAuthError
from remit.kernel.errors import RemitError, Unavailable
from remit.surface.web.errors import status_of
from remit.surface.web.pages.device import DevicePage
from remit.surface.web.pages.paper import HEADERS, Paper
from remit.surface.web.peers import place_of
from remit.surface.web.session import SessionDoor

_FORM: Final = "device"
_BAD_REQUEST: Final = 400
_ANSWERS: Final = {"allow": True, "deny": False}


class DeviceRoutes:
    """Serves `/device`, and the page of each device below it."""

    def __init__(self, oauth: OAuth, flow: DeviceFlow, *, door: SessionDoor, paper: Paper) -> None:
        self._oauth = oauth
        self._flow = flow
        self._door = door
        self._paper = paper
        self._page = DevicePage(paper=paper)
        self._base = urlsplit(oauth.options.issuer).path

    def routes(self) -> list[BaseRoute]:
        """`/device` takes a code, `/device/<handle>` shows what it stands for and takes the answer."""
        return [
            Route(f"{self._base}/device", self.ask_code, methods=["GET"]),
            Route(f"{self._base}/device", self.take_code, methods=["POST"]),
            Route(f"{self._base}/device/{{handle}}", self.look, methods=["GET"]),
            Route(f"{self._base}/device/{{handle}}", self.answer, methods=["POST"]),
        ]

    async def ask_code(self, request: Request) -> Response:
        """The field for the code, empty, for whoever is signed in: no code is taken from an address."""
        elsewhere = self._paper.at_home(request)
        if elsewhere is not None:
            return elsewhere
        if await self._door.current_session(request) is None:
            return self._door.sign_in_first(request)
        return self._page.type_code(csrf=self._door.csrf(request, _FORM))

    async def take_code(self, request: Request) -> Response:
        """Go on to the page of that code."""
        try:
            fields = await self._door.read_form(request, _FORM)
            session = await self._door.current_session(request)
            if session is None:
                return self._door.sign_in_first(request)
            typed = fields.get("user_code", "")
            handle = await self._flow.desk.enter(typed, session, at=self._oauth.clock.now())
        except (CodeUnknown, TooManyCodes) as wrong:
            return self._page.wrong_code(wrong, csrf=self._door.csrf(request, _FORM))
        except RemitError as refused:
            return self._refused(refused)
        address = f"{self._base}/device/{handle}"
        return RedirectResponse(address, status_code=303, headers=dict(HEADERS))

    async def look(self, request: Request) -> Response:
        """Show what the device asks; whoever is not signed in any more signs in first."""
        elsewhere = self._paper.at_home(request)
        if elsewhere is not None:
            return elsewhere
        handle = str(request.path_params["handle"])
        try:
            session = await self._door.current_session(request)
            found = await self._flow.desk.look(handle, session, at=self._oauth.clock.now())
        except (OAuthError, Unavailable) as refused:
            return self._refused(refused)
        if isinstance(found, SignIn):
            return self._door.sign_in_first(request, again=found.again)
        return self._page.draw(found, csrf=self._door.csrf(request, _form(handle)), here=place_of(request))

    async def answer(self, request: Request) -> Response:
        """Take the answer of the page's own form; the device is told when it asks again."""
        handle = str(request.path_params["handle"])
        try:
            fields = await self._door.read_form(request, _form(handle))
            session = await self._door.current_session(request)
            if session is None or fields.get("answer", "") not in _ANSWERS:
                raise InvalidRequest("say allow or deny, signed in", reason="answer_malformed")
            approve = _ANSWERS[fields["answer"]]
            why = await self._flow.consent.answer(
                handle, session, approve=approve, at=self._oauth.clock.now()
            )
        except RemitError as refused:
            return self._refused(refused)
        return self._page.answered(allowed=approve and not why, why=why if approve else "")

    def _refused(self, refused: RemitError) -> Response:
        status = _BAD_REQUEST if isinstance(refused, OAuthError) else status_of(refused)
        return self._page.refused(refused, status=status)


def _form(handle: str) -> str:
    """Each request has a form of its own: no other page's answer fits it."""
    return f"device:{handle}"
