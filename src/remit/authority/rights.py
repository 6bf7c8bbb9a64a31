"""What may be done, as a value that can only shrink: actions, resources, argument bounds, time, budget.

The lattice itself (`meet`, `covers`) lives in `attenuation`; this module holds the nouns.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final, Literal, TypeAlias

from remit.authority.limits import MOST, Limit, MalformedCeiling, check_limits

__all__ = [
    "ANY_PURPOSE",
    "MAX_DEPTH",
    "Any_",
    "Caps",
    "Ceiling",
    "Constraint",
    "MalformedCeiling",
    "Money",
    "Right",
    "Window",
]
Any_: TypeAlias = Literal["any"]
"""Says "every one" aloud; an empty set always means none."""
ANY_PURPOSE: Final = "any"
"""The purpose of a ceiling that holds for every purpose; an empty purpose holds for none."""
MAX_DEPTH: Final = 10
"""The most hops that an envelope may have (security section 3)."""
_POINTER = re.compile(r"(/([^~/]|~[01])*)+", re.DOTALL)
_CURRENCY = re.compile(r"[A-Z]{3}")


def _count(name: str, value: int | None) -> None:
    # `True` is an int in Python, and no count.
    if value is not None and (isinstance(value, bool) or not 0 <= value <= MOST):
        raise MalformedCeiling(f"`{name}` is `{value}`, it lies between 0 and {MOST}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """A bound on one argument, named by JSON pointer (RFC 6901); all parts that are set must hold.

    Numbers compare as decimals; `one_of` compares the canonical JSON text of scalars without quotes.
    A constrained argument that is absent violates the constraint.
    """

    pointer: str
    one_of: frozenset[str] | None = None
    at_least: Decimal | None = None
    at_most: Decimal | None = None

    def __post_init__(self) -> None:
        if not _POINTER.fullmatch(self.pointer):
            raise MalformedCeiling(f"`{self.pointer}` is no JSON pointer to an argument (RFC 6901 §3)")
        for bound in (self.at_least, self.at_most):
            if bound is not None and not bound.is_finite():
                raise MalformedCeiling(f"`{bound}` is no finite number")


@dataclass(frozen=True, slots=True, kw_only=True)
class Right:
    """One action on some resources of one type, within constraints.

    `action` is `<server>/<action>` as the tool's mapping names it, compared byte for byte; there are no
    patterns. `resources` holds ids, or `"any"` of that type.
    """

    action: str
    resource_type: str
    resources: frozenset[str] | Any_
    constraints: tuple[Constraint, ...] = ()

    def __post_init__(self) -> None:
        if not self.action or not self.resource_type:
            raise MalformedCeiling("a right names an action and a resource type")


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A half-open span of time in UTC: `start` is inside, `end` is not."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise MalformedCeiling("a window needs aware times")

    def contains(self, at: datetime) -> bool:
        """Whether the moment lies in `[start, end)`; never in a window that ends before it starts."""
        return self.start <= at < self.end


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """An amount in minor units (cents), so that no rounding hides anything."""

    currency: str
    minor: int

    def __post_init__(self) -> None:
        if not _CURRENCY.fullmatch(self.currency):
            raise MalformedCeiling(f"`{self.currency}` is no currency code (ISO 4217)")
        _count("minor", self.minor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """Upper limits of a budget; None means that this limit comes from elsewhere, never "unlimited"."""

    calls: int | None = None
    per_minute: int | None = None
    money: tuple[Money, ...] = ()
    limits: tuple[Limit, ...] = ()
    """What else is counted, and above what a person is asked; each dimension once per span of time."""

    def __post_init__(self) -> None:
        check_limits(self.limits)
        _count("calls", self.calls)
        _count("per_minute", self.per_minute)
        if len({money.currency for money in self.money}) != len(self.money):
            raise MalformedCeiling("caps name a currency twice")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """The most that a holder may do: the only shape in which authority is stored, signed or compared.

    `depth` is how many further hops may follow. Built anew only by `attenuation.meet`.
    """

    rights: frozenset[Right]
    window: Window
    caps: Caps
    depth: int
    purpose: str

    def __post_init__(self) -> None:
        _count("depth", self.depth)
        if self.depth > MAX_DEPTH:
            raise MalformedCeiling(f"`depth` is `{self.depth}`, the limit is {MAX_DEPTH}")
