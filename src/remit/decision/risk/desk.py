"""Assess calls for the decision point: what must be looked up first, then the score."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from remit.decision.answer.assessment import Assessment
from remit.decision.call.request import ActionRequest, ProposedCall
from remit.decision.facts.signals import Signal
from remit.decision.facts.snapshot import Snapshot
from remit.decision.history.past import Footprint, HistoryStore
from remit.decision.provenance.rules import Ruling
from remit.decision.risk.intent import Likeness
from remit.decision.risk.newness import (
    Acquainted,
    News,
    Trait,
    footprints,
    looked_up,
    traits_of,
)
from remit.decision.risk.weigh import Measure, Readings, assess, plain_key, stood_on
from remit.identity.principals import Principal
from remit.identity.tools import Tool
from remit.kernel.building import changer

_WEIGHED: Final = 4096
_with_risk: Final = changer(ActionRequest, "risk", Assessment)


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What of a call must be looked up in the marks; nothing, most of the time."""

    traits: tuple[Trait, ...]
    overflow: bool
    at: datetime

    def run(self, store: HistoryStore) -> tuple[tuple[Trait, datetime | None], ...]:
        """Look it up; in any thread."""
        return looked_up(store, self.traits, self.at)


class Weighed:
    """What was weighed for the same instance and tool, by all else that it hangs on. OWNED BY: the loop.

    INVARIANT: an entry holds the two objects whose addresses are its key, so no other object can have them;
    both are immutable, and the measure is the desk's own, so what was weighed stays true (N10).
    """

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], tuple[Principal, Tool | None, Assessment]] = {}

    def weigh(self, request: ActionRequest, readings: Readings, measure: Measure) -> Assessment:
        """As `assess`, found again where it was found before."""
        rest = plain_key(request, readings, measure)
        if rest is None:
            return assess(request, readings, measure)
        key = (id(request.instance), id(request.tool), *rest)
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= _WEIGHED:
                self._known.clear()
            known = request.instance, request.tool, assess(request, readings, measure)
            self._known[key] = known
        return known[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskDesk:
    """Assesses the calls of one tenant. OWNED BY: the event loop."""

    measure: Measure = field(default_factory=Measure)
    acquainted: Acquainted = field(default_factory=Acquainted)
    weighed: Weighed = field(default_factory=Weighed)

    def search(self, call: ProposedCall) -> Search:
        """What must be looked up."""
        traits, overflow = traits_of(call)
        unknown = self.acquainted.unknown(traits, call.at)
        return Search(traits=unknown, overflow=overflow, at=call.at)

    def news(self, search: Search, looked: Sequence[tuple[Trait, datetime | None]] = ()) -> News:
        """What is new, given what was looked up."""
        return News(traits=self.acquainted.learn(looked), overflow=search.overflow)

    def assessed(
        self,
        request: ActionRequest,
        snapshot: Snapshot,
        *,
        news: News | None,
        ruling: Ruling | None,
        likeness: Likeness | None = None,
    ) -> ActionRequest:
        """The request with its risk."""
        signals = signals_of(request, snapshot)
        readings = Readings(news=news, signals=signals, ruling=ruling, likeness=likeness)
        return _with_risk(request, self.weighed.weigh(request, readings, self.measure))


def signals_of(request: ActionRequest, snapshot: Snapshot) -> Sequence[Signal]:
    """Every signal about somebody whom the call stands on."""
    known = snapshot.signals
    if not known:
        return ()
    return [signal for ident in stood_on(request) for signal in known.get(ident, ())]


def firsts(news: News | None, at: datetime) -> tuple[Footprint, ...]:
    """The marks that the call leaves if it is permitted."""
    return () if news is None else footprints(news, at)
