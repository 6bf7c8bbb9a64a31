"""What a decision needs of a transaction, in plain dictionaries: for runs of a million decisions.

The real stores are compared with the same oracle beside it; nothing is concluded about storage from this one.
"""

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, TypeVar

from remit.authority.capability import Capability, Minted
from remit.decision.budget.cost import Line
from remit.decision.call.request import ActionRequest
from remit.decision.facts.snapshot import Snapshot
from remit.decision.history.past import NOTHING, Footprint, Memory, Question
from remit.decision.repository import ApprovalStanding
from remit.kernel.ids import ApprovalId, CapabilityId, DecisionId
from remit.kernel.uow import Lane

T = TypeVar("T")


class Unsigned:
    """Makes capabilities without a signature: what is decided does not hang on it."""

    def mint(self, request: ActionRequest, *, decision: DecisionId, at: datetime) -> Minted:
        call = request.call
        made = Capability(
            id=CapabilityId(f"cap_{decision}"), tenant=call.subject.tenant, issuer="", audience="",
            subject="", instance=call.subject.instance, action=call.action, resource_type=call.resource.type,
            resource=call.resource.id, arguments=call.arguments_digest, tool="", decision=decision,
            task=call.subject.task, envelope=None, key="", issued_at=at,
            expires_at=at + timedelta(seconds=90),
        )  # fmt: skip
        return Minted(capability=made, token="")


@dataclass
class PlainStore:
    """One transaction that is always open, and every repository of a decision."""

    head: Snapshot
    marks: dict[tuple[str, str], dict[tuple[str, int], list[Any]]] = field(default_factory=dict)
    accounts: dict[str, list[int]] = field(default_factory=dict)
    asks: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.history = self.budgets = self.approvals = self
        nothing = SimpleNamespace(add=_passed, append=_passed, burn=lambda *_: True, hold=lambda *_: True)
        nothing.insert_consumed = nothing.insert_live = _passed
        nothing.live_of_task = lambda *_: 0
        self.replay = self.tasks = self.capabilities = self.decisions = self.ledger = self.seen = (
            self.sources
        ) = nothing

    async def commit(self, work: Callable[[Any], T], *, lane: Lane = Lane.NORMAL) -> T:
        return work(self)

    async def read(self, work: Callable[[Any], T]) -> T:
        return work(self)

    def current(self) -> Snapshot:
        return self.head

    async def catch_up(self, at_least: int | None = None) -> Snapshot:
        return self.head

    def epoch(self) -> int:
        return self.head.epoch

    # -- history

    def hold(self, places: Iterable[tuple[str, str]], at: datetime) -> None:
        pass

    def look(self, question: Question) -> Memory:
        kept = [
            (value, times, last)
            for (value, _), (times, last) in self.marks.get((question.mark, question.holder), {}).items()
            if last > question.since
        ]
        if not kept:
            return NOTHING
        values = frozenset(value for value, _, _ in kept)
        return Memory(times=sum(each[1] for each in kept), values=values, last=max(each[2] for each in kept))

    def leave(self, footprint: Footprint) -> None:
        rows = self.marks.setdefault((footprint.mark, footprint.holder), {})
        row = rows.setdefault((footprint.value, footprint.bucket), [0, footprint.at])
        row[0] += 1
        row[1] = max(row[1], footprint.at)

    # -- budgets

    def reserve(self, line: Line) -> bool:
        if self.spent(line) + line.cost > line.cap:
            return False
        self.accounts[line.id] = [line.period, self.spent(line) + line.cost]
        return True

    def release(self, line: Line) -> None:
        self.accounts[line.id][1] -= line.cost

    def spent(self, line: Line) -> int:
        period, used = self.accounts.get(line.id, (0, 0))
        return used if period >= line.period else 0

    # -- approvals

    def unspent(self, _tenant: str, key: str, at: datetime) -> ApprovalId | None:
        found = self.asks.get(key)
        if found is None or found.state != "approved" or found.spent or found.expires_at <= at:
            return None
        return ApprovalId(found.ident)

    def standing(self, _tenant: str, key: str, at: datetime) -> ApprovalStanding | None:
        found = self.asks.get(key)
        if found is None or found.spent:
            return None
        over = found.expires_at <= at and found.state in {"pending", "approved"}
        return ApprovalStanding(id=ApprovalId(found.ident), state="expired" if over else found.state)

    def spend(self, _tenant: str, approval: ApprovalId, **_: Any) -> bool:
        found = next(each for each in self.asks.values() if each.ident == approval)
        was, found.spent = found.spent, True
        return not was


def _passed(*_: Any, **__: Any) -> None:
    pass


def entropy(count: int) -> bytes:
    return secrets.token_bytes(count)


__all__: Sequence[str] = ("PlainStore", "Unsigned", "entropy")
