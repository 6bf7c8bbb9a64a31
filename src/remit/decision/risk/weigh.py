"""What a call's facts contribute to its risk. Pure: the same facts give the same score, on every node.

No statistics and no model: each contribution is a rule that a person can read (R64). What measures or
guesses comes in as a signal (`signals`), or as a contribution of its own that is declared where it exists.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from remit.decision.answer.assessment import WORST, Assessment, Contribution, Part, total, worst
from remit.decision.answer.response import Effect
from remit.decision.call.request import ActionRequest
from remit.decision.facts.signals import Signal, missing, weighed
from remit.decision.provenance.rules import Ruling
from remit.decision.risk.intent import Likeness, unlikeness
from remit.decision.risk.newness import News
from remit.identity.principals import Kind, Principal
from remit.identity.registration import PROVEN_BY
from remit.identity.tools import Sensitivity
from remit.kernel.ids import PrincipalId

CONSEQUENTIAL: Final = 8
IRREVERSIBLE: Final = 12
MONEY: Final = 15
"""For all that a cap leaves to one call, and for money without any cap."""
SENSITIVITY: Final = {
    Sensitivity.UNLABELLED: 3,
    Sensitivity.PUBLIC: 0,
    Sensitivity.INTERNAL: 3,
    Sensitivity.CONFIDENTIAL: 10,
    Sensitivity.RESTRICTED: 20,
}
PROVENANCE: Final = {Effect.PERMIT: 0, Effect.STEP_UP: 15, Effect.ASK: 20, Effect.DENY: 40}
NEW: Final = {Part.NEW_ACTION: 6, Part.NEW_CLASS: 8, Part.NEW_HOST: 8}
HOP: Final = 4
DEEPEST: Final = 12
BEARER: Final = 15
HOUR: Final = 10
YOUNG: Final = 4
YOUNG_FOR: Final = timedelta(hours=1)
"""How long an instance counts as young: its points fall to nothing over that time."""
SELF_REGISTERED: Final = 4
"""An instance whose client registered itself; one by a key that an administrator registered: half of it."""
_FEDERATED: Final = "federation_issuer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """When work is done, in local time: minutes of a day, `[start, end)`, on these weekdays (Monday is 0)."""

    zone: str
    start: int
    end: int
    days: frozenset[int]

    def contains(self, at: datetime) -> bool:
        """Whether people work then."""
        local = at.astimezone(ZoneInfo(self.zone))
        return local.weekday() in self.days and self.start <= local.hour * 60 + local.minute < self.end


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """What an installation wants to be weighed beside what is always weighed."""

    hours: Hours | None = None
    """None: the hour contributes nothing."""
    required: tuple[str, ...] = ()
    """Kinds of signals that every agent must have; without one its risk is the worst."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """What is known of a call beside its own facts."""

    news: News | None
    """None where nobody looked: then nothing is known, and the risk is the worst (PD-21)."""
    signals: Sequence[Signal] = ()
    """Of everybody whom the call stands on."""
    ruling: Ruling | None = None
    """Of provenance; None where it is off."""
    likeness: Likeness | None = None
    """Of goal and action; None where nobody compares them, or one of them is not there."""


def assess(request: ActionRequest, readings: Readings, measure: Measure) -> Assessment:
    """Weigh everything; what should be there and is not makes it the worst."""
    if readings.news is None:
        return worst("what is new was not looked up")
    looked = () if readings.likeness is None else (Part.INTENT,)
    return total(_contributions(request, readings, readings.news, measure), looked=looked)


def plain_key(request: ActionRequest, readings: Readings, measure: Measure) -> tuple[object, ...] | None:
    """Every input of `assess` but the instance and the tool, where there is nothing else to it.

    None where money, signals, an origin of values, a goal or an hour has to be weighed, or nobody looked.
    """
    call, news = request.call, readings.news
    beside = readings.signals or measure.required or call.money is not None or measure.hours is not None
    if beside or news is None or readings.ruling is not None or readings.likeness is not None:
        return None
    subject = call.subject
    return (
        call.consequential,
        call.resource.type,
        len(subject.chain),
        bool(subject.key),
        _youth(request.instance, call.at),
        tuple([each.part for each in news.traits]),
        news.overflow,
    )


def _contributions(
    request: ActionRequest, readings: Readings, news: News, measure: Measure
) -> Iterator[Contribution]:
    yield from _impact(request)
    yield from _standing(request)
    yield from _new(news)
    yield from weighed(readings.signals, request.call.at)
    if measure.required:
        own = {request.principal.id, request.instance.id}
        yield from missing(measure.required, [each for each in readings.signals if each.subject in own])
    if readings.ruling is not None:
        yield _part(Part.PROVENANCE, PROVENANCE[readings.ruling.effect], "values of untrusted origin")
    if (alike := readings.likeness) is not None:
        yield _part(Part.INTENT, unlikeness(alike), alike.because or "the action is not like the goal")
    if measure.hours is not None and not measure.hours.contains(request.call.at):
        yield _part(Part.HOUR, HOUR, f"outside the hours of {measure.hours.zone}")


def _impact(request: ActionRequest) -> Iterator[Contribution]:
    call, tool = request.call, request.tool
    consequential = call.consequential or (tool is not None and tool.consequential)
    if consequential:
        yield _part(Part.CONSEQUENTIAL, CONSEQUENTIAL, "it changes something")
    if consequential and tool is not None and not tool.reversible:
        yield _part(Part.IRREVERSIBLE, IRREVERSIBLE, "it cannot be undone")
    if tool is not None and tool.mapping is not None:
        if tool.mapping.money is not None or call.money is not None:
            yield _part(Part.MONEY, _money(request), "money against the cap")
        label = tool.mapping.resource.sensitivity
        yield _part(Part.SENSITIVITY, SENSITIVITY[label], f"{call.resource.type} is {label}")


def _money(request: ActionRequest) -> int:
    """The share of the smallest cap that one call takes, rounded up; all of it without a cap."""
    money = request.call.money
    if money is None:
        return MONEY
    caps = [
        cap.minor
        for factor in request.factors
        for cap in factor.ceiling.caps.money
        if cap.currency == money.currency
    ]
    least = min(caps, default=0)
    return MONEY if least <= 0 else min(MONEY, math.ceil(MONEY * money.minor / least))


def _standing(request: ActionRequest) -> Iterator[Contribution]:
    subject, instance = request.call.subject, request.instance
    hops = len(subject.chain) - 1
    if hops > 0:
        yield _part(
            Part.DEPTH, min(DEEPEST, HOP * hops), f"handed on {hops} times" if hops > 1 else "handed on"
        )
    if not subject.key:
        yield _part(Part.BEARER, BEARER, "the token is bound to no key")
    if instance.kind is Kind.INSTANCE:
        if youth := _youth(instance, request.call.at):
            yield _part(Part.YOUNG, youth, "the instance is young")
        yield _part(Part.ATTESTATION, _doubt(instance), "nobody attests the instance")


def _youth(instance: Principal, at: datetime) -> int:
    left = YOUNG_FOR - (at - instance.created_at)
    return 0 if left <= timedelta(0) else min(YOUNG, math.ceil(YOUNG * (left / YOUNG_FOR)))


def _doubt(instance: Principal) -> int:
    """By what the instance proved itself: its platform, a registered key, or nothing but its own word."""
    names = [name for name, _ in instance.attributes]
    if _FEDERATED in names:
        return 0
    return SELF_REGISTERED if PROVEN_BY in names else SELF_REGISTERED // 2


def _new(news: News) -> Iterator[Contribution]:
    if not news.traits and not news.overflow:
        return
    for part, points in NEW.items():
        names = [each.name for each in news.traits if each.part is part]
        if names:
            yield _part(part, points, f"first {_WHAT[part]}")
        elif news.overflow and part is Part.NEW_HOST:
            yield _part(part, points, "more hosts than are looked up")


_WHAT: Final = {
    Part.NEW_ACTION: "use of the action",
    Part.NEW_CLASS: "use of this class of resource",
    Part.NEW_HOST: "use of a host",
}


def _part(part: Part, points: int, because: str) -> Contribution:
    return Contribution(part=part, points=min(points, WORST), because=because)


def stood_on(request: ActionRequest) -> Iterable[PrincipalId]:
    """Everybody whose risk is the call's: who acts, the chain, whom it is for, and what made them."""
    named = [request.instance.id, request.principal.id, *request.call.subject.chain]
    named += [each.id for each in (request.blueprint, request.user, *request.companions) if each is not None]
    return dict.fromkeys([*map(PrincipalId, named), *request.lineage.principals])
