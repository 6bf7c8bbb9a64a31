"""Decide, and put it on record, in one durable step; explain without any effect.

One unit of work per decision, or per batch of them: epoch, proof of possession, budgets, approval,
capability, record. It is committed before the answer leaves, so no permit exists without its record, and none
that a kill preceded.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from msgspec import structs

from remit.authority.lifetimes import LIVE_CAPABILITIES_CEILING
from remit.authority.tokens import VerifiedSubject
from remit.decision.answer.response import Decision, Effect, Handing, Reason
from remit.decision.budget.cost import Settlement
from remit.decision.call.request import ProposedCall
from remit.decision.codes.catalogue import Code, reason
from remit.decision.facts.rollout import facing, tried
from remit.decision.facts.snapshot import Snapshot, Snapshots
from remit.decision.making.beforehand import Beforehand, Lookout
from remit.decision.making.draft import Draft, Prepared, beside
from remit.decision.making.settling import Settling, Stale
from remit.decision.making.spending import UNTOLD, Used, settle
from remit.decision.making.together import Together
from remit.decision.repository import CapabilityMinter, DecisionTransaction
from remit.decision.sources.source import Gathered, holders
from remit.decision.stages.pipeline import STEPS, Step, denied, refusal
from remit.decision.stages.preview import visible
from remit.decision.stages.provenance import Weighing
from remit.decision.trail.trace import Explanation, StoredDecision
from remit.identity.tools import Server, Tool
from remit.kernel.errors import NotFound, Unavailable
from remit.kernel.ids import DecisionId, Entropy, TaskId, ToolId
from remit.kernel.secret import Secret
from remit.kernel.uow import UnitOfWork

_TRIES: Final = 4
"""How often a decision is made anew because authority shrank while it was made."""


class DecisionUnknown(NotFound):
    """No such decision, or none that the caller may know of."""

    code = "decision_unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """One call of several; `refused` where its enforcement point found something against it already."""

    call: ProposedCall
    refused: Reason | None = None


class DecisionService(Settling):
    """The decision point of one tenant."""

    def __init__(
        self,
        *,
        uow: UnitOfWork[DecisionTransaction],
        snapshots: Snapshots,
        capabilities: CapabilityMinter,
        entropy: Entropy,
        node: str,
        steps: Sequence[Step] = STEPS,
        live_limit: int = LIVE_CAPABILITIES_CEILING,
        lookout: Lookout = Lookout(),  # noqa: B008 — frozen
        print_key: Secret | None = None,
        weighing: Weighing = Weighing(),  # noqa: B008 — frozen
        generation: Callable[[], int] = lambda: 0,
    ) -> None:
        super().__init__(
            capabilities=capabilities,
            entropy=entropy,
            steps=steps,
            lookout=lookout,
            print_key=print_key,
            weighing=weighing,
            generation=generation,
        )
        self._uow = uow
        self._looking = Together(uow)
        self._snapshots = snapshots
        self._node = node
        self._live_limit = live_limit

    async def decide(
        self, call: ProposedCall, *, at_least: int | None = None, handing: Handing = Handing.USED
    ) -> Decision:
        """Decide a call and record it; a permit has consumed its capability when this returns.

        With `Handing.LIVE` the capability is for its holder to use once, within the task's limit (CA-17).

        Every answer is a value. Raises `Unavailable` only where nothing could be recorded: then nothing
        is permitted (P4).
        """
        snapshot = self._snapshots.current() if at_least is None else await self._snapshot(at_least)
        fresh, before = False, await self._lookout.look(self._looking, call, snapshot)
        for _ in range(_TRIES):
            gathered = await self._gathered(call, snapshot)
            draft = self._draft(call, snapshot, handing=handing, before=before, gathered=gathered)
            if denied(draft.findings) and not fresh:
                # A refusal on an old view would be wrong where something was granted since.
                newer, fresh = await self._snapshots.catch_up(), True
                if newer.revision != snapshot.revision:
                    snapshot = newer
                    continue
            try:
                return await self._commit(draft, self._foresee(draft))
            except Stale:
                snapshot, fresh = await self._snapshots.catch_up(), True
        return await self._give_up(call, snapshot)

    async def decide_all(
        self, proposals: Sequence[Proposal], *, at_least: int | None = None, handing: Handing = Handing.USED
    ) -> tuple[Decision, ...]:
        """Decide several, each by itself, on one view and in one unit of work; then all are durable.

        Answers are in the order of the proposals, and each sees what those before it used up. Whatever goes
        wrong with one of them is its own: then they are decided one by one (PD-25).
        """
        snapshot = self._snapshots.current() if at_least is None else await self._snapshot(at_least)
        made = await self._together(proposals, snapshot, handing)
        return tuple(
            [
                done if done is not None else await self._alone(each, at_least, handing)
                for each, done in zip(proposals, made, strict=True)
            ]
        )

    async def _together(
        self, proposals: Sequence[Proposal], snapshot: Snapshot, handing: Handing
    ) -> Sequence[Decision | None]:
        """Those that one view and one unit of work can answer; None for each that must be decided alone."""
        calls = [each.call for each in proposals]
        before = await self._lookout.look_all(self._looking, calls, snapshot)
        gathered = await self._gathered_all(calls, snapshot)
        drafts = self._drafts(proposals, snapshot, before, gathered, handing)
        if any(denied(draft.findings) for draft in drafts):
            # A refusal on an old view would be wrong where something was granted since.
            newer = await self._snapshots.catch_up()
            if newer.revision != snapshot.revision:
                gathered = await self._gathered_all(calls, newer)
                drafts = self._drafts(proposals, newer, before, gathered, handing)
        try:
            foreseen = [self._foresee(draft) for draft in drafts]
            return await self._uow.commit(lambda tx: self._settle_all(tx, drafts, foreseen))
        except Unavailable:
            raise
        except Exception:  # noqa: BLE001 — of one of them, and nothing of any was kept: it is met again alone
            return [None] * len(drafts)

    def _drafts(
        self,
        proposals: Sequence[Proposal],
        snapshot: Snapshot,
        before: Sequence[Beforehand],
        gathered: Sequence[Gathered | None],
        handing: Handing,
    ) -> list[Draft]:
        return [
            self._refused(each.call, each.refused, snapshot)
            if each.refused is not None
            else self._draft(each.call, snapshot, handing=handing, before=known, gathered=labels)
            for each, known, labels in zip(proposals, before, gathered, strict=True)
        ]

    async def _alone(self, proposal: Proposal, at_least: int | None, handing: Handing) -> Decision:
        if proposal.refused is not None:
            return await self.refuse(proposal.call, proposal.refused)
        return await self.decide(proposal.call, at_least=at_least, handing=handing)

    async def explain(self, call: ProposedCall) -> Explanation:
        """What `decide` would answer now, every stage, with no effect and no record.

        While a version is tried on a part, it says too what those get who are on the other side.
        """
        snapshot = await self._snapshots.catch_up()
        before = await self._lookout.look(self._looking, call, snapshot)
        gathered = await self._gathered(call, snapshot)
        draft = self._draft(call, snapshot, thorough=True, before=before, gathered=gathered)
        other = self._other_side(call, snapshot, draft, before, gathered)
        drafts = (draft,) if other is None else (draft, other)
        told = await self._uow.read(lambda tx: [self._rehearse(tx, each) for each in drafts])
        return beside(*told)

    def _other_side(
        self,
        call: ProposedCall,
        snapshot: Snapshot,
        draft: Draft,
        before: Beforehand,
        gathered: Gathered | None,
    ) -> Draft | None:
        """The same call decided with the other version that is in use now."""
        rollout = snapshot.rollout
        if rollout is None or call.at >= rollout.until:
            return None
        plain = replace(snapshot, rollout=None)
        side = tried(snapshot, rollout) if draft.snapshot is snapshot else plain
        return self._draft(call, side, thorough=True, before=before, gathered=gathered)

    async def refuse(self, call: ProposedCall, said: Reason) -> Decision:
        """Refuse a call for what its enforcement point found, and put that on record like any decision."""
        return await self._commit(self._refused(call, said, self._snapshots.current()))

    def _refused(self, call: ProposedCall, said: Reason, snapshot: Snapshot) -> Draft:
        draft = self._draft(call, snapshot)
        return structs.replace(draft, findings=(refusal(said),), recollection=None)

    async def foresee(self, calls: Sequence[ProposedCall]) -> tuple[Effect, ...]:
        """What `decide` would answer to each now, on one view of everything, with no effect and no record."""
        snapshot = await self._snapshots.catch_up()
        before = await self._lookout.look_all(self._looking, calls, snapshot)
        gathered = await self._gathered_all(calls, snapshot)
        drafts = [
            self._draft(call, snapshot, before=known, gathered=labels)
            for call, known, labels in zip(calls, before, gathered, strict=True)
        ]
        told = await self._uow.read(lambda tx: [self._rehearse(tx, draft) for draft in drafts])
        return tuple(each.verdict.effect for each in told)

    async def why(self, decision: DecisionId) -> StoredDecision:
        """A decision as it was made, with the trace of that moment; raises `DecisionUnknown`."""
        found = await self._uow.read(lambda tx: tx.decisions.get(decision))
        if found is None:
            raise DecisionUnknown(f"decision `{decision}` not found")
        return found

    async def page(
        self, *, agent: str = "", effect: str = "", since: datetime | None = None, after: str = "", limit: int
    ) -> Sequence[StoredDecision]:
        """Decisions, newest first."""
        return await self._uow.read(
            lambda tx: tx.decisions.page(agent=agent, effect=effect, since=since, after=after, limit=limit)
        )

    async def preview(
        self, subject: VerifiedSubject, server: Server, tools: Sequence[Tool], *, at: datetime
    ) -> frozenset[ToolId]:
        """The tools that the subject could be permitted, or asked about, with some arguments."""
        generation = self._generation()
        known = facing(self._snapshots.current(), subject, at)
        shown = visible(subject, server, tools, snapshot=known, at=at, generation=generation)
        if len(shown) == len(tools):
            return shown
        # Hidden on an old view would be wrong where something was granted since.
        fresh = facing(await self._snapshots.catch_up(), subject, at)
        return visible(subject, server, tools, snapshot=fresh, at=at, generation=generation)

    async def settle(
        self,
        decision: DecisionId,
        outcome: Settlement,
        *,
        used: Used = UNTOLD,
        at: datetime | None = None,
    ) -> bool:
        """Say how a permitted call went, once: what it did not use is given back; False if that was said."""
        return await self._uow.commit(lambda tx: settle(tx, decision, outcome, used=used, at=at))

    def _commit(self, draft: Draft, foreseen: Prepared | None = None) -> Awaitable[Decision]:
        return self._uow.commit(lambda tx: self._settle(tx, draft, foreseen))

    async def _gathered(self, call: ProposedCall, snapshot: Snapshot) -> Gathered | None:
        """What is in the context of the call; None where no policy that could be asked looks at it."""
        return (await self._gathered_all([call], snapshot))[0]

    async def _gathered_all(
        self, calls: Sequence[ProposedCall], snapshot: Snapshot
    ) -> Sequence[Gathered | None]:
        """The same of several, in one reading."""
        rollout = snapshot.rollout
        if snapshot.bundle.lineage is None and (rollout is None or rollout.bundle.lineage is None):
            return [None] * len(calls)
        wanted = [
            (holders(call.subject, snapshot.tasks.get(call.subject.task or TaskId(""))), call.at)
            for call in calls
        ]
        prints = self._print_key is not None
        return await self._looking.read(
            lambda tx: [tx.sources.gather(held, at, prints=prints) for held, at in wanted]
        )

    async def _snapshot(self, at_least: int) -> Snapshot:
        present = self._snapshots.current()
        return present if present.revision >= at_least else await self._snapshots.catch_up(at_least)

    async def _give_up(self, call: ProposedCall, snapshot: Snapshot) -> Decision:
        """Authority shrank faster than we could look: refuse, and say that it was not the caller's doing."""
        draft = self._draft(call, snapshot)
        stale = structs.replace(draft, findings=(refusal(reason(Code.SNAPSHOT_STALE)),))
        return await self._commit(stale)
