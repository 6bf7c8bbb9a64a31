"""Signals about risk: taken in, taken away, told; each on record, and in force for the next decision."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from remit.decision.answer.assessment import WORST, Assessment, level
from remit.decision.facts.signals import SIGNALS_LIMIT, Signal, SignalInvalid, SignalStore, checked
from remit.decision.repository import DecisionStore
from remit.decision.trail.trace import StoredDecision
from remit.kernel.errors import NotFound
from remit.kernel.ids import DecisionId, Entropy, PrincipalId, RecordId, TenantId, mint_id
from remit.kernel.uow import Transaction, UnitOfWork
from remit.ledger.record import Record
from remit.ledger.repository import Recorder

KIND: Final = "risk_signal"
_BACK: Final = 20
"""How many decisions of an agent are looked through for two with a risk."""


class SignalUnknown(NotFound):
    """There is no such signal."""

    code = "signal_unknown"


class RiskTransaction(Transaction, Protocol):
    """The transaction that signals are changed in."""

    @property
    def signals(self) -> SignalStore:
        """Signals."""

    @property
    def decisions(self) -> DecisionStore:
        """Decisions."""

    @property
    def ledger(self) -> Recorder:
        """The record."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessed:
    """The risk of one decision."""

    decision: DecisionId
    at: datetime
    risk: Assessment


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The risk of an agent: its last decision's, the one before, and its signals."""

    last: Assessed | None
    before: Assessed | None
    signals: Sequence[Signal]


class RiskService:
    """The signals of one tenant."""

    def __init__(self, *, uow: UnitOfWork[RiskTransaction], entropy: Entropy, tenant: TenantId) -> None:
        self._uow = uow
        self._entropy = entropy
        self._tenant = tenant

    async def put(self, signal: Signal, *, by: PrincipalId) -> Signal:
        """Take a signal in, in place of the last one of its kind; raises `SignalInvalid`.

        The epoch moves where it raises the risk: a decision that is being made on the old one is made anew.
        """
        wanted = checked(signal)

        def work(tx: RiskTransaction) -> None:
            before = tx.signals.get(wanted.subject, wanted.kind)
            if before is None and len(tx.signals.of(wanted.subject)) >= SIGNALS_LIMIT:
                raise SignalInvalid(
                    f"`{wanted.subject}` has {SIGNALS_LIMIT} kinds of signals, which is the limit"
                )
            tx.signals.put(wanted)
            detail = (
                ("kind", wanted.kind),
                ("level", f"{level(wanted.level, WORST)}"),
                ("source", wanted.source),
            )
            self._changed(tx, "decision.risk.signalled", wanted.subject, detail, by, wanted.at)
            if before is None or level(wanted.level, WORST) > level(before.level, WORST) or wanted.expires_at:
                tx.advance_epoch(KIND)

        await self._uow.commit(work)
        return wanted

    async def clear(self, subject: PrincipalId, kind: str, *, by: PrincipalId, at: datetime) -> None:
        """Take a signal away; raises `SignalUnknown`. A kind that is demanded then counts as the worst."""

        def work(tx: RiskTransaction) -> None:
            if not tx.signals.remove(subject, kind):
                raise SignalUnknown(f"`{subject}` has no signal `{kind}`", next_step="remit risk list")
            self._changed(tx, "decision.risk.cleared", subject, (("kind", kind),), by, at)
            tx.advance_epoch(KIND)

        await self._uow.commit(work)

    async def page(self, *, after: str = "", limit: int) -> Sequence[Signal]:
        """Signals by subject and kind; `after` is `<subject>:<kind>` of the last one seen."""
        subject, _, kind = after.partition(":")
        return await self._uow.read(lambda tx: tx.signals.page(after=(subject, kind), limit=limit))

    async def standing(self, agent: PrincipalId) -> Standing:
        """What the risk of an agent is, and what it was before."""

        def read(tx: RiskTransaction) -> Standing:
            made = tx.decisions.page(agent=agent, limit=_BACK)
            found = [each for each in map(_assessed, made) if each is not None][:2]
            return Standing(
                last=found[0] if found else None,
                before=found[1] if len(found) > 1 else None,
                signals=tx.signals.of(agent),
            )

        return await self._uow.read(read)

    def _changed(
        self,
        tx: RiskTransaction,
        kind: str,
        subject: PrincipalId,
        detail: tuple[tuple[str, str], ...],
        by: PrincipalId,
        at: datetime,
    ) -> None:
        ident = RecordId(mint_id("rec", at=at, entropy=self._entropy))
        record = Record(
            id=ident, at=at, tenant=self._tenant, kind=kind, actor=by, subject=subject, detail=detail
        )
        tx.ledger.append(record, ())
        tx.touch(KIND, subject)


def _assessed(stored: StoredDecision) -> Assessed | None:
    told = stored.explanation
    return None if told.risk is None else Assessed(decision=stored.id, at=told.at, risk=told.risk)
