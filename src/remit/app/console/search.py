"""One box that finds everything by its id or the beginning of its name, of what the caller may see."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from remit.decision.facts.snapshot import Snapshot, Snapshots
from remit.identity.principals import PREFIX, Kind, Principal
from remit.kernel.ids import (
    ApprovalId,
    BreakGlassId,
    DecisionId,
    EnvelopeId,
    GrantId,
    KillId,
    PrincipalId,
    RecordId,
    TaskId,
    UserId,
)
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork

_KINDS: Final = {prefix: kind for kind, prefix in PREFIX.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeker:
    """Who searches: what is not theirs they find only if they may see everything."""

    principal: PrincipalId
    sees_all: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """Something that was found; `name` is as people or agents wrote it."""

    kind: str
    id: str
    name: str
    state: str = ""


class SearchDesk:
    """Finds by id whatever has one, and by name whatever stands in the directory or the policy in force."""

    def __init__(self, *, work: SqlUnitOfWork, snapshots: Snapshots) -> None:
        self._work = work
        self._snapshots = snapshots

    async def find(self, text: str, seeker: Seeker, *, limit: int) -> list[Hit]:
        """What an id names alone; else entries and rules whose name begins so. Nothing of another tenant."""
        if _is_id(text):
            found = await self._work.read(lambda tx: _by_id(tx, text, seeker))
            if found is not None:
                return [found]
        owner = None if seeker.sees_all else seeker.principal
        named = await self._work.read(lambda tx: tx.shelves.beginning(text, owner=owner, limit=limit))
        hits = [_entry(each) for each in named]
        if seeker.sees_all:
            hits += _rules(self._snapshots.current(), text)
        return _first(hits, limit)


def _is_id(text: str) -> bool:
    prefix, _, rest = text.partition("_")
    return len(prefix) == 3 and len(rest) > 1  # noqa: PLR2004 — every prefix has three letters


def _first(hits: list[Hit], limit: int) -> list[Hit]:
    """Some of each kind before more of one: the first of each, then the second of each, and so on."""
    rows: dict[str, list[Hit]] = {}
    for each in hits:
        rows.setdefault(each.kind, []).append(each)
    ordered = [row[place] for place in range(limit) for row in rows.values() if place < len(row)]
    return ordered[:limit]


def _entry(found: Principal) -> Hit:
    return Hit(kind=found.kind, id=found.id, name=found.name, state=found.state)


def _rules(snapshot: Snapshot, text: str) -> Iterator[Hit]:
    for rule in snapshot.bundle.rules.values():
        if rule.id.startswith(text):
            yield Hit(kind="rule", id=rule.id, name=rule.id, state=rule.mode)


def _by_id(tx: SqlTransaction, text: str, seeker: Seeker) -> Hit | None:
    prefix = text.partition("_")[0]
    if prefix in _KINDS:
        return _principal(tx, text, seeker)
    find = _FINDERS.get(prefix)
    return None if find is None else find(tx, text, seeker)


def _principal(tx: SqlTransaction, text: str, seeker: Seeker) -> Hit | None:
    found = tx.principals.get(PrincipalId(text))
    if found is None:
        return None
    own = found.kind is Kind.HUMAN or seeker.principal in {found.id, found.owner}
    return _entry(found) if own or seeker.sees_all else None


def _task(tx: SqlTransaction, text: str, seeker: Seeker) -> Hit | None:
    found = tx.tasks.get(TaskId(text))
    if found is None or not (seeker.sees_all or UserId(seeker.principal) in found.people):
        return None
    return Hit(kind="task", id=found.id, name=found.purpose, state=found.state)


def _decision(tx: SqlTransaction, text: str, seeker: Seeker) -> Hit | None:
    found = tx.decisions.get(DecisionId(text))
    if found is None:
        return None
    told = found.explanation
    if not seeker.sees_all and UserId(seeker.principal) not in {told.user, *told.companions}:
        return None
    return Hit(kind="decision", id=found.id, name=told.action, state=told.verdict.effect)


def _approval(tx: SqlTransaction, text: str, seeker: Seeker) -> Hit | None:
    found = tx.approvals.get(ApprovalId(text))
    if found is None or not (seeker.sees_all or seeker.principal in {*found.asked, found.user}):
        return None
    return Hit(kind="approval", id=found.id, name=found.action, state=found.state)


def _grant(tx: SqlTransaction, text: str, seeker: Seeker) -> Hit | None:
    found = tx.grants.get(GrantId(text))
    if found is None or not (seeker.sees_all or UserId(seeker.principal) == found.user):
        return None
    return Hit(kind="grant", id=found.id, name=found.agent, state=found.state)


def _kill(tx: SqlTransaction, text: str, seeker: Seeker) -> Hit | None:
    found = tx.kills.get(KillId(text)) if seeker.sees_all else None
    return None if found is None else Hit(kind="kill", id=found.id, name=found.target.name, state=found.state)


def _glass(tx: SqlTransaction, text: str, seeker: Seeker) -> Hit | None:
    found = tx.glasses.get(BreakGlassId(text)) if seeker.sees_all else None
    return None if found is None else Hit(kind="breakglass", id=found.id, name=found.id, state=found.state)


def _delegation(tx: SqlTransaction, text: str, seeker: Seeker) -> Hit | None:
    found = tx.envelopes.get(EnvelopeId(text))
    if found is None:
        return None
    task = _task(tx, found.task, seeker)
    return None if task is None else Hit(kind="task", id=task.id, name=task.name, state=task.state)


def _record(tx: SqlTransaction, text: str, seeker: Seeker) -> Hit | None:
    found = tx.ledger.record(RecordId(text)) if seeker.sees_all else None
    return None if found is None else Hit(kind="record", id=found.record.id, name=found.record.kind)


_FINDERS: Final[dict[str, Callable[[SqlTransaction, str, Seeker], Hit | None]]] = {
    "tsk": _task,
    "dec": _decision,
    "apr": _approval,
    "gra": _grant,
    "kil": _kill,
    "bgl": _glass,
    "env": _delegation,
    "rec": _record,
}
