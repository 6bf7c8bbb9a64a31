"""What break glass needs from storage, inside one open transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from remit.kernel.ids import BreakGlassId, DecisionId
from remit.oversight.approvals.repository import ApprovalTransaction
from remit.oversight.breakglass.glass import BreakGlass, GlassState


@dataclass(frozen=True, slots=True, kw_only=True)
class GlassUse:
    """One decision that it made a difference to."""

    decision: DecisionId
    effect: str
    at: datetime


class Glasses(Protocol):
    """Break glass of one tenant, and what was decided under it."""

    def add(self, glass: BreakGlass) -> None:
        """Store a new one."""

    def get(self, ident: BreakGlassId) -> BreakGlass | None:
        """One."""

    def move(self, glass: BreakGlass, *, was: GlassState) -> bool:
        """Store its next state if it is still in that one; False if somebody was faster. One update."""

    def standing(self) -> Sequence[BreakGlass]:
        """Those that are asked for or open, oldest first."""

    def page(self, *, state: GlassState | None, after: str, limit: int) -> Sequence[BreakGlass]:
        """Newest first; `after` is the last id seen."""

    def uses(self, ident: BreakGlassId, *, after: str, limit: int) -> Sequence[GlassUse]:
        """What was decided under it, oldest first."""

    def count_uses(self, ident: BreakGlassId) -> int:
        """How many decisions that were."""


class BreakGlassTransaction(ApprovalTransaction, Protocol):
    """The transaction that break glass is asked for, opened, ended and reviewed in."""

    @property
    def glasses(self) -> Glasses:
        """Break glass."""
