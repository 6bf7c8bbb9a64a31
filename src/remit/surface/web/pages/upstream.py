"""To a provider and back; and "my sign-ins", where a person links accounts elsewhere and takes them back."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol, TypeAlias

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from remit.identity.errors import NotFresh
from remit.identity.passkey_service import require_fresh
from remit.identity.sessions import Session
from remit.identity.upstream.connecting import IdentityProviderService
from remit.identity.upstream.errors import ArrivalRefused, UnknownIdentityProvider
from remit.identity.upstream.leaving import Aim, Returned
from remit.identity.upstream.linked import LinkedIdentity, LinkId
from remit.identity.upstream.links import LinkService, Proposal
from remit.identity.upstream.provider import IdentityProvider, Language, Standing
from remit.identity.upstream.signing import OidcSignIn, SignedIn
from remit.kernel.errors import RemitError
from remit.oversight.approvals.visible import Shown, show
from remit.surface.web.pages.mine import Own
from remit.surface.web.pages.paper import HEADERS
from remit.surface.web.pages.sign_in import HOME, client_of, onward_of

WITH: Final = "/sign-in/with/{name}"
SIGN_INS: Final = "/me/sign-ins"
_FORM: Final = "sign-ins"
_TITLE: Final = "You are not signed in"
_ANSWER: Final = frozenset({"state", "code", "iss", "error"})

OtherWay: TypeAlias = Callable[[Request, IdentityProvider, Aim, str], Awaitable[Response]]
"""How people leave for a provider that speaks another protocol: request, provider, aim, where to go on to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkLine:
    """One linked account as its person sees it."""

    id: str
    provider: Shown
    subject: Shown
    linked_at: datetime
    seen_at: datetime | None


class WaysOut(Protocol):
    """The sign-outs of providers that speak one protocol."""

    async def way_out(self, session: Session) -> tuple[str, str]:
        """Name and address of the provider's own sign-out; empty for a session that is none of theirs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Providers:
    """`Elsewhere` of the sign-in pages: providers of any protocol, and their own sign-out."""

    providers: IdentityProviderService
    ways: Sequence[WaysOut]

    async def offered(self, session: Session | None) -> tuple[str, ...]:
        """All that are active; for a session, the one that it came from."""
        found = [each for each in await self.providers.all() if each.standing is Standing.ACTIVE]
        return tuple(each.name for each in found if session is None or each.id == session.means)

    async def way_out(self, session: Session) -> tuple[str, str]:
        """Name and address of the provider's own sign-out."""
        for each in self.ways:
            name, address = await each.way_out(session)
            if address:
                return name, address
        return "", ""


