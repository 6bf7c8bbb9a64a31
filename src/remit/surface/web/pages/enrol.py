"""The page behind an enrolment link: opening it changes nothing, its form makes the passkey, once.

The link's secret stands behind the `#` of its address, which browsers keep to themselves: it comes in the
body of a form alone, and no server, proxy or log on the way ever sees it in an address.
"""

from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from remit.identity.enrolment import SECRET_BYTES
from remit.identity.enrolment_service import EnrolmentService, over
from remit.kernel.canonical import b64u_decode
from remit.kernel.errors import Invalid, RemitError
from remit.kernel.secret import Secret
from remit.oversight.approvals.visible import show
from remit.surface.web.errors import status_of
from remit.surface.web.pages.paper import Paper, options_text
from remit.surface.web.pages.sign_in import HOME, client_of
from remit.surface.web.session import SessionDoor

_TITLE = "No passkey can be made here"


class EnrolPages:
    """Lets the person of a link make a passkey, and signs them in with it."""

    def __init__(self, *, paper: Paper, door: SessionDoor, enrolments: EnrolmentService) -> None:
        self._paper = paper
        self._door = door
        self._enrolments = enrolments

    def routes(self) -> list[BaseRoute]:
        """`/enrol`."""
        return [
            Route("/enrol", self.open, methods=["GET"]),
            Route("/enrol", self.take, methods=["POST"]),
        ]

    async def open(self, request: Request) -> Response:
        """A page that knows nothing yet: its script brings the secret, as a form."""
        return self._paper.at_home(request) or self._paper.page("enrol_open.html", ceremony=True)

    async def take(self, request: Request) -> Response:
        """Show for whom the link is; or register what the authenticator made, which uses the link up."""
        try:
            fields = await self._door.read_visitor(request)
        except RemitError as refused:
            return self._paper.refused(refused, title=_TITLE)
        if not fields.get("response"):
            return await self._question(request, fields)
        try:
            _, session_secret = await self._enrolments.enrol(
                _secret(fields),
                fields["response"],
                ticket=fields.get("ticket", ""),
                visit=self._door.visit(request).name,
                name=fields.get("name", ""),
                client=client_of(request),
            )
        except RemitError as refused:
            return await self._question(request, fields, refused=refused)
        response = self._paper.page("onward.html", title="Your passkey is made", onward=HOME)
        self._door.keep(response, session_secret)
        return response

    async def _question(
        self, request: Request, fields: Mapping[str, str], *, refused: RemitError | None = None
    ) -> Response:
        visit = self._door.visit(request)
        try:
            person, question = await self._enrolments.ask(_secret(fields), visit=visit.name)
        except RemitError as unable:
            return self._paper.refused(unable, title=_TITLE)
        response = self._paper.page(
            "enrol.html",
            status=200 if refused is None else status_of(refused),
            ceremony=True,
            secret=fields["secret"],
            who=show(person.email or person.name),
            error="" if refused is None else refused.hint,
            ticket=question.ticket,
            options=options_text(question.options),
        )
        self._door.welcome(response, visit)
        return response


def _secret(fields: Mapping[str, str]) -> Secret:
    """The secret of the link; what could be none looks like one that is over."""
    try:
        raw = b64u_decode(fields.get("secret", ""))
    except Invalid:
        raw = b""
    if len(raw) != SECRET_BYTES:
        raise over()
    return Secret(raw)
