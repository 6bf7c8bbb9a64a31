"""My connections: what agents reach elsewhere in a person's name, and the flow that makes one."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from remit.authority.vault.connection import Connection, ConnectionId, ConnectionState
from remit.authority.vault.connection_service import ConnectionService
from remit.authority.vault.flow import Returned
from remit.authority.vault.provider_service import ProviderService
from remit.identity.sessions import Session
from remit.kernel.errors import Invalid, RemitError
from remit.kernel.ids import UserId
from remit.oversight.approvals.visible import Shown, show
from remit.surface.web.forms import ForeignForm
from remit.surface.web.pages.mine import Named, Own
from remit.surface.web.pages.paper import HEADERS

CONNECTIONS: Final = "/me/connections"
_FORM: Final = "connections"
_CONNECT: Final = "connect"
_SHOWN: Final = 500
_VALUE: Final = 4096
_NOT_CONNECTED: Final = "Nothing was connected"


class LinkUnreadable(Invalid):
    """The link does not say what is to be connected, or says something twice."""

    code = "link_unreadable"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLine:
    """One connection as its person sees it."""

    id: str
    provider: Shown
    agent: Shown
    scopes: list[Shown]
    good: bool
    connected_at: datetime


class ConnectionPages:
    """Own connections, and the flow that makes one."""

    def __init__(
        self, *, own: Own, connections: ConnectionService, providers: ProviderService, name_of: Named
    ) -> None:
        self._own = own
        self._connections = connections
        self._providers = providers
        self._name_of = name_of

    def routes(self) -> list[BaseRoute]:
        """`/me/connections` with its form, and `/connect/<provider>` with the address that providers know."""
        own = self._own
        end = own.form(self._end, name=_FORM, back=CONNECTIONS, title="Nothing was disconnected")
        return [
            Route(CONNECTIONS, own.page(self._show), methods=["GET"]),
            Route(CONNECTIONS + "/{ident}/disconnect", end, methods=["POST"]),
            Route("/connect/{provider}", own.page(self._ask), methods=["GET"]),
            Route("/connect/{provider}", self._begin, methods=["POST"]),
            Route("/connect/{provider}/callback", self._home(self._finish), methods=["GET"]),
        ]

    async def _show(self, request: Request, session: Session) -> Response:
        found = await self._connections.of(UserId(session.human), limit=_SHOWN)
        names = {each.id: each.name for each in await self._providers.all()}
        lines = [self._line(each, names.get(each.place.provider, each.place.provider)) for each in found]
        csrf = self._own.door.csrf(request, _FORM)
        return self._own.draw("connections.html", session, connections=lines, csrf=csrf)

    async def _end(self, request: Request, session: Session, _fields: dict[str, str]) -> None:
        """`ConnectionService.disconnect` knows no connection but the person's own."""
        ident = ConnectionId(request.path_params["ident"])
        await self._connections.disconnect(ident, by=session.human, because="disconnected by its person")

    async def _ask(self, request: Request, session: Session) -> Response:
        """Say what is asked, before anybody goes anywhere."""
        try:
            server, agent = _link(request)
            wanted = await self._connections.wanted(
                request.path_params["provider"], server=server, agent=agent, user=UserId(session.human)
            )
        except RemitError as refused:
            return self._own.paper.refused(refused, title=_NOT_CONNECTED)
        present = wanted.present
        return self._own.draw(
            "connect.html",
            session,
            provider=show(wanted.provider.name),
            issuer_there=show(wanted.provider.issuer),
            server=show(wanted.server),
            agent=show(wanted.agent.name),
            scopes=[show(each) for each in wanted.place.scopes],
            connected=present is not None and present.state is ConnectionState.ACTIVE,
            asked={"server": server, "agent": agent},
            csrf=self._own.door.csrf(request, _CONNECT),
        )

    async def _begin(self, request: Request) -> Response:
        """Begin the flow in this session; the way out is a link and a new visit, not this form's redirect."""
        try:
            fields = await self._own.door.read_form(request, _CONNECT)
            session = await self._own.door.current_session(request)
            if session is None:
                raise ForeignForm("nobody is signed in here", next_step="sign in first")
            onward = await self._connections.begin(
                request.path_params["provider"],
                server=fields.get("server", ""),
                agent=fields.get("agent", ""),
                session=session,
            )
        except RemitError as refused:
            return self._own.paper.refused(refused, title=_NOT_CONNECTED)
        return self._own.paper.page("onward.html", title="On to the provider", onward=onward)

    async def _finish(self, request: Request) -> Response:
        """What the provider sends back. INVARIANT: no sign-in here: a new session ends nothing.

        SAFETY: the code stands in this address alone; the answer leads away from it (OA-19).
        """
        session = await self._own.door.current_session(request)
        try:
            if session is None:
                raise ForeignForm("nobody is signed in here", next_step="sign in, then begin again")
            returned = _returned(request)
            await self._connections.finish(request.path_params["provider"], returned, session=session)
        except RemitError as refused:
            return self._own.paper.refused(refused, title=_NOT_CONNECTED)
        return RedirectResponse(CONNECTIONS, status_code=303, headers=dict(HEADERS))

    def _home(
        self, shows: Callable[[Request], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        """At the address where people are signed in."""

        async def endpoint(request: Request) -> Response:
            return self._own.paper.at_home(request) or await shows(request)

        return endpoint

    def _line(self, connection: Connection, provider: str) -> ConnectionLine:
        return ConnectionLine(
            id=connection.id,
            provider=show(provider),
            agent=show(self._name_of(connection.place.agent)),
            scopes=[show(each) for each in connection.place.scopes],
            good=connection.state is ConnectionState.ACTIVE,
            connected_at=connection.created_at,
        )


def _link(request: Request) -> tuple[str, str]:
    found = _once(request)
    server, agent = found.get("server", ""), found.get("agent", "")
    if not server or not agent:
        raise LinkUnreadable("the link does not say which server and agent it is for")
    return server, agent


def _returned(request: Request) -> Returned:
    found = _once(request)
    return Returned(
        state=found.get("state", ""),
        code=found.get("code", ""),
        iss=found.get("iss", ""),
        error=found.get("error", ""),
    )


def _once(request: Request) -> dict[str, str]:
    """The query; RFC 6749 §3.1: no parameter is there twice."""
    pairs = request.query_params.multi_items()
    if len(dict(pairs)) != len(pairs) or any(len(value) > _VALUE for _, value in pairs):
        raise LinkUnreadable("the address says something twice, or too much")
    return dict(pairs)
