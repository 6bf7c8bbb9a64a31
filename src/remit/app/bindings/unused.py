"""What becomes of a carried capability that nobody used: its reservation is given back, once, on record."""

from datetime import datetime

from remit.authority import events
from remit.decision.budget.cost import Settlement
from remit.decision.making.spending import settle
from remit.kernel.ids import CapabilityId, Entropy
from remit.platform.storage.unit_of_work import SqlTransaction

_SYSTEM = "system"


def retire_unused(tx: SqlTransaction, *, at: datetime, limit: int, entropy: Entropy) -> int:
    """Retire what expired or was stopped before its use, in an open transaction; how many were looked at.

    INVARIANT: `retire` and `consume` are conditional updates of one row, so that of a use and a retirement
    one alone happens, whatever the two nodes' clocks say; only the winner touches the budget.
    """
    found = tx.capabilities.unused(at=at, limit=limit)
    for ident in found:
        if tx.capabilities.retire(ident, at):
            _give_back(tx, ident, at=at, entropy=entropy)
    return len(found)


def _give_back(tx: SqlTransaction, ident: CapabilityId, *, at: datetime, entropy: Entropy) -> None:
    capability = tx.capabilities.get(ident)
    stored = tx.decisions.get(capability.decision) if capability is not None else None
    if capability is None or stored is None:
        return  # a capability that no decision of ours stands behind has reserved nothing
    settle(tx, capability.decision, Settlement.UNUSED)
    told = stored.explanation
    events.state(
        tx,
        events.CAPABILITY_UNUSED,
        tenant=capability.tenant,
        actor=_SYSTEM,
        agent=told.agent,
        at=at,
        entropy=entropy,
        task=None if capability.task is None else tx.tasks.get(capability.task),
        user=told.user or "",
        chain=told.chain,
        envelope=capability.envelope or "",
        decision=capability.decision,
        capability=ident,
        subject=capability.action,
    )
