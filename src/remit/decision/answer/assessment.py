"""The risk of one call, 0 to 100, as the sum of named contributions.

Whole points, so that a sum is a sum. INVARIANT: more of anything never makes the score lower (R64).
"""

import math
from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from remit.decision.answer.told import Told

WORST: Final = 100


class Part(StrEnum):
    """What a contribution is about; policies read it as `context.risk.contributions.<part>`."""

    UNKNOWN = "unknown"
    """What should be known is not: everything counts as worst (PD-21)."""
    SIGNAL = "signal"
    PROVENANCE = "provenance"
    SENSITIVITY = "sensitivity"
    MONEY = "money"
    BEARER = "bearer"
    IRREVERSIBLE = "irreversible"
    DEPTH = "depth"
    HOUR = "hour"
    INTENT = "intent"
    """How far the action is from the goal; only where a model is there to compare them."""
    CONSEQUENTIAL = "consequential"
    NEW_CLASS = "new_class"
    NEW_ACTION = "new_action"
    NEW_HOST = "new_host"
    YOUNG = "young"
    ATTESTATION = "attestation"


OPTIONAL: Final = frozenset({Part.INTENT})
"""Parts that not every installation weighs: policies see one where it was looked at, and nowhere else."""


_ALWAYS: Final = {part.value: 0 for part in Part if part not in OPTIONAL}


class Contribution(Told, frozen=True, kw_only=True):
    """Points for one reason; `because` says which, for people."""

    part: Part
    points: int
    because: str = ""


class Assessment(Told, frozen=True, kw_only=True):
    """The score and what it is made of: the contributions sum to it, the gravest first."""

    score: int
    contributions: tuple[Contribution, ...] = ()
    looked: tuple[Part, ...] = ()
    """The optional parts that were looked at, whatever they contribute."""

    def points(self, part: Part) -> int:
        """What one part contributes; 0 where it contributes nothing."""
        return sum(each.points for each in self.contributions if each.part is part)

    def table(self) -> dict[str, int]:
        """What each part contributes, as policies see it; without what nobody looked at."""
        told = dict(_ALWAYS)
        for part in self.looked:
            told.setdefault(part.value, 0)
        for each in self.contributions:
            if each.part.value in told:
                told[each.part.value] += each.points
        return told


def total(found: Iterable[Contribution], *, looked: tuple[Part, ...] = ()) -> Assessment:
    """Sum contributions up to 100; what goes beyond is taken off the smallest."""
    left, kept = WORST, list[Contribution]()
    for each in sorted([one for one in found if one.points > 0], key=_gravest):
        points = min(each.points, left)
        if points > 0:
            fits = points == each.points
            kept.append(each if fits else Contribution(part=each.part, points=points, because=each.because))
            left -= points
    return Assessment(score=WORST - left, contributions=tuple(kept), looked=looked)


def worst(because: str) -> Assessment:
    """The risk of what is not known."""
    return total((Contribution(part=Part.UNKNOWN, points=WORST, because=because),))


def level(value: object, most: int) -> int:
    """A level from outside as points, rounded up; what is no number from 0 to `most` is `most` (PD-21)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return most
    # A comparison with NaN is false, so that it is never inside.
    return math.ceil(value) if 0 <= value <= most else most


def known(found: Assessment | None) -> Assessment:
    """An assessment as it may be used: absent, out of range or not the sum of its parts is the worst."""
    if found is None:
        return worst("no risk was assessed")
    parts = [each.points for each in found.contributions]
    sound = type(found.score) is int and 0 <= found.score <= WORST
    if not sound or sum(parts) != found.score or any(each < 0 for each in parts):
        return worst("the assessment does not add up")
    return found


_ORDER: Final = {part: place for place, part in enumerate(Part)}


def _gravest(each: Contribution) -> tuple[int, int]:
    return -each.points, _ORDER[each.part]
