"""Ask the accounts whether they can pay: with it taken (`reserve`), or only looked at (`balance`)."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from remit.decision.answer.finding import Finding
from remit.decision.answer.response import Effect
from remit.decision.budget.cost import Line
from remit.decision.budget.shortage import briefly, left_of, nothing_short, shortfall, wary
from remit.decision.call.request import ActionRequest
from remit.decision.repository import BudgetStore

Account: TypeAlias = Callable[[BudgetStore, ActionRequest, Sequence[Line]], Finding]


def reserve(store: BudgetStore, request: ActionRequest, lines: Sequence[Line]) -> Finding:
    """Charge every account or none; where a person must be asked first, none.

    INVARIANT: each charge is one conditional statement, in the order of their ids; what was charged before
    one that failed is given back in the same transaction, so nobody ever sees half.
    """
    for place, line in enumerate(lines):
        if not store.reserve(line.bounded()):
            for charged in lines[:place]:
                store.release(charged)
            found = look(store, request, lines)
            # Whatever has freed something since: this charge was not made, so it is no permit.
            return shortfall(request, line, store.spent(line)) if found.effect is Effect.PERMIT else found
    return nothing_short(lines)


def balance(store: BudgetStore, request: ActionRequest, lines: Sequence[Line]) -> Finding:
    """What `reserve` would find now, with nothing taken; a permit tells what is left to each account."""
    found = look(store, request, lines)
    if found.effect is not Effect.PERMIT:
        return found
    return briefly(found, [left_of(line, store.spent(line)) for line in lines])


def look(store: BudgetStore, request: ActionRequest, lines: Sequence[Line]) -> Finding:
    """The first account that can't pay; else all that must be asked about; else a permit."""
    asking = []
    for line in lines:
        spent = store.spent(line)
        if spent + line.cost > line.cap:
            return shortfall(request, line, spent)
        if spent + line.cost > line.bound:
            asking.append((line, spent))
    return wary(request, asking) if asking else nothing_short(lines)
