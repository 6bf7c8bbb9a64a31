"""Bounds on arguments, only as far as values were seen: sets, hosts, ranges, sums of money."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from statistics import quantiles
from typing import Final, TypeAlias

from remit.assurance.posture.evidence import Bar
from remit.assurance.posture.extent import ENOUGH, NONE, Extent, Reach, Sample, extent_of, outside
from remit.assurance.posture.profile import SENSITIVE, Argument, Profile
from remit.assurance.posture.use import Use
from remit.authority.arguments import number_of, pointed_at, text_of
from remit.decision.budget.currency import amount_text
from remit.decision.policy.shapes import Flag, Fraction, Text, Whole
from remit.decision.provenance.sensitive import Kind

_FAR: Final = 3
"""Tukey's outer fence: so many times the middle half beyond it."""
_NARROW: Final = Decimal("0.1")
"""Where the middle half is one value: the least width, as a part of it."""
_QUARTERS: Final = 4
_TOLERATED: Final = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Among:
    """The argument's text is one of an extent; an argument that is not there passes if `absent`."""

    name: str
    pointer: str
    extent: Extent
    absent: bool
    flag: bool = False

    def holds(self, use: Use) -> bool:
        """Whether a call is within the bound."""
        value = (use.arguments or {}).get(self.name)
        text = None if value is None else text_of(value)
        return self.absent if text is None else self.extent.holds(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Between:
    """A number between what was seen; `low` is None where less does no harm."""

    name: str
    pointer: str
    low: Decimal | None
    high: Decimal
    absent: bool
    whole: bool

    def holds(self, use: Use) -> bool:
        """Whether a call is within the bound."""
        value = (use.arguments or {}).get(self.name)
        number = None if value is None else number_of(value)
        if number is None:
            return value is None and self.absent
        return (self.low is None or self.low <= number) and number <= self.high


@dataclass(frozen=True, slots=True, kw_only=True)
class UpTo:
    """At most so much money, in minor units by currency; no other currency."""

    most: tuple[tuple[str, int], ...]
    pointer: str = ""
    amount: Decimal | None = None
    """The largest amount as the argument says it, where there is one currency: a ceiling compares that."""

    def holds(self, use: Use) -> bool:
        """Whether a call is within the bound."""
        money = use.money
        return money is not None and any(
            money.currency == currency and money.minor <= minor for currency, minor in self.most
        )


Bound: TypeAlias = Among | Between | UpTo


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounded:
    """The bounds of one action, the uses that don't fit them, and sensitive arguments left open."""

    bounds: tuple[Bound, ...]
    odd: dict[str, list[Use]]
    """By what is odd about them, as `amount 50000`."""
    open: tuple[str, ...]


def bounded(
    uses: Sequence[Use], profile: Profile, bar: Bar, *, forced: Collection[str], fixed: bool
) -> Bounded:
    """Find the bounds of one action's uses."""
    bounds: list[Bound] = []
    odd: dict[str, list[Use]] = defaultdict(list)
    free: list[str] = []
    if uses and all(use.money is not None for use in uses):
        bounds.append(_money(uses, profile, bar, forced, odd))
    for argument in profile.arguments:
        if argument.pointer in profile.money and bounds:
            continue
        bound = _bound(uses, argument, bar, forced, fixed=fixed)
        if bound is None:
            free += [argument.name] if argument.kind in SENSITIVE and _seen(uses, argument) else []
            continue
        bounds.append(bound)
        for use in uses:
            if not bound.holds(use):
                value = text_of((use.arguments or {}).get(argument.name))
                odd[f"{argument.name} {value if value is not None else 'absent'}"].append(use)
    return Bounded(bounds=tuple(bounds), odd=dict(odd), open=tuple(free))


def _seen(uses: Iterable[Use], argument: Argument) -> bool:
    return any(argument.name in (use.arguments or {}) for use in uses)


def _bound(
    uses: Sequence[Use], argument: Argument, bar: Bar, forced: Collection[str], *, fixed: bool
) -> Bound | None:
    given = [(value, use) for use in uses if (value := (use.arguments or {}).get(argument.name)) is not None]
    absent = len(given) < len(uses)
    if _uncalled_for(uses, given, argument, bar, forced):
        return Among(name=argument.name, pointer=argument.pointer, extent=NONE, absent=True)
    if not given:
        return None
    if isinstance(argument.shape, Whole | Fraction):
        numbers = [(number, use) for value, use in given if (number := number_of(value)) is not None]
        return _between(argument, numbers, bar, forced, absent=absent)
    if not isinstance(argument.shape, Text | Flag):
        return None
    samples = [(text, use) for value, use in given if (text := text_of(value)) is not None]
    extent = _among(samples, argument, bar, forced, fixed=fixed)
    if extent is None:
        return None
    return Among(
        name=argument.name,
        pointer=argument.pointer,
        extent=extent,
        absent=absent,
        flag=isinstance(argument.shape, Flag),
    )


def _uncalled_for(
    uses: Sequence[Use],
    given: Sequence[tuple[object, Use]],
    argument: Argument,
    bar: Bar,
    forced: Collection[str],
) -> bool:
    """Whether a sensitive argument is optional and no habit: a copy to somebody that no mail ever had."""
    with_it = [use for _, use in given]
    named = {use.decision for use in with_it}
    without = [use for use in uses if use.decision not in named]
    return (
        argument.kind in SENSITIVE
        and not argument.required
        and not named & set(forced)
        and not bar.passes(with_it)
        and bar.passes(without)
    )


def _among(
    samples: Sequence[Sample], argument: Argument, bar: Bar, forced: Collection[str], *, fixed: bool
) -> Extent | None:
    """The extent of an argument that is no resource; None where nothing can be said about it."""
    tasks = {use.run for _, use in samples}
    if argument.kind in SENSITIVE:
        extent = extent_of(samples, bar, forced=forced, fixed=fixed)
        known = extent.reach is not Reach.FEW or extent.names
        return extent if known and extent.reach is not Reach.ANY else None
    if len(tasks) < ENOUGH:
        return None
    # Of what steers nothing by itself, only a set that is plainly closed says something.
    extent = extent_of(samples, bar, forced=forced, fixed=True)
    rare = {use.run for uses in outside(samples, extent).values() for use in uses}
    return extent if extent.names and len(rare) <= _TOLERATED * len(tasks) else None


def _between(
    argument: Argument,
    numbers: Sequence[tuple[Decimal, Use]],
    bar: Bar,
    forced: Collection[str],
    *,
    absent: bool,
) -> Between | None:
    if not numbers or not (argument.kind is Kind.AMOUNT or _settled(numbers)):
        return None
    kept = _within(numbers, bar, forced)
    low = None if argument.kind is Kind.AMOUNT else min(kept)
    return Between(
        name=argument.name,
        pointer=argument.pointer,
        low=low,
        high=max(kept),
        absent=absent,
        whole=isinstance(argument.shape, Whole),
    )


def _settled(numbers: Sequence[tuple[Decimal, Use]]) -> bool:
    """Whether a number has a range at all: enough tasks, and no new largest or smallest in the later half."""
    if len({use.run for _, use in numbers}) < ENOUGH:
        return False
    ordered = [number for number, _ in sorted(numbers, key=lambda pair: pair[1].at)]
    early, late = ordered[: len(ordered) // 2], ordered[len(ordered) // 2 :]
    return min(early) <= min(late) and max(late) <= max(early)


def _within(numbers: Sequence[tuple[Decimal, Use]], bar: Bar, forced: Collection[str]) -> list[Decimal]:
    """The numbers without those far beyond the others that are no habit."""
    low, high = _fences([number for number, _ in numbers])
    above = [(number, use) for number, use in numbers if number > high]
    below = [(number, use) for number, use in numbers if number < low]
    kept = [number for number, use in numbers if low <= number <= high or use.decision in forced]
    for beyond in (above, below):
        if bar.passes([use for _, use in beyond]):
            kept += [number for number, _ in beyond]
    return kept or [number for number, _ in numbers]


def _fences(numbers: Sequence[Decimal]) -> tuple[Decimal, Decimal]:
    if len(numbers) < _QUARTERS:
        return min(numbers), max(numbers)
    first, _, third = quantiles(numbers, n=_QUARTERS, method="inclusive")
    width = max(third - first, abs(third) * _NARROW)
    return first - _FAR * width, third + _FAR * width


def _money(
    uses: Sequence[Use], profile: Profile, bar: Bar, forced: Collection[str], odd: dict[str, list[Use]]
) -> UpTo:
    """At most what was paid in each currency that is a habit."""
    by: dict[str, list[tuple[Decimal, Use]]] = defaultdict(list)
    for use in uses:
        if use.money is not None:
            by[use.money.currency].append((Decimal(use.money.minor), use))
    most = tuple(
        (currency, int(max(_within(numbers, bar, forced))))
        for currency, numbers in sorted(by.items())
        if bar.passes([use for _, use in numbers]) or any(use.decision in forced for _, use in numbers)
    )
    bound = UpTo(most=most)
    for use in uses:
        if use.money is not None and not bound.holds(use):
            odd[f"{use.money.currency} {amount_text(use.money.minor, use.money.currency)}"].append(use)
    if len(most) > 1 or not profile.amount:
        return bound
    said = [
        number
        for use in uses
        if bound.holds(use) and (number := number_of(pointed_at(use.arguments or {}, profile.amount)[1]))
    ]
    return UpTo(most=most, pointer=profile.amount, amount=max(said, default=None))
