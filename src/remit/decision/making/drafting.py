"""Make a decision on one view of everything: all of it that can be known without the transaction."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

from remit.authority.capability import Minted
from remit.decision.answer.response import Decision, Effect, Handing, Mode
from remit.decision.budget.cost import Settlement
from remit.decision.budget.shortage import cost_fault, nothing_short
from remit.decision.call.digest import action_key
from remit.decision.call.request import ProposedCall
from remit.decision.facts.assembly import Unassembled, assemble
from remit.decision.facts.outward import known_of
from remit.decision.facts.rollout import facing
from remit.decision.facts.snapshot import Snapshot
from remit.decision.making.beforehand import UNLOOKED, Beforehand, Lookout
from remit.decision.making.draft import Draft, Outcome, Prepared, explanation_of, for_holder
from remit.decision.making.oversight import asks, nothing_asked
from remit.decision.making.spending import family_of
from remit.decision.repository import CapabilityMinter
from remit.decision.risk.desk import firsts
from remit.decision.sources.source import Gathered
from remit.decision.stages.grounding import ground, known_lines
from remit.decision.stages.history import nothing_against, recollect
from remit.decision.stages.lifting import open_for, spared
from remit.decision.stages.pipeline import STEPS, Step, agreed, denied, judge, permitted, refusal
from remit.decision.stages.policy import unforbidden
from remit.decision.stages.provenance import Weighing, provenance_finding
from remit.decision.trail.record import decided, spent
from remit.decision.trail.trace import StoredDecision
from remit.kernel.ids import DecisionId, Entropy, RecordId, mint_id
from remit.kernel.secret import Secret

_BARE: Final = frozenset({Handing.TOLD, Handing.METERED})
"""Permits without a capability."""
_NOTHING_ASKED: Final = nothing_asked()
_NOTHING_SHORT: Final = nothing_short(())


class Drafting:
    """What of the decision point needs no transaction."""

    def __init__(
        self,
        *,
        capabilities: CapabilityMinter,
        entropy: Entropy,
        steps: Sequence[Step] = STEPS,
        lookout: Lookout = Lookout(),  # noqa: B008 — frozen
        print_key: Secret | None = None,
        weighing: Weighing = Weighing(),  # noqa: B008 — frozen
        generation: Callable[[], int] = lambda: 0,
    ) -> None:
        self._capabilities = capabilities
        self._entropy = entropy
        self._steps = steps
        self._lookout = lookout
        self._print_key = print_key
        self._weighing = weighing
        self._generation = generation

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
            generation=self._generation(),
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
                family=family_of(draft) if outcome.verdict.effect is Effect.ASK else "",
                glasses=stored.explanation.glasses,
                consequential=draft.call.consequential,
            ),
        )

    def _mint(self, draft: Draft) -> Minted | None:
        """A capability for a call of a tool; discovery needs none."""
        if draft.request is None or draft.call.tool is None or draft.handing in _BARE:
            return None
        return self._capabilities.mint(draft.request, decision=draft.id, at=draft.call.at)

    def _record_id(self, draft: Draft) -> RecordId:
        return RecordId(mint_id("rec", at=draft.call.at, entropy=self._entropy))


def _begun(handing: Handing) -> Settlement:
    """How a permitted call stands at first: what somebody else lets pass is never heard of again."""
    return Settlement.SPENT if handing is Handing.TOLD else Settlement.RESERVED
