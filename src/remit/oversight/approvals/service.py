"""Asking people: one ask per action digest, one answer per person, every outcome on record (R70, R72)."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Protocol

import msgspec

from remit.identity.principals import Principal
from remit.kernel.canonical import Digest
from remit.kernel.clock import Clock
from remit.kernel.events import Event
from remit.kernel.ids import ApprovalId, Entropy, EventId, PrincipalId, TaskId, mint_id
from remit.kernel.uow import UnitOfWork
from remit.ledger import facts
from remit.ledger.record import Content, Record
from remit.oversight.approvals.admission import check_answer, check_means, check_passkey, found
from remit.oversight.approvals.approval import (
    Answer,
    Approval,
    ApprovalState,
    cancel,
    check_open,
    decide,
    expire,
    revoke,
)
from remit.oversight.approvals.evidence import Evidence
from remit.oversight.approvals.proof import AnswerProof
from remit.oversight.approvals.repository import ApprovalTransaction, Use
from remit.oversight.approvals.routing import natural_person
from remit.oversight.approvals.scope import Scope, granted
from remit.oversight.approvals.seating import moved_on, seated, timed
from remit.oversight.errors import (
    AlreadyAnswered,
    AnsweredByYou,
    AnswerNotProven,
    NoApprover,
    NotRevocable,
    WiderThanAllowed,
)

__all__ = ["AnswerProof", "ApprovalService", "Consequence", "Patience"]

_POLL_SECONDS = 0.5
"""How often a waiting call looks for an answer given on another node; the bell covers this one."""
_SWEEP = 200
_KINDS: Final = {
    "requested": "oversight.approval.requested",
    "approved": "oversight.approval.approved",
    "denied": "oversight.approval.denied",
    "expired": "oversight.approval.expired",
    "cancelled": "oversight.approval.cancelled",
    "supported": "oversight.approval.supported",
    "escalated": "oversight.approval.escalated",
    "revoked": "oversight.approval.revoked",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a seat is asked before silence moves an ask on or ends it; how long one waits that may."""

    lifetime: timedelta = timedelta(minutes=15)
    waiting: timedelta = timedelta(hours=24)


class Consequence(Protocol):
    """What follows from an outcome, in the same commit."""

    def settled(self, tx: ApprovalTransaction, approval: Approval, *, at: datetime) -> None:
        """An ask has its terminal state."""


class Attendance(Protocol):
    """How much of people's attention there is; `oversight.attention` knows, `app` binds it."""

    def admit(
        self, tx: ApprovalTransaction, draft: Approval, people: Sequence[Principal], *, at: datetime
    ) -> Sequence[Principal]:
        """Whom of those who may answer to ask now. Raises `TooManyAsks`."""

    def addressed(self, tx: ApprovalTransaction, ask: Approval, *, at: datetime) -> None:
        """Whoever is in `asked` has been asked; said again whenever somebody more is."""

    def exhausted(self, tx: ApprovalTransaction, settled: Approval) -> bool:
        """Whether the agent of a settled ask has been denied so often that it is to stop."""


