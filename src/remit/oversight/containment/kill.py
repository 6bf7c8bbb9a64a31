"""One kill: what it was aimed at, what it reached, and what each plane has confirmed."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from remit.kernel.ids import CallId, KillId, PrincipalId, TaskId, TenantId


class TargetKind(StrEnum):
    """The levels at which anything can be stopped (R96)."""

    AGENT = "agent"
    INSTANCE = "instance"
    TASK = "task"
    CHAIN = "chain"
    """One delegation hop and all that was delegated from it; named by the envelope's digest."""
    USER = "user"
    BLUEPRINT = "blueprint"
    TOOL = "tool"
    WORKLOAD = "workload"
    """A service account, bot or other machine that acts by itself, without a task."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What to stop, by id; `name` is for people."""

    kind: TargetKind
    ident: str
    name: str


class KillState(StrEnum):
    """`DONE` only once every plane has confirmed; until then the kill is retried."""

    KILLING = "killing"
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaneReport:
    """What one plane has stopped. `seconds` runs from the commit of the kill to this confirmation."""

    plane: str
    confirmed: bool
    detail: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """Everything that a kill stops, computed from the directory and the live tasks before the commit."""

    principals: tuple[PrincipalId, ...] = ()
    tasks: tuple[TaskId, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """A kill on record: committed with its epoch first, then confirmed plane by plane.

    `in_flight` are the calls that had begun before the commit and whose outcome is unknown.
    """

    id: KillId
    tenant: TenantId
    target: Target
    by: PrincipalId
    reason: str
    at: datetime
    epoch_before: int
    epoch: int
    reach: Reach
    state: KillState
    planes: tuple[PlaneReport, ...] = ()
    in_flight: tuple[CallId, ...] = ()
