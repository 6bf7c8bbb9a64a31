"""Break glass: rules that two persons lifted for a short while. It lifts rules, never rights (ADR 0056)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from remit.decision.call.request import ActionRequest
from remit.decision.codes.names import Code
from remit.kernel.ids import BreakGlassId

LIFTABLE: Final = frozenset(
    {
        Code.NO_PERMIT,
        Code.CONDITION_FAILED,
        Code.FORBIDDEN,
        Code.APPROVAL_REQUIRED,
        Code.RELATION_MISSING,
        Code.HISTORY_FORBIDS,
        Code.HISTORY_ASKS,
        Code.ARGUMENT_UNTRUSTED,
        Code.ARGUMENT_REFUSED,
        Code.EFFECT_UNASKED,
    }
)
"""Refusals by rule. INVARIANT: whatever is not listed, a code that comes later too, is never lifted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Glass:
    """One that is open, as decisions see it. All of agent, task and action that it names must fit."""

    id: BreakGlassId
    lifts: frozenset[str]
    agent: str
    task: str
    action: str
    opened_at: datetime
    until: datetime
    generation: int
    """That of the clock when it was opened: one that was set back since ends it."""

    def covers(self, request: ActionRequest, *, generation: int) -> bool:
        """Whether it counts for this call, at its moment."""
        call = request.call
        return (
            self.opened_at <= call.at < self.until
            and self.generation == generation
            and self.agent in {"", request.principal.id}
            and self.task in {"", call.subject.task}
            and self.action in {"", call.action}
        )
