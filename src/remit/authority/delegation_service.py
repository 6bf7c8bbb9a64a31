"""Use cases of delegation: a hop that the server has seen is judged and recorded, and can be stopped."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from remit.authority import events
from remit.authority.alive import Dead, alive
from remit.authority.attenuation import covers
from remit.authority.company import consents_beside
from remit.authority.delegations import RecordedEnvelope, RecordedHop, record_of
from remit.authority.directory import verifier_in
from remit.authority.envelope import Delegation
from remit.authority.errors import (
    EnvelopeRejected,
    NoConsent,
    NotAlive,
    NotYours,
    SegmentCrossed,
    TaskOver,
    UnlistedPair,
    Widened,
)
from remit.authority.lineage import lineage_of
from remit.authority.options import AuthorityOptions, Signing
from remit.authority.repository import AuthorityTransaction
from remit.authority.rights import Ceiling, Right
from remit.authority.task_service import brokers_of
from remit.authority.tasks import Task
from remit.authority.verify import VerifiedEnvelope
from remit.identity.principals import Kind, Principal
from remit.kernel.errors import TooLarge
from remit.kernel.ids import AgentId, Entropy, EnvelopeId, PrincipalId, TaskId, mint_id
from remit.kernel.uow import UnitOfWork


class TooManyDelegations(TooLarge):
    """A task has as many delegations on record as it may."""

    code = "too_many_delegations"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What recording a delegation needs besides the open transaction."""

    options: AuthorityOptions
    entropy: Entropy
    at: datetime


class DelegationService:
    """Verifies and records envelopes that agents have extended."""

    def __init__(
        self,
        *,
        uow: UnitOfWork[AuthorityTransaction],
        keys: Signing,
        options: AuthorityOptions,
        entropy: Entropy,
    ) -> None:
        self._uow = uow
        self._keys = keys
        self._options = options
        self._entropy = entropy

    async def extend(self, text: str, *, at: datetime) -> RecordedEnvelope:
        """Verify an envelope and put each new hop of it on record, before anybody acts on it."""
        recording = Recording(options=self._options, entropy=self._entropy, at=at)

        def work(tx: AuthorityTransaction) -> RecordedEnvelope:
            verifier = verifier_in(tx, options=self._options, roots=self._keys)
            return record_envelope(tx, verifier.verify(text, at=at), recording)

        return await self._uow.commit(work)

    async def of_task(self, task: TaskId) -> Sequence[RecordedEnvelope]:
        """All delegations of a task, the root first."""
        return await self._uow.read(lambda tx: tx.envelopes.of_task(task))


def record_envelope(
    tx: AuthorityTransaction, verified: VerifiedEnvelope, recording: Recording
) -> RecordedEnvelope:
    """Record a verified envelope inside an open transaction; the same one again gives back its record.

    Judges what text and keys alone can't say: the task runs, the root is the task's own, everything in the
    chain lives, no hop of it was stopped, brokers are listed and have the user's consent, and the segment
    holds. Raises what each of these raises; nothing is on record then.
    """
    task = _running(tx, verified, recording.at)
    known = tx.envelopes.by_digest(verified.digest)
    parents = _parents(tx, verified, recording)
    envelope = known or record_of(
        verified,
        ident=EnvelopeId(mint_id("env", at=recording.at, entropy=recording.entropy)),
        parents=parents,
        at=recording.at,
    )
    agents = _agents(tx, verified, task)
    _require_alive(tx, task, envelope, verified.stands_on, recording.at)
    for hop, (giver, taker) in zip(envelope.hops, pairwise(agents), strict=True):
        _require_lawful(tx, task, hop, giver, taker)
    if known is None:
        _store(tx, task, envelope, recording)
    return envelope


def _running(tx: AuthorityTransaction, verified: VerifiedEnvelope, at: datetime) -> Task:
    task = tx.tasks.get(verified.task)
    if task is None or task.tenant != verified.tenant:
        raise NotYours(f"no task `{verified.task[:64]}`")
    if not tx.tasks.hold(task.id, at):
        raise TaskOver(f"task `{task.id}` does not run any more")
    root = tx.envelopes.get(task.root)
    if root is None or root.digest != verified.digests[0]:
        raise EnvelopeRejected(12, "other_root")
    return task


