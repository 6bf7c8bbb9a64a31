"""Is a call within a yes for several? Compared argument by argument, never by likeness. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation

from remit.decision.answer.terms import ArgumentLimit
from remit.decision.call.digest import pointed, rest_digest
from remit.decision.call.request import ActionRequest
from remit.kernel.canonical import Digest, Json
from remit.kernel.ids import ApprovalId


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """A bounded yes that stands, of the same agent, user, task, tool, rules and policy as the call."""

    id: ApprovalId
    left: int
    until: datetime
    generation: int
    """Of the clock that `until` is told by."""
    rest: Digest
    loose: tuple[str, ...]
    limits: tuple[ArgumentLimit, ...]
    resources: tuple[str, ...]


def covering(allowances: Iterable[Allowance], request: ActionRequest, *, generation: int) -> Allowance | None:
    """The first that covers a call; None where it must be asked about.

    SAFETY: every argument that the yes does not leave open is the one that was approved, and a clock that was
    set back since ends the yes: its end would come too late.
    """
    return next(
        (each for each in allowances if each.generation == generation and _covers(each, request)), None
    )


def _covers(allowance: Allowance, request: ActionRequest) -> bool:
    call = request.call
    if f"{call.resource.type}:{call.resource.id}" not in allowance.resources:
        return False
    if rest_digest(call.arguments, allowance.loose) != allowance.rest:
        return False
    return all(admits(limit, *pointed(call.arguments, limit.pointer)) for limit in allowance.limits)


def admits(limit: ArgumentLimit, there: bool, value: Json) -> bool:  # noqa: FBT001 — as `pointed` gives it
    """Whether a value is within a limit: a number from 0 up to it, or anything where there is none."""
    if not limit.at_most:
        return True
    if not there or isinstance(value, bool) or not isinstance(value, str | int | float):
        return False
    try:
        return Decimal(0) <= Decimal(str(value)) <= Decimal(limit.at_most)
    except InvalidOperation:
        return False
