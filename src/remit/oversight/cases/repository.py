"""What cases need from storage, inside one open transaction."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from remit.authority.repository import AuthorityTransaction
from remit.kernel.ids import CaseId, PrincipalId, TaskId
from remit.oversight.cases.case import Case, CaseState


class Cases(Protocol):
    """Durable questions and answers; the texts sealed under the key of whoever they are about."""

    def add(self, case: Case) -> bool:
        """Store a new one; False if one of its id is there: a repeated request."""

    def get(self, ident: CaseId) -> Case | None:
        """One case, its texts opened."""

    def settle(self, case: Case) -> bool:
        """Store a terminal state if it is still open; False if somebody was faster. One update."""

    def counts(self, agent: PrincipalId, task: TaskId) -> tuple[int, int, int]:
        """How many: open in the task, open of the agent, all of the task."""

    def due(self, at: datetime, limit: int) -> Sequence[Case]:
        """Open cases whose time is over."""

    def open_of(self, task: TaskId, limit: int) -> Sequence[Case]:
        """Open cases of a task."""

    def page(
        self, *, person: PrincipalId | None, state: CaseState | None, after: str, limit: int
    ) -> Sequence[Case]:
        """Newest first, optionally those that a person was asked; `after` is the last id seen."""


class CaseTransaction(AuthorityTransaction, Protocol):
    """The transaction that cases are opened and answered in."""

    @property
    def cases(self) -> Cases:
        """Questions of agents."""
