"""What a call costs, to whose account, and what is said when an account is used up (N27, R150).

Budgets are hierarchical: one call is charged to the task, to each hop above it, to the agent and to the
consent, all or none, so that children together never exceed their parent (DE-16). A cost is reserved
before the call and settled after it.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from remit.decision.actions import METHODS
from remit.decision.codes import Code, reason
from remit.decision.currency import amount_text
from remit.decision.finding import Finding
from remit.decision.request import ActionRequest, Factor
from remit.decision.response import Effect, NearestMiss, Reason, Stage
from remit.decision.told import Told

_DAY: Final = 86_400
_MINUTE: Final = 60


class Dimension(StrEnum):
    """What is counted."""

    CALLS = "calls"
    RATE = "rate"
    MONEY = "money"


class Settlement(StrEnum):
    """How a reserved call went."""

    RESERVED = "reserved"
    SPENT = "spent"
    """It ran: what was reserved is used."""
    UNUSED = "unused"
    """It never reached the server: everything is given back."""
    UNKNOWN = "unknown"
    """Nobody saw its end: it counts as spent."""


class Line(Told, frozen=True, kw_only=True):
    """One charge: so much to one account in one period, under its cap.

    `period` numbers the UTC day or minute that counts now; 0 is the whole life of the account. Costs and
    caps are calls or minor units, never negative.
    """

    account: str
    factor: str
    dimension: Dimension
    currency: str = ""
    period: int
    cap: int
    cost: int

    @property
    def id(self) -> str:
        """Names the counter."""
        return f"{self.account}|{self.dimension}{':' if self.currency else ''}{self.currency}"


def lines_of(request: ActionRequest) -> tuple[Line, ...]:
    """Everything that the call is charged to, in the one order in which counters are locked."""
    if _is_discovery(request):
        return ()
    at = request.call.at
    found = [line for factor in request.factors for line in _lines(factor, request, at)]
    return tuple(sorted(found, key=lambda line: line.id))


def cost_fault(request: ActionRequest) -> Finding | None:
    """Whether the amount itself is impossible (CA-19), or in a currency that nobody budgeted."""
    mapping = request.tool.mapping if request.tool else None
    money = request.call.money
    if mapping is None or mapping.money is None:
        return None
    if money is None:
        miss = NearestMiss(argument=mapping.money.amount, at_least="0")
        return Finding(
            stage=Stage.BUDGET,
            effect=Effect.DENY,
            reasons=(reason(Code.COST_INVALID),),
            nearest_miss=(miss,),
        )
    capped = {cap.currency for factor in request.factors for cap in factor.ceiling.caps.money}
    if capped and money.currency not in capped:
        return _exhausted(request, _unbudgeted(request, money.currency, money.minor), 0)
    return None


def shortfall(request: ActionRequest, line: Line, spent: int) -> Finding:
    """Say which account could not pay, and what would have been possible."""
    return _exhausted(request, line, max(0, line.cap - spent))


def nothing_short(lines: Sequence[Line]) -> Finding:
    """Every account can pay."""
    return Finding(stage=Stage.BUDGET, effect=Effect.PERMIT, detail=tuple(line.id for line in lines))


def _is_discovery(request: ActionRequest) -> bool:
    method = request.call.action.removeprefix(f"{request.server.name}/")
    return request.call.tool is None and METHODS.get(method, False)


def _lines(factor: Factor, request: ActionRequest, at: datetime) -> Iterator[Line]:
    caps = factor.ceiling.caps
    life = int(at.timestamp()) // _DAY if factor.daily else 0
    if caps.calls is not None:
        yield _line(factor, Dimension.CALLS, period=life, cap=caps.calls, cost=1)
    if caps.per_minute is not None:
        minute = int(at.timestamp()) // _MINUTE
        yield _line(factor, Dimension.RATE, period=minute, cap=caps.per_minute, cost=1)
    money = request.call.money
    for cap in caps.money:
        if money is not None and cap.currency == money.currency:
            yield _line(
                factor,
                Dimension.MONEY,
                currency=cap.currency,
                period=life,
                cap=cap.minor,
                cost=money.minor,
            )


def _line(
    factor: Factor, dimension: Dimension, *, period: int, cap: int, cost: int, currency: str = ""
) -> Line:
    return Line(
        account=factor.account,
        factor=factor.name,
        dimension=dimension,
        currency=currency,
        period=period,
        cap=cap,
        cost=cost,
    )


def _unbudgeted(request: ActionRequest, currency: str, cost: int) -> Line:
    """A currency that no factor lists, while some list others, has no budget: it would be a way round."""
    factor = next(factor for factor in request.factors if factor.ceiling.caps.money)
    return _line(factor, Dimension.MONEY, currency=currency, period=0, cap=0, cost=cost)


def _exhausted(request: ActionRequest, line: Line, left: int) -> Finding:
    said, miss = _words(request, line, left)
    return Finding(stage=Stage.BUDGET, effect=Effect.DENY, reasons=(said,), nearest_miss=(miss,))


def _words(request: ActionRequest, line: Line, left: int) -> tuple[Reason, NearestMiss]:
    at = request.call.at
    period = " per day" if line.period else ""
    again = _next(at, _DAY) if line.period else None
    match line.dimension:
        case Dimension.RATE:
            said = reason(Code.RATE_EXCEEDED, rule=line.id, factor=line.factor, cap=line.cap)
            return said, NearestMiss(at=_next(at, _MINUTE), rule=line.id)
        case Dimension.CALLS:
            said = reason(Code.CALLS_EXHAUSTED, rule=line.id, factor=line.factor, cap=line.cap, period=period)
            return said, NearestMiss(at=again, never=again is None, rule=line.id)
        case Dimension.MONEY:
            said = reason(
                Code.MONEY_EXHAUSTED,
                rule=line.id,
                factor=line.factor,
                currency=line.currency,
                cost=amount_text(line.cost, line.currency),
                left=amount_text(left, line.currency),
                cap=amount_text(line.cap, line.currency),
                period=period,
            )
            return said, _affordable(request, line, left, again)


def _affordable(request: ActionRequest, line: Line, left: int, again: datetime | None) -> NearestMiss:
    mapping = request.tool.mapping if request.tool else None
    if left > 0 and mapping is not None and mapping.money is not None:
        return NearestMiss(
            argument=mapping.money.amount, at_most=amount_text(left, line.currency), rule=line.id
        )
    possible = again is not None and line.cost <= line.cap
    return NearestMiss(at=again if possible else None, never=not possible, rule=line.id)


def _next(at: datetime, seconds: int) -> datetime:
    """The start of the next UTC day or minute."""
    return datetime.fromtimestamp((int(at.timestamp()) // seconds) * seconds, UTC) + timedelta(
        seconds=seconds
    )