class ApprovalService:
    """Asks, answers, expiry and cancellation."""

    def __init__(
        self,
        *,
        work: UnitOfWork[ApprovalTransaction],
        clock: Clock,
        entropy: Entropy,
        attention: Attendance,
        patience: Patience,
    ) -> None:
        self._work = work
        self._clock = clock
        self._entropy = entropy
        self._attention = attention
        self._patience = patience
        self._consequences: list[Consequence] = []
        self._bells: dict[ApprovalId, asyncio.Event] = {}  # OWNED BY: the event loop

    def follow(self, consequence: Consequence) -> None:
        """From now on, let this follow from every outcome."""
        self._consequences.append(consequence)

    async def ask(self, draft: Approval, *, owner: PrincipalId | None) -> Approval:
        """Ask whoever the rule names, or return the ask that is open for the same action already.

        `draft` comes without id, people and times. Raises `NoApprover` or `TooManyAsks`.
        """
        at = self._clock.now()

        def work(tx: ApprovalTransaction) -> Approval:
            known = tx.approvals.open_for(draft.key)
            if known is not None and known.expires_at > at:
                return known
            approval = self._addressed(tx, draft, owner=owner, at=at)
            tx.approvals.add(approval)
            self._attention.addressed(tx, approval, at=at)
            self._record(tx, approval, "requested", actor=approval.instance, at=at)
            return approval

        return await self._work.commit(work)

    async def answer(self, ident: ApprovalId, *, answer: Answer, proof: AnswerProof) -> Approval:
        """Take one person's answer, on their own proof. A no ends it; a yes does once enough people gave it.

        1 the ask exists   2 the proof names this digest   3 the person was asked, lives, and is not the
        requester   4 it is by passkey where that is due   5 the proof was never used   6 the ask is still
        pending, and held: one conditional update   7 the scope is one that the rule allows, and the same for
        all who say yes   8 nobody counts twice, under whatever account.
        """
        at = self._clock.now()

        def work(tx: ApprovalTransaction) -> Approval:
            approval = found(tx, ident)
            burn(tx, proof, next_step=f"remit approval show {ident}")
            return self.take(tx, approval, answer=answer, proof=proof, at=at)

        settled = await self._work.commit(work)
        self.ring(ident)
        return settled

    def take(
        self, tx: ApprovalTransaction, approval: Approval, *, answer: Answer, proof: AnswerProof, at: datetime
    ) -> Approval:
        """Take one answer inside an open transaction: steps 2 to 4 and 6 to 8.

        The caller MUST burn the proof in the same transaction, and `ring` after its commit.
        """
        person = check_answer(tx, approval, proof)
        self._check_means(tx, approval, proof)
        check_passkey(approval, answer, proof)
        check_open(approval, at=at)
        # INVARIANT: held until the commit: of two people who answer at once, each is counted.
        if not tx.approvals.hold(approval.id):
            raise AlreadyAnswered(f"approval `{approval.id}` is no longer pending")
        approval = found(tx, approval.id)
        evidence = _evidence(approval, answer, proof, human=natural_person(person), at=at)
        if answer is Answer.APPROVE:
            return self._agree(tx, approval, evidence, at=at)
        self._keep(tx, evidence)
        settled = decide(approval, answer=answer, by=proof.by, channel=proof.channel, at=at)
        self._settle(tx, settled, actor=proof.by, at=at, evidence=evidence)
        self._watch_denials(tx, settled, at=at)
        return settled

    async def revoke(self, ident: ApprovalId, *, by: PrincipalId) -> Approval:
        """Take a yes back; it covers no call that is decided from now on. Raises `NotRevocable`."""
        at = self._clock.now()

        def work(tx: ApprovalTransaction) -> Approval:
            gone = revoke(found(tx, ident), by=by)
            if not tx.approvals.withdraw(gone):
                raise NotRevocable(
                    f"approval `{ident}` was used up meanwhile", next_step=f"remit approval show {ident}"
                )
            self._record(tx, gone, "revoked", actor=by, at=at)
            return gone

        return await self._work.commit(work)

    async def evidence(self, ident: ApprovalId) -> tuple[Evidence, ...]:
        """What stands behind an ask's answers, in the order in which they were given."""
        return await self._work.read(lambda tx: tuple(tx.approvals.evidence(ident)))

    async def uses(self, ident: ApprovalId, *, limit: int) -> tuple[int, tuple[Use, ...]]:
        """How many calls a bounded yes still covers, and those that used it, newest first."""
        return await self._work.read(
            lambda tx: (tx.approvals.left(ident), tuple(tx.approvals.uses(ident, limit=limit)))
        )

    async def get(self, ident: ApprovalId) -> Approval:
        """One ask; raises `NoSuchApproval`."""
        return await self._work.read(lambda tx: found(tx, ident))

    async def page(
        self, *, state: ApprovalState | None, asked: PrincipalId | None, after: str, limit: int
    ) -> tuple[Approval, ...]:
        """Asks, newest first."""
        return await self._work.read(
            lambda tx: tuple(tx.approvals.page(state=state, asked=asked, after=after, limit=limit))
        )

    async def wait(self, ident: ApprovalId, *, seconds: float) -> Approval:
        """Wait until an ask has a terminal state, at most that long; returns it as it stands then."""
        deadline = self._clock.boottime() + seconds
        bell = self._bells.setdefault(ident, asyncio.Event())
        while True:
            approval = await self.get(ident)
            left = deadline - self._clock.boottime()
            if approval.state is not ApprovalState.PENDING or left <= 0:
                return approval
            try:
                async with asyncio.timeout(min(left, _POLL_SECONDS)):
                    await bell.wait()
            except TimeoutError:
                continue  # the answer may have been given on another node: look again

    async def expire_due(self) -> int:
        """Let silence have its say about every ask whose clock has run out; returns how many ended.

        Idempotent, safe to run on any node. A clock that ran ahead ends nothing (F19): it waits until that is
        right again.
        """
        at = self._clock.now()
        if self._clock.suspect():
            return 0
        return await self._end(lambda tx: tx.approvals.due(at, _SWEEP), expire, "expired", at=at)

    async def cancel_for(self, *, principals: tuple[str, ...], tasks: tuple[TaskId, ...]) -> int:
        """Cancel what these agents, instances, users or tasks were waiting for."""
        at = self._clock.now()
        return await self._end(
            lambda tx: tx.approvals.pending_of(principals, tasks), cancel, "cancelled", at=at
        )

    def _addressed(
        self, tx: ApprovalTransaction, draft: Approval, *, owner: PrincipalId | None, at: datetime
    ) -> Approval:
        def admit(put: Approval, people: Sequence[Principal]) -> Sequence[Principal]:
            return self._attention.admit(tx, put, people, at=at)

        put = seated(tx, draft, owner=owner, first=0, at=at, admit=admit)
        if put is None:
            raise NoApprover(
                f"nobody is left who may answer for `{draft.approvers}`",
                next_step="remit user list, or remit oncall list",
            )
        ident = ApprovalId(mint_id("apr", at=at, entropy=self._entropy))
        patience = self._patience
        return timed(replace(put, id=ident), at=at, lifetime=patience.lifetime, patience=patience.waiting)

    def _check_means(self, tx: ApprovalTransaction, approval: Approval, proof: AnswerProof) -> None:
        """(4) A passkey takes the place of a link, and of a key in a file for what can't be undone."""
        check_means(tx, approval, proof)

    def _agree(
        self, tx: ApprovalTransaction, approval: Approval, evidence: Evidence, *, at: datetime
    ) -> Approval:
        """Count a yes: the last of as many as are needed approves."""
        before = [each for each in tx.approvals.evidence(approval.id) if each.seat == approval.seat]
        if evidence.human in {each.human for each in before}:
            raise AnsweredByYou(
                f"you have said yes to `{approval.id}` already; it takes {approval.quorum} people",
                next_step=f"remit approval show {approval.id}",
            )
        if before and evidence.choice != approval.choice:
            chosen = approval.choice.sentence if approval.choice else "one call"
            raise WiderThanAllowed(
                f"another scope than was agreed to before you: {chosen}",
                next_step=f"remit approval show {approval.id}",
            )
        scope = self._scope(approval, evidence, at=at)
        self._keep(tx, evidence)
        agreed = replace(approval, said=(*approval.said, evidence.person), choice=evidence.choice)
        if len(before) + 1 < approval.quorum:
            tx.approvals.save(agreed)
            self._record(tx, agreed, "supported", actor=evidence.person, at=at, evidence=evidence)
            return agreed
        settled = decide(
            agreed, answer=Answer.APPROVE, by=evidence.person, channel=evidence.channel, at=at, scope=scope
        )
        self._settle(tx, settled, actor=evidence.person, at=at, evidence=evidence)
        if scope is not None:
            tx.approvals.grant(settled, scope)
        return settled

    def _scope(self, approval: Approval, evidence: Evidence, *, at: datetime) -> Scope | None:
        if evidence.choice is None:
            return None
        return granted(
            evidence.choice,
            approval.bound,
            arguments=approval.arguments,
            resource=approval.resource,
            resource_at=approval.resource_at,
            immaterial=approval.immaterial,
            at=at,
            generation=self._clock.generation(),
        )

    def _keep(self, tx: ApprovalTransaction, evidence: Evidence) -> None:
        if not tx.approvals.keep(evidence):
            raise AnsweredByYou(
                f"you have answered `{evidence.approval}` already",
                next_step=f"remit approval show {evidence.approval}",
            )

    async def _end(
        self,
        find: Callable[[ApprovalTransaction], Sequence[Approval]],
        end: Callable[..., Approval],
        verb: str,
        *,
        at: datetime,
    ) -> int:
        def work(tx: ApprovalTransaction) -> list[ApprovalId]:
            ended = []
            for approval in find(tx):
                if verb == "expired" and self._escalate(tx, approval, at=at):
                    continue
                settled = end(approval, at=at)
                if tx.approvals.settle(settled):
                    if settled.is_restraining:
                        _restrain(tx, settled)
                    self._record(tx, settled, verb, actor="system", at=at)
                    self._consequence(tx, settled, at=at)
                    ended.append(settled.id)
            return ended

        ended = await self._work.commit(work)
        for ident in ended:
            self.ring(ident)
        return len(ended)

    def _escalate(self, tx: ApprovalTransaction, approval: Approval, *, at: datetime) -> bool:
        """Put an ask to the next of its chain, if its rule says so and there is one."""
        moved = moved_on(tx, approval, at=at, lifetime=self._patience.lifetime)
        if moved is None or not tx.approvals.hold(approval.id):
            return False
        tx.approvals.save(moved)
        tx.approvals.readdress(moved)
        self._attention.addressed(tx, moved, at=at)
        self._record(tx, moved, "escalated", actor="system", at=at)
        return True

    def _settle(
        self,
        tx: ApprovalTransaction,
        settled: Approval,
        *,
        actor: str,
        at: datetime,
        evidence: Evidence | None = None,
    ) -> None:
        if not tx.approvals.settle(settled):
            raise AlreadyAnswered(f"approval `{settled.id}` is no longer pending")
        self._record(tx, settled, settled.state.value, actor=actor, at=at, evidence=evidence)
        self._consequence(tx, settled, at=at)

    def _consequence(self, tx: ApprovalTransaction, settled: Approval, *, at: datetime) -> None:
        for each in self._consequences:
            each.settled(tx, settled, at=at)

    def _watch_denials(self, tx: ApprovalTransaction, settled: Approval, *, at: datetime) -> None:
        """State the fact that an agent keeps asking for what people refuse; `app` has it suspended."""
        if self._attention.exhausted(tx, settled):
            tx.publish(
                Event(
                    id=EventId(mint_id("evt", at=at, entropy=self._entropy)),
                    at=at,
                    tenant=settled.tenant,
                    name="oversight.agent.denied_repeatedly",
                    actor=settled.agent,
                    subject=settled.agent,
                )
            )

    def _record(
        self,
        tx: ApprovalTransaction,
        approval: Approval,
        verb: str,
        *,
        actor: str,
        at: datetime,
        evidence: Evidence | None = None,
    ) -> None:
        contents = _shown(approval) if verb == "requested" else ()
        if evidence is not None:
            contents = (*contents, _signed(evidence))
        facts.state(
            tx,
            Record(
                id=facts.record_id(at, self._entropy),
                at=at,
                tenant=approval.tenant,
                kind=_KINDS[verb],
                actor=actor,
                user=approval.user or "",
                agent=approval.agent,
                task=approval.task or "",
                purpose=approval.purpose,
                chain=approval.chain,
                decision=approval.decision,
                call=approval.call,
                approval=approval.id,
                action=approval.action,
                resource=approval.resource,
                tool=approval.tool,
                effect=approval.state.value,
                rules=(approval.rule,),
                policy_version=approval.policy_version,
                digests=_digests(approval, evidence),
                detail=_detail(approval, evidence),
            ),
            entropy=self._entropy,
            subject=approval.id,
            detail=(),
            contents=contents,
        )

    def ring(self, ident: ApprovalId) -> None:
        """Wake whoever waits for it in this process."""
        bell = self._bells.pop(ident, None)
        if bell is not None:
            bell.set()


