"""Use cases of tasks: what a user asks starts within consent, and ends with all that was bound to it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from remit.authority import events
from remit.authority.alive import Dead, alive
from remit.authority.attenuation import covers, meet, meet_all
from remit.authority.company import Companionship, Invited, check_company, find_company, narrowed
from remit.authority.consent import Grant
from remit.authority.delegations import RecordedEnvelope
from remit.authority.directory import TRIGGER_KINDS
from remit.authority.envelope import WHOLE_TASK, Root, issue_root, text_digest
from remit.authority.errors import (
    BeyondConsent,
    EmptyAuthority,
    MalformedTask,
    NoConsent,
    NotAlive,
    NotYours,
    SegmentCrossed,
    TaskOver,
)
from remit.authority.intent import Intent, seal_goal
from remit.authority.limits import Limit, meet_limits
from remit.authority.lineage import lineage_of
from remit.authority.options import AuthorityOptions, Signing
from remit.authority.repository import AuthorityTransaction
from remit.authority.rights import ANY_PURPOSE, Caps, Ceiling, Window
from remit.authority.shares import NOTHING, Member, Share, effective, emptied_by, shares
from remit.authority.tasks import Initiative, Mode, Task, TaskState
from remit.identity import endings
from remit.identity.lifecycle import State
from remit.identity.principals import Kind, Principal
from remit.kernel.ids import (
    AgentId,
    Entropy,
    EnvelopeId,
    GrantId,
    PrincipalId,
    TaskId,
    TenantId,
    UserId,
    mint_id,
)
from remit.kernel.jose.keys import KeyClass
from remit.kernel.uow import UnitOfWork
from remit.ledger.record import Content

BROKERS_ATTRIBUTE = "brokers"
"""Attribute of an agent: names of the workers that it may broker to, space separated (N23)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartTask:
    """What is asked of whom. Exactly one of `user` and `trigger` is set.

    `ceiling` narrows the consent; None asks for all of it. Its window, depth and purpose are not read: the
    task's own deadline, its consent's depth and its purpose take their place.
    """

    user: UserId | None
    trigger: PrincipalId | None = None
    agent: AgentId
    goal: str
    purpose: str
    ceiling: Ceiling | None
    deadline: datetime
    segment: str = ""
    mode: Mode = Mode.INTERACTIVE
    initiative: Initiative = Initiative.USER
    company: tuple[Invited, ...] = ()
    """Who else the run is for; each has consented for themselves."""
    limits: tuple[Limit, ...] = ()
    """Limits of this task's own budget, inside those of `ceiling`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedTask:
    """A running task, its root envelope (the ticket that the agent gets), and what all factors leave."""

    task: Task
    envelope: str
    effective: Ceiling
    factors: tuple[Share, ...]


class TaskService:
    """Starts and ends tasks."""

    def __init__(
        self,
        *,
        uow: UnitOfWork[AuthorityTransaction],
        keys: Signing,
        options: AuthorityOptions,
        entropy: Entropy,
        tenant: TenantId,
    ) -> None:
        self._uow = uow
        self._keys = keys
        self._options = options
        self._entropy = entropy
        self._tenant = tenant

    async def start(self, wanted: StartTask, *, by: PrincipalId, at: datetime) -> StartedTask:
        """Start a task within the user's consent; only the user starts one in their own name.

        Raises `NoConsent`, `BeyondConsent`, `EmptyAuthority` naming the factor, `SegmentCrossed`,
        `NotAlive` or `MalformedTask`.
        """
        _check(wanted, at, self._options.lifetimes.task)
        if by != (wanted.user or wanted.trigger):
            raise NoConsent("a task is started by the user or the trigger that it acts for")
        intent = seal_goal(wanted.goal, entropy=self._entropy)
        return await self._uow.commit(lambda tx: self.start_in(tx, wanted, intent, by=by, at=at))

    async def end(self, ident: TaskId, *, by: PrincipalId, at: datetime) -> Task:
        """End a task: all that exists only for it is dead in the same commit (R43, R103)."""
        return await self._uow.commit(
            lambda tx: end_task(
                tx, ident, TaskState.ENDED, by=by, because="ended", at=at, entropy=self._entropy
            )
        )

    async def end_overdue(self, *, at: datetime, limit: int = 100) -> Sequence[TaskId]:
        """End tasks whose deadline has passed; they were dead since then, this clears up after them."""

        def work(tx: AuthorityTransaction) -> Sequence[TaskId]:
            overdue = [task.id for task in tx.tasks.overdue(at, limit)]
            for ident in overdue:
                end_task(
                    tx,
                    ident,
                    TaskState.ENDED,
                    by=PrincipalId("system"),
                    because="deadline",
                    at=at,
                    entropy=self._entropy,
                )
            return overdue

        return await self._uow.commit(work)

    async def get(self, ident: TaskId) -> Task:
        """One task. Raises `NotYours`."""
        return await self._uow.read(lambda tx: _task(tx, ident))

    async def page(self, *, after: str = "", limit: int = 200) -> Sequence[Task]:
        """All tasks by id, at most 200 at a time."""
        return await self._uow.read(lambda tx: tx.tasks.page(after=after, limit=min(limit, 200)))

    def start_in(
        self,
        tx: AuthorityTransaction,
        wanted: StartTask,
        intent: Intent,
        *,
        by: PrincipalId,
        at: datetime,
        given: Grant | None = None,
    ) -> StartedTask:
        """Start a task in an open transaction; the caller answers for its deadline and for whom it is by.

        `given` is the user's consent that it stands on, if that is not simply the newest.
        """
        agent = _agent(tx, wanted)
        consent = given
        if consent is None and wanted.user is not None:
            consent = _consent(tx, wanted.user, wanted.agent)
        member = member_of(tx, agent)
        company = self._company(tx, wanted)
        stated = replace(
            self._task(wanted, agent, consent, intent, at),
            companions=tuple(each.companion for each in company),
        )
        _require_alive(tx, stated, at)
        beside = [each.beside for each in company]
        found = shares(task=stated, consent=consent, members=(member,), hops=(), company=beside)
        left = effective(found)
        # The further people last: who has nothing in common with what is asked is named.
        emptied = emptied_by(sorted(found, key=lambda share: share.name.startswith("with ")))
        # A coordinator may hold nothing of its own: it hands the user's authority to listed workers.
        if emptied is not None and not brokers_of(agent):
            raise EmptyAuthority(f"nothing is left for this task: `{emptied}` allows none of it")
        bounded = narrowed(stated, company)
        task = bounded if brokers_of(agent) else _ticket(bounded, member)
        text = self._issue(task, by, at)
        self._store(tx, task, text, intent, by, at)
        return StartedTask(task=task, envelope=text, effective=left, factors=found)

    def _company(self, tx: AuthorityTransaction, wanted: StartTask) -> tuple[Companionship, ...]:
        return find_company(tx, wanted.company, agent=wanted.agent, purpose=wanted.purpose)

    def _task(
        self,
        wanted: StartTask,
        agent: Principal,
        consent: Grant | None,
        intent: Intent,
        at: datetime,
    ) -> Task:
        ceiling = _task_ceiling(wanted, consent, at, self._options.lifetimes.hops)
        return Task(
            id=TaskId(mint_id("tsk", at=at, entropy=self._entropy)),
            tenant=self._tenant,
            user=wanted.user,
            trigger=wanted.trigger or "",
            agent=wanted.agent,
            grant=None if consent is None else consent.id,
            goal=intent.digest,
            purpose=wanted.purpose,
            segment=_segment(wanted, agent),
            mode=wanted.mode,
            initiative=wanted.initiative,
            ceiling=ceiling,
            root=EnvelopeId(mint_id("env", at=at, entropy=self._entropy)),
            state=TaskState.RUNNING,
            started_at=at,
            deadline=min(wanted.deadline, ceiling.window.end),
        )

    def _issue(self, task: Task, by: PrincipalId, at: datetime) -> str:
        root = Root(
            issuer=self._options.issuer,
            trust_domain=self._options.trust_domain,
            subject=task.user or task.trigger,
            task=task.id,
            purpose=task.purpose,
            goal=task.goal,
            ceiling=task.ceiling,
            may_act=task.agent,
            scope=WHOLE_TASK,
            requester=by,
            issued_at=at,
            expires_at=task.deadline,
            companions=tuple(each.user for each in task.companions),
        )
        return issue_root(root, signer=self._keys.signer(KeyClass.ENVELOPE))

    def _store(
        self, tx: AuthorityTransaction, task: Task, text: str, intent: Intent, by: PrincipalId, at: datetime
    ) -> None:
        digest = text_digest(text)
        tx.tasks.add(task)
        tx.envelopes.add(
            RecordedEnvelope(
                id=task.root,
                tenant=self._tenant,
                task=task.id,
                digest=digest,
                root=digest,
                first=task.agent,
                holder=task.agent,
                hops=(),
                parents=(),
                ceiling=task.ceiling,
                expires_at=task.deadline,
                recorded_at=at,
            )
        )
        tx.touch("task", task.id)
        tx.touch("envelope", digest)
        whose = task.user or task.trigger
        events.state(
            tx,
            events.TASK_STARTED,
            tenant=self._tenant,
            actor=by,
            agent=task.agent,
            at=at,
            entropy=self._entropy,
            ceiling=task.ceiling,
            task=task,
            envelope=digest,
            contents=(
                Content(name="goal", subject=whose, text=intent.text),
                Content(name="goal_salt", subject=whose, text=intent.salt.hex()),
            ),
        )


def end_task(
    tx: AuthorityTransaction,
    ident: TaskId,
    state: TaskState,
    *,
    by: PrincipalId,
    because: str,
    at: datetime,
    entropy: Entropy,
) -> Task:
    """End a task inside an open transaction: its tokens, capabilities and own instances end with it.

    Raises `NotYours`, or `TaskOver` if it does not run.
    """
    task = _task(tx, ident)
    if not tx.tasks.finish(ident, state, at):
        raise TaskOver(f"task `{ident}` is `{task.state}` already")
    epoch = tx.advance_epoch(f"ended:{ident}")
    for token in tx.tokens.revoke_of_task(ident, at):
        tx.lineage.bury("token", token, cause=because, epoch=epoch, at=at)
        tx.touch("tombstone", token)
    unused = tx.capabilities.kill_of_task(ident, at)
    made = tx.principals.bound_to(ident)
    for instance in made:
        endings.retire(tx, instance, by=by, because=f"task {ident}", at=at, entropy=entropy)
    tx.lineage.bury("task", ident, cause=because, epoch=epoch, at=at)
    tx.touch("tombstone", ident)
    tx.touch("task", ident)
    ended = replace(task, state=state, ended_at=at)
    events.state(
        tx,
        events.TASK_ENDED,
        tenant=task.tenant,
        actor=by,
        agent=task.agent,
        at=at,
        entropy=entropy,
        ceiling=task.ceiling,
        task=ended,
        detail=(("because", because), ("capabilities", str(unused)), ("instances", str(len(made)))),
    )
    return ended


def member_of(tx: AuthorityTransaction, agent: Principal, consent: Grant | None = None) -> Member:
    """An agent with its standing ceilings, as a factor of effective right."""
    blueprint = None if agent.blueprint is None else tx.principals.get(PrincipalId(agent.blueprint))
    return Member(
        id=agent.id,
        name=agent.name,
        ceiling=tx.ceilings.get(agent.id),
        blueprint="" if blueprint is None else blueprint.name,
        blueprint_ceiling=None if blueprint is None else tx.ceilings.get(blueprint.id),
        blueprint_id="" if blueprint is None else blueprint.id,
        consent=consent,
    )


def _ticket(task: Task, member: Member) -> Task:
    """The task with what its one agent can't do left out: its ticket is no use to a thief who can.

    A coordinator's ticket stays as wide as the user's authority, which its workers need.
    """
    bounds = [member.ceiling or NOTHING]
    if member.blueprint:
        bounds.append(member.blueprint_ceiling or NOTHING)
    ceiling = meet_all(task.ceiling, *bounds)
    return replace(task, ceiling=ceiling, deadline=min(task.deadline, ceiling.window.end))


def _check(wanted: StartTask, at: datetime, longest: timedelta) -> None:
    if (wanted.user is None) == (wanted.trigger is None):
        raise MalformedTask("a task acts for exactly one of a user and a trigger")
    check_company(wanted.company, wanted.user)
    if not wanted.purpose.strip() or wanted.purpose == ANY_PURPOSE:
        raise MalformedTask("`purpose` is empty, or `any`: a task has one")
    if wanted.deadline.tzinfo is None or not at < wanted.deadline <= at + longest:
        raise MalformedTask(f"`deadline` lies after now and at most {longest} ahead")


def _agent(tx: AuthorityTransaction, wanted: StartTask) -> Principal:
    agent = tx.principals.get(PrincipalId(wanted.agent))
    if agent is None or agent.kind is not Kind.AGENT:
        raise NotYours(f"no agent `{wanted.agent[:64]}`")
    if wanted.trigger is not None:
        trigger = tx.principals.get(wanted.trigger)
        if trigger is None or trigger.kind not in TRIGGER_KINDS or trigger.state is not State.ACTIVE:
            raise NotYours(f"no trigger `{wanted.trigger[:64]}`")
    return agent


def _consent(tx: AuthorityTransaction, user: UserId, agent: AgentId) -> Grant:
    grant = tx.grants.standing(user, agent)
    if grant is None:
        raise NoConsent(f"`{user}` has not let `{agent}` act for them", next_step="remit delegation give")
    return grant


def _task_ceiling(wanted: StartTask, consent: Grant | None, at: datetime, hops: int) -> Ceiling:
    """What is asked, inside the consent, from now to the deadline. Raises `BeyondConsent` if it widens."""
    outer = None if consent is None else consent.ceiling
    asked = wanted.ceiling or outer
    if asked is None:
        raise MalformedTask("a task without a user states its own `ceiling`")
    stated = Ceiling(
        rights=asked.rights,
        window=Window(start=at.replace(microsecond=0), end=wanted.deadline.replace(microsecond=0)),
        caps=replace(asked.caps, limits=meet_limits(*asked.caps.limits, *wanted.limits)),
        depth=min(hops, hops if outer is None else outer.depth),
        purpose=wanted.purpose,
    )
    if outer is None:
        return meet(stated, stated)
    if not covers(_only_rights(outer), _only_rights(stated)):
        raise BeyondConsent("the task asks for actions, resources or arguments beyond the consent")
    if outer.purpose not in {wanted.purpose, ANY_PURPOSE}:
        raise BeyondConsent(f"the consent is for purpose `{outer.purpose}`, not `{wanted.purpose}`")
    return meet(outer, stated)


def _only_rights(ceiling: Ceiling) -> Ceiling:
    """The same rights in one frame, so that only rights are compared; caps and time narrow by themselves."""
    start = datetime.min.replace(tzinfo=ceiling.window.start.tzinfo)
    frame = Window(start=start, end=start)
    return Ceiling(rights=ceiling.rights, window=frame, caps=Caps(), depth=0, purpose="")


def _segment(wanted: StartTask, agent: Principal) -> str:
    """The one segment of the task (R10): stated, or the agent's only one."""
    if wanted.segment:
        if wanted.segment not in agent.segments:
            raise SegmentCrossed(f"agent `{agent.name}` does not belong to segment `{wanted.segment[:64]}`")
        return wanted.segment
    if len(agent.segments) > 1:
        raise SegmentCrossed(f"agent `{agent.name}` serves several segments: the task names one")
    return next(iter(agent.segments), "")


