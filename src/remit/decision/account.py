"""Ask the accounts whether they can pay: with the money taken (`reserve`), or only looked at (`balance`)."""

from collections.abc import Callable, Sequence
from typing import TypeAlias

from remit.decision.budget import Line, nothing_short, shortfall
from remit.decision.finding import Finding
from remit.decision.repository import BudgetStore
from remit.decision.request import ActionRequest

Account: TypeAlias = Callable[[BudgetStore, ActionRequest, Sequence[Line]], Finding]


def reserve(store: BudgetStore, request: ActionRequest, lines: Sequence[Line]) -> Finding:
    """Charge every account or none.

    INVARIANT: each charge is one conditional statement, in the order of their ids; what was charged before
    one that failed is given back in the same transaction, so nobody ever sees half.
    """
    for place, line in enumerate(lines):
        if not store.reserve(line):
            for charged in lines[:place]:
                store.release(charged)
            return shortfall(request, line, store.spent(line))
    return nothing_short(lines)


def balance(store: BudgetStore, request: ActionRequest, lines: Sequence[Line]) -> Finding:
    """What `reserve` would find now, with nothing taken."""
    for line in lines:
        spent = store.spent(line)
        if spent + line.cost > line.cap:
            return shortfall(request, line, spent)
    return nothing_short(lines)
