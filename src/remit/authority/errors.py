"""What can go wrong with authority, one class per thing that a caller can do differently."""

from typing import ClassVar

from remit.kernel.errors import Conflict, Invalid, NotFound, RemitError, TooLarge


class EnvelopeRejected(RemitError):
    """A delegation envelope did not verify. The hint is the same for every cause; step and reason are ours.

    `step` is the number in `verify.EnvelopeVerifier`, `part` the position of the failing part (0 = root),
    `reason` a stable code for the record.
    """

    code: ClassVar[str] = "delegation_invalid"
    kind: ClassVar[str] = "forbidden"

    def __init__(self, step: int, reason: str, *, part: int = 0) -> None:
        super().__init__(
            "the delegation envelope does not verify", debug=f"step {step}, part {part}: {reason}"
        )
        self.step = step
        self.part = part
        self.reason = reason


class EnvelopeTooLarge(TooLarge):
    """An envelope is over a limit of hops or bytes, refused before any of it is read."""

    code: ClassVar[str] = "envelope_too_large"


class Widened(RemitError):
    """Somebody asked for more than they hold: in action, resource, argument, time, caps, depth or purpose."""

    code: ClassVar[str] = "widened"
    kind: ClassVar[str] = "forbidden"


class BeyondConsent(Widened):
    """A task asked for more than its user's consent for this agent."""

    code: ClassVar[str] = "beyond_consent"


class EmptyAuthority(RemitError):
    """Nothing is left after all factors met; the hint names the factor that emptied it (N10)."""

    code: ClassVar[str] = "empty_authority"
    kind: ClassVar[str] = "forbidden"


class NoConsent(RemitError):
    """The user has not let this agent act for them, or has taken it back."""

    code: ClassVar[str] = "no_consent"
    kind: ClassVar[str] = "forbidden"


class NotYours(NotFound):
    """No such task, grant or capability, or none of the caller's: both look alike."""

    code: ClassVar[str] = "not_found"


class NotAlive(RemitError):
    """Some level above what was asked is dead; `reason` says which, for the record."""

    code: ClassVar[str] = "revoked"
    kind: ClassVar[str] = "forbidden"

    def __init__(self, hint: str, *, reason: str) -> None:
        super().__init__(hint, debug=reason)
        self.reason = reason


class TaskOver(Conflict):
    """The task has ended; what has ended never runs again."""

    code: ClassVar[str] = "task_over"


class UnlistedPair(RemitError):
    """A coordinator may broker only to the workers that it is registered for."""

    code: ClassVar[str] = "unlisted_pair"
    kind: ClassVar[str] = "forbidden"


class SegmentCrossed(RemitError):
    """A task of one segment can't use an agent that does not belong to it (R10)."""

    code: ClassVar[str] = "segment"
    kind: ClassVar[str] = "forbidden"


class TooManyCapabilities(RemitError):
    """The task holds as many unused capabilities as it may."""

    code: ClassVar[str] = "too_many_capabilities"
    kind: ClassVar[str] = "rate_limited"


class CapabilityRejected(RemitError):
    """A capability did not verify, or does not fit this call; one public hint for all causes."""

    code: ClassVar[str] = "capability_rejected"
    kind: ClassVar[str] = "forbidden"

    def __init__(self, step: int, reason: str) -> None:
        super().__init__("the capability does not allow this call", debug=f"step {step}: {reason}")
        self.step = step
        self.reason = reason


class CapabilityConsumed(Conflict):
    """The capability has been used; it is never used twice (CA-01)."""

    code: ClassVar[str] = "capability_consumed"


class MalformedTask(Invalid):
    """A task lacks something that it can't run without, or has a deadline outside its limits."""

    code: ClassVar[str] = "malformed_task"
