"""One run of an agent: goal, bounds, deadline (R5). Rights exist only while it runs (R43)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from remit.authority.rights import Ceiling
from remit.kernel.canonical import Digest
from remit.kernel.ids import AgentId, EnvelopeId, GrantId, PrincipalId, TaskId, TenantId, UserId


class TaskState(StrEnum):
    """A task runs once; what has ended never runs again."""

    RUNNING = "running"
    ENDED = "ended"
    KILLED = "killed"


class Mode(StrEnum):
    """Whether a person is waiting for the result (N42)."""

    INTERACTIVE = "interactive"
    AUTONOMOUS = "autonomous"


class Initiative(StrEnum):
    """Who wanted the action (N42)."""

    USER = "user"
    AGENT = "agent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Companion:
    """A further person whom a run is for, by their own consent to the same agent (R36)."""

    user: UserId
    grant: GrantId


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A task identity: who asked what of whom, for which purpose, until when.

    `goal` is what the person asked, by salted digest only; the text lies sealed in the ledger's contents.
    `user` is None for an autonomous task whose root is a trigger (`trigger` then names it).
    """

    id: TaskId
    tenant: TenantId
    user: UserId | None
    trigger: str = ""
    agent: AgentId
    """The first agent, which may exchange the root envelope."""
    grant: GrantId | None
    """The consent it stands on; a delegated task has one."""
    goal: Digest
    purpose: str
    segment: str = ""
    mode: Mode
    initiative: Initiative
    ceiling: Ceiling
    root: EnvelopeId
    state: TaskState
    started_at: datetime
    deadline: datetime
    ended_at: datetime | None = None
    companions: tuple[Companion, ...] = ()
    """Who else its output is for: nothing is done that any of them has not let the agent do."""
    read_only: str = ""
    """The approval that nobody answered, since which the task does nothing more that can do harm."""

    @property
    def people(self) -> tuple[UserId, ...]:
        """Everybody it is for, who started it first."""
        return (*(() if self.user is None else (self.user,)), *(each.user for each in self.companions))


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """Everything above an action that could have been stopped: what `alive` looks at.

    `chain` runs from the first agent instance to the one that acts; owners, agents and blueprints of
    every member are in it, so a kill of any of them reaches the action.
    """

    tenant: TenantId
    user: UserId | None
    task: TaskId | None
    grant: GrantId | None
    chain: tuple[PrincipalId, ...]
    principals: frozenset[PrincipalId]
    envelope: EnvelopeId | None
    others: frozenset[str] = frozenset()
    """What else a tombstone can stop it by: ancestors of the envelope, token, key, tool, server."""
    companions: tuple[Companion, ...] = ()
    """Further people of the task, each with the consent that their part stands on."""
