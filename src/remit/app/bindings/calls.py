"""How a call ended, in one unit: the capability's state, the budget's settlement, the record."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final, TypedDict

from remit.app.bindings.metering import used_by
from remit.authority.capability import CapabilityState
from remit.authority.tokens import VerifiedSubject
from remit.decision.budget.cost import Settlement
from remit.decision.call.actions import METHODS
from remit.decision.call.request import ProposedCall
from remit.decision.facts.outward import prints_of
from remit.decision.facts.snapshot import Snapshot, Snapshots
from remit.decision.making.spending import settle
from remit.decision.provenance.watch import Watch
from remit.decision.sources.source import Origin, Source, holders, labels_of
from remit.enforcement.pep.decider import CallOutcome, CallState, RecordedCall, Refusal
from remit.kernel.canonical import Digest
from remit.kernel.ids import CallId, Entropy, InstanceId, PrincipalId, RecordId, TaskId, TenantId, mint_id
from remit.kernel.secret import Secret
from remit.ledger.record import Record
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork

_KEPT: Final = 4096
"""Results kept in memory for a caller that repeats its call; the record itself is durable."""
_KEPT_BYTES: Final = 64 << 10

_ENDS: Final = {
    CallState.DONE: CapabilityState.DONE,
    CallState.FAILED: CapabilityState.FAILED,
    CallState.UNKNOWN: CapabilityState.UNKNOWN,
}
_STATES: Final = {
    CapabilityState.CONSUMED: CallState.RUNNING,
    CapabilityState.DONE: CallState.DONE,
    CapabilityState.FAILED: CallState.FAILED,
    CapabilityState.UNKNOWN: CallState.UNKNOWN,
}


@dataclass(frozen=True, slots=True)
class _Kept:
    """A result, and whose it is."""

    instance: InstanceId
    result: bytes


class _Actor(TypedDict):
    """The members of a record that say who acted."""

    tenant: TenantId
    actor: str
    user: str
    owner: str
    agent: str
    task: str
    purpose: str
    chain: tuple[str, ...]


class CallJournal:
    """`CallLog`: durable through the ledger and the capability; results are a courtesy of this process."""

    def __init__(
        self,
        *,
        work: SqlUnitOfWork,
        snapshots: Snapshots,
        entropy: Entropy,
        watch: Watch | None = None,
        print_key: Secret | None = None,
    ) -> None:
        self._watch = watch
        self._print_key = print_key
        self._work = work
        self._snapshots = snapshots
        self._entropy = entropy
        self._kept: OrderedDict[CallId, _Kept] = OrderedDict()  # OWNED BY: the event loop

    async def finish(self, outcome: CallOutcome) -> None:
        """Record how a permitted call ended; settle its capability and its budget with it."""
        used, told = used_by(outcome)
        record = self._finished(outcome, told)
        capability = outcome.decision.capability

        def work(tx: SqlTransaction) -> None:
            if capability is not None:
                tx.capabilities.settle(capability, _ENDS[outcome.state], outcome.at)
            settle(tx, outcome.decision.id, _settlement(outcome), used=used, at=outcome.at)
            tx.ledger.append(record)
            self._note(tx, outcome)

        # CRASH: without this commit the capability stays consumed; the sweep at start makes it `unknown`.
        await self._work.commit(work)
        self._keep(outcome)

    async def refuse(self, refusal: Refusal) -> None:
        """Record a refusal that no decision stands behind."""
        record = Record(
            id=RecordId(mint_id("rec", at=refusal.at, entropy=self._entropy)),
            at=refusal.at,
            kind="enforcement.call.refused",
            **self._actor(refusal.subject),
            call=refusal.call,
            action=refusal.action,
            effect="deny",
            codes=(refusal.code,),
            digests=(("arguments", refusal.arguments_digest),),
            detail=(("method", refusal.method), ("server", refusal.server)),
        )
        await self._work.commit(lambda tx: tx.ledger.append(record))

    async def recall(self, tenant: TenantId, instance: InstanceId, call: CallId) -> RecordedCall | None:
        """Find a permitted call of this instance by its id; None for anyone else's."""

        def work(tx: SqlTransaction) -> tuple[Digest, str, CapabilityState] | None:
            found = tx.capabilities.by_call(call)
            capability = tx.capabilities.get(found[0]) if found else None
            if found is None or capability is None or capability.instance != instance:
                return None
            return capability.arguments, capability.action, found[1]

        known = await self._work.read(work) if tenant else None
        if known is None:
            return None
        kept = self._kept.get(call)
        return RecordedCall(
            call=call,
            arguments_digest=known[0],
            action=known[1],
            state=_STATES[known[2]],
            result=kept.result if kept is not None and kept.instance == instance else None,
        )

    def _note(self, tx: SqlTransaction, outcome: CallOutcome) -> None:
        """Note for later calls of the task what this one wrote and read."""
        self._note_source(tx, outcome)
        task = self._snapshots.current().tasks.get(outcome.call.subject.task or TaskId(""))
        if self._watch is None or task is None or not outcome.sent:
            return
        self._watch.note(
            tx,
            outcome.call,
            outcome.result,
            approved=outcome.decision.approval is not None,
            done=outcome.state is CallState.DONE,
            until=task.deadline,
        )

    def _note_source(self, tx: SqlTransaction, outcome: CallOutcome) -> None:
        """What the agent is about to read is in its context from now on (R130); discovery tells no data."""
        call, duties = outcome.call, outcome.decision.verdict.obligations
        if (
            not outcome.sent
            or not outcome.result
            or outcome.state is CallState.UNKNOWN
            or _tells_nothing(call)
        ):
            return
        read = Source(
            origin=Origin.RESULT,
            name=f"{call.resource.type}:{call.resource.id}",
            action=call.action,
            digest=outcome.result_digest,
            labels=labels_of((), duties),
            at=outcome.at,
            agent=call.subject.instance,
            decision=outcome.decision.id,
        )
        task = self._snapshots.current().tasks.get(call.subject.task or TaskId(""))
        prints: frozenset[bytes] = frozenset()
        if self._print_key is not None and any(duty.type == "summarize_only" for duty in duties):
            prints = prints_of(outcome.result, self._print_key)
        tx.sources.add(holders(call.subject, task), [read], prints)

    def _keep(self, outcome: CallOutcome) -> None:
        if len(outcome.result) <= _KEPT_BYTES:
            self._kept[outcome.call.call] = _Kept(outcome.call.subject.instance, outcome.result)
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)

    def _finished(self, outcome: CallOutcome, told: tuple[tuple[str, str], ...]) -> Record:
        call = outcome.call
        return Record(
            id=RecordId(mint_id("rec", at=outcome.at, entropy=self._entropy)),
            at=outcome.at,
            kind="enforcement.call.finished",
            **self._actor(call.subject),
            envelope=call.subject.envelope or "",
            decision=outcome.decision.id,
            capability=outcome.decision.capability or "",
            call=call.call,
            approval=outcome.decision.approval or "",
            action=call.action,
            resource=f"{call.resource.type}:{call.resource.id}",
            tool=call.tool.id if call.tool else "",
            effect=outcome.state,
            codes=(outcome.code,),
            digests=(("arguments", call.arguments_digest), ("result", outcome.result_digest)),
            detail=(("sent", str(outcome.sent).lower()), *told, *_touched(outcome)),
        )

    def _actor(self, subject: VerifiedSubject) -> _Actor:
        """Who did it, for whom and why, in the words of the newest snapshot."""
        snapshot = self._snapshots.current()
        return _Actor(
            tenant=subject.tenant,
            actor=subject.instance,
            user=subject.user or "",
            owner=_owner(snapshot, subject.agent),
            agent=subject.agent,
            task=subject.task or "",
            purpose=_purpose(snapshot, subject.task),
            chain=subject.chain,
        )


def _tells_nothing(call: ProposedCall) -> bool:
    """Whether it only asked what there is."""
    return call.tool is None and METHODS.get(call.action.partition("/")[2], False)


def _touched(outcome: CallOutcome) -> tuple[tuple[str, str], ...]:
    return tuple(("touched", address) for address in outcome.resources)


def _settlement(outcome: CallOutcome) -> Settlement:
    if not outcome.sent:
        return Settlement.UNUSED
    return Settlement.UNKNOWN if outcome.state is CallState.UNKNOWN else Settlement.SPENT


def _owner(snapshot: Snapshot, agent: str) -> str:
    found = snapshot.principals.get(PrincipalId(agent))
    return (found.owner or "") if found else ""


def _purpose(snapshot: Snapshot, task: TaskId | None) -> str:
    found = snapshot.tasks.get(task) if task else None
    return found.purpose if found else ""
