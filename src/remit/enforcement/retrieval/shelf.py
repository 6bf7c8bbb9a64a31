"""Which documents and resources a caller may see: what an enforcement point asks, and of whom."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from remit.authority.tokens import VerifiedSubject
from remit.decision.call.request import ProposedCall
from remit.identity.tools import Server


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """One document as its server describes it; `digest` is the SHA-256 of its words, if it is known."""

    id: str
    tags: tuple[tuple[str, str], ...]
    """Sorted by name."""
    digest: str = ""


class Shelf(Protocol):
    """Decides about many at once."""

    async def given(self, call: ProposedCall, offered: Sequence[Offered]) -> tuple[bool, ...]:
        """Which documents in a result its caller may read; they are then in its context."""

    async def listed(
        self, subject: VerifiedSubject, server: Server, addresses: Sequence[str], *, at: datetime
    ) -> tuple[bool, ...]:
        """Which resources the caller could read, or be asked about."""


class NoShelf:
    """Nobody decides about documents: none is given, and lists are the server's own."""

    async def given(self, call: ProposedCall, offered: Sequence[Offered]) -> tuple[bool, ...]:  # noqa: ARG002 — the Protocol's
        """None."""
        return (False,) * len(offered)

    async def listed(
        self,
        subject: VerifiedSubject,  # noqa: ARG002 — as above
        server: Server,  # noqa: ARG002 — as above
        addresses: Sequence[str],
        *,
        at: datetime,  # noqa: ARG002 — as above
    ) -> tuple[bool, ...]:
        """All."""
        return (True,) * len(addresses)
