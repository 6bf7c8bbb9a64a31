"""What changes need from storage, inside one open transaction."""

from collections.abc import Sequence
from typing import Protocol

from remit.decision.administration.repository import AdministrationTransaction
from remit.kernel.ids import ChangeId, PrincipalId
from remit.oversight.changes.change import Change, ChangeState


class PendingChanges(Protocol):
    """Changes of one tenant."""

    def add(self, change: Change) -> None:
        """Store a new one."""

    def get(self, ident: ChangeId) -> Change | None:
        """One."""

    def move(self, change: Change, *, was: ChangeState) -> bool:
        """Store its next state if it is still in that one; False if somebody was faster. One update."""

    def waiting(self, by: PrincipalId, *, limit: int) -> Sequence[Change]:
        """Those of one person that wait, newest first."""

    def page(self, *, state: ChangeState | None, after: str, limit: int) -> Sequence[Change]:
        """Newest first; `after` is the last id seen."""


class ChangeTransaction(AdministrationTransaction, Protocol):
    """The transaction that changes are proposed and answered in."""

    @property
    def pending_changes(self) -> PendingChanges:
        """Changes."""
