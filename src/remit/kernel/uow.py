"""The unit of work: state, events and ledger records commit together, or not at all."""

from collections.abc import Callable
from enum import StrEnum
from typing import Protocol, TypeVar

from remit.kernel.events import Event

T = TypeVar("T")
Tx_co = TypeVar("Tx_co", covariant=True)


class Lane(StrEnum):
    """Which queue a unit waits in; a kill never waits behind ordinary work."""

    NORMAL = "normal"
    KILL = "kill"


class Transaction(Protocol):
    """What every open transaction offers besides the repositories of a wing.

    A wing declares the transaction that it needs as a Protocol of its own that extends this one with
    read-only properties, one per repository (`directory`, `tasks`, `ledger`, …).
    """

    def publish(self, event: Event) -> None:
        """Put a fact into the outbox; it is delivered after the commit, at least once."""

    def touch(self, kind: str, ident: str) -> None:
        """Say that a thing which decisions can see has changed: nodes reload it by (kind, id)."""

    def advance_epoch(self, cause: str) -> int:
        """Bump the tenant's epoch, because authority has shrunk; returns the new epoch.

        INVARIANT: every change that takes authority away (kill, suspension, task end, revocation, policy
        change, quarantine) advances the epoch in its own transaction. A consumption reads the epoch in
        *its* transaction and compares it with that of the snapshot it was decided on, so the two are
        totally ordered by commit.
        """

    def epoch(self) -> int:
        """The tenant's epoch as this transaction sees it."""


class UnitOfWork(Protocol[Tx_co]):
    """Runs a synchronous function inside one transaction.

    `work` may run more than once only if its transaction was rolled back as a whole; it must have no
    effect besides the transaction. What it raises rolls back and reaches the caller unchanged.
    """

    async def commit(self, work: Callable[[Tx_co], T], *, lane: Lane = Lane.NORMAL) -> T:
        """Run `work` and return its result once the commit is durable."""

    async def read(self, work: Callable[[Tx_co], T]) -> T:
        """Run `work` on one consistent view; it must not write."""
