"""Decide, and put it on record, in one durable step; explain without any effect; publish policy.

One unit of work per decision: epoch, proof of possession, budgets, approval, capability, record. It is
committed before the answer leaves, so no permit exists without its record, and none that a kill preceded.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from msgspec import structs

from remit.authority.capability import Capability, Minted
from remit.authority.lifetimes import LIVE_CAPABILITIES_CEILING
from remit.authority.tokens import VerifiedSubject
from remit.decision.answer.response import Decision, Effect, Handing, Mode, Reason
from remit.decision.budget.cost import Line, Settlement
from remit.decision.budget.shortage import cost_fault, nothing_short
from remit.decision.call.digest import action_key
from remit.decision.call.request import ProposedCall
from remit.decision.codes.catalogue import Code, reason
from remit.decision.facts.assembly import Unassembled, assemble
from remit.decision.facts.outward import known_of
from remit.decision.facts.rollout import facing, tried
from remit.decision.facts.snapshot import Snapshot, Snapshots
from remit.decision.making.account import balance, reserve
from remit.decision.making.beforehand import UNLOOKED, Beforehand, Lookout
from remit.decision.making.draft import (
    Draft,
    Outcome,
    Prepared,
    beside,
    concluded,
    explanation_of,
    for_holder,
)
from remit.decision.making.oversight import asks, nothing_asked, unanswered
from remit.decision.making.spending import (
    UNTOLD,
    Used,
    charged,
    heard,
    once,
    settle,
    spend_approval,
    watched,
    watchful,
)
from remit.decision.making.uses import note_use
from remit.decision.repository import CapabilityMinter, DecisionTransaction
from remit.decision.risk.desk import firsts
from remit.decision.sources.source import Gathered, Origin, Source, holders, labels_of
from remit.decision.stages.grounding import ground, known_lines
from remit.decision.stages.history import nothing_against, recalled, recollect
from remit.decision.stages.lifting import open_for, spared
from remit.decision.stages.pipeline import STEPS, Step, agreed, denied, fold, judge, permitted, refusal
from remit.decision.stages.policy import unforbidden
from remit.decision.stages.preview import visible
from remit.decision.stages.provenance import Weighing, provenance_finding
from remit.decision.trail.record import decided, spent
from remit.decision.trail.trace import Explanation, StoredDecision
from remit.identity.tools import Server, Tool
from remit.kernel.errors import NotFound
from remit.kernel.ids import (
    DecisionId,
    Entropy,
    RecordId,
    TaskId,
    ToolId,
    mint_id,
)
from remit.kernel.secret import Secret
from remit.kernel.uow import UnitOfWork

_TRIES: Final = 4
"""How often a decision is made anew because authority shrank while it was made."""
_BARE: Final = frozenset({Handing.TOLD, Handing.METERED})
"""Permits without a capability."""
_NOTHING_ASKED: Final = nothing_asked()
_NOTHING_SHORT: Final = nothing_short(())


class DecisionUnknown(NotFound):
    """No such decision, or none that the caller may know of."""

    code = "decision_unknown"


class _Stale(Exception):
    """The snapshot that the decision was made on is older than the epoch in force."""


class DecisionService:
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
        self._uow = uow
        self._snapshots = snapshots
        self._capabilities = capabilities
        self._entropy = entropy
        self._node = node
        self._steps = steps
        self._live_limit = live_limit
        self._lookout = lookout
        self._print_key = print_key
        self._weighing = weighing
        self._generation = generation

    async def decide(
        self, call: ProposedCall, *, at_least: int | None = None, handing: Handing = Handing.USED
    ) -> Decision:
        """Decide a call and record it; a permit has consumed its capability when this returns.

        With `Handing.LIVE` the capability is for its holder to use once, within the task's limit (CA-17).

        Every answer is a value. Raises `Unavailable` only where nothing could be recorded: then nothing
        is permitted (P4).
        """
        snapshot = self._snapshots.current() if at_least is None else await self._snapshot(at_least)
        fresh, before = False, await self._lookout.look(self._uow, call, snapshot)
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
            except _Stale:
                snapshot, fresh = await self._snapshots.catch_up(), True
        return await self._give_up(call, snapshot)

    async def explain(self, call: ProposedCall) -> Explanation:
        """What `decide` would answer now, every stage, with no effect and no record.

        While a version is tried on a part, it says too what those get who are on the other side.
        """
        snapshot = await self._snapshots.catch_up()
        before = await self._lookout.look(self._uow, call, snapshot)
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
        draft = self._draft(call, self._snapshots.current())
        return await self._commit(structs.replace(draft, findings=(refusal(said),), recollection=None))

    async def foresee(self, calls: Sequence[ProposedCall]) -> tuple[Effect, ...]:
        """What `decide` would answer to each now, on one view of everything, with no effect and no record."""
        snapshot = await self._snapshots.catch_up()
        drafts = [
            self._draft(
                call,
                snapshot,
                before=await self._lookout.look(self._uow, call, snapshot),
                gathered=await self._gathered(call, snapshot),
            )
            for call in calls
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
        rollout = snapshot.rollout
        if snapshot.bundle.lineage is None and (rollout is None or rollout.bundle.lineage is None):
            return None
        held = holders(call.subject, snapshot.tasks.get(call.subject.task or TaskId("")))
        return await self._uow.read(
            lambda tx: tx.sources.gather(held, call.at, prints=self._print_key is not None)
        )

    async def _snapshot(self, at_least: int) -> Snapshot:
        present = self._snapshots.current()
        return present if present.revision >= at_least else await self._snapshots.catch_up(at_least)

    def _draft(
        self,
        call: ProposedCall,
        snapshot: Snapshot,
        *,
        thorough: bool = False,
        handing: Handing = Handing.USED,
        before: Beforehand = UNLOOKED,
        gathered: Gathered | None = None,
    ) -> Draft:
        """Everything that can be known without the transaction."""
        snapshot = facing(snapshot, call.subject, call.at)
        # N12: an explanation is never taken from what was found for another call.
        request, footing = (assemble(call, snapshot), None) if thorough else ground(call, snapshot)
        ident = DecisionId(mint_id("dec", at=call.at, entropy=self._entropy))
        if isinstance(request, Unassembled):
            found = (refusal(request.reason),)
            return Draft(id=ident, call=call, request=None, snapshot=snapshot, findings=found, key="")
        if gathered is not None:
            request = replace(request, known=known_of(gathered, request, snapshot, self._print_key))
        if (desk := self._lookout.risk) is not None and before is not UNLOOKED:
            # N7: what is only observed weighs nowhere, not as risk either.
            ruling = before.ruling if self._weighing.mode is Mode.ENFORCE else None
            request = desk.assessed(
                request, snapshot, news=before.news, ruling=ruling, likeness=before.likeness
            )
        if before.facts is not None:
            request = replace(request, facts=before.facts)
        glasses = open_for(request, snapshot, generation=self._generation())
        findings = judge(
            request, snapshot, steps=self._steps, thorough=thorough, footing=footing, glasses=glasses
        )
        if before.ruling is not None and not denied(findings):
            traced = provenance_finding(before.ruling, self._weighing, request)
            findings = (*findings, spared(traced, glasses, request, snapshot, unforbidden))
        if handing is Handing.LIVE:
            findings = for_holder(findings)
        return Draft(
            id=ident,
            call=call,
            request=request,
            snapshot=snapshot,
            findings=findings,
            # Only a question needs a name to be answered by.
            key=action_key(request, str(snapshot.bundle.version)) if asks(findings) else "",
            handing=handing,
            footing=footing,
            recollection=None if denied(findings) else recollect(request, snapshot),
            glasses=glasses,
            firsts=firsts(before.news, call.at),
        )

    def _foresee(self, draft: Draft) -> Prepared | None:
        """Prepare the answer that a permit will nearly always get, before anybody waits for the writer.

        All that is stored if nobody is asked and the accounts can pay; None where that can't be.

        INVARIANT: what is signed here leaves only if the unit of work came to exactly this outcome.
        """
        request = draft.request
        if request is None or not permitted(draft.findings) or cost_fault(request) is not None:
            return None
        lines, past = known_lines(draft.footing, request), draft.recollection
        whole = (
            *draft.findings,
            *((nothing_against(past),) if past is not None else ()),
            _NOTHING_ASKED,
            nothing_short(lines) if lines else _NOTHING_SHORT,
        )
        outcome = Outcome(
            verdict=agreed(whole, snapshot=draft.snapshot),
            findings=whole,
            lines=lines,
            minted=self._mint(draft),
        )
        return self._prepare(draft, outcome)

    def _prepare(self, draft: Draft, outcome: Outcome) -> Prepared:
        """Write out an outcome as it is stored, recorded and answered."""
        capability = outcome.minted.capability if outcome.minted else None
        passed = outcome.verdict.effect is Effect.PERMIT
        tool, record = draft.call.tool, self._record_id(draft)
        stored = StoredDecision(
            id=draft.id,
            record=record,
            tool=tool.id if tool is not None else "",
            definition=tool.digest if tool is not None else "",
            explanation=explanation_of(draft, outcome, decision=draft.id),
            lines=outcome.lines,
            outcome=_begun(draft.handing) if passed else None,
            capability=capability.id if capability else None,
            approval=outcome.approval,
            footprints=draft.recollection.footprints if passed and draft.recollection else (),
        )
        records = [decided(record, stored, draft.call, draft.request)]
        if outcome.approval and passed:
            records.append((spent(self._record_id(draft), stored, draft.call), ()))
        return Prepared(
            lines=outcome.lines,
            stored=stored,
            records=tuple(records),
            capability=capability,
            decision=Decision(
                id=draft.id,
                at=draft.call.at,
                verdict=outcome.verdict,
                capability=stored.capability,
                capability_token=outcome.minted.token if outcome.minted else None,
                approval=outcome.approval,
                key=draft.key,
                glasses=stored.explanation.glasses,
                consequential=draft.call.consequential,
            ),
        )

    def _settle(self, tx: DecisionTransaction, draft: Draft, foreseen: Prepared | None) -> Decision:
        """The one unit of work; the order is that of security 2.2."""
        if not denied(draft.findings) and tx.epoch() != draft.snapshot.epoch:
            raise _Stale
        prepared = self._spend(tx, draft, foreseen)
        if prepared.capability is not None:
            self._keep(tx, prepared.capability, draft)
        for footprint in prepared.stored.footprints:
            tx.history.leave(footprint)
        if draft.handing is Handing.TOLD and prepared.decision.verdict.obligations:
            self._note_told(tx, draft, prepared.decision)
        if prepared.decision.verdict.effect is Effect.PERMIT:
            for first in draft.firsts:
                tx.history.leave(first)
        tx.decisions.add(prepared.stored)
        if prepared.stored.explanation.glasses:
            note_use(tx, prepared.stored, self._entropy)
        for record, contents in prepared.records:
            tx.ledger.append(record, contents)
        # CRASH: all of the above is one commit. After it the call may run, and is found as consumed
        # without an outcome if we stop here; before it nothing of this exists.
        return prepared.decision

    def _note_told(self, tx: DecisionTransaction, draft: Draft, decision: Decision) -> None:
        """Nobody says what an enforcement point of others read: its labels count from the permit on."""
        labels = labels_of((), decision.verdict.obligations)
        call, request = draft.call, draft.request
        if labels and decision.verdict.effect is Effect.PERMIT and request is not None:
            read = Source(
                origin=Origin.RESULT,
                name=f"{call.resource.type}:{call.resource.id}",
                action=call.action,
                digest="",
                labels=labels,
                at=call.at,
                agent=call.subject.instance,
                decision=decision.id,
            )
            tx.sources.add(holders(call.subject, request.task), [read])

    def _keep(self, tx: DecisionTransaction, capability: Capability, draft: Draft) -> None:
        call = draft.call
        match draft.handing:
            case Handing.USED:
                tx.capabilities.insert_consumed(capability, call=call.call, node=self._node, at=call.at)
            case Handing.LIVE:
                tx.capabilities.insert_live(capability)
            case Handing.TOLD | Handing.METERED:
                raise AssertionError("nothing was minted")

    def _no_room(self, tx: DecisionTransaction, draft: Draft) -> Reason | None:
        """Whether the task may not hold another unused capability.

        INVARIANT: its row is held until the commit, so two decisions can't both take the last place.
        """
        task, at = draft.call.subject.task, draft.call.at
        if draft.handing is not Handing.LIVE or task is None:
            return None
        if not tx.tasks.hold(task, at):
            # Whatever ended it has moved the epoch, or its deadline has passed since.
            return reason(Code.TASK_UNKNOWN, id=task)
        if tx.capabilities.live_of_task(task, at) < self._live_limit:
            return None
        return reason(Code.TOO_MANY_CAPABILITIES, limit=self._live_limit)

    def _spend(self, tx: DecisionTransaction, draft: Draft, foreseen: Prepared | None) -> Prepared:
        """Burn the proof, then let budget and oversight have their say, and use up what a permit needs."""
        proof = draft.call.subject.proof
        # A proof is burnt whatever the answer: a refused request can't be sent again with it either.
        if proof is not None and not tx.replay.burn(draft.call.subject.tenant, proof):
            return self._prepare(draft, concluded(draft, (refusal(reason(Code.PROOF_REPLAYED)),)))
        if not denied(draft.findings) and (full := self._no_room(tx, draft)) is not None:
            return self._prepare(draft, concluded(draft, (*draft.findings, refusal(full))))
        draft = self._recall(tx, draft, hold=True)
        if foreseen is not None and draft.request is not None and _as_foreseen(draft):
            paid = reserve(tx.budgets, draft.request, foreseen.lines) if foreseen.lines else None
            if paid is None or paid.effect is Effect.PERMIT:
                return foreseen
        if not denied(draft.findings):
            draft = watchful(tx, draft)
        return self._prepare(draft, self._weigh(tx, draft))

    def _recall(self, tx: DecisionTransaction, draft: Draft, *, hold: bool) -> Draft:
        """What the past says, as a further finding; nothing where no rule looks at it."""
        past, request = draft.recollection, draft.request
        if past is None or request is None or denied(draft.findings):
            return draft
        told = recalled(tx.history, past, hold=hold)
        told = spared(told, draft.glasses, request, draft.snapshot, unforbidden)
        findings = (*draft.findings, told)
        asked = draft.key or (
            action_key(request, str(draft.snapshot.bundle.version)) if asks(findings) else ""
        )
        return structs.replace(draft, findings=findings, key=asked)

    def _weigh(self, tx: DecisionTransaction, draft: Draft) -> Outcome:
        """What people and accounts say to what the stages found."""
        if draft.request is None or denied(draft.findings):
            return concluded(draft, draft.findings)
        findings, approval = heard(tx, draft)
        account = reserve if fold(findings, snapshot=draft.snapshot).effect is Effect.PERMIT else balance
        budget, lines = charged(tx, draft.request, account, answered=watched(findings))
        if account is reserve and budget.effect is Effect.ASK:
            # Another call was charged since we looked: look again.
            raise _Stale
        outcome = concluded(draft, once(findings, budget), approval=approval)
        if outcome.verdict.effect is not Effect.PERMIT:
            return outcome
        if approval is not None and not spend_approval(tx, draft, approval):
            return self._outrun(tx, draft, lines)
        return structs.replace(outcome, lines=lines, minted=self._mint(draft))

    def _outrun(self, tx: DecisionTransaction, draft: Draft, lines: Sequence[Line]) -> Outcome:
        """Somebody used the approval first: give back what was reserved, and ask anew."""
        for line in lines:
            tx.budgets.release(line)
        findings = (*draft.findings, unanswered(draft.findings, None))
        return concluded(draft, once(findings, nothing_short(())))

    def _mint(self, draft: Draft) -> Minted | None:
        """A capability for a call of a tool; discovery needs none."""
        if draft.request is None or draft.call.tool is None or draft.handing in _BARE:
            return None
        return self._capabilities.mint(draft.request, decision=draft.id, at=draft.call.at)

    def _rehearse(self, tx: DecisionTransaction, draft: Draft) -> Explanation:
        """As `_spend`, with nothing used up: `can` is the real call minus its effects (N12)."""
        if draft.request is None:
            return explanation_of(draft, concluded(draft, draft.findings), decision=None)
        whole = self._recall(tx, draft, hold=False)
        whole = whole if denied(whole.findings) else watchful(tx, whole)
        findings, approval = heard(tx, whole)
        budget, _ = charged(tx, draft.request, balance, answered=watched(findings))
        outcome = concluded(whole, once(findings, budget), approval=approval)
        return explanation_of(whole, outcome, decision=None)

    async def _give_up(self, call: ProposedCall, snapshot: Snapshot) -> Decision:
        """Authority shrank faster than we could look: refuse, and say that it was not the caller's doing."""
        draft = self._draft(call, snapshot)
        stale = structs.replace(draft, findings=(refusal(reason(Code.SNAPSHOT_STALE)),))
        return await self._commit(stale)

    def _record_id(self, draft: Draft) -> RecordId:
        return RecordId(mint_id("rec", at=draft.call.at, entropy=self._entropy))


def _as_foreseen(draft: Draft) -> bool:
    """Whether the past said what was expected of it: nothing at all."""
    past = draft.recollection
    return past is None or draft.findings[-1] == nothing_against(past)


def _begun(handing: Handing) -> Settlement:
    """How a permitted call stands at first: what somebody else lets pass is never heard of again."""
    return Settlement.SPENT if handing is Handing.TOLD else Settlement.RESERVED
