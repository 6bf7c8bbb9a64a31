"""Apply one ceiling to one attempt, and say what the nearest right would have needed."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from remit.authority.arguments import number_of, pointed_at, text_of
from remit.authority.rights import ANY_PURPOSE, Ceiling, Constraint, Right, Window
from remit.kernel.canonical import Json, JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What somebody wants to do now; `action` is `<server>/<action>`."""

    action: str
    resource_type: str
    resource: str
    arguments: JsonObject
    at: datetime
    purpose: str


class Part(StrEnum):
    """Which part of a ceiling said no, weakest fit first."""

    RIGHTS = "rights"
    """The ceiling is empty, and empty is none."""
    ACTION = "action"
    RESOURCE_TYPE = "resource_type"
    RESOURCE = "resource"
    ARGUMENT = "argument"
    WINDOW = "window"
    PURPOSE = "purpose"


@dataclass(frozen=True, slots=True, kw_only=True)
class Miss:
    """One thing that would have to differ; with it, what would have passed.

    `allowed` lists actions, types or resource ids for those parts; `constraint` and `found` belong to an
    argument (`found` is empty when it is absent), `window` to a time, `purpose` to a purpose.
    """

    part: Part
    allowed: tuple[str, ...] = ()
    constraint: Constraint | None = None
    present: bool = True
    window: Window | None = None
    purpose: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """The ceiling holds a right for the attempt."""

    right: Right


@dataclass(frozen=True, slots=True, kw_only=True)
class Violated:
    """The ceiling does not allow the attempt; `misses` is what the nearest right would need, never empty.

    `right` is that nearest right, or None where no right names the action.
    """

    misses: tuple[Miss, ...]
    right: Right | None = None


def permits(ceiling: Ceiling, attempt: Attempt) -> Allowed | Violated:
    """Whether one ceiling allows one attempt.

    Depth and caps are not judged here: they are counted where hops and calls are.
    """
    around = _around(ceiling, attempt)
    if not ceiling.rights:
        return Violated(misses=(Miss(part=Part.RIGHTS), *around))
    named = [right for right in ceiling.rights if right.action == attempt.action]
    if not named:
        actions = tuple(sorted({right.action for right in ceiling.rights}))
        return Violated(misses=(Miss(part=Part.ACTION, allowed=actions), *around))
    misses, right = min(((_misses(right, attempt), right) for right in named), key=_distance)
    if misses or around:
        return Violated(misses=(*misses, *around), right=right)
    return Allowed(right=right)


def applicable(rights: Iterable[Right], action: str, resource_type: str) -> tuple[Right, ...]:
    """The rights that name an action on a type: only one of these can allow an attempt at it."""
    return tuple(each for each in rights if each.action == action and each.resource_type == resource_type)


def fits_always(right: Right) -> bool:
    """Whether an applicable right allows every resource with whatever arguments."""
    return right.resources == "any" and not right.constraints


def fits(right: Right, resource: str, arguments: JsonObject) -> bool:
    """Whether an applicable right allows this resource with these arguments; `permits` says what it lacks."""
    if right.resources != "any" and resource not in right.resources:
        return False
    return all(_met(constraint, arguments) for constraint in right.constraints)


def suits(ceiling: Ceiling, purpose: str) -> bool:
    """Whether a ceiling holds for a purpose; an empty purpose suits none."""
    return bool(purpose) and ceiling.purpose in {purpose, ANY_PURPOSE}


def _met(constraint: Constraint, arguments: JsonObject) -> bool:
    present, value = pointed_at(arguments, constraint.pointer)
    return present and _holds(constraint, value)


def _around(ceiling: Ceiling, attempt: Attempt) -> tuple[Miss, ...]:
    found = []
    if not ceiling.window.contains(attempt.at):
        found.append(Miss(part=Part.WINDOW, window=ceiling.window))
    if not suits(ceiling, attempt.purpose):
        found.append(Miss(part=Part.PURPOSE, purpose=ceiling.purpose))
    return tuple(found)


def _distance(candidate: tuple[tuple[Miss, ...], Right]) -> tuple[int, int, str]:
    """Nearest first: the right resource with one bad argument is nearer than another resource."""
    misses, right = candidate
    places = sum(2 for miss in misses if miss.part is not Part.ARGUMENT)
    return len(misses) + places, len(right.constraints), repr(sorted_resources(right))


def sorted_resources(right: Right) -> tuple[str, ...]:
    """The resources of a right in one order; `("any",)` for all of the type."""
    return ("any",) if right.resources == "any" else tuple(sorted(right.resources))


def _misses(right: Right, attempt: Attempt) -> tuple[Miss, ...]:
    found = []
    if right.resource_type != attempt.resource_type:
        found.append(Miss(part=Part.RESOURCE_TYPE, allowed=(right.resource_type,)))
    elif right.resources != "any" and attempt.resource not in right.resources:
        found.append(Miss(part=Part.RESOURCE, allowed=sorted_resources(right)))
    for constraint in right.constraints:
        present, value = pointed_at(attempt.arguments, constraint.pointer)
        if not present or not _holds(constraint, value):
            found.append(Miss(part=Part.ARGUMENT, constraint=constraint, present=present))
    return tuple(found)


def _holds(constraint: Constraint, value: Json) -> bool:
    """Whether one present value satisfies every bound that is set; a value of another type satisfies none."""
    text = text_of(value)
    if text is None:
        # A list or an object has no text and no amount; only "must be present" is satisfied by it.
        return constraint.one_of is None and constraint.at_least is None and constraint.at_most is None
    if constraint.one_of is not None and text not in constraint.one_of:
        return False
    if constraint.at_least is None and constraint.at_most is None:
        return True
    number = number_of(value)
    if number is None:
        return False
    return (constraint.at_least is None or constraint.at_least <= number) and (
        constraint.at_most is None or number <= constraint.at_most
    )
