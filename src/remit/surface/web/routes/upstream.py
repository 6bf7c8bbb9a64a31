"""Identity providers for administrators, links of people, and where providers sign people out."""

from dataclasses import dataclass
from typing import Any, Final, Protocol

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from remit.identity.principals import PREFIX, Kind, Principal
from remit.identity.service import IdentityService
from remit.identity.upstream.connecting import IdentityProviderService
from remit.identity.upstream.errors import ArrivalRefused, IdentityProviderUnfit, UnknownIdentityProvider
from remit.identity.upstream.examination.service import ProviderExaminer
from remit.identity.upstream.linked import LinkId
from remit.identity.upstream.links import LinkService
from remit.identity.upstream.logout import UpstreamLogout
from remit.identity.upstream.provider import IdentityProvider
from remit.identity.upstream.saml_stated import StatedSamlProvider
from remit.kernel.errors import Invalid, RemitError, TooLarge
from remit.kernel.ids import PrincipalId
from remit.kernel.secret import Secret
from remit.surface.web.caller import require_admin, require_own
from remit.surface.web.errors import status_of
from remit.surface.web.forms import read_fields
from remit.surface.web.operation import Inbound, Nothing, Operation, operation
from remit.surface.web.schemas.identity import Because
from remit.surface.web.schemas.upstream import (
    AccountLinkView,
    ExaminedStep,
    IdentityProviderView,
    NewIdentityProvider,
    NewLink,
    NewSamlProvider,
)

_LOGOUT_LIMIT: Final = 20 << 10
_OK, _BAD = 200, 400


