"""What the process ends with, so that a script can tell the cases apart."""

from enum import IntEnum


class Exit(IntEnum):
    """The closed set of exit codes."""

    DONE = 0
    """Done, or permitted."""
    FAILED = 1
    USAGE = 2
    DENIED = 3
    WAITING = 4
    """A person must approve first."""
    INCOMPLETE = 5
    """Begun, and not all of it is confirmed."""
