"""Facts that authority states, and their records: each names identities, permissions, time and task (R34)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from remit.authority.ceiling_json import ceiling_to_json
from remit.authority.repository import AuthorityTransaction
from remit.authority.rights import Ceiling
from remit.authority.tasks import Task
from remit.identity.errors import OwnerLoop, OwnerMissing, OwnerUnfit
from remit.identity.ownership import accountable
from remit.kernel.canonical import Digest, canonical_json, sha256
from remit.kernel.ids import Entropy, PrincipalId, TenantId
from remit.ledger import facts
from remit.ledger.record import Content, Record

TASK_STARTED: Final = "authority.task.started"
TASK_ENDED: Final = "authority.task.ended"
GRANT_GIVEN: Final = "authority.grant.given"
GRANT_WITHDRAWN: Final = "authority.grant.withdrawn"
CEILING_CHANGED: Final = "authority.ceiling.changed"
ENVELOPE_EXTENDED: Final = "authority.envelope.extended"
CAPABILITY_MINTED: Final = "authority.capability.minted"
CAPABILITY_CONSUMED: Final = "authority.capability.consumed"
CAPABILITY_UNKNOWN: Final = "authority.capability.unknown"
CAPABILITY_UNUSED: Final = "authority.capability.unused"


def permissions_digest(ceiling: Ceiling) -> Digest:
    """What a record says of a ceiling: SHA-256 of its signed form in canonical JSON."""
    return sha256(canonical_json(ceiling_to_json(ceiling)))


def state(
    tx: AuthorityTransaction,
    fact: str,
    *,
    tenant: TenantId,
    actor: str,
    agent: str,
    at: datetime,
    entropy: Entropy,
    ceiling: Ceiling | None = None,
    task: Task | None = None,
    user: str = "",
    chain: tuple[str, ...] = (),
    envelope: str = "",
    grant: str = "",
    decision: str = "",
    capability: str = "",
    subject: str = "",
    codes: Sequence[str] = (),
    detail: Sequence[tuple[str, str]] = (),
    contents: Sequence[Content] = (),
) -> None:
    """Record a fact and put it into the outbox, both in the open transaction."""
    permissions = () if ceiling is None else (("permissions", permissions_digest(ceiling)),)
    goal = () if task is None else (("goal", task.goal),)
    record = Record(
        id=facts.record_id(at, entropy),
        at=at,
        tenant=tenant,
        kind=fact,
        actor=actor,
        user=user or (task.user or "" if task is not None else ""),
        owner=_answering(tx, agent),
        agent=agent,
        task="" if task is None else task.id,
        purpose="" if task is None else task.purpose,
        mode="" if task is None else task.mode,
        initiative="" if task is None else task.initiative,
        chain=chain,
        envelope=envelope,
        grant=grant or (task.grant or "" if task is not None else ""),
        decision=decision,
        capability=capability,
        subject=subject,
        codes=tuple(codes),
        digests=(*permissions, *goal),
        detail=(*detail, *_company(task)),
    )
    facts.state(
        tx,
        record,
        entropy=entropy,
        subject=subject or (task.id if task is not None else agent),
        contents=contents,
    )


def _company(task: Task | None) -> tuple[tuple[str, str], ...]:
    """Who else the task is for."""
    if task is None or not task.companions:
        return ()
    return (("with", " ".join(each.user for each in task.companions)),)


def _answering(tx: AuthorityTransaction, agent: str) -> str:
    """The human who answers for the agent as of this moment (R138)."""
    entry = tx.principals.get(PrincipalId(agent))
    if entry is None:
        return ""
    try:
        return accountable(entry, tx.principals.get).human.id
    except (OwnerMissing, OwnerLoop, OwnerUnfit):
        return ""
