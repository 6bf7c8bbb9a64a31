"""What may be done, as a value that can only shrink: actions, resources, argument bounds, time, budget.

The lattice itself (`meet`, `covers`) lives in `attenuation`; this module holds the nouns.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal, TypeAlias

Any_: TypeAlias = Literal["any"]
"""Says "every one" aloud; an empty set always means none."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A half-open span of time in UTC: `start` is inside, `end` is not."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """An amount in minor units (cents), so that no rounding hides anything."""

    currency: str
    minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """Upper limits of a budget; None means that this limit comes from elsewhere, never "unlimited"."""

    calls: int | None = None
    per_minute: int | None = None
    money: tuple[Money, ...] = ()


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