class ConnectsSaml(Protocol):
    """`identity.upstream.saml_connecting.SamlProviderService`; its XML reader is loaded where SAML is on."""

    async def connect(self, stated: StatedSamlProvider, *, by: PrincipalId) -> IdentityProvider:
        """Put a provider on record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamRoutes:
    """What the noun needs; `home` is the address below which our pages are seen."""

    providers: IdentityProviderService
    links: LinkService
    logout: UpstreamLogout
    identity: IdentityService
    home: str
    examiner: ProviderExaminer
    saml: ConnectsSaml | None = None
    """None where SAML is not spoken."""

    def operations(self) -> list[Operation[Any, Any]]:
        """What is served below `/identity-providers`, and a person's links."""
        return [*self._seeing(), *self._changing()]

    def routes(self) -> list[BaseRoute]:
        """Back-channel logout: it bears no token of ours, but the provider's own."""
        return [Route("/sign-in/with/{name}/logout", self.take_logout, methods=["POST"])]

    async def take_logout(self, request: Request) -> Response:
        """End what the provider names (Back-Channel Logout §2.8): 200, else 400 and nothing else to learn."""
        try:
            fields = await read_fields(request, limit=_LOGOUT_LIMIT)
            await self.logout.take(request.path_params["name"], fields.get("logout_token", ""))
        except (ArrivalRefused, UnknownIdentityProvider, Invalid, TooLarge):
            return _answer(_BAD, {"error": "invalid_request"})
        except RemitError as failed:
            return _answer(status_of(failed), {"error": "temporarily_unavailable"})
        return Response(status_code=_OK, headers={"Cache-Control": "no-store"})

    def _seeing(self) -> list[Operation[Any, Any]]:
        return [
            operation("listIdentityProviders", "Providers that people may sign in with", "GET",
                      "/identity-providers", self._all, answer=list[IdentityProviderView]),
            operation("showIdentityProvider", "One provider, and what to register there", "GET",
                      "/identity-providers/{name}", self._one, answer=IdentityProviderView),
            operation("listUserLinks", "Accounts elsewhere that sign a person in here", "GET",
                      "/users/{ident}/links", self._links, answer=list[AccountLinkView]),
        ]  # fmt: skip

    def _changing(self) -> list[Operation[Any, Any]]:
        return [
            operation("connectIdentityProvider", "Let people sign in with a provider", "POST",
                      "/identity-providers", self._connect, body=NewIdentityProvider,
                      answer=IdentityProviderView, status=201),
            operation("connectSamlProvider", "Let people sign in with a SAML provider", "POST",
                      "/identity-providers/saml", self._connect_saml, body=NewSamlProvider,
                      answer=IdentityProviderView, status=201),
            operation("examineIdentityProvider", "Walk the way to a provider and name what fails", "POST",
                      "/identity-providers/{name}/examine", self._examine, answer=list[ExaminedStep]),
            operation("suspendIdentityProvider", "Let nobody come from a provider for now", "POST",
                      "/identity-providers/{name}/suspend", self._suspend, answer=IdentityProviderView),
            operation("resumeIdentityProvider", "Let people come from a provider again", "POST",
                      "/identity-providers/{name}/resume", self._resume, answer=IdentityProviderView),
            operation("retireIdentityProvider", "End a provider, and all sessions from it", "POST",
                      "/identity-providers/{name}/retire", self._retire, answer=IdentityProviderView),
            operation("linkIdentity", "Say who somebody at a provider is here", "POST",
                      "/identity-providers/{name}/links", self._link, body=NewLink, answer=AccountLinkView,
                      status=201),
            operation("unlinkIdentity", "End a link, with the sessions that stand on it", "POST",
                      "/users/{ident}/links/{link}/end", self._unlink, body=Because, answer=AccountLinkView),
        ]  # fmt: skip

    async def _all(self, inbound: Inbound[Nothing, Nothing]) -> list[IdentityProviderView]:
        require_admin(inbound.caller, what="see whom people may come from")
        return [IdentityProviderView.of(each, home=self.home) for each in await self.providers.all()]

    async def _one(self, inbound: Inbound[Nothing, Nothing]) -> IdentityProviderView:
        require_admin(inbound.caller, what="see whom people may come from")
        found = await self.providers.get(inbound.path["name"])
        return IdentityProviderView.of(found, home=self.home)

    async def _connect(self, inbound: Inbound[NewIdentityProvider, Nothing]) -> IdentityProviderView:
        require_admin(inbound.caller, what="connect a provider")
        body = inbound.body
        secret = None if body.client_secret is None else Secret(body.client_secret.encode())
        made = await self.providers.connect(body.stated(), secret, by=inbound.caller.principal)
        return IdentityProviderView.of(made, home=self.home)

    async def _connect_saml(self, inbound: Inbound[NewSamlProvider, Nothing]) -> IdentityProviderView:
        require_admin(inbound.caller, what="connect a provider")
        if self.saml is None:
            raise IdentityProviderUnfit("SAML is not spoken here", next_step="set federation.saml")
        made = await self.saml.connect(inbound.body.stated(), by=inbound.caller.principal)
        return IdentityProviderView.of(made, home=self.home)

    async def _examine(self, inbound: Inbound[Nothing, Nothing]) -> list[ExaminedStep]:
        require_admin(inbound.caller, what="examine a provider")
        return [ExaminedStep.of(each) for each in await self.examiner.examine(inbound.path["name"])]

    async def _suspend(self, inbound: Inbound[Nothing, Nothing]) -> IdentityProviderView:
        require_admin(inbound.caller, what="suspend a provider")
        moved = await self.providers.suspend(inbound.path["name"], by=inbound.caller.principal)
        return IdentityProviderView.of(moved, home=self.home)

    async def _resume(self, inbound: Inbound[Nothing, Nothing]) -> IdentityProviderView:
        require_admin(inbound.caller, what="resume a provider")
        moved = await self.providers.resume(inbound.path["name"], by=inbound.caller.principal)
        return IdentityProviderView.of(moved, home=self.home)

    async def _retire(self, inbound: Inbound[Nothing, Nothing]) -> IdentityProviderView:
        require_admin(inbound.caller, what="retire a provider")
        moved = await self.providers.retire(inbound.path["name"], by=inbound.caller.principal)
        return IdentityProviderView.of(moved, home=self.home)

    async def _links(self, inbound: Inbound[Nothing, Nothing]) -> list[AccountLinkView]:
        human = await self._person(inbound.path["ident"])
        require_own(inbound.caller, human.id, what="user")
        return [AccountLinkView.of(each) for each in await self.links.of(human.id)]

    async def _link(self, inbound: Inbound[NewLink, Nothing]) -> AccountLinkView:
        require_admin(inbound.caller, what="link somebody")
        provider = await self.providers.get(inbound.path["name"])
        human = await self._person(inbound.body.user)
        link = await self.links.assign(provider, inbound.body.subject, human.id, by=inbound.caller.principal)
        return AccountLinkView.of(link)

    async def _unlink(self, inbound: Inbound[Because, Nothing]) -> AccountLinkView:
        require_admin(inbound.caller, what="unlink somebody")
        human = await self._person(inbound.path["ident"])
        ended = await self.links.end(
            LinkId(inbound.path["link"]),
            of=human.id,
            by=inbound.caller.principal,
            because=inbound.body.reason,
        )
        return AccountLinkView.of(ended)

    async def _person(self, ident: str) -> Principal:
        if ident.startswith(f"{PREFIX[Kind.HUMAN]}_"):
            entry = await self.identity.get(PrincipalId(ident))
            if entry.kind is Kind.HUMAN:
                return entry
        return await self.identity.find(Kind.HUMAN, ident)


def _answer(status: int, body: dict[str, str]) -> Response:
    return JSONResponse(body, status_code=status, headers={"Cache-Control": "no-store"})
