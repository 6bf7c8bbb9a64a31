"""Settle a decision inside the one unit of work that puts it on record, or rehearse that without effect."""

from collections.abc import Sequence

from msgspec import structs

from remit.authority.capability import Capability
from remit.decision.answer.response import Decision, Effect, Handing, Reason
from remit.decision.budget.cost import Line
from remit.decision.budget.shortage import nothing_short
from remit.decision.call.digest import action_key
from remit.decision.codes.catalogue import Code, reason
from remit.decision.making.account import balance, reserve
from remit.decision.making.draft import Draft, Outcome, Prepared, concluded, explanation_of
from remit.decision.making.drafting import Drafting
from remit.decision.making.oversight import asks, unanswered
from remit.decision.making.spending import charged, heard, once, spend_approval, watched, watchful
from remit.decision.making.uses import note_use
from remit.decision.repository import DecisionTransaction
from remit.decision.sources.source import Origin, Source, holders, labels_of
from remit.decision.stages.history import nothing_against, recalled
from remit.decision.stages.lifting import spared
from remit.decision.stages.pipeline import denied, fold, refusal
from remit.decision.stages.policy import unforbidden
from remit.decision.trail.trace import Explanation


class Stale(Exception):
    """The snapshot that the decision was made on is older than the epoch in force."""


class Settling(Drafting):
    """What of the decision point happens in its transaction."""

    _node: str
    _live_limit: int

    def _settle(self, tx: DecisionTransaction, draft: Draft, foreseen: Prepared | None) -> Decision:
        """The one unit of work; the order is that of security 2.2."""
        if not denied(draft.findings) and tx.epoch() != draft.snapshot.epoch:
            raise Stale
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

    def _settle_all(
        self, tx: DecisionTransaction, drafts: Sequence[Draft], foreseen: Sequence[Prepared | None]
    ) -> list[Decision | None]:
        """Several in one unit of work, in their order; None for one whose view has passed.

        What one of them lets its enforcement point read counts for all that follow: they are decided again,
        on what is known then. Raises whatever goes wrong with any of them: then nothing of all is kept.
        """
        found: list[Decision | None] = []
        told = False
        for draft, prepared in zip(drafts, foreseen, strict=True):
            knows = draft.request is None or draft.request.known is None
            if (told and not knows) or (not denied(draft.findings) and tx.epoch() != draft.snapshot.epoch):
                found.append(None)
                continue
            made = self._settle(tx, draft, prepared)
            told = told or bool(made.verdict.obligations)
            found.append(made)
        return found

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
            raise Stale
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


def _as_foreseen(draft: Draft) -> bool:
    """Whether the past said what was expected of it: nothing at all."""
    past = draft.recollection
    return past is None or draft.findings[-1] == nothing_against(past)
