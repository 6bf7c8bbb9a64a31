"""What a rule says of its question beyond who answers it: how wide a yes may be, what silence means."""

from enum import StrEnum

from remit.decision.answer.told import Told


class Silence(StrEnum):
    """What follows when nobody answers in time; it is always told as an expiry, never as a denial."""

    WAIT = "wait"
    """It goes on waiting, for as long as the installation lets asks wait."""
    DENY = "deny"
    """This very call is refused from then on, in this task and under this policy."""
    ESCALATE = "escalate"
    """The next in the chain are asked, with a clock of their own; after the last it ends."""
    READ_ONLY = "read_only"
    """The task goes on, and does nothing more that can do harm."""


class ArgumentLimit(Told, frozen=True, kw_only=True):
    """How far one argument may be from what was approved: a number up to `at_most`; anything without one."""

    pointer: str
    """JSON pointer (RFC 6901) into the arguments."""
    at_most: str = ""
    """A decimal number, as text; empty where the rule leaves the value open."""


class Bound(Told, frozen=True, kw_only=True):
    """The widest yes that a rule lets somebody give."""

    calls: int
    minutes: int
    limits: tuple[ArgumentLimit, ...] = ()
    resources: int = 1
    """How many resources of the asked type a yes may name, the asked one among them."""


class Terms(Told, frozen=True, kw_only=True):
    """What the rule that asks says of its question; empty members mean the installation's default."""

    silence: Silence | None = None
    bound: Bound | None = None
    rules: tuple[str, ...] = ()
    """The rules that ask."""
