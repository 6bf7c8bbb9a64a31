"""Who acts in a task by its own token at the API: its first agent, or whoever it was handed on to."""

from remit.authority.delegations import RecordedEnvelope
from remit.authority.tasks import Task
from remit.authority.tokens import VerifiedSubject
from remit.decision.facts.snapshot import Snapshot
from remit.kernel.canonical import Digest
from remit.kernel.ids import TaskId


def acting_in(
    snapshot: Snapshot, caller: VerifiedSubject, ident: TaskId, envelope: Digest | None
) -> tuple[Task, RecordedEnvelope | None] | None:
    """The task, and the delegation by which the caller acts in it; None if it does not."""
    task = snapshot.tasks.get(ident)
    handed = snapshot.envelopes.get(envelope) if envelope else None
    holder = handed.holder if handed is not None else task.agent if task is not None else ""
    if task is None or holder != caller.agent or (envelope and handed is None):
        return None
    return (task, handed) if handed is None or handed.task == ident else None
