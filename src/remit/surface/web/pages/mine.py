"""What the pages of a signed-in person share: who it is, the way to the sign-in page, what was refused."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from remit.identity.sessions import Session
from remit.kernel.errors import RemitError
from remit.oversight.approvals.visible import show
from remit.surface.web.pages.paper import HEADERS, Paper
from remit.surface.web.session import SessionDoor

Named: TypeAlias = Callable[[str], str]
"""What people call an id."""
Shows: TypeAlias = Callable[[Request, Session], Awaitable[Response]]
Does: TypeAlias = Callable[[Request, Session, dict[str, str]], Awaitable[None]]


class Own:
    """Opens pages to the person that they are about, and to nobody else."""

    def __init__(self, *, paper: Paper, door: SessionDoor, name_of: Named) -> None:
        self.paper = paper
        self.door = door
        self.name_of = name_of

    def page(self, shows: Shows) -> Callable[[Request], Awaitable[Response]]:
        """A page for whoever is signed in; others sign in first."""

        async def endpoint(request: Request) -> Response:
            elsewhere = self.paper.at_home(request)
            if elsewhere is not None:
                return elsewhere
            session = await self.door.current_session(request)
            return self.door.sign_in_first(request) if session is None else await shows(request, session)

        return endpoint

    def form(
        self, does: Does, *, name: str, back: str, title: str
    ) -> Callable[[Request], Awaitable[Response]]:
        """A form of such a page: done once, then back, so that a reload repeats nothing."""

        async def endpoint(request: Request) -> Response:
            try:
                fields = await self.door.read_form(request, name)
                session = await self.door.current_session(request)
                if session is not None:
                    await does(request, session, fields)
            except RemitError as refused:
                return self.paper.refused(refused, title=title)
            return RedirectResponse(back, status_code=303, headers=dict(HEADERS))

        return endpoint

    def draw(self, template: str, session: Session, *, ceremony: bool = False, **values: Any) -> Response:
        """Draw one page with its person's name and the way to the others."""
        here = template.removesuffix(".html")
        who = show(self.name_of(session.human))
        return self.paper.page(template, ceremony=ceremony, here=here, who=who, error="", **values)
