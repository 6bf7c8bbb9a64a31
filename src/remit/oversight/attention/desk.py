"""At the ask and at the answer: who is asked now, what lies before whom, and how it was answered."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from remit.identity.lifecycle import State
from remit.identity.principals import Kind, Principal
from remit.kernel.ids import Entropy, PrincipalId
from remit.ledger import facts
from remit.ledger.record import Record
from remit.oversight.approvals.approval import Approval, ApprovalState
from remit.oversight.approvals.routing import natural_person
from remit.oversight.attention.budget import DAY, DEFAULT, MOST, ApproverBudget
from remit.oversight.attention.fold import ITEMS, alike_key, lay, marks_of
from remit.oversight.attention.repository import AttentionTransaction, Given
from remit.oversight.attention.share import Attention
from remit.oversight.errors import ApproversBusy

HASTY: Final = timedelta(seconds=2)
"""A yes that is given sooner was not read."""
KNOWN: Final = 50
"""Earlier answers that are looked at for what is known."""
_SAYS: Final = {ApprovalState.APPROVED: "approve", ApprovalState.DENIED: "deny"}


class AttentionDesk:
    """Keeps the budgets of people, and the memory of what they were asked."""

    def __init__(self, *, limits: Attention, default: ApproverBudget, entropy: Entropy) -> None:
        self._limits = limits
        self._default = default
        self._entropy = entropy

    def admit(
        self, tx: AttentionTransaction, draft: Approval, people: Sequence[Principal], *, at: datetime
    ) -> Sequence[Principal]:
        """Whom of those who may answer to ask now: whoever has room, else their deputies.

        1 the agent and its user are within their share   2 who has room   3 deputies of those who have none.
        Raises `ApproversBusy` if nobody is left: an ask is refused at once rather than dropped or put off.
        What only a passkey opens is ours, and is always asked.
        """
        self._limits.admit(tx, draft, people, at=at)
        if draft.passkey:
            return people
        why = {person.id: self._full(tx, person.id, draft, at=at) for person in people}
        free = [person for person in people if not why[person.id]]
        if free:
            return free
        deputies = [
            each for each in _deputies(tx, draft, people) if not self._full(tx, each.id, draft, at=at)
        ]
        if not deputies:
            said = "; ".join(sorted(set(why.values())))
            raise ApproversBusy(
                f"nobody of `{draft.approvers}` can be asked now: {said}",
                next_step="remit approval budget",
            )
        return sorted({each.id: each for each in deputies}.values(), key=lambda each: each.id)

    def exhausted(self, tx: AttentionTransaction, settled: Approval) -> bool:
        """Whether the agent of a settled ask has been denied so often that it is to stop."""
        return self._limits.exhausted(tx, settled)

    def addressed(self, tx: AttentionTransaction, ask: Approval, *, at: datetime) -> None:
        """Lay an ask before whoever is asked; idempotent, so that it may be laid before more people later."""
        del at
        new = [person for person in ask.asked if not joins(tx, person, ask)]
        tx.inboxes.put(ask, ask.asked, new=new)

    def settled(self, tx: AttentionTransaction, ask: Approval, *, at: datetime) -> None:
        """Note who answered and how soon; a yes that nobody can have read is said aloud."""
        tx.inboxes.close(ask.id)
        said = _SAYS.get(ask.state)
        if said is None or ask.decided_by is None:
            return
        self.answered(tx, ask, by=ask.decided_by, answer=said, at=at)

    def answered(
        self,
        tx: AttentionTransaction,
        ask: Approval,
        *,
        by: PrincipalId,
        answer: str,
        at: datetime,
        together: int = 1,
        aloud: bool = True,
    ) -> None:
        """Note one person's answer, once; of a card with several items one alarm is enough."""
        given = tx.inboxes.answered(by, ask.id, answer=answer, together=together, at=at)
        if given is not None and aloud and is_hasty(given):
            self._say_hasty(tx, ask, given, by=by, at=at)

    def budget(self, tx: AttentionTransaction, person: str) -> ApproverBudget:
        """What holds for a person: their own budget, that of everybody, or the installation's."""
        return tx.approver_budgets.get(person) or tx.approver_budgets.get(DEFAULT) or self._default

    def _full(self, tx: AttentionTransaction, person: PrincipalId, draft: Approval, *, at: datetime) -> str:
        """Why a person is not asked now; an ask that goes onto a card that lies there takes no room."""
        budget = self.budget(tx, person)
        taken = tx.inboxes.taken(person, since=at - DAY, limit=MOST)
        why = budget.spent(taken, agent=draft.agent, at=at)
        return why if why and not joins(tx, person, draft) else ""

    def _say_hasty(
        self, tx: AttentionTransaction, ask: Approval, given: Given, *, by: PrincipalId, at: datetime
    ) -> None:
        took = given.answered_at - given.shown_at if given.shown_at else timedelta()
        record = Record(
            id=facts.record_id(at, self._entropy),
            at=at,
            tenant=ask.tenant,
            kind="oversight.attention.hasty",
            actor=by,
            agent=ask.agent,
            task=ask.task or "",
            approval=ask.id,
            action=ask.action,
            subject=by,
            detail=(("milliseconds", str(took // timedelta(milliseconds=1))),),
        )
        facts.state(tx, record, entropy=self._entropy)


def is_hasty(given: Given) -> bool:
    """Whether a yes came sooner than anybody reads. What was never shown here is counted apart."""
    if given.answer != "approve" or given.shown_at is None:
        return False
    return given.answered_at - given.shown_at < HASTY


def joins(tx: AttentionTransaction, person: PrincipalId, ask: Approval) -> bool:
    """Whether an ask goes onto a card that lies before a person already."""
    key = alike_key(ask)
    if key is None:
        return False
    there = [slot.approval for slot in tx.inboxes.alike(person, key, limit=2 * ITEMS)]
    if not there:
        return False
    others = tx.inboxes.many([each for each in there if each != ask.id])
    known = {key: known_marks(tx, [ask])}
    return len(lay([*others, replace(ask, asked=())], known)) <= len(lay(others, known))


def known_marks(tx: AttentionTransaction, asks: Sequence[Approval]) -> frozenset[str]:
    """Places and resources that people have said yes to before, for the agent and action of alike asks.

    What these asks themselves were answered since does not make their like look strange.
    """
    before = tx.inboxes.known(asks[0].agent, asks[0].action, limit=KNOWN)
    own = {each.id for each in asks}
    return frozenset(mark for each in before if each.id not in own for mark in marks_of(each))


def _deputies(tx: AttentionTransaction, draft: Approval, people: Sequence[Principal]) -> Sequence[Principal]:
    """Who stands in for these: alive, human, and never one who would gain. Nobody confirms for another."""
    if draft.approvers == "self":
        return []
    gaining = [tx.principals.get(PrincipalId(each)) for each in (draft.user, *draft.companions) if each]
    barred = {natural_person(each) for each in gaining if each is not None}
    named = [tx.principals.get(person.deputy) for person in people if person.deputy]
    return [
        each
        for each in named
        if each is not None
        and each.kind is Kind.HUMAN
        and each.state is State.ACTIVE
        and natural_person(each) not in barred
    ]
