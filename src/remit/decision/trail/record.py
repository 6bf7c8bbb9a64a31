"""A decision as the ledger keeps it: ids, codes and digests in the tree, clear text sealed beside it."""

from remit.decision.answer.response import Reason
from remit.decision.call.request import ActionRequest, ProposedCall
from remit.decision.trail.trace import StoredDecision
from remit.kernel.ids import RecordId
from remit.ledger.record import Content, Record


def decided(
    ident: RecordId, stored: StoredDecision, call: ProposedCall, request: ActionRequest | None
) -> tuple[Record, tuple[Content, ...]]:
    """The record of a decision, whatever it was: one for each that was asked for (R139)."""
    told, verdict = stored.explanation, stored.explanation.verdict
    task = request.task if request else None
    record = Record(
        id=ident,
        at=call.at,
        tenant=call.subject.tenant,
        kind="decision.action.decided",
        actor=call.subject.instance,
        user=call.subject.user or "",
        owner=(request.principal.owner or "") if request else "",
        agent=call.subject.agent,
        task=call.subject.task or "",
        purpose=told.purpose,
        mode=task.mode if task else "",
        initiative=task.initiative if task else "",
        chain=told.chain,
        envelope=call.subject.envelope or "",
        grant=(task.grant or "") if task else "",
        decision=stored.id,
        capability=stored.capability or "",
        call=call.call,
        approval=stored.approval or "",
        action=call.action,
        resource=told.resource,
        tool=call.tool.id if call.tool else "",
        effect=verdict.effect,
        codes=tuple(dict.fromkeys([said.code for said in verdict.reasons])),
        rules=tuple(dict.fromkeys([said.rule for said in verdict.reasons if said.rule])),
        policy_version=verdict.policy_version,
        revision=verdict.revision,
        epoch=verdict.epoch,
        digests=_digests(call, stored),
        detail=(*_detail(stored, call), *_company(request)),
    )
    owner = call.subject.user or call.subject.agent
    clear = Content(name="arguments", subject=owner, text=call.raw_arguments.decode(errors="strict"))
    return record, (clear,) if call.raw_arguments else ()


def spent(ident: RecordId, stored: StoredDecision, call: ProposedCall) -> Record:
    """That an approval was used up, by which call."""
    return Record(
        id=ident,
        at=call.at,
        tenant=call.subject.tenant,
        kind="oversight.approval.spent",
        actor=call.subject.instance,
        user=call.subject.user or "",
        agent=call.subject.agent,
        task=call.subject.task or "",
        decision=stored.id,
        call=call.call,
        approval=stored.approval or "",
        subject=stored.approval or "",
        digests=(("action", stored.explanation.key),),
    )


def _digests(call: ProposedCall, stored: StoredDecision) -> tuple[tuple[str, str], ...]:
    found = [("arguments", call.arguments_digest)]
    if call.tool is not None:
        found.append(("tool", call.tool.digest))
    if stored.explanation.key:
        found.append(("action", stored.explanation.key))
    return tuple(found)


def _company(request: ActionRequest | None) -> tuple[tuple[str, str], ...]:
    """Who else the run is for."""
    if request is None or not request.companions:
        return ()
    return (("with", " ".join(each.id for each in request.companions)),)


def _detail(stored: StoredDecision, call: ProposedCall) -> tuple[tuple[str, str], ...]:
    """Who asked, what policies not in force would have said, what a permit obliges to, rules' origins."""
    verdict = stored.explanation.verdict
    origins = _origins(verdict.reasons)
    asked = (("asked_by", str(call.asked_by)),) if call.asked_by else ()
    if stored.explanation.glasses:
        asked = (*asked, ("breakglass", " ".join(stored.explanation.glasses)))
    if not verdict.observed and not verdict.obligations and not origins:
        return asked
    return (
        *asked,
        *origins,
        *((f"observed.{seen.rule}", str(seen.effect)) for seen in verdict.observed),
        *((f"obligation.{duty.type}", str(len(duty.properties))) for duty in verdict.obligations),
    )


def _origins(reasons: tuple[Reason, ...]) -> tuple[tuple[str, str], ...]:
    """Law, contract or house rule of each policy that decided, and the controls that it carries out (R61)."""
    found = [(f"source.{said.rule}", said.source) for said in reasons if said.source]
    found += [(f"control.{said.rule}", "; ".join(said.controls)) for said in reasons if said.controls]
    return tuple(dict.fromkeys(found))
