"""How wide a yes may be, in the words of `@bound`: ``calls=10 minutes=60 /amount<=100 /note=any``."""

import re
from decimal import Decimal
from typing import Final

from remit.decision.answer.terms import ArgumentLimit, Bound

MOST_CALLS: Final = 1000
MOST_MINUTES: Final = 24 * 60
MOST_LIMITS: Final = 16
MOST_RESOURCES: Final = 50
GRAMMAR: Final = (
    f"`calls=` up to {MOST_CALLS} and `minutes=` up to {MOST_MINUTES}; if need be `resources=` up to "
    f"{MOST_RESOURCES}, and arguments that may differ: `/amount<=100`, `/note=any`"
)
_COUNT: Final = re.compile(r"(calls|minutes|resources)=([1-9][0-9]{0,4})")
_LIMIT: Final = re.compile(r"(/[^\s<=]{1,256})(?:<=([0-9]{1,15}(?:\.[0-9]{1,9})?)|=any)")
_MOST: Final = {"calls": MOST_CALLS, "minutes": MOST_MINUTES, "resources": MOST_RESOURCES}


def read_bound(text: str) -> Bound | None:
    """Read the words of a rule; None where they are none, or one is said twice."""
    counts: dict[str, int] = {}
    limits: dict[str, ArgumentLimit] = {}
    for word in text.split():
        count, limit = _COUNT.fullmatch(word), _LIMIT.fullmatch(word)
        if count is not None and count[1] not in counts and int(count[2]) <= _MOST[count[1]]:
            counts[count[1]] = int(count[2])
        elif limit is not None and limit[1] not in limits:
            limits[limit[1]] = ArgumentLimit(pointer=limit[1], at_most=limit[2] or "")
        else:
            return None
    if not {"calls", "minutes"} <= counts.keys() or len(limits) > MOST_LIMITS:
        return None
    return Bound(
        calls=counts["calls"],
        minutes=counts["minutes"],
        resources=counts.get("resources", 1),
        limits=tuple(limits[pointer] for pointer in sorted(limits)),
    )


def narrower(mine: Bound, rule: Bound) -> bool:
    """Whether a yes is within what the rule allows, in every respect."""
    widest = {limit.pointer: limit.at_most for limit in rule.limits}
    return (
        1 <= mine.calls <= rule.calls
        and 1 <= mine.minutes <= rule.minutes
        and 1 <= mine.resources <= rule.resources
        and len({limit.pointer for limit in mine.limits}) == len(mine.limits)
        and all(limit.pointer in widest and _within(limit, widest[limit.pointer]) for limit in mine.limits)
    )


def _within(limit: ArgumentLimit, widest: str) -> bool:
    return not widest or (bool(limit.at_most) and Decimal(limit.at_most) <= Decimal(widest))