def _require_alive(tx: AuthorityTransaction, task: Task, at: datetime) -> None:
    """Everything above the task lives; the task itself is not stored yet."""
    lineage = lineage_of((PrincipalId(task.agent),), tx.principals.get, tenant=task.tenant, task=task)
    verdict = alive(tx.lineage, replace(lineage, task=None), at)
    if isinstance(verdict, Dead):
        raise NotAlive("the agent, its owner, its blueprint or the user is not active", reason=verdict.reason)


def brokers_of(agent: Principal) -> frozenset[str]:
    """Names of the workers that an agent may broker to."""
    return frozenset(dict(agent.attributes).get(BROKERS_ATTRIBUTE, "").split())


def _task(tx: AuthorityTransaction, ident: TaskId) -> Task:
    task = tx.tasks.get(ident)
    if task is None:
        raise NotYours(f"no task `{ident[:64]}`")
    return task


def withdraw_tasks(
    tx: AuthorityTransaction, grant: GrantId, *, by: PrincipalId, at: datetime, entropy: Entropy
) -> int:
    """End every task that stands on a consent, inside an open transaction; how many."""
    under = tx.tasks.under(grant, 10_000)
    for task in under:
        end_task(tx, task.id, TaskState.ENDED, by=by, because="consent_withdrawn", at=at, entropy=entropy)
    return len(under)