class UpstreamPages:
    """Pages around providers. `others` are the ways of further protocols, by language."""

    def __init__(
        self,
        *,
        own: Own,
        signing: OidcSignIn,
        providers: IdentityProviderService,
        links: LinkService,
        now: Callable[[], datetime],
        others: Mapping[Language, OtherWay] | None = None,
    ) -> None:
        self._own = own
        self._signing = signing
        self._providers = providers
        self._links = links
        self._now = now
        self._others = dict(others or {})

    def routes(self) -> list[BaseRoute]:
        """`/sign-in/with/NAME`, its callback, `/me/sign-ins` and its forms."""
        own = self._own
        form = {"name": _FORM, "back": SIGN_INS, "title": "Nothing was changed"}
        return [
            Route(WITH, self.leave, methods=["GET"]),
            Route(WITH + "/callback", self.come_back, methods=["GET"]),
            Route(SIGN_INS, own.page(self._show), methods=["GET"]),
            Route(SIGN_INS + "/link", own.form(self._accept, **form), methods=["POST"]),
            Route(SIGN_INS + "/{ident}/end", own.form(self._end, **form), methods=["POST"]),
        ]

    async def leave(self, request: Request) -> Response:
        """Send the visitor to the provider; whoever links or confirms must be signed in here."""
        elsewhere = self._own.paper.at_home(request)
        if elsewhere is not None:
            return elsewhere
        aim, session = _aim(request), await self._own.door.current_session(request)
        if aim is not Aim.SIGN_IN and session is None:
            return self._own.door.sign_in_first(request)
        try:
            if aim is Aim.LINK and session is not None:
                require_fresh(session, at=self._now())
            return await self._away(request, aim, session)
        except NotFresh:
            return self._own.door.sign_in_first(request, again=True)
        except RemitError as refused:
            return self._own.paper.refused(refused, title=_TITLE)

    async def _away(self, request: Request, aim: Aim, session: Session | None) -> Response:
        name, onward = request.path_params["name"], onward_of(request.query_params.get("next", ""))
        provider = await self._providers.get(name)
        if provider.standing is not Standing.ACTIVE:
            raise UnknownIdentityProvider(f"nobody can sign in with `{name[:64]}` now", next_step="/sign-in")
        if provider.language in self._others:
            return await self._others[provider.language](request, provider, aim, onward)
        visit = self._own.door.visit(request)
        address = await self._signing.leave(
            provider.name, visit=visit.name, onward=onward, aim=aim, session=session
        )
        response = RedirectResponse(address, status_code=303, headers=dict(HEADERS))
        self._own.door.welcome(response, visit)
        return response

    async def come_back(self, request: Request) -> Response:
        """Take the provider's answer: a session with a secret that nobody knew before, or a proposal."""
        elsewhere = self._own.paper.at_home(request)
        if elsewhere is not None:
            return elsewhere
        session = await self._own.door.current_session(request)
        try:
            found = await self._signing.come_back(
                request.path_params["name"],
                _returned(request),
                visit=self._own.door.visit(request).name,
                session=session,
                leaving_secret=self._own.door.secret(request),
                client=client_of(request),
            )
        except RemitError as refused:
            return self._own.paper.refused(refused, title=_TITLE)
        if isinstance(found, SignedIn):
            return self.signed_in(found)
        return self.proposed(request, session, found)

    def signed_in(self, found: SignedIn) -> Response:
        """Keep the cookie, and go on to where they wanted."""
        onward = found.onward or HOME
        response = self._own.paper.page("onward.html", title="You are signed in", onward=onward)
        self._own.door.keep(response, found.secret)
        return response

    def proposed(self, request: Request, session: Session | None, found: Proposal) -> Response:
        """Show whom the provider named, before anything is linked."""
        if session is None:
            raise ArrivalRefused(1, "other_session")
        return self._own.draw(
            "link.html",
            session,
            provider=show(request.path_params["name"]),
            name=show(found.name or found.email or found.subject),
            email=show(found.email),
            subject=show(found.subject),
            ticket=found.ticket,
            csrf=self._own.door.csrf(request, _FORM),
        )

    async def _show(self, request: Request, session: Session) -> Response:
        found, offered = await self._links.of(session.human), await self._signing.active()
        names = {each.id: each.name for each in await self._providers.all()}
        return self._own.draw(
            "sign_ins.html",
            session,
            links=[_line(each, names.get(each.provider, "")) for each in found],
            providers=[show(each.name) for each in offered],
            fresh=_is_fresh(session, self._now()),
            csrf=self._own.door.csrf(request, _FORM),
        )

    async def _accept(self, _request: Request, session: Session, fields: dict[str, str]) -> None:
        await self._links.accept(fields.get("ticket", ""), session=session)

    async def _end(self, request: Request, session: Session, _fields: dict[str, str]) -> None:
        require_fresh(session, at=self._now())
        ident = LinkId(request.path_params["ident"])
        await self._links.end(ident, of=session.human, by=session.human, because="unlinked by its person")


def _aim(request: Request) -> Aim:
    if "link" in request.query_params:
        return Aim.LINK
    return Aim.CONFIRM if "again" in request.query_params else Aim.SIGN_IN


def _returned(request: Request) -> Returned:
    """What came back, each word once. Raises `ArrivalRefused`."""
    pairs = [(name, value) for name, value in request.query_params.multi_items() if name in _ANSWER]
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ArrivalRefused(1, "said_twice")
    return Returned(
        state=found.get("state", ""),
        code=found.get("code", ""),
        iss=found.get("iss", ""),
        error=found.get("error", ""),
    )


def _is_fresh(session: Session, at: datetime) -> bool:
    try:
        require_fresh(session, at=at)
    except NotFresh:
        return False
    return True


def _line(link: LinkedIdentity, provider: str) -> LinkLine:
    return LinkLine(
        id=link.id,
        provider=show(provider or link.issuer),
        subject=show(link.subject),
        linked_at=link.linked_at,
        seen_at=link.seen_at,
    )
