"""Cases: an agent asks a person inside its task; the answer returns into the task (R77)."""

from dataclasses import dataclass
from typing import Any

from remit.app.bindings.cases import CaseDesk
from remit.authority.oauth.wire.scopes import Scope
from remit.kernel.errors import NotFound
from remit.kernel.ids import CaseId, TaskId
from remit.oversight.cases.case import Case
from remit.surface.web.caller import Caller, NotAPerson, unseen
from remit.surface.web.operation import Inbound, Method, Nothing, Operation
from remit.surface.web.paging import Page, page_of
from remit.surface.web.schemas.cases import CaseAnswer, CaseQuery, CaseView, CaseWait, NewCase

_ONE = "/cases/{case}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseRoutes:
    """What the noun needs."""

    desk: CaseDesk

    def operations(self) -> list[Operation[Any, Any]]:
        """What is served."""
        return [
            Operation(
                name="escalate",
                summary="Ask a person, inside a task that the caller acts in; the answer grants nothing",
                method=Method.POST,
                path="/tasks/{task}/cases",
                scopes=(Scope.ACT,),
                handler=self._escalate,
                body=NewCase,
                query=Nothing,
                answer=CaseView,
            ),
            Operation(
                name="listCases",
                summary="Questions of agents, newest first",
                method=Method.GET,
                path="/cases",
                scopes=(Scope.READ, Scope.APPROVE),
                handler=self._page,
                body=Nothing,
                query=CaseQuery,
                answer=Page[CaseView],
            ),
            Operation(
                name="getCase",
                summary="One case; with `wait`, once it is over or that many seconds have passed",
                method=Method.GET,
                path=_ONE,
                scopes=(Scope.READ, Scope.APPROVE, Scope.ACT),
                handler=self._get,
                body=Nothing,
                query=CaseWait,
                answer=CaseView,
            ),
            Operation(
                name="answerCase",
                summary="Answer in one's own words; they are known in the task as what their speaker said",
                method=Method.POST,
                path=f"{_ONE}/answer",
                scopes=(Scope.APPROVE, Scope.WRITE),
                handler=self._answer,
                body=CaseAnswer,
                query=Nothing,
                answer=CaseView,
            ),
            Operation(
                name="withdrawCase",
                summary="Take a question back; for the agent that asked it",
                method=Method.POST,
                path=f"{_ONE}/withdraw",
                scopes=(Scope.ACT,),
                handler=self._withdraw,
                body=Nothing,
                query=Nothing,
                answer=CaseView,
            ),
        ]

    async def _escalate(self, inbound: Inbound[NewCase, Nothing]) -> CaseView:
        body = inbound.body
        case = await self.desk.escalate(
            inbound.caller.subject,
            TaskId(inbound.path["task"]),
            question=body.question,
            to=body.to,
            key=body.key,
            envelope=body.envelope or None,
        )
        return CaseView.of(case)

    async def _page(self, inbound: Inbound[Nothing, CaseQuery]) -> Page[CaseView]:
        query, caller = inbound.query, inbound.caller
        person = caller.principal if query.mine or not caller.sees_all else None
        found = await self.desk.service.page(
            person=person, state=query.state, after=query.cursor, limit=query.limit + 1
        )
        return page_of(found, limit=query.limit, key=lambda each: each.id, view=CaseView.of)

    async def _get(self, inbound: Inbound[Nothing, CaseWait]) -> CaseView:
        case = await self._seen(inbound)
        if inbound.query.wait:
            case = await self.desk.service.wait(case.id, seconds=inbound.query.wait)
        return CaseView.of(case)

    async def _answer(self, inbound: Inbound[CaseAnswer, Nothing]) -> CaseView:
        if not inbound.caller.person:
            raise NotAPerson("a person answers, never an agent", next_step="remit case list")
        case = await self._seen(inbound)
        told = await self.desk.service.answer(case.id, words=inbound.body.answer, by=inbound.caller.principal)
        return CaseView.of(told)

    async def _withdraw(self, inbound: Inbound[Nothing, Nothing]) -> CaseView:
        case = await self._seen(inbound)
        return CaseView.of(await self.desk.service.withdraw(case.id, by=inbound.caller.principal))

    async def _seen(self, inbound: Inbound[Any, Any]) -> Case:
        """One that the caller asked, was asked, or may read; what is another's looks absent."""
        try:
            case = await self.desk.service.get(CaseId(inbound.path["case"]))
        except NotFound as absent:
            raise unseen("case", next_step="remit case list") from absent
        return _for(inbound.caller, case)


def _for(caller: Caller, case: Case) -> Case:
    if caller.principal not in {case.instance, case.user, *case.asked} and not caller.sees_all:
        raise unseen("case", next_step="remit case list")
    return case
