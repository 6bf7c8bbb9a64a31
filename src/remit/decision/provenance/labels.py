"""Where a value came from: one closed set of labels, and how far each is believed."""

from enum import StrEnum
from typing import Final


class Label(StrEnum):
    """Origin of a value that an agent holds. What was never seen is `UNKNOWN`, and that is untrusted."""

    USER = "user_intent"
    """The person wrote it, in the task's goal."""
    POLICY = "policy"
    """A constant of a policy, of a tool's schema or of the installation."""
    TRUSTED = "trusted_source"
    """A source that the installation declared as trusted."""
    VERIFIED = "verified_record"
    """A record of a directory or system of record, or a value that a person approved in this task."""
    TOOL = "tool_result"
    """A typed field of a tool's result; believed only in a record that the user's own words select."""
    TEXT = "retrieved_text"
    """Prose of a mail, file, page, comment: whoever wrote it, it was not the user."""
    AGENT = "another_agent"
    """Said by another agent."""
    UNKNOWN = "unknown"
    """Seen nowhere: made up, computed, or hidden in an encoding."""


_RANK: Final = {label: place for place, label in enumerate(reversed(Label))}

BELIEVED: Final = frozenset({Label.USER, Label.POLICY, Label.TRUSTED, Label.VERIFIED})
"""Labels whose values may name a destination by themselves."""


def firmer(one: Label, other: Label) -> bool:
    """Whether `one` is believed more than `other`."""
    return _RANK[one] > _RANK[other]
