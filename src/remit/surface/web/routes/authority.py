"""Tasks, consents and delegations: on whose behalf anything happens."""

from dataclasses import dataclass
from typing import Any

from remit.authority.company import Invited
from remit.authority.consent_service import ConsentService
from remit.authority.delegation_service import DelegationService
from remit.authority.oauth.wire.scopes import Scope
from remit.authority.task_service import StartTask, TaskService
from remit.authority.tasks import Task
from remit.identity.principals import Kind
from remit.identity.service import IdentityService
from remit.kernel.errors import NotFound
from remit.kernel.ids import AgentId, GrantId, PrincipalId, TaskId, UserId
from remit.surface.web.caller import Caller, NotAPerson, require_admin, require_own, unseen
from remit.surface.web.operation import Inbound, Method, Nothing, Operation, Replay
from remit.surface.web.paging import Page, PageQuery, page_of
from remit.surface.web.schemas.authority import (
    DelegationView,
    ExtendedEnvelope,
    GrantView,
    NewGrant,
    NewTask,
    StartedView,
    TaskView,
    WithPerson,
)
from remit.surface.web.schemas.rights import ceiling_of, limit_of


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorityRoutes:
    """What the nouns `task`, `grant` and `delegation` need."""

    tasks: TaskService
    consent: ConsentService
    delegations: DelegationService
    identity: IdentityService

    def operations(self) -> list[Operation[Any, Any]]:
        """What is served."""
        return [*self._tasks(), *self._grants(), *self._delegations()]

    def _tasks(self) -> list[Operation[Any, Any]]:
        return [
            Operation(
                name="startTask",
                summary="Ask an agent for something within the caller's consent; gives the root envelope",
                method=Method.POST,
                path="/tasks",
                scopes=(Scope.WRITE,),
                handler=self._start,
                body=NewTask,
                query=Nothing,
                answer=StartedView,
                status=201,
                replay=Replay.REFUSE,
            ),
            Operation(
                name="listTasks",
                summary="Tasks by id; the caller's own, unless they may see all",
                method=Method.GET,
                path="/tasks",
                scopes=(Scope.READ,),
                handler=self._page,
                body=Nothing,
                query=PageQuery,
                answer=Page[TaskView],
            ),
            Operation(
                name="getTask",
                summary="One task",
                method=Method.GET,
                path="/tasks/{task}",
                scopes=(Scope.READ, Scope.ACT),
                handler=self._get,
                body=Nothing,
                query=Nothing,
                answer=TaskView,
            ),
            Operation(
                name="endTask",
                summary="End a task with all that exists only for it",
                method=Method.POST,
                path="/tasks/{task}/end",
                scopes=(Scope.WRITE, Scope.ACT),
                handler=self._end,
                body=Nothing,
                query=Nothing,
                answer=TaskView,
            ),
            Operation(
                name="listTaskDelegations",
                summary="All delegations of a task, the root first",
                method=Method.GET,
                path="/tasks/{task}/delegations",
                scopes=(Scope.READ, Scope.ACT),
                handler=self._of_task,
                body=Nothing,
                query=Nothing,
                answer=list[DelegationView],
            ),
        ]

    def _grants(self) -> list[Operation[Any, Any]]:
        return [
            Operation(
                name="giveGrant",
                summary="Let an agent act for the caller, within a ceiling",
                method=Method.POST,
                path="/grants",
                scopes=(Scope.WRITE,),
                handler=self._give,
                body=NewGrant,
                query=Nothing,
                answer=GrantView,
                status=201,
            ),
            Operation(
                name="listGrants",
                summary="The caller's consents, withdrawn ones too",
                method=Method.GET,
                path="/grants",
                scopes=(Scope.READ,),
                handler=self._own_grants,
                body=Nothing,
                query=Nothing,
                answer=list[GrantView],
            ),
            Operation(
                name="withdrawGrant",
                summary="Take a consent back; every task on it ends",
                method=Method.POST,
                path="/grants/{grant}/withdraw",
                scopes=(Scope.WRITE,),
                handler=self._withdraw,
                body=Nothing,
                query=Nothing,
                answer=GrantView,
            ),
        ]

    def _delegations(self) -> list[Operation[Any, Any]]:
        return [
            Operation(
                name="extendDelegation",
                summary="Verify an envelope and put its new hops on record",
                method=Method.POST,
                path="/delegations",
                scopes=(Scope.ACT, Scope.WRITE),
                handler=self._extend,
                body=ExtendedEnvelope,
                query=Nothing,
                answer=DelegationView,
            ),
        ]

    async def _start(self, inbound: Inbound[NewTask, Nothing]) -> StartedView:
        body = inbound.body
        wanted = StartTask(
            user=_person(inbound.caller),
            agent=await self._agent(body.agent),
            goal=body.goal,
            purpose=body.purpose,
            ceiling=None if body.ceiling is None else ceiling_of(body.ceiling),
            deadline=body.deadline,
            segment=body.segment,
            mode=body.mode,
            initiative=body.initiative,
            limits=tuple(limit_of(each) for each in body.limits),
            company=tuple([await self._invited(each) for each in body.company]),
        )
        started = await self.tasks.start(wanted, by=inbound.caller.principal, at=inbound.at)
        return StartedView.of(started)

    async def _page(self, inbound: Inbound[Nothing, PageQuery]) -> Page[TaskView]:
        query, caller = inbound.query, inbound.caller
        found = await self.tasks.page(after=query.cursor, limit=query.limit)
        page = page_of(
            found, limit=query.limit, key=lambda each: each.id, view=TaskView.of, full_is_more=True
        )
        if caller.sees_all:
            return page
        mine = {task.id for task in found if caller.person and _party(task, caller)}
        return Page(items=[each for each in page.items if each.id in mine], next=page.next)

    async def _get(self, inbound: Inbound[Nothing, Nothing]) -> TaskView:
        return TaskView.of(await self.seen(inbound))

    async def _end(self, inbound: Inbound[Nothing, Nothing]) -> TaskView:
        task, caller = await self.seen(inbound), inbound.caller
        if not _party(task, caller):
            require_admin(caller, what="end somebody else's task")
        return TaskView.of(await self.tasks.end(task.id, by=caller.principal, at=inbound.at))

    async def _of_task(self, inbound: Inbound[Nothing, Nothing]) -> list[DelegationView]:
        task = await self.seen(inbound)
        return [DelegationView.of(each) for each in await self.delegations.of_task(task.id)]

    async def _give(self, inbound: Inbound[NewGrant, Nothing]) -> GrantView:
        grant = await self.consent.give(
            user=_person(inbound.caller),
            agent=await self._agent(inbound.body.agent),
            ceiling=ceiling_of(inbound.body.ceiling),
            text=inbound.body.text,
            by=inbound.caller.principal,
            at=inbound.at,
        )
        return GrantView.of(grant)

    async def _own_grants(self, inbound: Inbound[Nothing, Nothing]) -> list[GrantView]:
        return [GrantView.of(each) for each in await self.consent.of_user(_person(inbound.caller))]

    async def _withdraw(self, inbound: Inbound[Nothing, Nothing]) -> GrantView:
        grant = await self.consent.withdraw(
            GrantId(inbound.path["grant"]), by=inbound.caller.principal, at=inbound.at
        )
        return GrantView.of(grant)

    async def _extend(self, inbound: Inbound[ExtendedEnvelope, Nothing]) -> DelegationView:
        return DelegationView.of(await self.delegations.extend(inbound.body.envelope, at=inbound.at))

    async def _agent(self, ident: str) -> AgentId:
        if ident.startswith("agt_"):
            return AgentId((await self.identity.get(PrincipalId(ident))).id)
        return AgentId((await self.identity.find(Kind.AGENT, ident)).id)

    async def _invited(self, person: WithPerson) -> Invited:
        """SAFETY: a name that nobody bears goes on as it is, and is refused like somebody without consent."""
        grant = GrantId(person.grant) if person.grant else None
        if person.user.startswith("usr_"):
            return Invited(user=UserId(person.user), grant=grant, called=person.user)
        try:
            found = await self.identity.find(Kind.HUMAN, person.user)
        except NotFound:
            return Invited(user=UserId(person.user), grant=grant, called=person.user)
        return Invited(user=UserId(found.id), grant=grant, called=person.user)

    async def seen(self, inbound: Inbound[Nothing, Any]) -> Task:
        """The task of the path, if it is the caller's to see; else the answer that there is none."""
        try:
            task = await self.tasks.get(TaskId(inbound.path["task"]))
        except NotFound as absent:
            raise unseen("task", next_step="remit task list") from absent
        if not _party(task, inbound.caller):
            require_own(inbound.caller, what="task")
        return task


def _party(task: Task, caller: Caller) -> bool:
    """Whether a task is for the caller, or the caller is an instance of its first agent or acts in it."""
    if caller.person:
        return UserId(caller.principal) in task.people
    return caller.subject.task == task.id or task.agent == caller.subject.agent


def _person(caller: Caller) -> UserId:
    if not caller.person:
        raise NotAPerson("this is a person's to do; an agent can't")
    return UserId(caller.principal)
