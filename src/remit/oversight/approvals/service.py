"""Asking people: one ask per action digest, one answer per ask, every outcome on record (R70, R72)."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Protocol

from remit.authority.tokens import Proof
from remit.identity.lifecycle import State
from remit.identity.passkeys import PasskeyState
from remit.identity.principals import Kind, Principal
from remit.kernel.clock import Clock
from remit.kernel.events import Event
from remit.kernel.ids import ApprovalId, Entropy, EventId, PrincipalId, TaskId, TenantId, mint_id
from remit.kernel.uow import UnitOfWork
from remit.ledger import facts
from remit.ledger.record import Content, Record
from remit.oversight.approvals.approval import Answer, Approval, ApprovalState, cancel, decide, expire
from remit.oversight.approvals.repository import ApprovalTransaction
from remit.oversight.approvals.routing import eligible, natural_person
from remit.oversight.errors import (
    AlreadyAnswered,
    AnswerNotProven,
    NoApprover,
    NoSuchApproval,
    NotAnApprover,
    PasskeyNeeded,
)

_POLL_SECONDS = 0.5
"""How often a waiting call looks for an answer given on another node; the bell covers this one."""
_SWEEP = 200
_PAGE = 500
_KINDS: Final = {
    "requested": "oversight.approval.requested",
    "approved": "oversight.approval.approved",
    "denied": "oversight.approval.denied",
    "expired": "oversight.approval.expired",
    "cancelled": "oversight.approval.cancelled",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long an ask stays open."""

    lifetime: timedelta = timedelta(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerProof:
    """Proof that a person answered this very digest: burnt with the answer, so it works once.

    `digest` is what the person's signature or link names; `channel` is `signed`, `link` or `passkey`.
    """

    by: PrincipalId
    tenant: TenantId
    approval: ApprovalId
    digest: str
    channel: str
    once: Proof


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
        """Give an ask its one answer, on a person's own proof.

        1 the ask exists   2 the proof names this digest   3 the person was asked, lives, and is not the
        requester   4 it is by passkey where that is due   5 the proof was never used   6 the ask is still
        pending: one conditional update.
        """
        at = self._clock.now()

        def work(tx: ApprovalTransaction) -> Approval:
            approval = _found(tx, ident)
            burn(tx, proof, next_step=f"remit approval show {ident}")
            return self.take(tx, approval, answer=answer, proof=proof, at=at)

        settled = await self._work.commit(work)
        self.ring(ident)
        return settled

    def take(
        self, tx: ApprovalTransaction, approval: Approval, *, answer: Answer, proof: AnswerProof, at: datetime
    ) -> Approval:
        """Take one answer inside an open transaction: steps 2 to 4 and 6.

        The caller MUST burn the proof in the same transaction, and `ring` after its commit.
        """
        _check_answer(tx, approval, proof)
        self._check_means(tx, approval, proof)
        _check_passkey(approval, answer, proof)
        settled = decide(approval, answer=answer, by=proof.by, channel=proof.channel, at=at)
        self._settle(tx, settled, actor=proof.by, at=at)
        self._watch_denials(tx, settled, at=at)
        return settled

    async def get(self, ident: ApprovalId) -> Approval:
        """One ask; raises `NoSuchApproval`."""
        return await self._work.read(lambda tx: _found(tx, ident))

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
        """End every ask whose time is over; returns how many. Idempotent: safe to run on any node."""
        at = self._clock.now()
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
        requester = tx.principals.get(PrincipalId(draft.user)) if draft.user else None
        people = eligible(
            draft.approvers,
            people=_humans(tx),
            requester=requester,
            owner=owner,
            reversible=draft.reversible,
            companions=_companions(tx, draft),
        )
        if not people:
            raise NoApprover(
                f"nobody is left who may answer for `{draft.approvers}`",
                next_step="remit user list",
            )
        people = tuple(self._attention.admit(tx, replace(draft, asked=_ids(people)), people, at=at))
        return replace(
            draft,
            id=ApprovalId(mint_id("apr", at=at, entropy=self._entropy)),
            asked=_ids(people),
            requested_at=at,
            expires_at=at + self._patience.lifetime,
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
                settled = end(approval, at=at)
                if tx.approvals.settle(settled):
                    self._record(tx, settled, verb, actor="system", at=at)
                    self._consequence(tx, settled, at=at)
                    ended.append(settled.id)
            return ended

        ended = await self._work.commit(work)
        for ident in ended:
            self.ring(ident)
        return len(ended)

    def _check_means(self, tx: ApprovalTransaction, approval: Approval, proof: AnswerProof) -> None:
        """(4) A passkey takes the place of a link, and of a key in a file for what can't be undone."""
        if proof.channel == "passkey" or (proof.channel in {"signed", "slack"} and approval.reversible):
            return
        if any(each.state is PasskeyState.ACTIVE for each in tx.passkeys.of(proof.by)):
            raise PasskeyNeeded(
                "you have a passkey, and this is answered with it, on its page",
                next_step=f"remit approval link {approval.id}",
            )

    def _settle(self, tx: ApprovalTransaction, settled: Approval, *, actor: str, at: datetime) -> None:
        if not tx.approvals.settle(settled):
            raise AlreadyAnswered(f"approval `{settled.id}` is no longer pending")
        self._record(tx, settled, settled.state.value, actor=actor, at=at)
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
        self, tx: ApprovalTransaction, approval: Approval, verb: str, *, actor: str, at: datetime
    ) -> None:
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
                digests=(
                    ("approval", approval.digest),
                    ("arguments", approval.arguments_digest),
                    ("tool", approval.tool_digest),
                ),
                detail=(("channel", approval.channel), ("asked", " ".join(approval.asked))),
            ),
            entropy=self._entropy,
            subject=approval.id,
            detail=(),
            contents=_shown(approval) if verb == "requested" else (),
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