def _parents(
    tx: AuthorityTransaction, verified: VerifiedEnvelope, recording: Recording
) -> tuple[EnvelopeId, ...]:
    """Ids of the shorter envelopes inside this one; those that nobody showed yet are recorded now."""
    found: list[EnvelopeId] = []
    for count, digest in enumerate(verified.digests[:-1]):
        known = tx.envelopes.by_digest(digest)
        if known is None:
            shorter = VerifiedEnvelope(
                tenant=verified.tenant,
                digest=digest,
                root=verified.root,
                hops=verified.hops[:count],
                digests=verified.digests[: count + 1],
            )
            known = record_of(
                shorter,
                ident=EnvelopeId(mint_id("env", at=recording.at, entropy=recording.entropy)),
                parents=tuple(found),
                at=recording.at,
            )
            tx.envelopes.add(known)
            tx.touch("envelope", digest)
        found.append(known.id)
    return tuple(found)


def _agents(tx: AuthorityTransaction, verified: VerifiedEnvelope, task: Task) -> tuple[Principal, ...]:
    return tuple(_agent(tx, ident, task) for ident in verified.agents)


def _agent(tx: AuthorityTransaction, ident: AgentId, task: Task) -> Principal:
    agent = tx.principals.get(PrincipalId(ident))
    if agent is None or agent.kind is not Kind.AGENT:
        raise NotYours(f"no agent `{ident[:64]}`")
    if task.segment and task.segment not in agent.segments:
        raise SegmentCrossed(f"agent `{agent.name}` does not belong to segment `{task.segment}`")
    return agent


def _require_alive(
    tx: AuthorityTransaction, task: Task, envelope: RecordedEnvelope, tokens: Sequence[str], at: datetime
) -> None:
    chain = (*(PrincipalId(hop.by) for hop in envelope.hops), PrincipalId(envelope.holder))
    lineage = lineage_of(
        chain,
        tx.principals.get,
        tenant=task.tenant,
        task=task,
        envelope=envelope.id,
        # A kill of a chain names an envelope by its id or by its digest.
        others=(*envelope.parents, envelope.root, *(hop.prefix for hop in envelope.hops), *tokens),
    )
    verdict = alive(tx.lineage, lineage, at)
    if isinstance(verdict, Dead):
        raise NotAlive("someone in the chain, or the chain itself, was stopped", reason=verdict.reason)


def _require_lawful(
    tx: AuthorityTransaction, task: Task, hop: RecordedHop, giver: Principal, taker: Principal
) -> None:
    """A broker hop needs a listed pair, and each person's own consent to the worker (N23)."""
    if hop.kind is not Delegation.BROKER:
        return
    if taker.name not in brokers_of(giver):
        raise UnlistedPair(f"`{giver.name}` may not broker to `{taker.name}`")
    if task.user is None:
        return
    own = tx.grants.standing(task.user, AgentId(taker.id))
    for consent in (own, *consents_beside(tx, task, AgentId(taker.id))):
        if consent is None:
            raise NoConsent(f"a person of the task has not let `{taker.name}` act for them")
        if not covers_rights(consent.ceiling.rights, hop):
            raise Widened(f"the hop goes beyond what a person of the task lets `{taker.name}` do")


def covers_rights(rights: frozenset[Right], hop: RecordedHop) -> bool:
    """Whether a consent's rights hold all that a hop hands over; time and caps are factors of their own."""
    frame = hop.ceiling
    outer = Ceiling(
        rights=rights, window=frame.window, caps=frame.caps, depth=frame.depth, purpose=frame.purpose
    )
    return covers(outer, frame)


def _store(tx: AuthorityTransaction, task: Task, envelope: RecordedEnvelope, recording: Recording) -> None:
    count = len(tx.envelopes.of_task(task.id))
    if count >= recording.options.envelopes_per_task:
        raise TooManyDelegations(
            f"task has {count} delegations, the limit is {recording.options.envelopes_per_task}"
        )
    tx.envelopes.add(envelope)
    tx.touch("envelope", envelope.digest)
    last = envelope.hops[-1] if envelope.hops else None
    events.state(
        tx,
        events.ENVELOPE_EXTENDED,
        tenant=task.tenant,
        actor=last.by if last is not None else task.agent,
        agent=envelope.holder,
        at=recording.at,
        entropy=recording.entropy,
        ceiling=envelope.ceiling,
        task=task,
        chain=tuple(hop.by for hop in envelope.hops),
        envelope=envelope.digest,
        subject=envelope.id,
        detail=_detail(envelope, last),
    )


def _detail(envelope: RecordedEnvelope, last: RecordedHop | None) -> tuple[tuple[str, str], ...]:
    if last is None:
        return (("delegation", "root"), ("to", envelope.holder))
    return (("delegation", last.kind), ("to", envelope.holder), ("made", last.made))
