"""How far a set of seen values is stretched: to exactly these, to a common beginning or end, to any.

INVARIANT: values that less than half of the tasks bring can't open a set, whatever they are: who plants rare
values finds them named as doubts, not let in.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

from remit.assurance.posture.evidence import Bar
from remit.assurance.posture.use import Use

Sample: TypeAlias = tuple[str, Use]
ENOUGH: Final = 20
"""Tasks from which on a set may be called open."""
OPEN_SHARE: Final = 0.5
"""Part of the tasks that must bring values which are no habit."""
AFFIX_SHARE: Final = 0.8
"""Part of the tasks whose values must share a beginning or an end."""
FEW: Final = 64
_ENDS: Final = re.compile(r"[-_/:.#@]")
_CUTS: Final = 8
_SHORTEST: Final = 2


class Reach(StrEnum):
    """How wide an extent is."""

    FEW = "few"
    STARTING = "starting"
    ENDING = "ending"
    ANY = "any"


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """Which values are meant; `names` for few, `affix` for a beginning or an end."""

    reach: Reach
    names: frozenset[str] = frozenset()
    affix: str = ""

    def holds(self, value: str) -> bool:
        """Whether a value is among those that are meant."""
        match self.reach:
            case Reach.FEW:
                return value in self.names
            case Reach.STARTING:
                return value.startswith(self.affix)
            case Reach.ENDING:
                return value.endswith(self.affix)
            case Reach.ANY:
                return True


ANY: Final = Extent(reach=Reach.ANY)
NONE: Final = Extent(reach=Reach.FEW)


def extent_of(samples: Sequence[Sample], bar: Bar, *, forced: Collection[str], fixed: bool = False) -> Extent:
    """The extent that the evidence carries; what it does not hold is a doubt.

    `forced` are decisions that a person took in: their values belong to it. `fixed` allows no stretching.
    """
    by: dict[str, list[Use]] = defaultdict(list)
    for value, use in samples:
        by[value].append(use)
    wanted = {value for value, use in samples if use.decision in forced}
    kept = {value for value, uses in by.items() if bar.passes(uses)} | wanted
    tasks = {use.run for _, use in samples}
    rare = {use.run for value, use in samples if value not in kept}
    is_open = len(tasks) >= ENOUGH and len(rare) >= OPEN_SHARE * len(tasks)
    if not fixed and (is_open or len(kept) > FEW):
        return _opened(samples, len(tasks), wanted)
    return Extent(reach=Reach.FEW, names=frozenset(kept))


def outside(samples: Iterable[Sample], extent: Extent) -> dict[str, list[Use]]:
    """The values that an extent does not hold, with their uses."""
    found: dict[str, list[Use]] = defaultdict(list)
    for value, use in samples:
        if not extent.holds(value):
            found[value].append(use)
    return dict(found)


def _opened(samples: Sequence[Sample], tasks: int, wanted: set[str]) -> Extent:
    shares: dict[tuple[Reach, str], set[str]] = defaultdict(set)
    for value, use in samples:
        for place in _affixes(value):
            shares[place].add(use.run)
    good = [(len(runs), len(affix), reach, affix) for (reach, affix), runs in shares.items()]
    for count, _, reach, affix in sorted(good, reverse=True):
        extent = Extent(reach=reach, affix=affix)
        if count >= AFFIX_SHARE * tasks and all(map(extent.holds, wanted)):
            return extent
    return ANY


def _affixes(value: str) -> Iterable[tuple[Reach, str]]:
    """Beginnings that end with a sign, and the host of a mail address."""
    cuts = [found.end() for found in _ENDS.finditer(value)][:_CUTS]
    yield from ((Reach.STARTING, value[:cut]) for cut in cuts if _SHORTEST <= cut < len(value))
    if "@" in value:
        yield Reach.ENDING, value[value.rindex("@") :]
