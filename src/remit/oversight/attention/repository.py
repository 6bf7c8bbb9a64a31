"""What the keeping of attention needs from storage, inside one open transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from remit.kernel.canonical import Digest
from remit.kernel.ids import ApprovalId, PrincipalId
from remit.oversight.approvals.approval import Approval
from remit.oversight.approvals.repository import ApprovalTransaction
from remit.oversight.attention.budget import ApproverBudget, Taken


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """One ask in one person's inbox."""

    approval: ApprovalId
    rank: int
    expires_at: datetime
    alike: Digest | None

    @property
    def place(self) -> tuple[int, datetime, ApprovalId]:
        """Where it stands: what is at stake first, then what ends first."""
        return self.rank, self.expires_at, self.approval


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """One answer that a person gave: when the card was last shown before it, and with how many others."""

    approval: ApprovalId
    agent: PrincipalId
    answer: str
    shown_at: datetime | None
    answered_at: datetime
    together: int


class Inboxes(Protocol):
    """Who is asked what, when they saw it, and what they said."""

    def put(self, ask: Approval, people: Sequence[PrincipalId], *, new: Sequence[PrincipalId]) -> None:
        """Lay an ask before people; for those in `new` it is a card of its own. Idempotent."""

    def taken(self, person: PrincipalId, *, since: datetime, limit: int) -> Sequence[Taken]:
        """The cards that were put to a person, newest first."""

    def slots(self, person: PrincipalId, *, after: Slot | None, limit: int) -> Sequence[Slot]:
        """What waits for a person, by what is at stake and when it ends."""

    def alike(self, person: PrincipalId, key: Digest, *, limit: int) -> Sequence[Slot]:
        """What waits for a person and is alike."""

    def many(self, idents: Sequence[ApprovalId]) -> Sequence[Approval]:
        """These asks, whole, in their order; what is not there is left out."""

    def known(self, agent: PrincipalId, action: str, *, limit: int) -> Sequence[Approval]:
        """The last asks of an agent for an action that a person said yes to."""

    def shown(self, person: PrincipalId, idents: Sequence[ApprovalId], at: datetime) -> None:
        """A person has these before them."""

    def answered(
        self, person: PrincipalId, ident: ApprovalId, *, answer: str, together: int, at: datetime
    ) -> Given | None:
        """Note an answer; None if the person was not asked."""

    def close(self, ident: ApprovalId) -> None:
        """Nobody is asked any more."""

    def given(self, person: PrincipalId, *, since: datetime, limit: int) -> Sequence[Given]:
        """A person's answers, newest first."""

    def counts(self, person: PrincipalId, *, since: datetime) -> tuple[int, int]:
        """How many cards a person was put since then, and how many asks."""

    def answerers(self, *, since: datetime, after: str, limit: int) -> Sequence[PrincipalId]:
        """Who was asked anything since then, by id."""

    def repeated(self, *, since: datetime, at_least: int, limit: int) -> Sequence[tuple[Digest, int, int]]:
        """What alike asks were answered how often since then, and how often with yes; most first."""

    def answered_alike(self, key: Digest, *, since: datetime, limit: int) -> Sequence[Approval]:
        """The answered asks that are alike, newest first."""

    def forget(self, before: datetime, limit: int) -> int:
        """Remove what is over and older; returns how many rows."""


class Budgets(Protocol):
    """Who may be asked how much."""

    def get(self, name: str) -> ApproverBudget | None:
        """The budget of this name: a person's id, or `default`."""

    def save(self, budget: ApproverBudget) -> None:
        """Store it."""

    def remove(self, name: str) -> bool:
        """Let the default hold again; False if it did."""


class AttentionTransaction(ApprovalTransaction, Protocol):
    """The transaction that attention is kept in."""

    @property
    def inboxes(self) -> Inboxes:
        """Who is asked what."""

    @property
    def approver_budgets(self) -> Budgets:
        """Who may be asked how much."""
