"""What is said when an account is used up, nearly used up, or can't tell what a call costs (N27, CA-19)."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec import structs

from remit.authority.limits import MOST
from remit.decision.answer.finding import Finding
from remit.decision.answer.response import Effect, NearestMiss, Reason, Stage
from remit.decision.budget.cost import Dimension, Line, unbudgeted, unread
from remit.decision.budget.currency import amount_text
from remit.decision.budget.usage import units
from remit.decision.call.request import ActionRequest
from remit.decision.codes.catalogue import Code, reason

_PERIODS: Final = {60: " per minute", 3_600: " per hour", 86_400: " per day"}
_COMPANION: Final = "with "
_OF_OWNER: Final = ("agent", "blueprint")
"""Factors whose budget is the owner's business; every other one is the user's."""


def cost_fault(request: ActionRequest) -> Finding | None:
    """Whether an amount itself is impossible (CA-19), or in a currency that nobody budgeted."""
    mapping = request.tool.mapping if request.tool else None
    if mapping is None:
        return None
    if mapping.meters and (unsaid := unread(request)) is not None:
        code = Code.USAGE_INVALID if unsaid.present else Code.USAGE_UNSTATED
        said = reason(code, argument=unsaid.pointer, unit=units(unsaid.meter))
        return _denied(said, NearestMiss(argument=unsaid.pointer, at_least="0"))
    if mapping.money is None:
        return None
    if request.call.money is None:
        return _denied(reason(Code.COST_INVALID), NearestMiss(argument=mapping.money.amount, at_least="0"))
    line = unbudgeted(request)
    return None if line is None else shortfall(request, line, 0)


def shortfall(request: ActionRequest, line: Line, spent: int) -> Finding:
    """Say which account could not pay, and what would have been possible."""
    return _denied(*_words(request, line, max(0, line.cap - spent)))


def nothing_short(lines: Sequence[Line]) -> Finding:
    """Every account can pay."""
    return Finding(stage=Stage.BUDGET, effect=Effect.PERMIT, detail=tuple(line.id for line in lines))


def wary(request: ActionRequest, lines: Sequence[tuple[Line, int]]) -> Finding:
    """Ask about charges that pass what may be used unasked; each with how much of its account is used.

    SAFETY: who did not start the run was never asked to sign in to it, so their budget refuses (R36).
    """
    theirs = next((line for line, _ in lines if line.factor.startswith(_COMPANION)), None)
    if theirs is not None:
        return _denied(
            reason(
                Code.BUDGET_COMPANION,
                rule=theirs.id,
                factor=theirs.factor,
                above=_amount(theirs, theirs.bound),
                unit=_unit(theirs),
            ),
            NearestMiss(never=True, rule=theirs.id),
        )
    approvers = approvers_of(request, [line for line, _ in lines])
    return Finding(
        stage=Stage.BUDGET,
        effect=Effect.ASK,
        reasons=tuple(_nearly(line, spent) for line, spent in lines),
        nearest_miss=tuple(NearestMiss(approval_from=approvers, rule=line.id) for line, _ in lines),
        approvers=approvers,
        detail=tuple(line.id for line, _ in lines),
    )


def approvers_of(request: ActionRequest, lines: Sequence[Line]) -> str:
    """The user for budgets of theirs, where the call can be taken back; else the agent's owner (N18)."""
    owners = any(line.factor.split(" ", 1)[0] in _OF_OWNER for line in lines)
    by_user = request.user is not None and request.tool is not None and request.tool.reversible
    return "self" if by_user and not owners else "owner"


def left_of(line: Line, spent: int) -> str:
    """What an account has left, for people: `task: 40 of 100 rows left`."""
    if line.cap >= MOST:
        return f"{line.factor}: {_amount(line, spent)} {_unit(line)} used{_period(line)}"
    left = _amount(line, max(0, line.cap - spent))
    return f"{line.factor}: {left} of {_amount(line, line.cap)} {_unit(line)} left{_period(line)}"


def _nearly(line: Line, spent: int) -> Reason:
    capped = line.cap < MOST
    left = f", {_amount(line, max(0, line.cap - spent))} of {_amount(line, line.cap)} left" if capped else ""
    return reason(
        Code.BUDGET_ASKS,
        rule=line.id,
        factor=line.factor,
        spent=_amount(line, spent),
        unit=_unit(line),
        period=_period(line),
        left=left,
        cost=_amount(line, line.cost),
        above=_amount(line, line.bound),
    )


def _denied(said: Reason, miss: NearestMiss) -> Finding:
    return Finding(stage=Stage.BUDGET, effect=Effect.DENY, reasons=(said,), nearest_miss=(miss,))


def _words(request: ActionRequest, line: Line, left: int) -> tuple[Reason, NearestMiss]:
    period = _period(line)
    again = _next(request.call.at, line.seconds) if line.seconds else None
    match line.dimension:
        case Dimension.RATE:
            said = reason(Code.RATE_EXCEEDED, rule=line.id, factor=line.factor, cap=line.cap)
            return said, NearestMiss(at=again, rule=line.id)
        case Dimension.CALLS:
            said = reason(Code.CALLS_EXHAUSTED, rule=line.id, factor=line.factor, cap=line.cap, period=period)
            return said, NearestMiss(at=again, never=again is None, rule=line.id)
        case Dimension.MONEY:
            code = Code.MONEY_EXHAUSTED
        case _:
            code = Code.USAGE_EXHAUSTED
    said = reason(
        code,
        rule=line.id,
        factor=line.factor,
        currency=line.currency,
        unit=_unit(line),
        cost=_amount(line, line.cost),
        left=_amount(line, left),
        cap=_amount(line, line.cap),
        period=period,
    )
    return said, _affordable(request, line, left, again)


def _affordable(request: ActionRequest, line: Line, left: int, again: datetime | None) -> NearestMiss:
    argument = _says(request, line.dimension)
    if left > 0 and argument is not None:
        return NearestMiss(argument=argument[0], at_most=_said(line, left, argument[1]), rule=line.id)
    possible = again is not None and line.cost <= line.cap
    return NearestMiss(at=again if possible else None, never=not possible, rule=line.id)


def _says(request: ActionRequest, dimension: Dimension) -> tuple[str, int] | None:
    """The one argument that says how much the call takes, and what one of its numbers stands for."""
    mapping = request.tool.mapping if request.tool else None
    if mapping is None:
        return None
    if dimension is Dimension.MONEY:
        return (mapping.money.amount, 1) if mapping.money else None
    meter = next((each for each in mapping.meters if each.meter.value == dimension.value), None)
    if meter is None or len(meter.arguments) != 1:
        return None
    return meter.arguments[0], meter.times


def _said(line: Line, left: int, times: int) -> str:
    """What the argument may say: in the tool's own numbers, rounded down."""
    return amount_text(left, line.currency) if line.currency else str(left // times)


def _amount(line: Line, units_: int) -> str:
    return amount_text(units_, line.currency) if line.currency else str(units_)


def _unit(line: Line) -> str:
    return line.currency or units(line.dimension)


def _period(line: Line) -> str:
    return _PERIODS.get(line.seconds, "")


def _next(at: datetime, seconds: int) -> datetime:
    """The start of the next span of the UTC clock."""
    return datetime.fromtimestamp((int(at.timestamp()) // seconds) * seconds, UTC) + timedelta(
        seconds=seconds
    )


def briefly(finding: Finding, left: Sequence[str]) -> Finding:
    """The same finding, telling what is left instead of the names of counters."""
    return structs.replace(finding, detail=tuple(left))
