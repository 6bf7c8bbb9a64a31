"""What a passkey signed, kept whole: enough for anybody to verify the signature years later, offline."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from remit.identity.errors import PasskeyRefused
from remit.identity.passkey_proofs import Prover, read_response
from remit.identity.passkeys import Passkey, PasskeyState, RelyingParty
from remit.kernel.canonical import b64u_decode, framed_digest
from remit.kernel.ids import PasskeyId, PrincipalId, TenantId

_LABEL: Final = "remit/answer-challenge/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAnswer:
    """One assertion (WebAuthn §5.2.2) with what verifies it; texts of bytes are base64url.

    `response` is what the authenticator gave: credential id, authenticatorData, clientDataJSON, signature.
    """

    passkey: PasskeyId
    credential: str
    public_key: str
    algorithm: int
    backup_eligible: bool
    question: str
    response: str


def answer_challenge(question: bytes, *, about: str, answer: str) -> bytes:
    """What is signed: SHA-256 over the question's nonce, digest and answer, each behind its length."""
    return bytes.fromhex(framed_digest(_LABEL, [question, about.encode(), answer.encode()]))


def keep(passkey: Passkey, *, question: str, response: str) -> KeptAnswer:
    """What is kept of an answer that was verified."""
    return KeptAnswer(
        passkey=passkey.id,
        credential=passkey.credential,
        public_key=passkey.public_key,
        algorithm=passkey.algorithm,
        backup_eligible=passkey.backup_eligible,
        question=question,
        response=response,
    )


def fault_of(kept: KeptAnswer, *, about: str, answer: str, party: RelyingParty) -> str:
    """Why a kept answer is not that of its passkey to this question; empty if it is."""
    challenge = answer_challenge(b64u_decode(kept.question), about=about, answer=answer)
    try:
        response = read_response(kept.response)
        if response.get("id") != kept.credential:
            return "it is of another passkey"
        Prover(party).assertion(response, challenge=challenge, passkey=_passkey(kept))
    except PasskeyRefused as refused:
        return refused.debug or refused.hint
    return ""


_THEN: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def _passkey(kept: KeptAnswer) -> Passkey:
    """The passkey as far as a signature is verified with it; its counter was judged when it answered."""
    return Passkey(
        id=kept.passkey,
        tenant=TenantId(""),
        human=PrincipalId(""),
        credential=kept.credential,
        public_key=kept.public_key,
        algorithm=kept.algorithm,
        sign_count=0,
        aaguid="",
        transports=(),
        backup_eligible=kept.backup_eligible,
        backed_up=False,
        user_handle="",
        name="",
        state=PasskeyState.ACTIVE,
        created_at=_THEN,
    )
