"""My grants: what a person lets agents do and applications learn, in the words shown, and taking it back.

R28, R35.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from remit.authority.consent import Grant, GrantState
from remit.authority.consent_service import ConsentService
from remit.authority.oauth.consenting.sign_ons import SignOnService
from remit.authority.oidc.sign_on import SignOn, SignOnId
from remit.authority.rights import Right
from remit.authority.tasks import Task
from remit.identity.sessions import Session
from remit.kernel.ids import GrantId, UserId
from remit.oversight.approvals.visible import Shown, show
from remit.surface.web.pages.mine import Named, Own

GRANTS: Final = "/me/grants"
_FORM: Final = "grants"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLine:
    """One run that stands on a consent now: who started it, and whom it is for besides its person."""

    id: str
    by: Shown | None
    """None where the person started it."""
    others: list[Shown]
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantLine:
    """One consent as its person sees it."""

    id: str
    agent: Shown
    text: Shown
    rights: list[Shown]
    stands: bool
    given_at: datetime
    withdrawn_at: datetime | None
    until: datetime
    runs: list[RunLine]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignOnLine:
    """One application as its person sees it."""

    id: str
    client: Shown
    text: Shown
    given_at: datetime


class GrantPages:
    """Own grants."""

    def __init__(
        self,
        *,
        own: Own,
        consent: ConsentService,
        sign_ons: SignOnService,
        name_of: Named,
        now: Callable[[], datetime],
    ) -> None:
        self._own = own
        self._consent = consent
        self._sign_ons = sign_ons
        self._name_of = name_of
        self._now = now

    def routes(self) -> list[BaseRoute]:
        """`/me/grants` and its forms."""
        own = self._own
        withdraw = own.form(self._withdraw, name=_FORM, back=GRANTS, title="Nothing was taken back")
        leave = own.form(self._leave, name=_FORM, back=GRANTS, title="Nothing was taken back")
        return [
            Route(GRANTS, own.page(self._show), methods=["GET"]),
            Route(GRANTS + "/{ident}/withdraw", withdraw, methods=["POST"]),
            Route(GRANTS + "/applications/{ident}/withdraw", leave, methods=["POST"]),
        ]

    async def _show(self, request: Request, session: Session) -> Response:
        person = UserId(session.human)
        found = await self._consent.of_user(person)
        running = await self._consent.in_use(person)
        return self._own.draw(
            "grants.html",
            session,
            grants=[self._line(each, running) for each in found],
            applications=[_application(each) for each in await self._sign_ons.of(person)],
            csrf=self._own.door.csrf(request, _FORM),
        )

    async def _withdraw(self, request: Request, session: Session, _fields: dict[str, str]) -> None:
        """`ConsentService.withdraw` knows no consent but the person's own."""
        await self._consent.withdraw(GrantId(request.path_params["ident"]), by=session.human, at=self._now())

    async def _leave(self, request: Request, session: Session, _fields: dict[str, str]) -> None:
        """`SignOnService.withdraw` knows none but the person's own."""
        ident = SignOnId(request.path_params["ident"])
        await self._sign_ons.withdraw(ident, by=session.human, at=self._now())

    def _run(self, task: Task, person: UserId) -> RunLine:
        own = task.user == person
        others = [each for each in task.people if each not in {person, task.user}]
        return RunLine(
            id=task.id,
            by=None if own or task.user is None else show(self._name_of(task.user)),
            others=[show(self._name_of(each)) for each in others],
            until=task.deadline,
        )

    def _line(self, grant: Grant, running: Sequence[Task]) -> GrantLine:
        return GrantLine(
            id=grant.id,
            agent=show(self._name_of(grant.agent)),
            text=show(grant.text),
            rights=sorted(
                (show(_words(right)) for right in grant.ceiling.rights), key=lambda each: each.text
            ),
            stands=grant.state is GrantState.GIVEN,
            given_at=grant.given_at,
            withdrawn_at=grant.withdrawn_at,
            until=grant.ceiling.window.end,
            runs=[self._run(task, grant.user) for task in running if _stands_on(task, grant)],
        )


def _stands_on(task: Task, grant: Grant) -> bool:
    return grant.id in {task.grant, *(each.grant for each in task.companions)}


def _application(sign_on: SignOn) -> SignOnLine:
    return SignOnLine(
        id=sign_on.id,
        client=show(sign_on.client_name),
        text=show(sign_on.text),
        given_at=sign_on.given_at,
    )


def _words(right: Right) -> str:
    which = ", ".join(sorted(right.resources)) if isinstance(right.resources, frozenset) else "any"
    bounds = ", with bounds on its arguments" if right.constraints else ""
    return f"{right.action} on {right.resource_type}: {which}{bounds}"
