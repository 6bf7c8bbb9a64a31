"""What is kept of relations besides the tuples themselves."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from remit.platform.settings.units import format_duration

_LEAST: Final = timedelta(hours=1)
_MOST: Final = timedelta(days=3650)


@dataclass(frozen=True, slots=True, kw_only=True)
class RelationChoices:
    """How far back the changes of tuples can be read."""

    changes: timedelta = timedelta(days=90)
    """How long a change of a tuple is told by ReadChanges, at least 1h; a token from before is refused."""

    def __post_init__(self) -> None:
        """Hold the bounds."""
        if not _LEAST <= self.changes <= _MOST:
            raise ValueError(
                f"setting `relations.changes` is {format_duration(self.changes)}, "
                f"it lies between {format_duration(_LEAST)} and {format_duration(_MOST)}"
            )
