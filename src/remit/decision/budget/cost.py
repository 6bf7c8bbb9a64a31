"""What a call costs, and to whose account (N27, R150).

Budgets are hierarchical: one call is charged to the task, to each hop above it, to the agent and to the
consent, all or none, so that children together never exceed their parent (DE-16). A cost is reserved
before the call and settled after it.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Final

from msgspec import structs

from remit.authority.limits import MOST, Dimension, Per
from remit.authority.rights import Caps
from remit.decision.answer.told import Told
from remit.decision.budget.usage import Unread, asked_for
from remit.decision.call.actions import METHODS
from remit.decision.call.request import ActionRequest, Factor

__all__ = [
    "SPANS",
    "Counter",
    "Dimension",
    "Line",
    "Settlement",
    "charges",
    "costs_of",
    "counters",
    "currencies",
    "lines_of",
    "plan",
    "unbudgeted",
    "unread",
]

SPANS: Final[Mapping[Per, int]] = {Per.MINUTE: 60, Per.HOUR: 3_600, Per.DAY: 86_400}
"""Seconds of each span of the clock."""


class Settlement(StrEnum):
    """How a reserved call went."""

    RESERVED = "reserved"
    SPENT = "spent"
    """It ran: what was reserved is used, or what its result says."""
    UNUSED = "unused"
    """It never reached the server: everything is given back."""
    UNKNOWN = "unknown"
    """Nobody saw its end: it counts as spent."""


class Counter(Told, frozen=True, kw_only=True):
    """What caps limit, however it is spelled there."""

    of: Dimension
    per: Per
    currency: str
    most: int | None
    ask_above: int | None


class Line(Told, frozen=True, kw_only=True):
    """One charge: so much to one account in one period, under its cap.

    `period` numbers the span of the clock that counts now; 0 is the whole life of the account. Costs and
    caps are units of the dimension, never negative.
    """

    account: str
    factor: str
    dimension: Dimension
    currency: str = ""
    period: int
    cap: int
    cost: int
    per: Per = Per.WHOLE
    ask_above: int | None = None
    """Where a person is asked before more than this is used."""

    @property
    def id(self) -> str:
        """Names the counter."""
        span = "" if self.per is Per.WHOLE else f"/{self.per}"
        return f"{self.account}|{self.dimension}{':' if self.currency else ''}{self.currency}{span}"

    @property
    def bound(self) -> int:
        """What may be used while nobody is asked."""
        return self.cap if self.ask_above is None else min(self.cap, self.ask_above)

    @property
    def seconds(self) -> int:
        """How long its period is; 0 for the whole life of the account."""
        if self.dimension is Dimension.RATE:
            return SPANS[Per.MINUTE]
        return SPANS.get(self.per, SPANS[Per.DAY] if self.period else 0)

    @property
    def ends(self) -> datetime | None:
        """When its period is over, exclusive; None for the whole life of the account."""
        return datetime.fromtimestamp((self.period + 1) * self.seconds, UTC) if self.seconds else None

    def bounded(self) -> "Line":
        """The same charge with nothing above what may be used unasked."""
        return self if self.ask_above is None else structs.replace(self, cap=self.bound, ask_above=None)

    def answered(self) -> "Line":
        """The same charge where a person has said yes: up to the cap itself."""
        return self if self.ask_above is None else structs.replace(self, ask_above=None)

    def costing(self, cost: int, *, at: datetime | None = None) -> "Line":
        """The same account with another cost, in the period that runs at `at` if it is given."""
        period = self.period if at is None else _period(self.seconds, at)
        return structs.replace(self, cost=cost, period=period, ask_above=None)


def lines_of(request: ActionRequest) -> tuple[Line, ...]:
    """Everything that the call is charged to, in the one order in which counters are locked."""
    if _is_discovery(request):
        return ()
    costs = costs_of(request)
    found = dict[str, Line]()
    for line in (line for factor in request.factors for line in charges(factor, costs, request.call.at)):
        # One call costs an account once, also where its holder stands in the chain twice.
        if line.id not in found or line.bound < found[line.id].bound:
            found[line.id] = line
    return tuple(found[name] for name in sorted(found))


def costs_of(request: ActionRequest) -> Mapping[tuple[Dimension, str], int]:
    """What the call takes of each dimension and currency; nothing of what its tool says nothing about."""
    costs = {(Dimension.CALLS, ""): 1, (Dimension.RATE, ""): 1}
    if request.call.money is not None:
        costs[Dimension.MONEY, request.call.money.currency] = request.call.money.minor
    mapping = request.tool.mapping if request.tool else None
    for meter in mapping.meters if mapping else ():
        amount = asked_for(meter, request.call.arguments)
        if not isinstance(amount, Unread) and amount:
            costs[Dimension(meter.meter.value), ""] = amount
    return costs


def unread(request: ActionRequest) -> Unread | None:
    """The first meter of the tool for which the call says nothing that can be counted (CA-19)."""
    mapping = request.tool.mapping if request.tool else None
    for meter in mapping.meters if mapping else ():
        amount = asked_for(meter, request.call.arguments)
        if isinstance(amount, Unread):
            return amount
    return None


def charges(factor: Factor, costs: Mapping[tuple[Dimension, str], int], at: datetime) -> Iterator[Line]:
    """What costs are charged to one factor's account, under its caps."""
    for counter in plan(factor.ceiling.caps):
        cost = costs.get((counter.of, counter.currency))
        if cost is not None:
            yield _line(factor, counter, cost, at)


