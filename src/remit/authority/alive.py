"""The one answer to "does this authority still live?": every level above an action, in one place.

INVARIANT: nothing else reads tombstones or states of principals, tasks and grants to decide whether
something may go on (security 2.4). Who asks gives a lineage; a level that is not known is dead.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from remit.authority.consent import GrantState
from remit.authority.tasks import Lineage, TaskState
from remit.identity.lifecycle import State
from remit.kernel.ids import GrantId, PrincipalId, TaskId


class Level(StrEnum):
    """Where in the lineage something was stopped, widest first."""

    TENANT = "tenant"
    USER = "user"
    PRINCIPAL = "principal"
    """An agent, instance, blueprint, owner or other principal of the chain."""
    GRANT = "grant"
    TASK = "task"
    ENVELOPE = "envelope"
    OTHER = "other"
    """A token, key, tool or server that the action goes through."""


class Cause(StrEnum):
    """Why a level is dead."""

    TOMBSTONE = "tombstone"
    UNKNOWN = "unknown"
    """There is no such thing: what is missing is never alive."""
    NOT_ACTIVE = "not_active"
    WITHDRAWN = "withdrawn"
    ENDED = "ended"
    DEADLINE = "deadline"
    NO_CHAIN = "no_chain"
    """A lineage without anybody in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tombstone:
    """That something was stopped for good. Append-only; its id is never used again."""

    kind: str
    ident: str
    epoch: int
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskLife:
    """As much of a task as decides whether it lives."""

    state: TaskState
    deadline: datetime


class Graveyard(Protocol):
    """What must be known to say that something lives, all from one snapshot or one transaction."""

    def tombstone(self, ident: str) -> Tombstone | None:
        """The first tombstone of this id, whatever its kind: ids are unique over all kinds."""

    def state_of(self, principal: PrincipalId) -> State | None:
        """Where in its life a principal is; None if there is none."""

    def life_of(self, task: TaskId) -> TaskLife | None:
        """State and deadline of a task; None if there is none."""

    def standing_of(self, grant: GrantId) -> GrantState | None:
        """Whether a consent stands; None if there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alive:
    """Every level lives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dead:
    """One level is dead, and with it everything below. `reason` is a stable code for records."""

    level: Level
    cause: Cause
    ident: str
    detail: str = ""
    """The tombstone's cause or the state's name."""

    @property
    def reason(self) -> str:
        """`<level>_<cause>`, as in `task_ended`."""
        return f"{self.level}_{self.cause}"


def alive(yard: Graveyard, lineage: Lineage, at: datetime) -> Alive | Dead:
    """Whether all that an action stands on lives, from the tenant down; the widest death is named."""
    return next(_deaths(yard, lineage, at), Alive())


def _deaths(yard: Graveyard, lineage: Lineage, at: datetime) -> Iterator[Dead]:
    """The dead levels, widest first; the caller takes the first."""
    yield from _buried(yard, Level.TENANT, lineage.tenant)
    if not lineage.chain and lineage.user is None:
        yield Dead(level=Level.PRINCIPAL, cause=Cause.NO_CHAIN, ident="")
    if lineage.user is not None:
        yield from _principal(yard, Level.USER, PrincipalId(lineage.user))
    for companion in lineage.companions:
        yield from _principal(yard, Level.USER, PrincipalId(companion.user))
    for member in sorted({*lineage.chain, *lineage.principals}):
        yield from _principal(yard, Level.PRINCIPAL, member)
    if lineage.grant is not None:
        yield from _grant(yard, lineage.grant)
    for companion in lineage.companions:
        yield from _grant(yard, companion.grant)
    if lineage.task is not None:
        yield from _task(yard, lineage.task, at)
    if lineage.envelope is not None:
        yield from _buried(yard, Level.ENVELOPE, lineage.envelope)
    for ident in sorted(lineage.others):
        yield from _buried(yard, Level.OTHER, ident)


def _buried(yard: Graveyard, level: Level, ident: str) -> Iterator[Dead]:
    stone = yard.tombstone(ident)
    if stone is not None:
        yield Dead(level=level, cause=Cause.TOMBSTONE, ident=ident, detail=stone.cause)


def _principal(yard: Graveyard, level: Level, ident: PrincipalId) -> Iterator[Dead]:
    yield from _buried(yard, level, ident)
    state = yard.state_of(ident)
    if state is None:
        yield Dead(level=level, cause=Cause.UNKNOWN, ident=ident)
    elif state is not State.ACTIVE:
        yield Dead(level=level, cause=Cause.NOT_ACTIVE, ident=ident, detail=state)


def _grant(yard: Graveyard, ident: GrantId) -> Iterator[Dead]:
    yield from _buried(yard, Level.GRANT, ident)
    standing = yard.standing_of(ident)
    if standing is None:
        yield Dead(level=Level.GRANT, cause=Cause.UNKNOWN, ident=ident)
    elif standing is not GrantState.GIVEN:
        yield Dead(level=Level.GRANT, cause=Cause.WITHDRAWN, ident=ident)


def _task(yard: Graveyard, ident: TaskId, at: datetime) -> Iterator[Dead]:
    yield from _buried(yard, Level.TASK, ident)
    life = yard.life_of(ident)
    if life is None:
        yield Dead(level=Level.TASK, cause=Cause.UNKNOWN, ident=ident)
    elif life.state is not TaskState.RUNNING:
        yield Dead(level=Level.TASK, cause=Cause.ENDED, ident=ident, detail=life.state)
    elif at >= life.deadline:
        yield Dead(level=Level.TASK, cause=Cause.DEADLINE, ident=ident)
