"""What is found out about a call before it is judged, in one reading: its values' origins, what is new."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias

from remit.decision.call.request import Facts, ProposedCall
from remit.decision.facts.snapshot import Snapshot
from remit.decision.plugin.known import About, FactSource, Nowhere
from remit.decision.provenance.rules import Ruling
from remit.decision.provenance.watch import Watch
from remit.decision.repository import DecisionTransaction
from remit.decision.risk.desk import RiskDesk
from remit.decision.risk.intent import IntentDesk, Likeness
from remit.decision.risk.newness import News, Trait
from remit.kernel.ids import PrincipalId
from remit.kernel.uow import UnitOfWork

_Looked: TypeAlias = Sequence[tuple[Trait, datetime | None]]


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

    async def look(
        self, uow: UnitOfWork[DecisionTransaction], call: ProposedCall, snapshot: Snapshot
    ) -> Beforehand:
        """Find out all of it; nothing is read where nothing has to be."""
        watch, risk = self.watch, self.risk
        search = None if risk is None else risk.search(call)
        wanted = search if search is not None and search.traits else None
        ruling: Ruling | None = None
        looked: _Looked = ()
        if watch is not None or wanted is not None:

            def read(tx: DecisionTransaction) -> tuple[Ruling | None, _Looked]:
                found = watch.ruling(tx, call) if watch is not None else None
                return found, wanted.run(tx.history) if wanted is not None else ()

            ruling, looked = await uow.read(read)
        news = None if risk is None or search is None else risk.news(search, looked)
        alike = None if self.intent is None else await self.intent.likeness(uow, call, snapshot)
        facts = await self._facts(call, snapshot)
        return Beforehand(ruling=ruling, news=news, facts=facts, likeness=alike)

    async def _facts(self, call: ProposedCall, snapshot: Snapshot) -> Facts | None:
        """What plugins say, where a policy in use looks at it."""
        names = snapshot.bundle.facts
        if snapshot.rollout is not None:
            names |= snapshot.rollout.bundle.facts
        if not names:
            return None
        return await self.plugins.ask(call, names, _about(call, snapshot))


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
