"""Changes that wait for a second person, as the API shows them."""

from collections.abc import Callable
from datetime import datetime
from typing import Self

import msgspec

from remit.oversight.changes.change import Change, ChangeState
from remit.surface.web.paging import PageQuery


class ChangeQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which changes."""

    state: ChangeState | None = None


class ChangeRefusal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why not; it goes on record."""

    reason: str = msgspec.field(default="")

    def __post_init__(self) -> None:
        """Hold the limit."""
        if len(self.reason) > _REASON:
            raise ValueError(f"a reason has at most {_REASON} characters")


_REASON = 500


class ChangeLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One change: what will be done, who wants it, and how it stands."""

    id: str
    state: ChangeState
    operation: str
    action: str
    says: str
    digest: str
    by: str
    by_name: str
    proposed_at: datetime
    expires_at: datetime
    answered_by: str = ""
    answered_by_name: str = ""
    answered_at: datetime | None = None
    because: str = ""
    page: str = ""
    """Where a second person sees it whole, and confirms it."""

    @classmethod
    def of(cls, change: Change, name_of: Callable[[str], str], *, home: str) -> Self:
        """From the domain."""
        return cls(
            id=change.id,
            state=change.state,
            operation=change.wanted.operation,
            action=change.wanted.action,
            says=change.wanted.says,
            digest=change.digest,
            by=change.by,
            by_name=name_of(change.by),
            proposed_at=change.proposed_at,
            expires_at=change.expires_at,
            answered_by=change.answered_by or "",
            answered_by_name=name_of(change.answered_by) if change.answered_by else "",
            answered_at=change.answered_at,
            because=change.because,
            page=f"{home}/me/changes/{change.id}",
        )


class ChangeView(msgspec.Struct, frozen=True, kw_only=True):
    """One, whole: with the very body that will be sent."""

    change: ChangeLine
    path: dict[str, str]
    body: str
    basis: str
    mine: bool
    """Whether the caller proposed it."""
