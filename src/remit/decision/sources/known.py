"""What of the data in an agent's context one decision looks at."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

NO_EXPORT: Final = "no-export"
"""Label of data that leaves the house in no call; the obligation `no_export` gives it."""
SUMMARIZE_ONLY: Final = "summarize-only"
"""Label of data that is retold and never repeated; the obligation `summarize_only` gives it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Labels of everything in the context, and what the call's own arguments do with it."""

    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Each with a name of the first source that brought it."""
    full: frozenset[str] = frozenset()
    """Names of tags that had too many different values: which of them are there is not known any more."""
    outward: tuple[tuple[str, str], ...] = ()
    """Pointer and value of every argument that names somebody or something outside the house."""
    copied: tuple[str, ...] = ()
    """Pointers of arguments that repeat what may only be summarized, word for word."""

    @property
    def spoken(self) -> frozenset[str]:
        """The labels as policies see them."""
        return frozenset(self.labels)

    @property
    def destinations(self) -> tuple[str, ...]:
        """Where the call would carry its content, each once."""
        return tuple(dict.fromkeys(value for _, value in self.outward))


UNKNOWN: Final = Known()
"""Of a call about whose context nobody asked: no policy looks at it."""