def burn(tx: ApprovalTransaction, proof: AnswerProof, *, next_step: str) -> None:
    """(5) Let a proof serve once."""
    if not tx.replay.burn(proof.tenant, proof.once):
        raise AnswerNotProven("this answer was given before", next_step=next_step)


def _restrain(tx: ApprovalTransaction, settled: Approval) -> None:
    """Leave the task of an unanswered ask with reading alone; authority shrinks, hence an epoch."""
    if settled.task is not None and tx.tasks.restrain(settled.task, settled.id):
        tx.advance_epoch(f"read only {settled.task}")
        tx.touch("task", settled.task)


def _evidence(
    approval: Approval, answer: Answer, proof: AnswerProof, *, human: PrincipalId, at: datetime
) -> Evidence:
    return Evidence(
        approval=approval.id,
        tenant=approval.tenant,
        seat=approval.seat,
        person=proof.by,
        human=human,
        answer=answer,
        choice=proof.choice if answer is Answer.APPROVE else None,
        digest=approval.digest,
        channel=proof.channel,
        at=at,
        passkey=proof.passkey,
        signed=proof.signed,
    )


def _digests(approval: Approval, evidence: Evidence | None) -> tuple[tuple[str, Digest], ...]:
    said = (
        ("approval", approval.digest),
        ("arguments", approval.arguments_digest),
        ("tool", approval.tool_digest),
    )
    # The signature itself may be erased with its person; that it was this one stays.
    return said if evidence is None else (*said, ("answer", evidence.fingerprint))


def _detail(approval: Approval, evidence: Evidence | None) -> tuple[tuple[str, str], ...]:
    choice = evidence.choice if evidence is not None else approval.choice
    said: tuple[tuple[str, str], ...] = (
        ("channel", approval.channel or (evidence.channel if evidence is not None else "")),
        ("asked", " ".join(approval.asked)),
        ("control", approval.control.value),
        ("seat", approval.seats[approval.seat].who),
        ("silence", approval.silence.value),
    )
    more = (("said_yes", " ".join(approval.said)), ("needed", str(approval.quorum)))
    said = (*said, *more) if approval.quorum > 1 else said
    return said if choice is None else (*said, ("scope", choice.sentence))


def _signed(evidence: Evidence) -> Content:
    """The signature, kept beside the tree: sealed under the key of whoever signed it."""
    return Content(name="answer", subject=evidence.person, text=msgspec.json.encode(evidence).decode())


def _shown(approval: Approval) -> tuple[Content, ...]:
    """What was shown, kept beside the tree: sealed, erasable with the user's key (R72)."""
    subject = approval.user or approval.agent
    return (Content(name="card", subject=subject, text=approval.arguments),)
