"""What a person shows with an answer."""

from dataclasses import dataclass

from remit.authority.tokens import Proof
from remit.identity.kept_answers import KeptAnswer
from remit.kernel.ids import ApprovalId, PrincipalId, TenantId
from remit.oversight.approvals.evidence import SignedToken
from remit.oversight.approvals.scope import Choice


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerProof:
    """Proof that a person answered this very digest: burnt with the answer, so it works once.

    `digest` is what the person's signature or link names; `channel` is `signed`, `link` or `passkey`. With a
    `choice` the yes is to that scope, which the signature covers too.
    """

    by: PrincipalId
    tenant: TenantId
    approval: ApprovalId
    digest: str
    channel: str
    once: Proof
    choice: Choice | None = None
    passkey: KeptAnswer | None = None
    signed: SignedToken | None = None
