"""What a kill reaches: computed inside its own transaction, from what the wings below hold (R33, R96).

An agent's kill goes down (its instances, and by their lineage everything that they delegated) and up (the
tasks in whose chain it stands are frozen). A user's kill ends the user's tasks; agents go on for others.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import TypeVar

from remit.identity.principals import Kind, Tier, tier_of
from remit.kernel.ids import PrincipalId, TaskId, UserId
from remit.oversight.containment.kill import Reach, Target, TargetKind
from remit.oversight.containment.repository import ContainmentTransaction
from remit.oversight.errors import NoSuchTarget

T = TypeVar("T")
TASKS_AT_ONCE = 100_000
"""Running tasks that one kill may end in its transaction."""
_KINDS = {
    TargetKind.AGENT: Kind.AGENT,
    TargetKind.INSTANCE: Kind.INSTANCE,
    TargetKind.USER: Kind.HUMAN,
    TargetKind.BLUEPRINT: Kind.BLUEPRINT,
}


def resolve(tx: ContainmentTransaction, target: Target) -> Target:
    """Find a target by id or name; raises `NoSuchTarget`."""
    kind = _KINDS.get(target.kind)
    if target.kind is TargetKind.WORKLOAD:
        found = _workload(tx, target)
    else:
        found = _principal(tx, kind, target) if kind else _thing(tx, target)
    if found is None:
        raise NoSuchTarget(
            f"no {target.kind} `{target.ident}` is there to stop", next_step="remit agent list"
        )
    return found


def reach(tx: ContainmentTransaction, target: Target) -> Reach:
    """Everything that must stop with a resolved target."""
    principals = _principals(tx, target)
    return Reach(principals=principals, tasks=_tasks(tx, target, principals))


def _principal(tx: ContainmentTransaction, kind: Kind, target: Target) -> Target | None:
    found = tx.principals.get(PrincipalId(target.ident)) or tx.principals.named(kind, target.ident)
    if found is None or found.kind is not kind:
        return None
    return replace(target, ident=found.id, name=found.name)


def _workload(tx: ContainmentTransaction, target: Target) -> Target | None:
    """A name that two kinds of workloads bear names the first in the order of the kinds; ids name one."""
    kinds = [kind for kind in Kind if tier_of(kind) is Tier.WORKLOAD]
    found = (_principal(tx, kind, target) for kind in kinds)
    return next((each for each in found if each is not None), None)


def _thing(tx: ContainmentTransaction, target: Target) -> Target | None:
    if target.kind is TargetKind.TASK:
        task = tx.tasks.get(TaskId(target.ident))
        return None if task is None else replace(target, name=task.id)
    if target.kind is TargetKind.CHAIN:
        envelope = tx.envelopes.by_digest(target.ident)
        return None if envelope is None else replace(target, name=envelope.id)
    server_name, _, tool_name = target.ident.partition("/")
    server = tx.servers.named(server_name)
    tool = tx.tools.named(server.id, tool_name) if server else None
    return None if tool is None else replace(target, ident=tool.id, name=target.ident)


def _principals(tx: ContainmentTransaction, target: Target) -> tuple[PrincipalId, ...]:
    ident = PrincipalId(target.ident)
    match target.kind:
        case TargetKind.AGENT:
            return _unique([ident, *(child.id for child in tx.principals.children(ident))])
        case TargetKind.BLUEPRINT:
            agents = tx.principals.made_from(ident)
            children = [child for agent in agents for child in tx.principals.children(agent.id)]
            return _unique([ident, *(entry.id for entry in (*agents, *children))])
        case TargetKind.TASK:
            return _unique(entry.id for entry in tx.principals.bound_to(TaskId(target.ident)))
        case TargetKind.INSTANCE | TargetKind.USER | TargetKind.WORKLOAD:
            return (ident,)
        case TargetKind.CHAIN | TargetKind.TOOL:
            return ()


def _tasks(
    tx: ContainmentTransaction, target: Target, principals: tuple[PrincipalId, ...]
) -> tuple[TaskId, ...]:
    if target.kind is TargetKind.TASK:
        return (TaskId(target.ident),)
    if target.kind is TargetKind.USER:
        mine = tx.tasks.running(user=UserId(target.ident), limit=TASKS_AT_ONCE)
        return tuple(task.id for task in mine)
    return _unique(task for principal in principals for task in tx.kills.tasks_through(principal))


def _unique(found: Iterable[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(found))
