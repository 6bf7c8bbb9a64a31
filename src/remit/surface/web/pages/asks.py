"""What agents ask of a person behind the scenes (CIBA Core §8): what waits, what each asks, the answer."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from remit.authority.oauth.endpoints.authorize import SignIn
from remit.authority.oauth.endpoints.backchannel import BackchannelAsk, PasskeyAgain, Waiting
from remit.authority.oauth.flows.backchannel_flow import BackchannelFlow
from remit.authority.oauth.wire.errors import InvalidRequest, OAuthError
from remit.identity.sessions import Session
from remit.kernel.errors import RemitError
from remit.oversight.approvals.visible import Shown, show
from remit.surface.web.errors import status_of
from remit.surface.web.pages.consent import known_as, name_of_client
from remit.surface.web.pages.mine import Own

ASKS: Final = "/me/asks"
_ANSWERS: Final = {"allow": True, "deny": False}
_BAD_REQUEST: Final = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class AskLine:
    """One request as a list tells it."""

    id: str
    client: Shown
    message: Shown
    place: Shown
    began_at: datetime
    expires_at: datetime


class AskPages:
    """Own requests; nobody sees another's."""

    def __init__(self, *, own: Own, flow: BackchannelFlow, now: Callable[[], datetime]) -> None:
        self._own = own
        self._flow = flow
        self._now = now

    def routes(self) -> list[BaseRoute]:
        """`/me/asks`, and the page of each request below it."""
        return [
            Route(ASKS, self._own.page(self._list), methods=["GET"]),
            Route(ASKS + "/{ident}", self._own.page(self._show), methods=["GET"]),
            Route(ASKS + "/{ident}", self._answer, methods=["POST"]),
        ]

    async def _list(self, _request: Request, session: Session) -> Response:
        found = await self._flow.desk.waiting(session, at=self._now())
        return self._own.draw("asks.html", session, asks=[_line(each) for each in found])

    async def _show(self, request: Request, session: Session) -> Response:
        """What one asks; whoever did not prove a passkey just now does so first."""
        ident = str(request.path_params["ident"])
        try:
            found = await self._flow.desk.look(ident, session, at=self._now())
        except RemitError as refused:
            return self._refused(refused)
        if isinstance(found, SignIn):
            return self._own.door.sign_in_first(request, again=True)
        return self._draw(found, csrf=self._own.door.csrf(request, _form(ident)))

    async def _answer(self, request: Request) -> Response:
        """Take the answer of the page's own form; the client is told when it asks again."""
        ident = str(request.path_params["ident"])
        try:
            fields = await self._own.door.read_form(request, _form(ident))
            session = await self._own.door.current_session(request)
            if session is None or fields.get("answer", "") not in _ANSWERS:
                raise InvalidRequest("say allow or deny, signed in", reason="answer_malformed")
            approve = _ANSWERS[fields["answer"]]
            why = await self._flow.consent.answer(ident, session, approve=approve, at=self._now())
        except PasskeyAgain:
            return self._own.door.sign_in_first(request, again=True)
        except RemitError as refused:
            return self._refused(refused)
        return self._answered(allowed=approve and not why, why=why if approve else "")

    def _draw(self, found: BackchannelAsk, *, csrf: str) -> Response:
        ask, request = found.ask, found.request
        return self._own.paper.page(
            "ask.html",
            client=show(ask.registration.name),
            client_id=show(name_of_client(ask.registration)),
            known=known_as(ask.registration),
            agent=show("" if ask.agent is None else ask.agent.name),
            who=show(ask.person.name),
            lines=[show(line) for line in ask.offer.lines],
            resource=show(ask.offer.resource),
            until=ask.offer.ends_at,
            place=show(request.place),
            message=show(request.message),
            began_at=request.begun_at,
            expires_at=request.expires_at,
            csrf=csrf,
        )

    def _answered(self, *, allowed: bool, why: str) -> Response:
        if allowed:
            title, text = "Allowed", "The agent goes on by itself. You can close this page."
        elif why:
            title, text = "This can't be given", f"The agent gets nothing: {why}."
        else:
            title, text = "Denied", "The agent gets nothing."
        return self._own.paper.page("message.html", title=title, text=text)

    def _refused(self, refused: RemitError) -> Response:
        status = _BAD_REQUEST if isinstance(refused, OAuthError) else status_of(refused)
        return self._own.paper.page(
            "message.html", status=status, title="This can't be answered", text=refused.hint
        )


def _line(waiting: Waiting) -> AskLine:
    request = waiting.request
    return AskLine(
        id=request.id,
        client=show(waiting.registration.name),
        message=show(request.message),
        place=show(request.place),
        began_at=request.begun_at,
        expires_at=request.expires_at,
    )


def _form(ident: str) -> str:
    """Each request has a form of its own: no other page's answer fits it."""
    return f"ask:{ident}"
