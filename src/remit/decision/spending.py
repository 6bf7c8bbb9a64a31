"""What the unit of work of a decision asks people's answers and the accounts, and how it is settled."""

from remit.decision.account import Account
from remit.decision.budget import Line, Settlement, cost_fault, lines_of
from remit.decision.draft import Draft
from remit.decision.finding import Finding
from remit.decision.oversight import asks, lifted, nothing_asked, unanswered
from remit.decision.repository import DecisionTransaction
from remit.decision.request import ActionRequest
from remit.kernel.ids import ApprovalId, DecisionId


def heard(tx: DecisionTransaction, draft: Draft) -> tuple[tuple[Finding, ...], ApprovalId | None]:
    """What people have said about exactly this action."""
    findings, call = draft.findings, draft.call
    if not asks(findings):
        return (*findings, nothing_asked()), None
    approval = tx.approvals.unspent(call.subject.tenant, draft.key, call.at)
    if approval is not None:
        return lifted(findings, approval), approval
    standing = tx.approvals.standing(call.subject.tenant, draft.key, call.at)
    pending = standing.id if standing is not None and standing.state == "pending" else None
    return (*findings, unanswered(findings, standing)), pending


def charged(
    tx: DecisionTransaction, request: ActionRequest, account: Account
) -> tuple[Finding, tuple[Line, ...]]:
    """What the accounts say; impossible amounts are refused before any is looked at."""
    fault = cost_fault(request)
    if fault is not None:
        return fault, ()
    lines = lines_of(request)
    return account(tx.budgets, request, lines), lines


def spend_approval(tx: DecisionTransaction, draft: Draft, approval: ApprovalId) -> bool:
    """Use an approval up, for this decision alone; False if another was faster."""
    call = draft.call
    return tx.approvals.spend(call.subject.tenant, approval, call=call.call, decision=draft.id, at=call.at)


def settle(tx: DecisionTransaction, decision: DecisionId, outcome: Settlement) -> bool:
    """Settle inside another unit of work (`call finished`); False if it was settled before."""
    if not tx.decisions.settle(decision, outcome):
        return False
    # Only what was not used needs to be read again: every other outcome leaves its reservations spent.
    unused = tx.decisions.get(decision) if outcome is Settlement.UNUSED else None
    if unused is not None:
        for line in unused.lines:
            tx.budgets.release(line)
        for footprint in unused.footprints:
            tx.history.unleave(footprint)
    return True
