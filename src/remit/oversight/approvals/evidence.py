"""What stands behind an answer: one row per person and seat, with the signature, verifiable offline."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec

from remit.identity.kept_answers import KeptAnswer, fault_of
from remit.identity.passkeys import RelyingParty
from remit.kernel.canonical import Digest, same_bytes, sha256
from remit.kernel.errors import RemitError
from remit.kernel.ids import ApprovalId, PrincipalId, TenantId
from remit.kernel.jose import jws
from remit.kernel.jose.jwk import parse_jwk
from remit.kernel.jose.jwt import unproven
from remit.kernel.jose.profiles import TokenType
from remit.oversight.approvals.approval import Answer, Approval
from remit.oversight.approvals.scope import Choice, word


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedToken:
    """A person's own token over an answer (`remit-approval+jwt`), and the public key that verifies it."""

    token: str
    jwk: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One person's answer to one seat of one ask.

    `person` is the account, `human` the natural person behind it. By `channel` it is a passkey's assertion,
    a token signed by a device key, or nothing but a link that we had made for this person.
    """

    approval: ApprovalId
    tenant: TenantId
    seat: int
    person: PrincipalId
    human: PrincipalId
    answer: Answer
    choice: Choice | None
    digest: Digest
    channel: str
    at: datetime
    passkey: KeptAnswer | None = None
    signed: SignedToken | None = None

    @property
    def fingerprint(self) -> Digest:
        """What the log names it by."""
        return sha256(msgspec.json.encode(self))

    @property
    def word(self) -> str:
        """What was signed as the answer."""
        return word(self.answer.value, self.choice)


def holds(approval: Approval, evidence: Sequence[Evidence]) -> bool:
    """Whether an approved ask is, now that it is about to be used, what so many different people said yes to.

    P8: the digest is computed anew from what is stored and compared with what each of them answered.
    """
    chosen = approval.scope.choice if approval.scope is not None else None
    agreed = {
        each.human
        for each in evidence
        if each.answer is Answer.APPROVE
        and each.seat == approval.seat
        and each.choice == chosen
        and same_bytes(each.digest.encode(), approval.digest.encode())
    }
    return len(agreed) >= approval.quorum


UNSIGNED: Final = "it was answered by a link, which is signed by Remit and not by the person"


def fault_in(evidence: Evidence, *, digest: Digest, party: RelyingParty | None) -> str:
    """Why an answer is not that person's signature over this digest; empty if it is.

    Needs nothing but the answer and, for a passkey, whom it was made for. `UNSIGNED` for a link's.
    """
    if evidence.digest != digest:
        return "it is an answer to another digest"
    if evidence.passkey is not None:
        if party is None:
            return "no passkeys are made for this issuer"
        return fault_of(evidence.passkey, about=digest, answer=evidence.word, party=party)
    if evidence.signed is not None:
        return _token_fault(evidence, evidence.signed)
    return UNSIGNED


def _token_fault(evidence: Evidence, signed: SignedToken) -> str:
    try:
        key, token = parse_jwk(signed.jwk), unproven(signed.token)
        header, members = token.header, token.members()
    except RemitError as broken:
        return f"it is no token: {broken.hint}"
    if header.alg not in {key.algorithm.value, "EdDSA"} or header.typ != TokenType.APPROVAL.value:
        return "it is a token of another kind"
    parts = jws.take_apart(signed.token)
    if not key.verify(parts.signing_input, parts.signature):
        return "its signature does not verify"
    said = {name: members.get(name) for name in ("iss", "apr", "digest", "answer")}
    meant = {
        "iss": evidence.person,
        "apr": evidence.approval,
        "digest": evidence.digest,
        "answer": evidence.word,
    }
    return "" if said == meant else "it is signed, and says something else"
