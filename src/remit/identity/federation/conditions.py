"""Conditions of a rule: whole values, or patterns whose wildcard stands for exactly one whole segment.

A value is cut at `:`, `/` and `@`, and the cuts count too. `*` alone between two cuts matches one segment
that is not empty; there is no other wildcard, so no pattern is a prefix and none spans a cut: `repo:org/*`
matches neither `repo:org-evil/x` nor `repo:org/x:ref:refs/heads/main`. Where a wildcard may stand at all
is the claim's to say, by its shapes: there `!` is a segment that must be written out, `?` one that may be
`*`, and a last `…` lets any number of segments follow, each of which may be `*`.
"""

import re
from dataclasses import dataclass
from typing import Final

from remit.identity.federation.claims import Claim
from remit.identity.federation.errors import RuleUnfit

LONGEST: Final = 512
"""Characters of a condition's value."""
_CUTS: Final = re.compile(r"([:/@])")
_WILD: Final = "*"
_REST: Final = "…"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """That a claim has this value, or one that the pattern matches."""

    claim: str
    pattern: str

    @property
    def exact(self) -> bool:
        """Whether only one value fulfils it."""
        return _WILD not in self.pattern

    def holds(self, value: str) -> bool:
        """Whether a claim's value fulfils it; an absent claim, empty text, fulfils nothing."""
        if not value:
            return False
        if self.exact:
            return value == self.pattern
        wanted, found = _CUTS.split(self.pattern), _CUTS.split(value)
        return len(wanted) == len(found) and all(map(_fits, wanted, found))


def check_condition(condition: Condition, row: Claim) -> None:
    """Refuse a pattern that is malformed, or more open than the claim admits. Raises `RuleUnfit`."""
    pattern = condition.pattern
    if not pattern or len(pattern) > LONGEST or not pattern.isprintable():
        raise RuleUnfit(f"value for `{row.name}` must have 1 to {LONGEST} printable characters")
    if condition.exact:
        return
    segments = _CUTS.split(pattern)
    if any(_WILD in segment and segment != _WILD for segment in segments):
        raise RuleUnfit(
            f"`*` in `{pattern}` must be a whole segment: values are cut at `:`, `/` and `@`, never matched "
            "by their beginning"
        )
    if not any(_admits(_CUTS.split(shape), segments) for shape in row.shapes):
        shapes = ", ".join(f"`{shape}`" for shape in row.shapes) or "none"
        raise RuleUnfit(
            f"`{pattern}` leaves open what must be written out in `{row.name}`; patterns there: {shapes}"
        )


def _fits(wanted: str, found: str) -> bool:
    return bool(found) if wanted == _WILD else wanted == found


def _admits(shape: list[str], segments: list[str]) -> bool:
    if shape[-1] == _REST:
        head = shape[:-1]
        return len(segments) > len(head) and all(map(_allows, head, segments))
    return len(shape) == len(segments) and all(map(_allows, shape, segments))


def _allows(part: str, segment: str) -> bool:
    match part:
        case "?":
            return bool(segment)
        case "!":
            return bool(segment) and segment != _WILD
        case literal:
            return literal == segment
