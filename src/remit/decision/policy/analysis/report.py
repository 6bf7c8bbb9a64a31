"""What an analysis finds, as it is told."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from remit.kernel.canonical import JsonObject


class Class(StrEnum):
    """The closed set of findings."""

    ALWAYS_ALLOWS = "always_allows"
    """A permit without a person holds for every request that there can be."""
    NEVER_SATISFIED = "never_satisfied"
    """No request satisfies the rule."""
    SHADOWED = "shadowed"
    """Whenever the permit holds, a forbid does too."""
    INEFFECTIVE = "ineffective"
    """Without the rule, every answer would be the same."""
    WIDENED = "widened"
    """Something is let through that was not, or with less."""
    NARROWED = "narrowed"
    """Something is no longer let through, or only with more."""
    CHANGED = "changed"
    """Neither: somebody else is asked."""
    EQUIVALENT = "equivalent"
    """Both texts answer every request alike."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One finding. `request` is one that shows it, `answer` what the evaluator says to it."""

    kind: Class
    rule: str
    sentence: str
    request: JsonObject | None = None
    answer: str = ""
    before: str = ""
    """What the other text answers, where two are compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that was found, and everything about which nothing can be said."""

    findings: tuple[Found, ...]
    undecided: tuple[str, ...]
    """Rules or questions that the analysis has no form for, or no time."""
    kinds: int
    """Kinds of request that were looked at."""
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long the solver may take."""

    steps: int = 30_000_000
    """Of the solver, for one question: the same on every machine, however busy (about ten seconds)."""
    total_s: float = 300.0


PATIENCE = Patience()


def report(found: Iterable[Found], undecided: Sequence[str], kinds: int, begun: float) -> Report:
    """Put together what was found since `begun`, a reading of the monotonic clock."""
    return Report(
        findings=tuple(found),
        undecided=tuple(dict.fromkeys(undecided)),
        kinds=kinds,
        seconds=time.monotonic() - begun,
    )


class Unconfirmed(Exception):
    """The solver claims what the evaluator denies: a mistake of the analysis, never told as a finding."""
