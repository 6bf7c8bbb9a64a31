"""The end of a family: its tokens, its task, and all that was exchanged from them, in one transaction."""

from datetime import datetime
from typing import Final

from remit.authority.oauth.asking.families import Family, FamilyId, FamilyState
from remit.authority.oauth.repository import OAuthTransaction
from remit.authority.oauth.wire.errors import InvalidGrant
from remit.authority.task_service import end_task
from remit.authority.tasks import TaskState
from remit.kernel.ids import Entropy, PrincipalId
from remit.ledger import facts
from remit.ledger.record import Record

TOMBSTONE_KIND: Final = "family"
ENDED: Final = "authority.family.ended"


class Compromised(InvalidGrant):
    """What was shown was used before, and not by somebody whose answer was lost: its family must end."""

    def __init__(self, hint: str, *, family: FamilyId, reason: str) -> None:
        super().__init__(hint, reason=reason)
        self.family = family


def end_family(
    tx: OAuthTransaction, ident: FamilyId, *, cause: str, by: PrincipalId, at: datetime, entropy: Entropy
) -> bool:
    """End a family in an open transaction; False if there is none, or it had ended.

    INVARIANT: every access token of a family names it among its ancestors, and so does whatever is exchanged
    from one: one tombstone ends them all.
    """
    family = tx.families.get(ident)
    if family is None or family.state is not FamilyState.LIVE or not tx.families.end(family, cause=cause):
        return False
    epoch = tx.advance_epoch(f"family:{ident}")
    tx.lineage.bury(TOMBSTONE_KIND, ident, cause=cause, epoch=epoch, at=at)
    tx.touch("tombstone", ident)
    _end_task(tx, family, cause=cause, by=by, at=at, entropy=entropy)
    record = _record(family, cause=cause, by=by, epoch=epoch, at=at, entropy=entropy)
    facts.state(tx, record, entropy=entropy, detail=(("cause", cause),))
    return True


def _end_task(
    tx: OAuthTransaction, family: Family, *, cause: str, by: PrincipalId, at: datetime, entropy: Entropy
) -> None:
    """An agent's session is its task: neither goes on without the other."""
    task = None if family.task is None else tx.tasks.get(family.task)
    if task is not None and task.state is TaskState.RUNNING:
        end_task(tx, task.id, TaskState.ENDED, by=by, because=cause, at=at, entropy=entropy)


def _record(
    family: Family, *, cause: str, by: PrincipalId, epoch: int, at: datetime, entropy: Entropy
) -> Record:
    return Record(
        id=facts.record_id(at, entropy),
        at=at,
        tenant=family.tenant,
        kind=ENDED,
        actor=by,
        user=family.user,
        task=family.task or "",
        resource=family.resource,
        subject=family.id,
        epoch=epoch,
        codes=(cause,),
        detail=(("client", family.client_id), ("session", family.session), ("refreshes", str(family.number))),
    )
