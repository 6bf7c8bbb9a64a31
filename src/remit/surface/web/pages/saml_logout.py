"""Where SAML providers sign people out, and say that they did; by address, or by a form of theirs."""

from typing import Final

import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from remit.identity.federation.errors import AssertionRejected
from remit.identity.federation.saml.binding import RESPONSE, Message, posted, redirected
from remit.identity.upstream.errors import ArrivalRefused
from remit.identity.upstream.saml_farewell import Sent
from remit.identity.upstream.saml_logout import SamlLogout
from remit.identity.upstream.saml_signing import LARGEST_FORM
from remit.kernel.errors import RemitError
from remit.oversight.approvals.visible import show
from remit.surface.web.forms import read_fields
from remit.surface.web.pages.consent import policy_towards
from remit.surface.web.pages.mine import Own
from remit.surface.web.pages.paper import HEADERS
from remit.surface.web.pages.upstream import WITH

_log = structlog.stdlib.get_logger("remit.saml")
_TITLE: Final = "Nobody was signed out"


class SamlLogoutPages:
    """Serves `/sign-in/with/NAME/slo`.

    SAFETY: anybody may bring a message from anywhere, and no cookie comes with it. What counts is the
    provider's signature on it, once; what it ends is what it names.
    """

    def __init__(self, *, own: Own, logout: SamlLogout) -> None:
        self._own = own
        self._logout = logout

    def routes(self) -> list[BaseRoute]:
        """Both bindings at one address."""
        return [
            Route(f"{WITH}/slo", self.by_address, methods=["GET"]),
            Route(f"{WITH}/slo", self.by_form, methods=["POST"]),
        ]

    async def by_address(self, request: Request) -> Response:
        """A message in the query."""
        try:
            return await self._take(request, redirected(bytes(request.scope["query_string"])))
        except (AssertionRejected, RemitError) as refused:
            return self._refused(request, refused)

    async def by_form(self, request: Request) -> Response:
        """A message in a form."""
        try:
            fields = await read_fields(request, limit=LARGEST_FORM)
            return await self._take(request, posted(fields))
        except (AssertionRejected, RemitError) as refused:
            return self._refused(request, refused)

    async def _take(self, request: Request, message: Message) -> Response:
        name = request.path_params["name"]
        if message.kind == RESPONSE:
            return self._said(name, well=await self._logout.returned(name, message))
        sent = await self._logout.take(name, message)
        if not sent.fields:
            response = RedirectResponse(sent.to, status_code=303, headers=dict(HEADERS))
            response.headers["location"] = sent.to
            return response
        return self._form(name, sent)

    def _form(self, name: str, sent: Sent) -> Response:
        """Our answer as a form that the person sends: our pages have no script that would."""
        response = self._own.paper.page("saml_form.html", provider=show(name), to=sent.to, fields=sent.fields)
        response.headers["content-security-policy"] = policy_towards(sent.to)
        return response

    def _said(self, name: str, *, well: bool) -> Response:
        title = "You are signed out" if well else "You are signed out here"
        text = "Here, and at" if well else "Whether you still are signed in elsewhere was not said by"
        shown = show(name)
        return self._own.paper.page("message.html", title=title, text=f"{text} {shown.text}.")

    def _refused(self, request: Request, refused: RemitError) -> Response:
        """Say that nothing was done; the step and the reason are for whoever runs this alone."""
        if isinstance(refused, AssertionRejected):
            refused = ArrivalRefused(refused.step, refused.reason, debug=refused.debug)
        if isinstance(refused, ArrivalRefused):
            name = request.path_params["name"][:64]
            _log.info("identity.logout.refused", provider=name, step=refused.step, reason=refused.reason)
        return self._own.paper.refused(refused, title=_TITLE)
