"""What can go wrong, one class for each thing that a caller can do about it."""

from collections.abc import Mapping
from typing import Any


class RemitError(Exception):
    """Anything of ours; `code` is stable, `next_step` says what to do."""

    def __init__(self, message: str, *, code: str, next_step: str = "") -> None:
        super().__init__(f"{message}; next: {next_step}" if next_step else message)
        self.code = code
        self.next_step = next_step


class NoProof(RemitError):
    """Nothing in this runtime proves who the agent is, or it can't be read."""


class Unreachable(RemitError):
    """The server was not reached, or did not answer as it should: the same may be tried again."""


class Refused(RemitError):
    """The authorization server refuses: `code` is the error's name in OAuth."""

    def __init__(self, message: str, *, code: str, status: int, next_step: str = "") -> None:
        super().__init__(message, code=code, next_step=next_step)
        self.status = status


class NotAllowed(Refused):
    """The person said no, or did not answer in time."""


class Denied(RemitError):
    """Remit denies one call; act on `remedy`, show `message` to nobody but a model.

    `denial` is the whole object: kind, code, stage, nearest miss, remedy, and where the reasons stand.
    """

    def __init__(
        self, message: str, denial: Mapping[str, Any], *, context: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message, code=str(denial.get("code", "denied")))
        self.denial = dict(denial)
        self.context = dict(context or {})
        """All that an answer over AuthZEN said; empty where the call went through the gateway."""

    @property
    def remedy(self) -> dict[str, Any]:
        """What would make it pass, or that nothing would."""
        return dict(self.denial.get("remedy") or {})
