"""One state machine for every principal: draft, active, suspended, retired."""

from enum import StrEnum
from typing import Final

from remit.kernel.errors import Conflict


class State(StrEnum):
    """Where in its life a principal is; `RETIRED` is final, and its id is never used again."""

    DRAFT = "draft"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    RETIRED = "retired"


class IllegalTransition(Conflict):
    """A state can't be reached from the present one."""

    code = "illegal_transition"


TRANSITIONS: Final[dict[State, frozenset[State]]] = {
    State.DRAFT: frozenset({State.ACTIVE, State.RETIRED}),
    State.ACTIVE: frozenset({State.SUSPENDED, State.RETIRED}),
    State.SUSPENDED: frozenset({State.ACTIVE, State.RETIRED}),
    State.RETIRED: frozenset(),
}


def advance(present: State, wanted: State) -> State:
    """Go from one state to another, or raise `IllegalTransition` naming what would be lawful."""
    if wanted not in TRANSITIONS[present]:
        lawful = ", ".join(sorted(TRANSITIONS[present])) or "nothing: it is final"
        raise IllegalTransition(f"`{present}` can't become `{wanted}`; from here: {lawful}")
    return wanted
