"""What an enforcement point let through while we could not be reached, put on record afterwards (N39).

It permits nothing: it happened. Each call is judged as it would be now, so that whoever reads the record sees
what should not have happened; one that can do harm is an alarm, for no enforcement point may do that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from remit.app.access.desk import AccessDesk
from remit.app.access.question import Asked
from remit.decision.answer.response import Effect
from remit.decision.call.request import ProposedCall
from remit.kernel.clock import Clock
from remit.kernel.ids import Entropy, PrincipalId, TenantId
from remit.kernel.uow import UnitOfWork
from remit.ledger import facts
from remit.ledger.record import Record
from remit.platform.storage.unit_of_work import SqlTransaction

KIND: Final = "enforcement.call.unasked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unasked:
    """One call that was let through: what it was, when, and how long we had been out of reach by then."""

    asked: Asked
    at: datetime
    outage_s: int


class UnaskedLog:
    """One tenant's record of them."""

    def __init__(
        self,
        *,
        desk: AccessDesk,
        work: UnitOfWork[SqlTransaction],
        clock: Clock,
        entropy: Entropy,
        tenant: TenantId,
    ) -> None:
        self._desk = desk
        self._work = work
        self._clock = clock
        self._entropy = entropy
        self._tenant = tenant

    async def record(self, calls: Sequence[Unasked], *, by: PrincipalId) -> tuple[Effect, ...]:
        """Record them in one commit; returns what each would be answered now."""
        judged = await self._desk.judged([each.asked for each in calls], by=by)
        at = self._clock.now()

        def work(tx: SqlTransaction) -> None:
            for each, (call, effect) in zip(calls, judged, strict=True):
                facts.state(tx, self._record(each, call, effect, by=by, at=at), entropy=self._entropy)

        await self._work.commit(work)
        return tuple(effect for _, effect in judged)

    def _record(
        self, told: Unasked, call: ProposedCall, effect: Effect, *, by: PrincipalId, at: datetime
    ) -> Record:
        subject = call.subject
        return Record(
            id=facts.record_id(at, self._entropy),
            at=at,
            tenant=self._tenant,
            kind=KIND,
            actor=by,
            user=subject.user or "",
            agent=subject.agent,
            task=subject.task or "",
            chain=tuple(subject.chain),
            call=call.call,
            action=call.action,
            resource=f"{call.resource.type}:{call.resource.id}",
            tool=call.tool.id if call.tool else "",
            effect=effect,
            subject=subject.instance,
            digests=(("arguments", call.arguments_digest),),
            detail=(
                ("let_at", told.at.isoformat()),
                ("outage_s", str(told.outage_s)),
                ("consequential", str(call.consequential).lower()),
                ("alarm", str(call.consequential or effect is not Effect.PERMIT).lower()),
            ),
        )
