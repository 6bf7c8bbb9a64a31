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
from remit.decision.risk.weigh import Measure, Readings, assess, stood_on
from remit.kernel.building import changer

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


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskDesk:
    """Assesses the calls of one tenant. OWNED BY: the event loop."""

    measure: Measure = field(default_factory=Measure)
    acquainted: Acquainted = field(default_factory=Acquainted)

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
        return _with_risk(request, assess(request, readings, self.measure))


def signals_of(request: ActionRequest, snapshot: Snapshot) -> Sequence[Signal]:
    """Every signal about somebody whom the call stands on."""
    known = snapshot.signals
    if not known:
        return ()
    return [signal for ident in stood_on(request) for signal in known.get(ident, ())]


def firsts(news: News | None, at: datetime) -> tuple[Footprint, ...]:
    """The marks that the call leaves if it is permitted."""
    return () if news is None else footprints(news, at)
