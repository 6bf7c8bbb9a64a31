"""How a person proves that a yes is theirs: a signature over the digest, or a one-time link to the page.

Neither can be made by an agent: the signature needs a key registered to a human, the link is issued to one
person for one ask and works once. Passkeys take the place of both where they are enrolled.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from remit.authority.tokens import Proof
from remit.kernel.canonical import Json
from remit.kernel.ids import ApprovalId, Entropy, PrincipalId, mint_id
from remit.kernel.jose.jwt import VerifiedJwt, issue, verify
from remit.kernel.jose.keys import KeyLookup, Signer
from remit.kernel.jose.profiles import PEER_LEEWAY, TokenType
from remit.oversight.approvals.approval import Answer, Approval
from remit.oversight.approvals.evidence import SignedToken
from remit.oversight.approvals.proof import AnswerProof
from remit.oversight.approvals.scope import Choice, word
from remit.oversight.errors import AnswerNotProven

SIGNED_ANSWER_LIFE: Final = timedelta(minutes=5)
"""A person's signature over a digest is fresh or it is none (security §5)."""


def read_signed_answer(
    token: str, *, keys: KeyLookup, audience: str, at: datetime, choice: Choice | None = None
) -> tuple[Answer, AnswerProof]:
    """Verify a person's own signature (`remit-approval+jwt`): `iss` human, `apr`, `digest`, `answer`.

    1 the strict front accepts it under a key of class PERSON   2 it is at most five minutes old
    3 it says approve or deny, and, with a `choice`, yes to exactly that scope. The caller MUST still give it
    to `ApprovalService.answer`, which burns it.
    """
    verified = verify(token, as_type=TokenType.APPROVAL, keys=keys, at=at, audience=audience)
    issued_at = verified.claims.issued_at
    if issued_at is None or at - issued_at > SIGNED_ANSWER_LIFE:
        raise AnswerNotProven("the signed answer is more than five minutes old")
    answer = _answer(verified.claims.text("answer"), choice)
    signed = SignedToken(token=token, jwk=verified.record.public.canonical.decode())
    proof = _proof(verified, by=verified.claims.issuer, channel="signed")
    return answer, replace(proof, choice=choice, signed=signed)


def _answer(said: str, choice: Choice | None) -> Answer:
    if choice is not None:
        if said != word(Answer.APPROVE.value, choice):
            raise AnswerNotProven(
                "the signed answer is not to the scope that came with it", next_step="sign it again"
            )
        return Answer.APPROVE
    try:
        return Answer(said)
    except ValueError as unknown:
        raise AnswerNotProven("the signed answer says neither approve nor deny") from unknown


def issue_link(
    approval: Approval, *, to: PrincipalId, signer: Signer, issuer: str, at: datetime, entropy: Entropy
) -> str:
    """Make the secret part of a link (`remit-link+jwt`) for one person and one ask; it dies with the ask."""
    claims: dict[str, Json] = {
        "iss": issuer,
        "aud": f"{issuer}/approve",
        "sub": to,
        "apr": approval.id,
        "digest": approval.digest,
        "jti": mint_id("lnk", at=at, entropy=entropy),
        "iat": int(at.timestamp()),
        "exp": int(approval.expires_at.timestamp()),
    }
    return issue(claims, as_type=TokenType.APPROVAL_LINK, signer=signer)


def read_link(token: str, *, keys: KeyLookup, issuer: str, at: datetime) -> AnswerProof:
    """Verify a link; opening it proves nothing yet and changes nothing: only its form does."""
    verified = verify(token, as_type=TokenType.APPROVAL_LINK, keys=keys, at=at, audience=f"{issuer}/approve")
    return _proof(verified, by=verified.claims.subject, channel="link")


def _proof(verified: VerifiedJwt, *, by: str, channel: str) -> AnswerProof:
    claims = verified.claims
    return AnswerProof(
        by=PrincipalId(by),
        tenant=verified.record.tenant,
        approval=ApprovalId(claims.text("apr")),
        digest=claims.text("digest"),
        channel=channel,
        # A signature of a peer whose clock lags is believed for that much longer than it says (RT-11).
        once=Proof(key=f"{channel}:{by}", jti=claims.jti, keep_until=claims.expires_at + PEER_LEEWAY),
    )
