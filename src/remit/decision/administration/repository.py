"""What administration needs inside its transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from remit.identity.repository import IdentityTransaction
from remit.kernel.canonical import Digest
from remit.kernel.ids import PrincipalId
from remit.kernel.uow import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedRoles:
    """One version of the administrative policy. Numbers only grow, from 1."""

    number: int
    digest: Digest
    text: str
    published_by: PrincipalId
    published_at: datetime


class RoleTexts(Protocol):
    """Versions of the administrative policy."""

    def head(self) -> tuple[int, Digest] | None:
        """Number and digest of what is in force; None where nobody has published."""

    def get(self, number: int) -> PublishedRoles | None:
        """One version."""

    def add(self, version: PublishedRoles) -> bool:
        """Store a version; False if its number is taken."""

    def page(self, *, before: int, limit: int) -> Sequence[PublishedRoles]:
        """Versions, newest first."""


class ReadsRoles(Transaction, Protocol):
    """A transaction in which somebody's right to administer is judged."""

    @property
    def administration(self) -> RoleTexts:
        """The administrative policy."""


class AdministrationTransaction(IdentityTransaction, ReadsRoles, Protocol):
    """The transaction in which roles and rules change."""
