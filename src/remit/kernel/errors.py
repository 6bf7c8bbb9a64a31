"""Errors that carry a stable code, a sentence for the caller and a next step.

`hint` may be sent to whoever asked; `debug` never leaves the process. What status code or OAuth error
name an error becomes is decided at the edge alone (`surface.web.errors`, `authority.oauth.errors`).
"""

from typing import ClassVar


class RemitError(Exception):
    """What every error of ours is: a thing that a caller can do something about.

    `code` is stable and documented; `next_step` is one command or address, or empty.
    """

    code: ClassVar[str] = "internal"
    kind: ClassVar[str] = "internal"
    """One of `invalid`, `unauthenticated`, `forbidden`, `not_found`, `conflict`, `gone`, `too_large`,
    `rate_limited`, `unavailable`, `internal`: what a surface turns into its own status."""

    def __init__(self, hint: str, *, debug: str = "", next_step: str = "") -> None:
        super().__init__(hint)
        self.hint = hint
        self.debug = debug
        self.next_step = next_step


class Invalid(RemitError):
    """The input is malformed or breaks a rule that its sender can read."""

    code = "invalid"
    kind = "invalid"


class NotFound(RemitError):
    """No such thing, or none that this caller may know of: both look alike."""

    code = "not_found"
    kind = "not_found"


class Conflict(RemitError):
    """The thing is in a state in which this can't be done."""

    code = "conflict"
    kind = "conflict"


class Unavailable(RemitError):
    """Something that is needed can't be reached; never phrased as a refusal."""

    code = "unavailable"
    kind = "unavailable"


class TooLarge(RemitError):
    """An input is over its limit; the message holds limit and value."""

    code = "too_large"
    kind = "too_large"
