"""A call that is not made (`remit can`): the same mapping, facts and stages as the real one."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import msgspec

from remit.authority.tasks import Task, TaskState
from remit.authority.tokens import VerifiedSubject
from remit.decision.call.request import ProposedCall
from remit.decision.facts.snapshot import Snapshot, Snapshots
from remit.decision.service import DecisionService
from remit.decision.trail.trace import Explanation
from remit.enforcement.mcp.mapping import meaning_of_tool
from remit.identity.lifecycle import State
from remit.identity.principals import Kind, Principal
from remit.identity.tools import Server, Tool
from remit.kernel.canonical import JsonObject, parse_object, sha256
from remit.kernel.clock import Clock
from remit.kernel.errors import NotFound
from remit.kernel.ids import AgentId, CallId, InstanceId, TenantId, TokenId, UserId
from remit.surface.web.caller import Caller, NotYourOwn
from remit.surface.web.schemas.decision import Question

_LIFE: Final = timedelta(minutes=5)


class NothingToRehearse(NotFound):
    """There is no such agent, instance, task, server or tool to ask about."""

    code = "rehearsal_not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotRehearsal:
    """Rehearses on the newest snapshot, as the first agent of a task and with its whole authority."""

    decisions: DecisionService
    snapshots: Snapshots
    clock: Clock
    issuer: str

    async def rehearse(self, question: Question, caller: Caller) -> Explanation:
        """Explain; raises `NothingToRehearse`, or `ArgumentsUnmapped` as the gateway would."""
        snapshot = await self.snapshots.catch_up()
        agent = _agent(snapshot, question.agent)
        if not caller.sees_all and agent.owner != caller.principal:
            raise NotYourOwn("no agent of yours has this name", next_step="remit agent list")
        task = _task(snapshot, question, agent, caller)
        server, tool = _tool(snapshot, question)
        raw = msgspec.json.encode(question.arguments)
        arguments = parse_object(raw)
        return await self.decisions.explain(
            self._call(snapshot.tenant, agent, _instance(snapshot, agent), task, server, tool, arguments, raw)
        )

    def _call(
        self,
        tenant: TenantId,
        agent: Principal,
        instance: Principal,
        task: Task | None,
        server: Server,
        tool: Tool,
        arguments: JsonObject,
        raw: bytes,
    ) -> ProposedCall:
        meaning = meaning_of_tool(server, tool, arguments)
        return ProposedCall(
            call=CallId("rehearsal"),
            subject=self._subject(tenant, agent, instance, task, server),
            server=server.id,
            method="tools/call",
            action=meaning.action,
            resource=meaning.resource,
            tool=tool,
            arguments=arguments,
            raw_arguments=raw,
            arguments_digest=sha256(raw),
            money=meaning.money,
            consequential=meaning.consequential,
            at=self.clock.now(),
        )

    def _subject(
        self, tenant: TenantId, agent: Principal, instance: Principal, task: Task | None, server: Server
    ) -> VerifiedSubject:
        now, ident = self.clock.now(), InstanceId(instance.id)
        return VerifiedSubject(
            tenant=tenant,
            token=TokenId("rehearsal"),
            instance=ident,
            agent=AgentId(agent.id),
            user=task.user if task else None,
            task=task.id if task else None,
            chain=(ident,),
            envelope=None,
            ceiling=None,
            audience=f"{self.issuer}/mcp/{server.name}",
            scopes=frozenset({"mcp"}),
            key="rehearsal",
            proof=None,
            issued_at=now,
            expires_at=now + _LIFE,
            client=instance.id,
        )


def _agent(snapshot: Snapshot, ident: str) -> Principal:
    for entry in snapshot.principals.values():
        if entry.kind is Kind.AGENT and entry.state is not State.RETIRED and ident in {entry.id, entry.name}:
            return entry
    raise NothingToRehearse(f"no agent `{ident}`", next_step="remit agent list")


def _instance(snapshot: Snapshot, agent: Principal) -> Principal:
    """The newest instance of the agent, whatever its state: a stopped one says so."""
    found = [
        each
        for each in snapshot.principals.values()
        if each.parent == agent.id and each.kind is Kind.INSTANCE
    ]
    if not found:
        raise NothingToRehearse(
            f"agent `{agent.name}` has no instance", next_step=f"remit agent show {agent.name}"
        )
    return max(found, key=lambda each: (each.state is State.ACTIVE, each.created_at))


def _task(snapshot: Snapshot, question: Question, agent: Principal, caller: Caller) -> Task | None:
    """The named task, or the newest running one of this agent; none makes the answer say so."""
    mine = [
        task
        for task in snapshot.tasks.values()
        if task.agent == AgentId(agent.id) and (caller.sees_all or UserId(caller.principal) in task.people)
    ]
    if question.task is not None:
        named = [task for task in mine if task.id == question.task]
        if not named:
            raise NothingToRehearse(f"no task `{question.task}` of this agent", next_step="remit task list")
        return named[0]
    running = [task for task in mine if task.state is TaskState.RUNNING]
    return max(running, key=lambda task: task.started_at, default=None)


def _tool(snapshot: Snapshot, question: Question) -> tuple[Server, Tool]:
    for server in snapshot.servers.values():
        if question.server not in {server.id, server.name}:
            continue
        for tool in snapshot.tools.values():
            if tool.server == server.id and question.tool in {tool.id, tool.name}:
                return server, tool
    raise NothingToRehearse(
        f"no tool `{question.tool}` on server `{question.server}`", next_step="remit tool list"
    )
