"""What is found out about a call before it is judged, in one reading: its values' origins, what is new."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol, TypeAlias, TypeVar

from remit.decision.call.request import Facts, ProposedCall
from remit.decision.facts.snapshot import Snapshot
from remit.decision.plugin.known import About, FactSource, Nowhere
from remit.decision.provenance.rules import Ruling
from remit.decision.provenance.watch import Watch
from remit.decision.repository import DecisionTransaction
from remit.decision.risk.desk import RiskDesk, Search
from remit.decision.risk.intent import IntentDesk, Likeness
from remit.decision.risk.newness import News, Trait
from remit.kernel.ids import PrincipalId

T = TypeVar("T")
_Looked: TypeAlias = Sequence[tuple[Trait, datetime | None]]
_AT_ONCE: Final = 16
"""Calls that plugins are asked about side by side."""
_NOTHING: Final[tuple[None, _Looked]] = (None, ())


class Reading(Protocol):
    """Where things are looked up."""

    async def read(self, work: Callable[[DecisionTransaction], T]) -> T:
        """Run `work` on one consistent view; it must not write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Beforehand:
    """What is known before; None for what nobody looks at."""

    ruling: Ruling | None = None
    news: News | None = None
    facts: Facts | None = None
    likeness: Likeness | None = None


UNLOOKED: Final = Beforehand()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookout:
    """Who looks: provenance, risk, likeness of goal and action; None for one that is off."""

    watch: Watch | None = None
    risk: RiskDesk | None = None
    intent: IntentDesk | None = None
    plugins: FactSource = Nowhere()  # noqa: RUF009 — frozen

    async def look(self, reading: Reading, call: ProposedCall, snapshot: Snapshot) -> Beforehand:
        """Find out all of it; nothing is read where nothing has to be."""
        return (await self.look_all(reading, [call], snapshot))[0]

    async def look_all(
        self, reading: Reading, calls: Sequence[ProposedCall], snapshot: Snapshot
    ) -> list[Beforehand]:
        """The same of several calls, in one reading."""
        searches = [None if self.risk is None else self.risk.search(call) for call in calls]
        if self.watch is not None or any(each is not None and each.traits for each in searches):
            looked = await reading.read(
                lambda tx: [
                    self._look(tx, call, search) for call, search in zip(calls, searches, strict=True)
                ]
            )
        else:
            looked = [_NOTHING] * len(calls)
        desk = self.intent
        alike = [None if desk is None else await desk.likeness(reading, call, snapshot) for call in calls]
        facts = await self._facts_of(calls, snapshot)
        return [
            Beforehand(ruling=ruling, news=self._news(search, found), facts=fact, likeness=like)
            for search, (ruling, found), fact, like in zip(searches, looked, facts, alike, strict=True)
        ]

    def _look(
        self, tx: DecisionTransaction, call: ProposedCall, search: Search | None
    ) -> tuple[Ruling | None, _Looked]:
        ruling = self.watch.ruling(tx, call) if self.watch is not None else None
        return ruling, search.run(tx.history) if search is not None and search.traits else ()

    def _news(self, search: Search | None, looked: _Looked) -> News | None:
        return None if self.risk is None or search is None else self.risk.news(search, looked)

    async def _facts_of(self, calls: Sequence[ProposedCall], snapshot: Snapshot) -> Sequence[Facts | None]:
        """What plugins say, where a policy in use looks at it."""
        names = snapshot.bundle.facts
        if snapshot.rollout is not None:
            names |= snapshot.rollout.bundle.facts
        if not names:
            return [None] * len(calls)
        found: list[Facts] = []
        for start in range(0, len(calls), _AT_ONCE):
            some = calls[start : start + _AT_ONCE]
            asked = (self.plugins.ask(call, names, _about(call, snapshot)) for call in some)
            found += await asyncio.gather(*asked)
        return found


def _about(call: ProposedCall, snapshot: Snapshot) -> About:
    subject = call.subject
    agent = snapshot.principals.get(PrincipalId(subject.agent))
    user = snapshot.principals.get(PrincipalId(subject.user)) if subject.user else None
    task = snapshot.tasks.get(subject.task) if subject.task else None
    return About(
        agent=agent.name if agent else "",
        user=user.name if user else "",
        purpose=task.purpose if task else "",
    )