def counters(factor: Factor, at: datetime) -> Iterator[Line]:
    """All that one factor limits, at no cost: what there is to look at."""
    for counter in plan(factor.ceiling.caps):
        yield _line(factor, counter, 0, at)


def _line(factor: Factor, counter: "Counter", cost: int, at: datetime) -> Line:
    # A rate keeps the name that its counter always had.
    rate = (counter.of, counter.per) == (Dimension.CALLS, Per.MINUTE)
    daily = SPANS[Per.DAY] if factor.daily else 0
    return Line(
        account=factor.account,
        factor=factor.name,
        dimension=Dimension.RATE if rate else counter.of,
        currency=counter.currency,
        period=_period(SPANS.get(counter.per, daily), at),
        cap=MOST if counter.most is None else counter.most,
        cost=cost,
        per=Per.WHOLE if rate else counter.per,
        ask_above=counter.ask_above,
    )


@lru_cache(maxsize=1024)
def plan(caps: Caps) -> tuple["Counter", ...]:
    """All that caps limit, each counter once, however it is spelled."""
    asks = {limit.key: limit for limit in caps.limits}
    spelled = {
        (Dimension.CALLS, Per.WHOLE, ""): caps.calls,
        (Dimension.CALLS, Per.MINUTE, ""): caps.per_minute,
        **{(Dimension.MONEY, Per.WHOLE, each.currency): each.minor for each in caps.money},
    }
    found = []
    for (of, per, currency), said in spelled.items():
        limit = asks.pop((of, per, currency), None)
        bounds = [each for each in (said, limit.most if limit else None) if each is not None]
        most, ask_above = min(bounds, default=None), limit.ask_above if limit else None
        if most is not None or ask_above is not None:
            found.append(Counter(of=of, per=per, currency=currency, most=most, ask_above=ask_above))
    found += [
        Counter(of=each.of, per=each.per, currency=each.currency, most=each.most, ask_above=each.ask_above)
        for each in asks.values()
    ]
    return tuple(found)


def unbudgeted(request: ActionRequest) -> Line | None:
    """The charge that nobody budgeted: a currency that no factor lists, while some list others."""
    money = request.call.money
    capped = [(factor, currency) for factor in request.factors for currency in currencies(factor)]
    if money is None or not capped or money.currency in {currency for _, currency in capped}:
        return None
    factor = capped[0][0]
    return Line(
        account=factor.account,
        factor=factor.name,
        dimension=Dimension.MONEY,
        currency=money.currency,
        period=0,
        cap=0,
        cost=money.minor,
    )


def currencies(factor: Factor) -> frozenset[str]:
    """The currencies that a factor has a budget of."""
    return frozenset(
        limit.currency for limit in plan(factor.ceiling.caps) if limit.currency and limit.most is not None
    )


def _period(seconds: int, at: datetime) -> int:
    return int(at.timestamp()) // seconds if seconds else 0


def _is_discovery(request: ActionRequest) -> bool:
    method = request.call.action.removeprefix(f"{request.server.name}/")
    return request.call.tool is None and METHODS.get(method, False)
