"""Changes that wait for a second person: seen whole, and confirmed or refused with that person's passkey."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from remit.identity.sessions import Session
from remit.identity.sign_in_service import SignInService
from remit.kernel.errors import RemitError
from remit.kernel.ids import ChangeId
from remit.oversight.approvals.visible import show
from remit.oversight.changes.change import Change, ChangeState
from remit.oversight.changes.errors import NotTheSecond
from remit.oversight.changes.service import ChangeService
from remit.surface.web.changing import Changing
from remit.surface.web.forms import FormUnreadable
from remit.surface.web.pages.mine import Named, Own
from remit.surface.web.pages.paper import HEADERS, options_text

CHANGES: Final = "/me/changes"
_CONFIRM, _REFUSE = "confirm", "refuse"
_SHOWN: Final = 100
_TITLE: Final = "Nothing was changed"


class ChangePages:
    """Changes, for whoever could be the second person of each, and for who proposed them."""

    def __init__(
        self,
        *,
        own: Own,
        service: ChangeService,
        changing: Changing,
        confirms: SignInService,
        name_of: Named,
        now: Callable[[], datetime],
    ) -> None:
        self._own = own
        self._service = service
        self._changing = changing
        self._confirms = confirms
        self._name_of = name_of
        self._now = now

    def routes(self) -> list[BaseRoute]:
        """`/me/changes`, and the page of each below it."""
        return [
            Route(CHANGES, self._own.page(self._list), methods=["GET"]),
            Route(CHANGES + "/{ident}", self._own.page(self._show), methods=["GET"]),
            Route(CHANGES + "/{ident}", self._answer, methods=["POST"]),
        ]

    async def _list(self, _request: Request, session: Session) -> Response:
        found = await self._service.page(state=ChangeState.PENDING, after="", limit=_SHOWN)
        waiting = [each for each in found if each.state is ChangeState.PENDING]
        mine = [each for each in waiting if await self._concerns(each, session)]
        return self._own.draw("changes.html", session, changes=[self._line(each, session) for each in mine])

    async def _show(self, request: Request, session: Session) -> Response:
        try:
            change = await self._visible(request, session)
            second = change.state is ChangeState.PENDING and await self._service.may_confirm(
                change.id, session.human
            )
            question = (
                await self._confirms.ask_answer(
                    session.human, about=change.digest, answers=(_CONFIRM, _REFUSE), bound_to=session.id
                )
                if second
                else None
            )
        except RemitError as refused:
            return self._own.paper.refused(
                refused, title="This can't be shown", next_step="remit change list"
            )
        wanted = change.wanted
        return self._own.draw(
            "change.html",
            session,
            ceremony=question is not None,
            change=change,
            line=self._line(change, session),
            path=[(name, show(value)) for name, value in wanted.path],
            body=show(wanted.body),
            because=show(change.because),
            answered_by=show(self._name_of(change.answered_by)) if change.answered_by else None,
            csrf=self._own.door.csrf(request, _form(change.id)),
            ticket="" if question is None else question.ticket,
            options={}
            if question is None
            else {answer: options_text(each) for answer, each in question.options.items()},
        )

    async def _answer(self, request: Request) -> Response:
        """Take the answer that the person's passkey signed; what was proposed is then done, or refused."""
        ident = ChangeId(str(request.path_params["ident"]))
        try:
            fields = await self._own.door.read_form(request, _form(ident))
            session = await self._own.door.current_session(request)
            answer = fields.get("answer", "")
            if session is None or answer not in {_CONFIRM, _REFUSE}:
                raise FormUnreadable("say confirm or refuse, signed in")
            change = await self._visible(request, session)
            await self._settle(change, session, answer, fields)
        except RemitError as refused:
            return self._own.paper.refused(refused, title=_TITLE, next_step="remit change list")
        return RedirectResponse(f"{CHANGES}/{ident}", status_code=303, headers=dict(HEADERS))

    async def _settle(self, change: Change, session: Session, answer: str, fields: dict[str, str]) -> None:
        if change.by == session.human and answer == _REFUSE:
            await self._service.refuse(change.id, by=session.human, because="taken back")
            return
        # The passkey signs this very digest and answer: a session alone confirms nothing (N16).
        proven = await self._confirms.prove_answer(
            fields.get("response", ""),
            ticket=fields.get("ticket", ""),
            human=session.human,
            about=change.digest,
            answer=answer,
            bound_to=session.id,
        )
        if answer == _CONFIRM:
            await self._changing.confirm(change.id, by=session.human, passkey=proven.passkey)
        else:
            await self._service.refuse(change.id, by=session.human)

    async def _visible(self, request: Request, session: Session) -> Change:
        change = await self._service.get(ChangeId(str(request.path_params["ident"])))
        if not await self._concerns(change, session) and change.answered_by != session.human:
            raise NotTheSecond("this is for those who may do it themselves", next_step="remit role list")
        return change

    async def _concerns(self, change: Change, session: Session) -> bool:
        return change.by == session.human or await self._service.may_confirm(change.id, session.human)

    def _line(self, change: Change, session: Session) -> dict[str, object]:
        return {
            "id": change.id,
            "says": show(change.wanted.says),
            "action": change.wanted.action,
            "by": show(self._name_of(change.by)),
            "mine": change.by == session.human,
            "proposed_at": change.proposed_at,
            "expires_at": change.expires_at,
        }


def _form(ident: str) -> str:
    """Each change has a form of its own: no other page's answer fits it."""
    return f"change:{ident[:64]}"
