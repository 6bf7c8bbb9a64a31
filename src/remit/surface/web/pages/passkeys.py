"""My passkeys, my sessions: seen, added and ended by the person that they are of."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from remit.identity.errors import NotFresh, TooManyPasskeys
from remit.identity.passkey_service import PasskeyService
from remit.identity.passkeys import Passkey, PasskeyState
from remit.identity.session_service import SessionService
from remit.identity.sessions import Session
from remit.kernel.ids import PasskeyId, SessionId
from remit.oversight.approvals.visible import Shown, show
from remit.surface.web.pages.mine import Own
from remit.surface.web.pages.paper import options_text
from remit.surface.web.pages.sign_in import HOME

SESSIONS: Final = "/me/sessions"
_PASSKEYS_FORM, _SESSIONS_FORM = "passkeys", "sessions"
_UNCHANGED: Final = "Nothing was changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class PasskeyLine:
    """One passkey as its person sees it."""

    id: str
    name: Shown
    created_at: datetime
    used_at: datetime | None
    backed_up: bool
    here: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLine:
    """One session as its person sees it."""

    id: str
    client: Shown
    begun_at: datetime
    seen_at: datetime
    expires_at: datetime
    here: bool


class PasskeyPages:
    """Own passkeys and sessions."""

    def __init__(self, *, own: Own, passkeys: PasskeyService, sessions: SessionService) -> None:
        self._own = own
        self._passkeys = passkeys
        self._sessions = sessions

    def routes(self) -> list[BaseRoute]:
        """`/me/passkeys`, `/me/sessions`, and their forms."""
        own = self._own
        passkeys = {"name": _PASSKEYS_FORM, "back": HOME, "title": _UNCHANGED}
        sessions = {"name": _SESSIONS_FORM, "back": SESSIONS, "title": _UNCHANGED}
        return [
            Route(HOME, own.page(self._show_passkeys), methods=["GET"]),
            Route(HOME, own.form(self._add, **passkeys), methods=["POST"]),
            Route(HOME + "/{ident}/remove", own.form(self._remove, **passkeys), methods=["POST"]),
            Route(SESSIONS, own.page(self._show_sessions), methods=["GET"]),
            Route(SESSIONS + "/end-others", own.form(self._end_others, **sessions), methods=["POST"]),
            Route(SESSIONS + "/{ident}/end", own.form(self._end, **sessions), methods=["POST"]),
        ]

    async def _show_passkeys(self, request: Request, session: Session) -> Response:
        found = [each for each in await self._passkeys.of(session.human) if each.state is PasskeyState.ACTIVE]
        fresh, asked = await self._asked(session)
        return self._own.draw(
            "passkeys.html",
            session,
            ceremony=bool(asked),
            passkeys=[_passkey(each, session) for each in found],
            csrf=self._own.door.csrf(request, _PASSKEYS_FORM),
            fresh=fresh,
            **(asked or {"ticket": "", "options": ""}),
        )

    async def _asked(self, session: Session) -> tuple[bool, dict[str, Any] | None]:
        """Whether the sign-in is fresh, and the question for one more passkey if there may be one."""
        try:
            question = await self._passkeys.ask_registration(session)
        except NotFresh:
            return False, None
        except TooManyPasskeys:
            return True, None
        return True, {"ticket": question.ticket, "options": options_text(question.options)}

    async def _add(self, _request: Request, session: Session, fields: dict[str, str]) -> None:
        await self._passkeys.register(
            fields.get("response", ""),
            ticket=fields.get("ticket", ""),
            session=session,
            name=fields.get("name", ""),
        )

    async def _remove(self, request: Request, session: Session, _fields: dict[str, str]) -> None:
        await self._passkeys.remove(PasskeyId(request.path_params["ident"]), session=session)

    async def _show_sessions(self, request: Request, session: Session) -> Response:
        found = await self._sessions.of(session.human)
        return self._own.draw(
            "sessions.html",
            session,
            sessions=[_session(each, session) for each in found],
            csrf=self._own.door.csrf(request, _SESSIONS_FORM),
        )

    async def _end(self, request: Request, session: Session, _fields: dict[str, str]) -> None:
        ident = SessionId(request.path_params["ident"])
        await self._sessions.end(ident, of=session.human, by=session.human, because="ended by its person")

    async def _end_others(self, _request: Request, session: Session, _fields: dict[str, str]) -> None:
        for each in await self._sessions.of(session.human):
            if each.id != session.id:
                await self._sessions.end(
                    each.id, of=session.human, by=session.human, because="ended by its person"
                )


def _passkey(each: Passkey, session: Session) -> PasskeyLine:
    return PasskeyLine(
        id=each.id,
        name=show(each.name),
        created_at=each.created_at,
        used_at=each.used_at,
        backed_up=each.backed_up,
        here=session.means == each.id,
    )


def _session(each: Session, session: Session) -> SessionLine:
    return SessionLine(
        id=each.id,
        client=show(each.client),
        begun_at=each.begun_at,
        seen_at=each.seen_at,
        expires_at=each.expires_at,
        here=each.id == session.id,
    )
