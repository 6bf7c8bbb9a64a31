"""To a SAML provider and back: out by redirect, back by a form of theirs and one step on our own site."""

from typing import Final

import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from remit.identity.errors import NotFresh
from remit.identity.upstream.errors import ArrivalRefused
from remit.identity.upstream.leaving import LIFE, Aim
from remit.identity.upstream.provider import IdentityProvider
from remit.identity.upstream.saml_signing import LARGEST_FORM, SamlSignIn
from remit.identity.upstream.signing import SignedIn
from remit.kernel.errors import RemitError
from remit.kernel.tenancy import path_of
from remit.surface.web.forms import read_fields
from remit.surface.web.pages.mine import Own
from remit.surface.web.pages.paper import HEADERS
from remit.surface.web.pages.sign_in import client_of
from remit.surface.web.pages.upstream import WITH, UpstreamPages

_log = structlog.stdlib.get_logger("remit.saml")
_TITLE: Final = "You are not signed in"
_METADATA_TYPE: Final = "application/samlmetadata+xml"


class SamlWay:
    """The way out to providers, and what the browser keeps until it comes back."""

    def __init__(self, *, own: Own, signing: SamlSignIn, issuer: str) -> None:
        self._own = own
        self._signing = signing
        self._https = issuer.startswith("https://")
        # RFC 6265bis §4.1.3.2: with this prefix no other host, path or plain page can set it.
        self._cookie = f"{'__Host-' if self._https else ''}remit-leaving"

    async def leave(self, request: Request, provider: IdentityProvider, aim: Aim, onward: str) -> Response:
        """Send the visitor to the provider; what was asked stays with their browser."""
        visit, session = self._own.door.visit(request), await self._own.door.current_session(request)
        address, state = await self._signing.leave(
            provider.name, visit=visit.name, onward=onward, aim=aim, session=session
        )
        response = RedirectResponse(address, status_code=303, headers=dict(HEADERS))
        self._own.door.welcome(response, visit)
        self._keep(response, state, seconds=int(LIFE.total_seconds()))
        return response

    def kept(self, request: Request) -> str:
        """What this browser asked for last; empty if it asked for nothing."""
        return request.cookies.get(self._cookie, "")

    def forget(self, response: Response) -> None:
        """Take it back: it was answered."""
        self._keep(response, "", seconds=0)

    def _keep(self, response: Response, state: str, *, seconds: int) -> None:
        response.set_cookie(
            self._cookie, state, max_age=seconds, path="/", secure=self._https, httponly=True, samesite="lax"
        )


class SamlPages:
    """Where providers post, where that goes on, and what they are told about us."""

    def __init__(
        self, *, own: Own, signing: SamlSignIn, way: SamlWay, upstream: UpstreamPages, issuer: str
    ) -> None:
        self._own = own
        self._signing = signing
        self._way = way
        self._upstream = upstream
        self._base = path_of(issuer)

    def routes(self) -> list[BaseRoute]:
        """`/sign-in/with/NAME/saml` and `/metadata`."""
        return [
            Route(f"{WITH}/saml", self.take, methods=["POST"]),
            Route(f"{WITH}/saml", self.land, methods=["GET"]),
            Route(f"{WITH}/metadata", self.metadata, methods=["GET"]),
        ]

    async def take(self, request: Request) -> Response:
        """Judge a provider's form, which no cookie of ours comes with, and go on by a step of our own.

        SAFETY: anybody may send this form from anywhere. It changes nothing but that its assertion is used
        up, and what it leads to lets in only the browser that asked for it.
        """
        name = request.path_params["name"]
        try:
            fields = await read_fields(request, limit=LARGEST_FORM)
            said = await self._signing.take(name, fields.get("SAMLResponse", ""))
        except RemitError as refused:
            return self._refused(name, refused)
        # A page of ours, not a redirect: what it leads to is asked for by our own site, not by theirs.
        onward = f"{self._base}/sign-in/with/{name}/saml?said={said}"
        return self._own.paper.page("onward.html", title="One moment", onward=onward)

    async def land(self, request: Request) -> Response:
        """Let in whom the provider named, in the browser that asked, and nowhere else."""
        session = await self._own.door.current_session(request)
        try:
            found = await self._signing.land(
                request.path_params["name"],
                request.query_params.get("said", ""),
                state=self._way.kept(request),
                visit=self._own.door.visit(request).name,
                session=session,
                leaving_secret=self._own.door.secret(request),
                client=client_of(request),
            )
        except NotFresh:
            return self._own.door.sign_in_first(request, again=True)
        except RemitError as refused:
            return self._refused(request.path_params["name"], refused)
        if isinstance(found, SignedIn):
            response = self._upstream.signed_in(found)
        else:
            response = self._upstream.proposed(request, session, found)
        self._way.forget(response)
        return response

    async def metadata(self, request: Request) -> Response:
        """Our own metadata, to register at the provider."""
        try:
            text = await self._signing.metadata(request.path_params["name"])
        except RemitError as refused:
            return self._own.paper.refused(refused, title="No such provider")
        return Response(text, media_type=_METADATA_TYPE, headers={"Cache-Control": "no-store"})

    def _refused(self, name: str, refused: RemitError) -> Response:
        """Say what the visitor can do; the step and the reason are for whoever runs this alone."""
        if isinstance(refused, ArrivalRefused):
            _log.info(
                "identity.arrival.refused", provider=name[:64], step=refused.step, reason=refused.reason
            )
        return self._own.paper.refused(refused, title=_TITLE)
