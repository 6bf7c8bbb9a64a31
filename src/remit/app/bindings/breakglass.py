"""Break glass bound to what it stands on: approvals that open it, kills that end it, the alarm of its use."""

from datetime import datetime
from typing import Final

import structlog

from remit.decision.making.uses import GLASS_USED
from remit.kernel.clock import Clock
from remit.kernel.events import Event
from remit.kernel.ids import Entropy, TenantId
from remit.oversight.approvals.approval import Approval
from remit.oversight.approvals.repository import ApprovalTransaction
from remit.oversight.approvals.service import ApprovalService
from remit.oversight.breakglass.service import ACTION, BreakGlassService
from remit.oversight.containment.kill import Kill
from remit.platform.storage.outbox import Subscriber
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork

_log = structlog.stdlib.get_logger("remit.breakglass")
ALARMS: Final = frozenset(
    {
        GLASS_USED,
        *(f"oversight.breakglass.{verb}" for verb in ("asked", "opened", "refused", "ended", "reviewed")),
    }
)
"""Facts that nobody may miss: each is in the log of the process besides the log of record."""


def open_breakglass(
    *, work: SqlUnitOfWork, approvals: ApprovalService, clock: Clock, entropy: Entropy, tenant: TenantId
) -> BreakGlassService:
    """Break glass of one tenant; from now on a yes to it opens it."""
    service = BreakGlassService(work=work, asking=approvals, clock=clock, entropy=entropy, tenant=tenant)
    approvals.follow(_Opening(service))
    return service


class _Opening:
    """What follows from an answer, in the answer's own transaction."""

    def __init__(self, service: BreakGlassService) -> None:
        self._service = service

    def settled(self, tx: ApprovalTransaction, approval: Approval, *, at: datetime) -> None:
        """A yes to break glass opens it; of other questions nothing follows here."""
        if approval.action != ACTION:
            return
        if not isinstance(tx, SqlTransaction):
            raise TypeError("answers are given in the one transaction that all wings share")
        self._service.settled(tx, approval, at=at)


class BreakGlassPlane:
    """Nothing is lifted any more for, or by, what was stopped."""

    name = "breakglass"

    def __init__(self, service: BreakGlassService) -> None:
        self._service = service

    async def confirm(self, kill: Kill) -> str:
        """End what the kill reaches."""
        principals = (kill.target.ident, *kill.reach.principals)
        ended = await self._service.end_for(principals=principals, tasks=kill.reach.tasks, by=kill.by)
        return f"{ended} ended"


def alarm() -> Subscriber:
    """Says every fact of break glass aloud, at least once."""

    async def tell(event: Event) -> None:
        _log.warning(event.name, glass=event.subject, actor=event.actor, **dict(event.detail))

    return Subscriber(name="oversight.breakglass_alarm", hears=ALARMS, handle=tell)
