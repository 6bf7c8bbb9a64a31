"""Cards bound to what is on record about their agent, their decision and what was read before it."""

from remit.decision.sources.source import Source
from remit.kernel.ids import PrincipalId
from remit.oversight.approvals.approval import Approval
from remit.oversight.approvals.beside import COMPARED, NAMED, Beside, beside
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork


class CardDesk:
    """What stands beside one tenant's cards, read in one view."""

    def __init__(self, work: SqlUnitOfWork) -> None:
        self._work = work

    async def beside(self, approval: Approval) -> Beside:
        """All that is known about an ask besides its own bytes."""

        def read(tx: SqlTransaction) -> Beside:
            return beside(
                approval,
                earlier=tx.approvals.answers_of(approval.agent, COMPARED),
                decision=tx.decisions.get(approval.decision),
                sources=_read(tx, approval),
            )

        return await self._work.read(read)


def _read(tx: SqlTransaction, approval: Approval) -> list[Source]:
    """What the run had in its context when it asked; an agent without a run, what it carries itself."""
    holder: PrincipalId | str = approval.task or approval.agent
    rows = tx.sources.page(holder, before=approval.requested_at, after="", limit=NAMED + 1)
    return [source for _, source in rows]
