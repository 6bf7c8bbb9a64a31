"""Whether an answer counts: it names this digest, by this living person, by the means that is due."""

from remit.identity.lifecycle import State
from remit.identity.passkeys import PasskeyState
from remit.identity.principals import Principal
from remit.kernel.ids import ApprovalId, PrincipalId
from remit.oversight.approvals.approval import Answer, Approval, Control
from remit.oversight.approvals.proof import AnswerProof
from remit.oversight.approvals.repository import ApprovalTransaction
from remit.oversight.approvals.routing import natural_person
from remit.oversight.approvals.seating import companions
from remit.oversight.errors import AnswerNotProven, NoSuchApproval, NotAnApprover, PasskeyNeeded


def found(tx: ApprovalTransaction, ident: ApprovalId) -> Approval:
    """One ask. Raises `NoSuchApproval`."""
    approval = tx.approvals.get(ident)
    if approval is None:
        raise NoSuchApproval(f"no approval `{ident}`", next_step="remit approval list")
    return approval


def check_answer(tx: ApprovalTransaction, approval: Approval, proof: AnswerProof) -> Principal:
    """Give the person who answers (2, 3). Raises `AnswerNotProven` or `NotAnApprover`."""
    # (2) The signature covers the digest, so that a yes to one action is never a yes to another (P8).
    if (proof.tenant, proof.approval, proof.digest) != (approval.tenant, approval.id, approval.digest):
        raise AnswerNotProven("the answer names another digest than this approval's")
    # (3) Judged again at the answer: the roster may have changed since the ask.
    person = tx.principals.get(proof.by)
    if person is None or person.state is not State.ACTIVE or person.id not in approval.asked:
        raise NotAnApprover(_not_asked(approval, proof.by), next_step=f"remit approval show {approval.id}")
    if _is_requester(tx, approval, person) or _is_companion(tx, approval, person):
        raise NotAnApprover(
            "the requester confirms nothing of their own that can't be undone, that they gain by, or that "
            "somebody else is asked about"
        )
    return person


def check_means(tx: ApprovalTransaction, approval: Approval, proof: AnswerProof) -> None:
    """(4) A passkey takes the place of a link, and of a key in a file for what can't be undone."""
    if proof.channel == "passkey" or (proof.channel in {"signed", "slack"} and approval.reversible):
        return
    if any(each.state is PasskeyState.ACTIVE for each in tx.passkeys.of(proof.by)):
        raise PasskeyNeeded(
            "you have a passkey, and this is answered with it, on its page",
            next_step=f"remit approval link {approval.id}",
        )


def check_passkey(approval: Approval, answer: Answer, proof: AnswerProof) -> None:
    """(4) Some things are opened by a person who is there, and by nothing that a file could sign."""
    if approval.passkey and answer is Answer.APPROVE and proof.channel != "passkey":
        raise PasskeyNeeded(
            "this is approved with a passkey alone", next_step=f"remit approval link {approval.id}"
        )


def _not_asked(approval: Approval, by: PrincipalId) -> str:
    if by in approval.asked_before:
        return f"`{approval.id}` went on to `{approval.seats[approval.seat].who}`, who answer now"
    return f"`{by}` was not asked about `{approval.id}`"


def _is_requester(tx: ApprovalTransaction, approval: Approval, person: Principal) -> bool:
    requester = tx.principals.get(PrincipalId(approval.user)) if approval.user else None
    same = requester is not None and natural_person(requester) == natural_person(person)
    # N20: confirming is for what can be undone and brings nothing; everything else takes another person.
    may_confirm = approval.reversible and not approval.own_benefit
    return same and not (may_confirm and approval.control is Control.SELF_CONFIRMATION)


def _is_companion(tx: ApprovalTransaction, approval: Approval, person: Principal) -> bool:
    return natural_person(person) in {natural_person(each) for each in companions(tx, approval)}
