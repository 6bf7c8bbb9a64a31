"""What stopping things needs from storage, inside one open transaction."""

from collections.abc import Sequence
from typing import Protocol

from remit.authority.repository import AuthorityTransaction
from remit.identity.repository import Servers, Tools
from remit.kernel.ids import CallId, KillId, PrincipalId, TaskId
from remit.oversight.containment.kill import Kill


class Kills(Protocol):
    """Kills, and what only they ask about."""

    def add(self, kill: Kill) -> None:
        """Store a committed kill."""

    def save(self, kill: Kill) -> None:
        """Store its planes and state."""

    def get(self, ident: KillId) -> Kill | None:
        """One kill."""

    def unfinished(self) -> Sequence[Kill]:
        """Kills whose planes have not all confirmed."""

    def page(self, *, after: str, limit: int) -> Sequence[Kill]:
        """Kills, newest first; `after` is the last id seen."""

    def tasks_through(self, principal: PrincipalId) -> Sequence[TaskId]:
        """Running tasks in which the agent or instance holds or held a token, anywhere in the chain."""

    def calls_in_flight(self, *, instance: str = ..., task: str = ...) -> Sequence[CallId]:
        """Calls of an instance or task that have consumed a capability and have no outcome yet."""


class ContainmentTransaction(AuthorityTransaction, Protocol):
    """The transaction of a kill: it stops what the wings below hold."""

    @property
    def kills(self) -> Kills:
        """Kills."""

    @property
    def servers(self) -> Servers:
        """MCP servers."""

    @property
    def tools(self) -> Tools:
        """Tools."""
