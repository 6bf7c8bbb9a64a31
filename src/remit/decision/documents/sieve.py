"""Which of many documents may enter an agent's context: each decided like a call, all on record at once.

A document that is not given leaves nothing behind in the answer. What policy would ask a person about is not
given either: nobody is asked about search results.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from remit.decision.answer.finding import Finding
from remit.decision.answer.response import Effect, Obligation
from remit.decision.call.request import ActionRequest, ProposedCall
from remit.decision.codes.catalogue import Code, reason
from remit.decision.documents.prefilter import Prefilter, prefilter
from remit.decision.facts.assembly import Unassembled
from remit.decision.facts.outward import known_of
from remit.decision.facts.rollout import facing
from remit.decision.facts.snapshot import Snapshot, Snapshots
from remit.decision.making.account import reserve
from remit.decision.making.spending import charged
from remit.decision.repository import DecisionTransaction
from remit.decision.sources.source import LEAVING, Gathered, Origin, Source, holders, labels_of
from remit.decision.stages.grounding import ground
from remit.decision.stages.history import Recollection, recalled, recollect
from remit.decision.stages.pipeline import STEPS, Judge, Step, judge, permitted
from remit.decision.stages.policy import policy_effect, policy_stage
from remit.decision.stages.relation import relation_effect, relation_stage
from remit.kernel.canonical import Digest
from remit.kernel.errors import RemitError
from remit.kernel.ids import Entropy, RecordId, TaskId, mint_id
from remit.kernel.uow import UnitOfWork
from remit.ledger.record import Content, Record

_TRIES: Final = 4
_IN_SHORT: Final[Mapping[Judge, Judge]] = {policy_stage: policy_effect, relation_stage: relation_effect}
SWIFT: Final = tuple(Step(stage=each.stage, judge=_IN_SHORT.get(each.judge, each.judge)) for each in STEPS)
"""The stages of every decision, without the words that explain an answer."""


class SieveStale(RemitError):
    """Authority shrank faster than the documents could be judged; nothing was given."""

    code = "snapshot_stale"
    kind = "unavailable"


class _Stale(Exception):
    """The snapshot is older than the epoch in force."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One document to be judged, as the call that reading it is, and the digest of its words if known."""

    call: ProposedCall
    digest: Digest = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sifted:
    """What became of one candidate."""

    given: bool
    obligations: tuple[Obligation, ...] = ()


@dataclass(slots=True)
class _Judged:
    """One candidate with what is found of it, until the transaction has had its say."""

    candidate: Candidate
    request: ActionRequest | None
    findings: tuple[Finding, ...]
    past: Recollection | None
    given: bool

    @property
    def effect(self) -> Effect:
        """What reading it by itself would be answered, whoever fulfils its duties."""
        return max((each.effect for each in self.findings), key=lambda found: found.strength)

    @property
    def duties(self) -> tuple[Obligation, ...]:
        return tuple(duty for each in self.findings for duty in each.obligations)

    @property
    def reason(self) -> str:
        """Why it is left out, for whoever may read the record."""
        last = self.findings[-1]
        return (
            " ".join([*(each.code for each in last.reasons[:1]), *last.detail[:4]])
            or f"{last.stage} {last.effect}"
        )


