"""What the unit of work of a decision asks people's answers and the accounts, and how it is settled."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Final, TypeAlias

from msgspec import structs

from remit.decision.answer.finding import Finding
from remit.decision.answer.response import Effect, Stage
from remit.decision.budget.cost import Dimension, Line, Settlement, lines_of
from remit.decision.budget.shortage import cost_fault
from remit.decision.call.covering import Allowance, covering
from remit.decision.call.digest import action_key, budget_key, family_key
from remit.decision.call.request import ActionRequest
from remit.decision.making.account import Account, look
from remit.decision.making.draft import Draft
from remit.decision.making.oversight import asks, lifted, nothing_asked, unanswered
from remit.decision.repository import BudgetStore, DecisionTransaction
from remit.kernel.canonical import Digest
from remit.kernel.ids import ApprovalId, DecisionId

Used: TypeAlias = Mapping[Dimension, int]
"""What a call really took, in units of each dimension that its result tells."""
UNTOLD: Final[Used] = MappingProxyType({})
"""Nobody tells: everything stays as it was reserved."""


def watchful(tx: DecisionTransaction, draft: Draft) -> Draft:
    """The draft with a question where budgets are nearly used up.

    SAFETY: the question has a name of its own, of the accounts that it is about: a yes that somebody gave
    for another reason, or before these accounts were so low, does not answer it.
    """
    request = draft.request
    if request is None or cost_fault(request) is not None:
        return draft
    lines = lines_of(request)
    if all(line.ask_above is None for line in lines):
        return draft
    found = look(tx.budgets, request, lines)
    if found.effect is not Effect.ASK:
        return draft
    key = action_key(request, str(draft.snapshot.bundle.version))
    return structs.replace(draft, findings=(*draft.findings, found), key=budget_key(key, found.detail))


def watched(findings: Sequence[Finding]) -> bool:
    """Whether `watchful` has asked, or the answer is among the findings."""
    return any(finding.stage is Stage.BUDGET for finding in findings)


def once(findings: Sequence[Finding], budget: Finding) -> tuple[Finding, ...]:
    """One finding of the accounts: what they say at last, unless it is less than that they ask."""
    before = next((each for each in findings if each.stage is Stage.BUDGET), None)
    if before is None:
        return (*findings, budget)
    if before.effect is Effect.ASK and budget.effect is Effect.PERMIT:
        return tuple(findings)
    return (*(each for each in findings if each.stage is not Stage.BUDGET), budget)


def heard(tx: DecisionTransaction, draft: Draft) -> tuple[tuple[Finding, ...], ApprovalId | None]:
    """What people have said about exactly this action, or about several that it is one of."""
    findings, call = draft.findings, draft.call
    if not asks(findings):
        return (*findings, nothing_asked()), None
    approval = tx.approvals.unspent(call.subject.tenant, draft.key, call.at)
    wide = _allowed(tx, draft) if approval is None else None
    if wide is not None and (call.asked_by is None or wide.id == call.approval):
        return lifted(findings, wide.id, left=wide.left - 1, until=wide.until), wide.id
    if call.asked_by is not None and approval != call.approval:
        approval = None
    if approval is not None:
        return lifted(findings, approval), approval
    standing = tx.approvals.standing(call.subject.tenant, draft.key, call.at)
    pending = standing.id if standing is not None and standing.state == "pending" else None
    return (*findings, unanswered(findings, standing)), pending


def family_of(draft: Draft) -> Digest:
    """What a bounded yes to this question may be for; empty where a yes is for one call alone.

    SAFETY: only the rules' own question is answered so: what another stage asks about is about this call.
    """
    asking = [finding for finding in draft.findings if finding.effect is Effect.ASK]
    terms = asking[0].terms if len(asking) == 1 and asking[0].stage is Stage.POLICY else None
    if terms is None or terms.bound is None or draft.request is None:
        return ""
    if draft.request.tool is None or not draft.request.tool.reversible:
        return ""
    return family_key(draft.request, str(draft.snapshot.bundle.version), terms.rules)


def _allowed(tx: DecisionTransaction, draft: Draft) -> Allowance | None:
    family, request = family_of(draft), draft.request
    if not family or request is None:
        return None
    known = tx.approvals.allowances(draft.call.subject.tenant, family, draft.call.at)
    return covering(known, request, generation=draft.generation)


def charged(
    tx: DecisionTransaction, request: ActionRequest, account: Account, *, answered: bool = False
) -> tuple[Finding, tuple[Line, ...]]:
    """What the accounts say; impossible amounts are refused before any is looked at.

    `answered` where a person has been asked about accounts that are nearly used up.
    """
    fault = cost_fault(request)
    if fault is not None:
        return fault, ()
    lines = lines_of(request)
    if answered:
        lines = tuple(line.answered() for line in lines)
    return account(tx.budgets, request, lines), lines


def spend_approval(tx: DecisionTransaction, draft: Draft, approval: ApprovalId) -> bool:
    """Use an approval up, for this decision alone; False if another was faster."""
    call = draft.call
    return tx.approvals.spend(call.subject.tenant, approval, call=call.call, decision=draft.id, at=call.at)


def settle(
    tx: DecisionTransaction,
    decision: DecisionId,
    outcome: Settlement,
    *,
    used: Used = UNTOLD,
    at: datetime | None = None,
) -> bool:
    """Settle inside another unit of work (`call finished`); False if it was settled before.

    `used` is what the end of the call told at `at`: what was reserved beyond it is given back, what it took
    beyond the reservation is charged whatever the cap, so that the next call is refused.
    """
    if not tx.decisions.settle(decision, outcome):
        return False
    # Only what was not used needs to be read again: every other outcome leaves its reservations spent.
    stored = tx.decisions.get(decision) if used or outcome is Settlement.UNUSED else None
    if stored is None:
        return True
    if outcome is Settlement.UNUSED:
        for line in stored.lines:
            tx.budgets.release(line)
        for footprint in stored.footprints:
            tx.history.unleave(footprint)
    elif at is not None:
        true_up(tx.budgets, stored.lines, used, at=at)
    return True


def true_up(store: BudgetStore, lines: Sequence[Line], used: Used, *, at: datetime) -> None:
    """Make each charge what was used; what nobody told stays as it was reserved."""
    for line in lines:
        took = used.get(line.dimension)
        if took is None or took == line.cost:
            continue
        if took < line.cost:
            store.release(line.costing(line.cost - took))
        else:
            # What runs over counts where the clock is now: a long call is no way round a short span.
            store.charge(line.costing(took - line.cost, at=at))
