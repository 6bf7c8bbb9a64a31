"""The enforcement point's desk: questions to people, kept by the oversight wing."""

from typing import Final

from remit.decision.answer.response import Decision, Effect, Reason, Stage
from remit.decision.answer.terms import Silence
from remit.decision.call.digest import immaterial, pointed
from remit.decision.call.request import ProposedCall
from remit.decision.codes.catalogue import Code
from remit.decision.facts.snapshot import Snapshot, Snapshots
from remit.decision.stages.provenance import RULE as PROVENANCE
from remit.enforcement.pep.decider import Ask, AskState, CannotAsk
from remit.kernel.ids import ApprovalId, CallId, PrincipalId
from remit.oversight.approvals.approval import Approval, ApprovalState
from remit.oversight.approvals.routing import natural_person
from remit.oversight.approvals.service import ApprovalService
from remit.oversight.approvals.visible import show
from remit.oversight.errors import NoApprover, TooManyAsks


class ApprovalDesk:
    """Turns a decision that asks into an ask of exactly those bytes."""

    def __init__(self, *, approvals: ApprovalService, snapshots: Snapshots, issuer: str) -> None:
        self._approvals = approvals
        self._snapshots = snapshots
        self._issuer = issuer

    async def ask(self, call: ProposedCall, decision: Decision) -> Ask:
        """Open the question, or find the open one for the same bytes of the same agent and task."""
        snapshot = self._snapshots.current()
        owner = snapshot.principals.get(PrincipalId(call.subject.agent))
        draft = _draft(call, decision, snapshot)
        try:
            opened = await self._approvals.ask(draft, owner=owner.owner if owner else None)
        except (NoApprover, TooManyAsks) as unable:
            raise CannotAsk(unable.hint, reason=unable.code) from unable
        return self._as_ask(opened)

    async def wait(self, ask: Ask, seconds: float) -> Ask:
        """Return as soon as it is answered, at the latest after `seconds`."""
        return self._as_ask(await self._approvals.wait(ask.id, seconds=seconds))

    def _as_ask(self, approval: Approval) -> Ask:
        return Ask(
            id=approval.id,
            state=_AS_ASKED.get(approval.state) or AskState(approval.state.value),
            page=f"{self._issuer}/approvals/{approval.id}",
            sentence=_sentence(approval),
            give_up_at=approval.expires_at,
        )


_AS_ASKED: Final = {ApprovalState.REVOKED: AskState.CANCELLED}
"""A yes that was taken back is, to whoever waits for it, a question that was withdrawn."""


def _sentence(approval: Approval) -> str:
    what = f"{approval.action} on {approval.resource}"
    match approval.state:
        case ApprovalState.PENDING:
            return f"{what} waits for a yes from {approval.seats[approval.seat].who}"
        case ApprovalState.APPROVED:
            return f"{what} was approved"
        case ApprovalState.DENIED:
            return f"{what} was denied by {approval.decided_by}"
        case ApprovalState.EXPIRED:
            return f"nobody answered about {what} in time"
        case ApprovalState.CANCELLED:
            return f"the question about {what} was cancelled"
        case ApprovalState.REVOKED:
            return f"the yes to {what} was taken back"


def _draft(call: ProposedCall, decision: Decision, snapshot: Snapshot) -> Approval:
    subject, tool, at = call.subject, call.tool, call.at
    deciding = decision.verdict.reasons[-1]
    task = snapshot.tasks.get(subject.task) if subject.task else None
    company = tuple(each.user for each in task.companions) if task else ()
    terms, mapping = decision.verdict.terms, tool.mapping if tool else None
    reversible = tool.reversible if tool else False
    return Approval(
        id=ApprovalId(""),
        tenant=subject.tenant,
        state=ApprovalState.PENDING,
        key=decision.key,
        decision=decision.id,
        call=CallId(call.call),
        agent=PrincipalId(subject.agent),
        agent_name=_name(snapshot, subject.agent),
        instance=PrincipalId(subject.instance),
        user=subject.user,
        user_name=_name(snapshot, subject.user) if subject.user else "",
        task=subject.task,
        purpose=_purpose(snapshot, call),
        chain=tuple(_name(snapshot, member) for member in subject.chain),
        server=call.action.partition("/")[0],
        tool=tool.name if tool else call.method,
        tool_digest=tool.digest if tool else "",
        action=call.action,
        resource=f"{call.resource.type}:{call.resource.id}",
        effect=tool.mapping.effect if tool and tool.mapping else "",
        imperative=tool.mapping.imperative if tool and tool.mapping else "",
        reversible=reversible,
        arguments=call.raw_arguments.decode() or "{}",
        arguments_digest=call.arguments_digest,
        policy_version=decision.verdict.policy_version,
        rule=deciding.rule,
        reason=show(_because(decision, deciding)).text,
        approvers=decision.verdict.approvers,
        asked=(),
        requested_at=at,
        expires_at=at,
        amount=call.money.minor if call.money else None,
        currency=call.money.currency if call.money else "",
        companions=company,
        companion_names=tuple(_name(snapshot, each) for each in company),
        own_benefit=_own_benefit(call, snapshot),
        silence=(terms.silence if terms else None) or _silence(decision, reversible=reversible),
        # Irreversible is once, whatever a rule says; so is what a decision found no family for.
        bound=terms.bound if terms and reversible and decision.family else None,
        family=decision.family,
        immaterial=immaterial(mapping) if mapping else (),
        resource_at=mapping.resource.pointer if mapping else "",
    )


def _silence(decision: Decision, *, reversible: bool) -> Silence:
    """By risk: what can be undone, and only a rule asks about, waits; everything else moves on and ends."""
    asking = [said for said in decision.verdict.reasons if said.effect is Effect.ASK]
    calm = all(said.stage in {Stage.POLICY, Stage.OVERSIGHT} for said in asking)
    return Silence.WAIT if reversible and calm else Silence.ESCALATE


def _own_benefit(call: ProposedCall, snapshot: Snapshot) -> bool:
    """Whether the person on whose behalf it is done is who gains, by any name that they go by."""
    pointer = call.tool.mapping.beneficiary if call.tool and call.tool.mapping else ""
    user = snapshot.principals.get(PrincipalId(call.subject.user)) if call.subject.user else None
    there, value = pointed(call.arguments, pointer) if pointer else (False, None)
    if user is None or not there:
        return False
    gains = str(value).strip().casefold()
    own = {natural_person(user)}
    accounts = [each for each in snapshot.principals.values() if natural_person(each) in own]
    names = {name.casefold() for each in accounts for name in (each.id, each.name, each.email) if name}
    return gains in names


def _because(decision: Decision, deciding: Reason) -> str:
    """What the card says: the rule that asks, every doubt about where a value came from, what is left."""
    doubts = [
        said.sentence
        for said in decision.verdict.reasons
        if said.rule == PROVENANCE or said.code == Code.BUDGET_ASKS
    ]
    return "; ".join(dict.fromkeys([deciding.sentence, *doubts]))


def _name(snapshot: Snapshot, ident: str) -> str:
    """What people call a principal; an instance goes by its agent's name."""
    found = snapshot.principals.get(PrincipalId(ident))
    if found is None:
        return ident
    parent = snapshot.principals.get(found.parent) if found.parent else None
    return found.email or (parent.name if parent else found.name)


def _purpose(snapshot: Snapshot, call: ProposedCall) -> str:
    task = snapshot.tasks.get(call.subject.task) if call.subject.task else None
    return task.purpose if task else ""
