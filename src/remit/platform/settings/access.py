"""What of the drafts around AuthZEN is spoken: off, until somebody wants it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessChoices:
    """Drafts that enforcement points of others may use."""

    requests: bool = False
    """Whether enforcement points may have people asked (AuthZEN Access Request and Approval, draft 1)."""
