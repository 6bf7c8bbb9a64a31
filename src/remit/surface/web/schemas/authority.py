"""Tasks, consents and delegations as the API shows them."""

from datetime import datetime
from typing import Annotated, Self

import msgspec

from remit.authority.company import COMPANIONS_CEILING
from remit.authority.consent import Grant, GrantState
from remit.authority.delegations import RecordedEnvelope
from remit.authority.envelope import Delegation, Making
from remit.authority.shares import Share
from remit.authority.task_service import StartedTask
from remit.authority.tasks import Initiative, Mode, Task, TaskState
from remit.surface.web.schemas.rights import CeilingBody, LimitBody, ceiling_view
from remit.surface.web.schemas.words import EnvelopeText, Ident, Instant, Line

Goal = Annotated[str, msgspec.Meta(min_length=1, max_length=8192)]


class WithPerson(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A further person whom a run is for; without `grant`, by their newest consent to the agent."""

    user: Ident
    grant: Annotated[str, msgspec.Meta(max_length=128)] = ""


class WithView(msgspec.Struct, frozen=True, kw_only=True):
    """A further person of a task, and the consent of theirs that bounds it."""

    user: str
    grant: str


class NewTask(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the caller asks of an agent; `ceiling` narrows the caller's consent.

    `with` names who else it is for: then it does only what each of them has let the agent do.
    """

    agent: Ident
    goal: Goal
    purpose: Line
    deadline: Instant
    ceiling: CeilingBody | None = None
    segment: Annotated[str, msgspec.Meta(max_length=128)] = ""
    mode: Mode = Mode.INTERACTIVE
    initiative: Initiative = Initiative.USER
    company: Annotated[tuple[WithPerson, ...], msgspec.Meta(max_length=COMPANIONS_CEILING)] = msgspec.field(
        default=(), name="with"
    )
    limits: Annotated[list[LimitBody], msgspec.Meta(max_length=32)] = []
    """Of this task's own budget, within the ceiling's."""


class TaskView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A task; its goal is shown by digest alone."""

    id: str
    state: TaskState
    user: str = ""
    trigger: str = ""
    agent: str
    grant: str = ""
    goal_digest: str
    purpose: str
    segment: str = ""
    mode: Mode
    initiative: Initiative
    ceiling: CeilingBody
    root: str
    started_at: datetime
    deadline: datetime
    ended_at: datetime | None = None
    company: tuple[WithView, ...] = msgspec.field(default=(), name="with")

    @classmethod
    def of(cls, task: Task) -> Self:
        """From the domain."""
        return cls(
            id=task.id,
            state=task.state,
            user=task.user or "",
            trigger=task.trigger,
            agent=task.agent,
            grant=task.grant or "",
            goal_digest=task.goal,
            purpose=task.purpose,
            segment=task.segment,
            mode=task.mode,
            initiative=task.initiative,
            ceiling=ceiling_view(task.ceiling),
            root=task.root,
            started_at=task.started_at,
            deadline=task.deadline,
            ended_at=task.ended_at,
            company=tuple(WithView(user=each.user, grant=each.grant) for each in task.companions),
        )


class FactorView(msgspec.Struct, frozen=True, kw_only=True):
    """One ceiling among those that must all allow a call."""

    name: str
    ceiling: CeilingBody

    @classmethod
    def of(cls, share: Share) -> Self:
        """From the domain."""
        return cls(name=share.name, ceiling=ceiling_view(share.ceiling))


class StartedView(msgspec.Struct, frozen=True, kw_only=True):
    """A running task with its root envelope: shown once, given to the agent."""

    task: TaskView
    envelope: str
    effective: CeilingBody
    factors: list[FactorView]

    @classmethod
    def of(cls, started: StartedTask) -> Self:
        """From the domain."""
        return cls(
            task=TaskView.of(started.task),
            envelope=started.envelope,
            effective=ceiling_view(started.effective),
            factors=[FactorView.of(each) for each in started.factors],
        )


class NewGrant(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The caller lets an agent act; `text` is the exact sentence that the caller read."""

    agent: Ident
    ceiling: CeilingBody
    text: Goal


class GrantView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One consent."""

    id: str
    user: str
    agent: str
    state: GrantState
    ceiling: CeilingBody
    text: str
    given_at: datetime
    withdrawn_at: datetime | None = None

    @classmethod
    def of(cls, grant: Grant) -> Self:
        """From the domain."""
        return cls(
            id=grant.id,
            user=grant.user,
            agent=grant.agent,
            state=grant.state,
            ceiling=ceiling_view(grant.ceiling),
            text=grant.text,
            given_at=grant.given_at,
            withdrawn_at=grant.withdrawn_at,
        )


class ExtendedEnvelope(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An envelope with a new hop, to be verified and recorded."""

    envelope: EnvelopeText


class HopView(msgspec.Struct, frozen=True, kw_only=True):
    """Who handed what to whom, and how the link was made."""

    by: str
    to: str
    kind: Delegation
    made: Making
    ceiling: CeilingBody
    expires_at: datetime


class DelegationView(msgspec.Struct, frozen=True, kw_only=True):
    """One verified envelope."""

    id: str
    task: str
    digest: str
    first: str
    holder: str
    hops: list[HopView]
    ceiling: CeilingBody
    expires_at: datetime
    recorded_at: datetime

    @classmethod
    def of(cls, found: RecordedEnvelope) -> Self:
        """From the domain."""
        return cls(
            id=found.id,
            task=found.task,
            digest=found.digest,
            first=found.first,
            holder=found.holder,
            hops=[
                HopView(
                    by=hop.by,
                    to=hop.to,
                    kind=hop.kind,
                    made=hop.made,
                    ceiling=ceiling_view(hop.ceiling),
                    expires_at=hop.expires_at,
                )
                for hop in found.hops
            ],
            ceiling=ceiling_view(found.ceiling),
            expires_at=found.expires_at,
            recorded_at=found.recorded_at,
        )