def _ids(people: Sequence[Principal]) -> tuple[PrincipalId, ...]:
    return tuple(person.id for person in people)


def _humans(tx: ApprovalTransaction) -> list[Principal]:
    """Everybody, page by page; who may answer is a handful among them."""
    found: list[Principal] = []
    while page := tx.principals.page(kind=Kind.HUMAN, after=found[-1].id if found else "", limit=_PAGE):
        found += page
    return found


def _found(tx: ApprovalTransaction, ident: ApprovalId) -> Approval:
    approval = tx.approvals.get(ident)
    if approval is None:
        raise NoSuchApproval(f"no approval `{ident}`", next_step="remit approval list")
    return approval


def _check_answer(tx: ApprovalTransaction, approval: Approval, proof: AnswerProof) -> None:
    # (2) The signature covers the digest, so that a yes to one action is never a yes to another (P8).
    if (proof.tenant, proof.approval, proof.digest) != (approval.tenant, approval.id, approval.digest):
        raise AnswerNotProven("the answer names another digest than this approval's")
    # (3) Judged again at the answer: the roster may have changed since the ask.
    person = tx.principals.get(proof.by)
    if person is None or person.state is not State.ACTIVE or person.id not in approval.asked:
        raise NotAnApprover(
            f"`{proof.by}` was not asked about `{approval.id}`",
            next_step=f"remit approval show {approval.id}",
        )
    if _is_requester(tx, approval, person) or _is_companion(tx, approval, person):
        raise NotAnApprover("the requester can't approve an action of their own that can't be undone")


def _check_passkey(approval: Approval, answer: Answer, proof: AnswerProof) -> None:
    """(4) Some things are opened by a person who is there, and by nothing that a file could sign."""
    if approval.passkey and answer is Answer.APPROVE and proof.channel != "passkey":
        raise PasskeyNeeded(
            "this is approved with a passkey alone", next_step=f"remit approval link {approval.id}"
        )


def _is_requester(tx: ApprovalTransaction, approval: Approval, person: Principal) -> bool:
    requester = tx.principals.get(PrincipalId(approval.user)) if approval.user else None
    same = requester is not None and (requester.person or requester.id) == (person.person or person.id)
    return same and not (approval.reversible and approval.approvers == "self")


def _companions(tx: ApprovalTransaction, approval: Approval) -> list[Principal]:
    found = (tx.principals.get(PrincipalId(each)) for each in approval.companions)
    return [each for each in found if each is not None]


def _is_companion(tx: ApprovalTransaction, approval: Approval, person: Principal) -> bool:
    return natural_person(person) in {natural_person(each) for each in _companions(tx, approval)}


def _shown(approval: Approval) -> tuple[Content, ...]:
    """What was shown, kept beside the tree: sealed, erasable with the user's key (R72)."""
    subject = approval.user or approval.agent
    return (Content(name="card", subject=subject, text=approval.arguments),)