class Sieve:
    """Judges documents by the thousand, in one unit of work."""

    def __init__(
        self,
        *,
        uow: UnitOfWork[DecisionTransaction],
        snapshots: Snapshots,
        entropy: Entropy,
        steps: Sequence[Step] = SWIFT,
    ) -> None:
        self._uow = uow
        self._snapshots = snapshots
        self._entropy = entropy
        self._steps = steps

    async def sift(
        self, candidates: Sequence[Candidate], *, at_least: int | None = None
    ) -> tuple[Sifted, ...]:
        """Say of each whether it is given; those that are, are in the caller's context when this returns.

        All are of one subject, server and moment. The call counts once against every budget. Raises
        `SieveStale` where authority shrank again and again, and whatever storage raises: nothing is given.
        """
        if not candidates:
            return ()
        for _ in range(_TRIES):
            snapshot = await self._snapshots.catch_up(at_least)
            judged = self._judge(candidates, snapshot, await self._gathered(candidates[0].call, snapshot))
            try:
                return await self._commit(judged, snapshot)
            except _Stale:
                continue
        raise SieveStale("authority changed while the documents were judged", next_step="send the same again")

    async def foresee(self, candidates: Sequence[Candidate]) -> tuple[Effect, ...]:
        """What each would be answered now, with no effect and no record."""
        if not candidates:
            return ()
        snapshot = await self._snapshots.catch_up()
        judged = self._judge(candidates, snapshot, await self._gathered(candidates[0].call, snapshot))
        await self._uow.read(lambda tx: self._recall(tx, judged, effects=False))
        return tuple(each.effect for each in judged)

    async def prefilter(self, call: ProposedCall, *, at_least: int | None = None) -> Prefilter:
        """What `sift` could give at all, as a condition; with no effect and no record."""
        snapshot = await self._snapshots.catch_up(at_least)
        return prefilter(call, snapshot, await self._gathered(call, snapshot))

    async def _gathered(self, call: ProposedCall, snapshot: Snapshot) -> Gathered | None:
        rollout = snapshot.rollout
        if snapshot.bundle.lineage is None and (rollout is None or rollout.bundle.lineage is None):
            return None
        held = holders(call.subject, snapshot.tasks.get(call.subject.task or TaskId("")))
        return await self._uow.read(lambda tx: tx.sources.gather(held, call.at, prints=False))

    def _judge(
        self, candidates: Sequence[Candidate], snapshot: Snapshot, gathered: Gathered | None
    ) -> list[_Judged]:
        """Every candidate by every stage, whatever an earlier one said: a no takes as long as a yes."""
        first = candidates[0].call
        view = facing(snapshot, first.subject, first.at)
        return [self._judged(each, view, gathered) for each in candidates]

    def _judged(self, candidate: Candidate, view: Snapshot, gathered: Gathered | None) -> _Judged:
        request, footing = ground(candidate.call, view)
        if isinstance(request, Unassembled):
            refused = Finding(stage=request.reason.stage, effect=Effect.DENY, reasons=(request.reason,))
            return _Judged(candidate, None, (refused,), None, given=False)
        if gathered is not None:
            request = replace(request, known=known_of(gathered, request, view, None))
        findings = judge(request, view, steps=self._steps, footing=footing, thorough=True)
        worst = next((each for each in findings if each.effect is not Effect.PERMIT), None)
        if worst is not None:
            findings = (worst,)
        given = permitted(findings)
        return _Judged(candidate, request, findings, recollect(request, view) if given else None, given=given)

    async def _commit(self, judged: list[_Judged], snapshot: Snapshot) -> tuple[Sifted, ...]:
        kept = [(each.findings, each.given) for each in judged]

        def work(tx: DecisionTransaction) -> None:
            for each, (findings, given) in zip(judged, kept, strict=True):
                each.findings, each.given = findings, given  # the work may run more than once
            if tx.epoch() != snapshot.epoch:
                raise _Stale
            _leave_to_nobody(judged)
            self._charge(tx, judged)
            self._recall(tx, judged, effects=True)
            self._record(tx, judged, snapshot)

        await self._uow.commit(work)
        return tuple(
            Sifted(given=each.given, obligations=each.duties if each.given else ()) for each in judged
        )

    def _charge(self, tx: DecisionTransaction, judged: list[_Judged]) -> None:
        """One call for all of them; without it none is given."""
        payer = next((each.request for each in judged if each.given and each.request is not None), None)
        if payer is None:
            return
        found, _ = charged(tx, payer, reserve)
        if found.effect is not Effect.PERMIT:
            for each in judged:
                if each.given:
                    each.given, each.findings = False, (found,)

    def _recall(self, tx: DecisionTransaction, judged: list[_Judged], *, effects: bool) -> None:
        """What the past says to each, in their order: a document may forbid the one that follows it."""
        for each in judged:
            if not each.given or each.past is None:
                continue
            found = recalled(tx.history, each.past, hold=effects)
            if found.effect is not Effect.PERMIT:
                each.given, each.findings = False, (found,)
            elif effects:
                for footprint in each.past.footprints:
                    tx.history.leave(footprint)

    def _record(self, tx: DecisionTransaction, judged: list[_Judged], snapshot: Snapshot) -> None:
        call = judged[0].candidate.call
        ident = RecordId(mint_id("rec", at=call.at, entropy=self._entropy))
        record, contents = _filtered(ident, judged, snapshot)
        tx.ledger.append(record, contents)
        sources = [_source(each, ident) for each in judged if each.given]
        task = snapshot.tasks.get(call.subject.task or TaskId(""))
        # CRASH: what is given is in the context from this commit on, also if the answer is never read.
        tx.sources.add(holders(call.subject, task), sources)


def _leave_to_nobody(judged: list[_Judged]) -> None:
    """Leave out what is permitted under a duty that nobody would fulfil."""
    for each in judged:
        strange = next((duty for duty in each.duties if duty.type not in LEAVING), None)
        if each.given and strange is not None:
            said = reason(Code.GATEWAY_ONLY, duty=strange.type)
            each.given = False
            each.findings = (Finding(stage=said.stage, effect=Effect.DENY, reasons=(said,)),)


def _source(judged: _Judged, record: RecordId) -> Source:
    call = judged.candidate.call
    return Source(
        origin=Origin.DOCUMENT,
        name=f"{call.resource.type}:{call.resource.id}",
        action=call.action,
        digest=judged.candidate.digest,
        labels=labels_of(call.resource.tags, judged.duties),
        at=call.at,
        agent=call.subject.instance,
        record=record,
    )


def _filtered(
    ident: RecordId, judged: list[_Judged], snapshot: Snapshot
) -> tuple[Record, tuple[Content, ...]]:
    """One record of all; which documents were left out, and why, is sealed beside it for auditors."""
    call = judged[0].candidate.call
    subject = call.subject
    task = snapshot.tasks.get(subject.task or TaskId(""))
    view = facing(snapshot, subject, call.at)
    told = [
        [each.candidate.call.resource.id, each.candidate.digest, "" if each.given else each.reason]
        for each in judged
    ]
    given = sum(each.given for each in judged)
    record = Record(
        id=ident,
        at=call.at,
        tenant=subject.tenant,
        kind="decision.documents.filtered",
        actor=subject.instance,
        user=subject.user or "",
        agent=subject.agent,
        task=subject.task or "",
        purpose=task.purpose if task else "",
        chain=subject.chain,
        envelope=subject.envelope or "",
        call=call.call,
        action=call.action,
        effect=Effect.PERMIT if given else Effect.DENY,
        policy_version=str(view.bundle.version),
        revision=snapshot.revision,
        epoch=snapshot.epoch,
        detail=(
            *((("asked_by", str(call.asked_by)),) if call.asked_by else ()),
            ("given", str(given)),
            ("left_out", str(len(judged) - given)),
        ),
    )
    owner = subject.user or subject.agent
    return record, (Content(name="documents", subject=owner, text=msgspec.json.encode(told).decode()),)
