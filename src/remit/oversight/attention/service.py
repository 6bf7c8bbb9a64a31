"""The inbox, one answer to a whole card, and how well people answer."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Protocol

from remit.kernel.clock import Clock
from remit.kernel.ids import ApprovalId, Entropy, PrincipalId, TenantId
from remit.kernel.uow import UnitOfWork
from remit.ledger import facts
from remit.ledger.record import Record
from remit.oversight.approvals.approval import Answer, Approval, ApprovalState
from remit.oversight.approvals.repository import ApprovalTransaction
from remit.oversight.approvals.service import AnswerProof, burn
from remit.oversight.attention.budget import DEFAULT, ApproverBudget
from remit.oversight.attention.desk import AttentionDesk, known_marks
from remit.oversight.attention.fold import ITEMS, Bundle, alike_key, fold_digest, lay, may_fold
from remit.oversight.attention.proposal import ENOUGH, EVIDENCE, Proposal, propose
from remit.oversight.attention.proposal import WINDOW as REPEATS
from remit.oversight.attention.quality import MOST_ANSWERS, WINDOW, Quality, measure
from remit.oversight.attention.repository import AttentionTransaction, Slot
from remit.oversight.errors import (
    AlreadyAnswered,
    AnswerNotProven,
    NoSuchApproval,
    NotAlike,
    NotAnApprover,
)

FOLD: Final = ApprovalId("fold")
"""What an answer to a whole card names in place of one ask."""
_GROUP: Final = 4 * ITEMS


class Taking(Protocol):
    """Takes answers; the service of approvals."""

    def take(
        self, tx: ApprovalTransaction, approval: Approval, *, answer: Answer, proof: AnswerProof, at: datetime
    ) -> Approval:
        """Take one answer inside an open transaction."""

    def ring(self, ident: ApprovalId) -> None:
        """Wake whoever waits for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbox:
    """One page of cards; `last` is where the next one goes on, None on the last page."""

    cards: tuple[Bundle, ...]
    last: Slot | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one answer to a card did: to each item by itself."""

    answer: Answer
    settled: tuple[Approval, ...]
    left_out: tuple[Approval, ...]
    """Items that had ended meanwhile, as they stand."""


class AttentionService:
    """Cards of one tenant."""

    def __init__(
        self,
        *,
        work: UnitOfWork[AttentionTransaction],
        desk: AttentionDesk,
        taking: Taking,
        clock: Clock,
        entropy: Entropy,
        tenant: TenantId,
    ) -> None:
        self._work = work
        self._desk = desk
        self._taking = taking
        self._clock = clock
        self._entropy = entropy
        self._tenant = tenant

    async def inbox(self, person: PrincipalId, *, after: Slot | None, limit: int) -> Inbox:
        """What waits for a person: cards by what is at stake, then by their end."""
        return await self._work.read(lambda tx: _inbox(tx, person, after=after, limit=limit))

    async def card(self, person: PrincipalId, idents: Sequence[ApprovalId]) -> Bundle:
        """These asks as one card. Raises `NotAlike`, `NoSuchApproval`, `NotAnApprover`."""
        return await self._work.read(lambda tx: _card(tx, person, idents))

    async def show(self, person: PrincipalId, idents: Sequence[ApprovalId]) -> None:
        """A person has these before them now."""
        at = self._clock.now()
        await self._work.commit(lambda tx: tx.inboxes.shown(person, idents, at))

    async def answer(self, idents: Sequence[ApprovalId], *, answer: Answer, proof: AnswerProof) -> Outcome:
        """Answer a whole card: each item settled by its own row and record, all in one commit.

        1 the person was asked about each   2 the proof names the digest over exactly these
        3 they fold: judged by us   4 the proof was never used
        5 each item that still waits is answered as if by itself; what has ended is left out, and said.
        """
        at = self._clock.now()

        def work(tx: AttentionTransaction) -> Outcome:
            asks = _asked(tx, proof.by, idents)
            if (proof.tenant, proof.approval, proof.digest) != (self._tenant, FOLD, fold_digest(asks)):
                raise AnswerNotProven(
                    "the answer names another card than this", next_step="remit approval inbox"
                )
            self.judge(tx, asks)
            burn(tx, proof, next_step="remit approval inbox")
            return self._take(tx, asks, answer=answer, proof=proof, at=at)

        outcome = await self._work.commit(work)
        for ask in outcome.settled:
            self._taking.ring(ask.id)
        return outcome

    def judge(self, tx: AttentionTransaction, asks: Sequence[Approval]) -> None:
        """Refuse to have these answered as one unless they fold. Raises `NotAlike`."""
        _need_alike(tx, asks)

    async def budget(self, person: str) -> ApproverBudget:
        """What holds for a person, or for everybody (`default`)."""
        return await self._work.read(lambda tx: self._desk.budget(tx, person))

    async def set_budget(self, budget: ApproverBudget, *, by: PrincipalId) -> ApproverBudget:
        """Say how much may be asked of a person, or of everybody."""
        at = self._clock.now()

        def work(tx: AttentionTransaction) -> ApproverBudget:
            tx.approver_budgets.save(budget)
            self._state(tx, budget, "limited", by=by, at=at)
            return budget

        return await self._work.commit(work)

    async def unset_budget(self, name: str, *, by: PrincipalId) -> ApproverBudget:
        """Let the default hold again for a person."""
        at = self._clock.now()

        def work(tx: AttentionTransaction) -> ApproverBudget:
            if tx.approver_budgets.remove(name):
                self._state(tx, replace(self._desk.budget(tx, name), name=name), "unlimited", by=by, at=at)
            return self._desk.budget(tx, name)

        return await self._work.commit(work)

    async def proposals(self, *, limit: int) -> Sequence[Proposal]:
        """Rules that would have answered what people answered alike over thirty days, most repeated first."""
        at = self._clock.now()

        def work(tx: AttentionTransaction) -> Sequence[Proposal]:
            since = at - REPEATS
            found = tx.inboxes.repeated(since=since, at_least=ENOUGH, limit=limit)
            asks = {key: tx.inboxes.answered_alike(key, since=since, limit=EVIDENCE) for key, _, _ in found}
            made = (propose(key, answered, at=at) for key, answered in asks.items())
            return [each for each in made if each is not None]

        return await self._work.read(work)

    async def quality(self, person: PrincipalId) -> Quality:
        """How a person has answered over the last thirty days."""
        at = self._clock.now()
        return await self._work.read(lambda tx: _quality(tx, person, at=at))

    async def qualities(self, *, after: str, limit: int) -> Sequence[Quality]:
        """The same of everybody who was asked anything, by id."""
        at = self._clock.now()

        def work(tx: AttentionTransaction) -> Sequence[Quality]:
            people = tx.inboxes.answerers(since=at - WINDOW, after=after, limit=limit)
            return [_quality(tx, each, at=at) for each in people]

        return await self._work.read(work)

    def _take(
        self,
        tx: AttentionTransaction,
        asks: Sequence[Approval],
        *,
        answer: Answer,
        proof: AnswerProof,
        at: datetime,
    ) -> Outcome:
        settled: list[Approval] = []
        left_out: list[Approval] = []
        for ask in asks:
            if ask.state is not ApprovalState.PENDING or at >= ask.expires_at:
                left_out.append(ask)
                continue
            self._desk.answered(
                tx, ask, by=proof.by, answer=answer, at=at, together=len(asks), aloud=not settled
            )
            own = replace(proof, approval=ask.id, digest=ask.digest)
            try:
                settled.append(self._taking.take(tx, ask, answer=answer, proof=own, at=at))
            except AlreadyAnswered:
                # Another node was faster since we looked; nothing of this item was written.
                left_out.extend(tx.inboxes.many([ask.id]))
        if not settled:
            raise AlreadyAnswered("nothing on this card waits any more", next_step="remit approval inbox")
        outcome = Outcome(answer=answer, settled=tuple(settled), left_out=tuple(left_out))
        if len(asks) > 1:
            self._record(tx, outcome, proof=proof, at=at)
        return outcome

    def _record(
        self, tx: AttentionTransaction, outcome: Outcome, *, proof: AnswerProof, at: datetime
    ) -> None:
        first = outcome.settled[0]
        record = Record(
            id=facts.record_id(at, self._entropy),
            at=at,
            tenant=self._tenant,
            kind="oversight.fold.answered",
            actor=proof.by,
            agent=first.agent,
            action=first.action,
            effect=outcome.answer,
            rules=(first.rule,),
            policy_version=first.policy_version,
            digests=(("fold", proof.digest), *((each.id, each.digest) for each in outcome.settled)),
            detail=(
                ("channel", proof.channel),
                ("items", str(len(outcome.settled))),
                ("left_out", " ".join(each.id for each in outcome.left_out)),
            ),
        )
        facts.state(tx, record, entropy=self._entropy)

    def _state(
        self, tx: AttentionTransaction, budget: ApproverBudget, verb: str, *, by: PrincipalId, at: datetime
    ) -> None:
        record = Record(
            id=facts.record_id(at, self._entropy),
            at=at,
            tenant=self._tenant,
            kind=f"oversight.attention.{verb}",
            actor=by,
            subject=budget.name if budget.name != DEFAULT else "",
            detail=(
                ("per_hour", str(budget.per_hour)),
                ("per_day", str(budget.per_day)),
                ("per_agent_per_day", str(budget.per_agent_per_day)),
                ("quiet", f"{budget.quiet_from}-{budget.quiet_to} {budget.zone}"),
            ),
        )
        facts.state(tx, record, entropy=self._entropy)


def _inbox(tx: AttentionTransaction, person: PrincipalId, *, after: Slot | None, limit: int) -> Inbox:
    cards: list[Bundle] = []
    last = after
    for slot, together in _groups(tx, person, after=after, limit=limit):
        if len(cards) >= limit:
            return Inbox(cards=_in_order(cards), last=last)
        asks = tx.inboxes.many([each.approval for each in together])
        known = {slot.alike: known_marks(tx, asks)} if slot.alike and len(asks) > 1 else {}
        cards += lay([each for each in asks if each.state is ApprovalState.PENDING], known)
        last = slot
    return Inbox(cards=_in_order(cards), last=None)


def _in_order(cards: Sequence[Bundle]) -> tuple[Bundle, ...]:
    """What stands out from its like comes before what it was found with."""
    return tuple(sorted(cards, key=lambda card: (card.rank, card.expires_at, card.items[0].id)))


def _groups(
    tx: AttentionTransaction, person: PrincipalId, *, after: Slot | None, limit: int
) -> Iterator[tuple[Slot, Sequence[Slot]]]:
    """Slots in their order, each with those that are alike; a group comes where its first member stands."""
    seen: set[str] = set()
    past = after
    while page := tx.inboxes.slots(person, after=past, limit=limit + 1):
        for slot in page:
            past = slot
            if slot.alike is None:
                yield slot, [slot]
            elif slot.alike not in seen:
                seen.add(slot.alike)
                group = tx.inboxes.alike(person, slot.alike, limit=_GROUP)
                # Its first member stood on an earlier page, and so did it.
                if group and group[0].place >= slot.place:
                    yield slot, group


def _card(tx: AttentionTransaction, person: PrincipalId, idents: Sequence[ApprovalId]) -> Bundle:
    asks = _asked(tx, person, idents)
    _need_alike(tx, asks)
    key = alike_key(asks[0])
    return lay(asks, {key: known_marks(tx, asks)} if key else {})[0]


def _asked(tx: AttentionTransaction, person: PrincipalId, idents: Sequence[ApprovalId]) -> list[Approval]:
    """These asks, if the person was asked about each; what is absent and what is another's look alike."""
    if not 1 <= len(idents) <= ITEMS:
        raise NotAlike(f"a card holds 1 to {ITEMS} asks, not {len(idents)}", next_step="remit approval inbox")
    found = list(tx.inboxes.many(idents))
    if len(found) != len(idents):
        raise NoSuchApproval("no such approval", next_step="remit approval inbox")
    if any(person not in each.asked for each in found):
        raise NotAnApprover("you were not asked about all of these", next_step="remit approval inbox")
    return found


def _need_alike(tx: AttentionTransaction, asks: Sequence[Approval]) -> None:
    why = may_fold(asks, known_marks(tx, asks) if len(asks) > 1 else frozenset())
    if why:
        raise NotAlike(f"these are not answered as one: {why}", next_step="remit approval inbox")


def _quality(tx: AttentionTransaction, person: PrincipalId, *, at: datetime) -> Quality:
    since = at - WINDOW
    given = tx.inboxes.given(person, since=since, limit=MOST_ANSWERS)
    return measure(person, given, counts=tx.inboxes.counts(person, since=since), since=since, at=at)
