"""An assertion or a response, judged in steps over certificates that we hold (SAML Profiles §4.1.4.3).

Steps are those of every foreign assertion: 1 form, 3 key and algorithm, 4 shape and type, 5 signature,
6 what it says. Replay and rule are the caller's.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from remit.identity.federation.errors import AssertionRejected
from remit.identity.federation.saml import names
from remit.identity.federation.saml.assertion import (
    Authentication,
    Confirmation,
    NameId,
    Said,
    issuer_in,
    read_assertion,
)
from remit.identity.federation.saml.names import ds, saml, samlp
from remit.identity.federation.saml.signature import Signed, check_unique_ids, signature_of, signed_part
from remit.identity.federation.saml.xml import Element, attribute_of, local, need, read_document
from remit.kernel.jose.claims import SKEW

_OF_A_RESPONSE: Final = frozenset({
    saml("Issuer"), ds("Signature"), samlp("Extensions"), samlp("Status"), saml("Assertion"),
    saml("EncryptedAssertion"),
})  # fmt: skip
"""Core §3.2.2: a response has these children and no others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What an assertion must be for us to believe it; all of it is ours or of our own record.

    `certificates` are DER in base64. `longest` bounds how far ahead it ends. `in_response_to` is the id of
    the request that is answered; None where nothing was asked (a grant), or where the caller compares it
    with `Judged.in_response_to`. `response`: whether it comes in a `Response` of the browser profile, which
    always answers something, or alone.
    """

    issuer: str
    audience: str
    recipient: str
    certificates: tuple[str, ...]
    longest: timedelta
    in_response_to: str | None = None
    response: bool = False
    unseal: Callable[[Element], bytes] | None = None
    """Opens an `EncryptedAssertion`; then a plain one is refused (a response only). None: sealed ones are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """An assertion that held. `digest` is of the signed bytes: another spelling of the rest has the same.

    `in_response_to` is what the confirmation says; a response says the same around it, or is refused.
    """

    ident: str
    issuer: str
    name: NameId | None
    attributes: tuple[tuple[str, tuple[str, ...]], ...]
    authentication: Authentication | None
    expires_at: datetime
    digest: str
    in_response_to: str = ""

    def values(self, name: str) -> tuple[str, ...]:
        """The values of an attribute; none if it is absent."""
        return dict(self.attributes).get(name, ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """Reads, verifies and judges; its parts are two, so that a test can show what each one is for."""

    read: Callable[[bytes], Element] = read_document
    verify: Callable[[Element, Sequence[str], datetime], Signed] = lambda element, certificates, at: (
        signed_part(element, certificates, at=at)
    )

    def judge(self, raw: bytes, expected: Expected, *, at: datetime) -> Judged:
        """Judge a document. Raises `AssertionRejected` with the step.

        1 UTF-8 XML, bounded, no DTD, entity, instruction or comment   4 one assertion in the whole document,
        at its one place, ids unique, signatures where the schema has them   3, 5 each signature that is there
        holds, and one covers the assertion   6 status, issuer, audience, times, confirmation
        """
        root = self.read(raw)
        if expected.unseal is None:
            assertion = check_shape(root, response=expected.response)
            signed = self._signed(root, assertion, expected, at)
        else:
            signed = self._unsealed(root, expected.unseal, expected, at)
        if expected.response:
            _check_response(root, expected)
        judged = judge_said(read_assertion(signed.element), signed, expected, at)
        if expected.response:
            _check_answer(root, judged, expected)
        return judged

    def _unsealed(
        self, root: Element, unseal: Callable[[Element], bytes], expected: Expected, at: datetime
    ) -> Signed:
        """The assertion inside a sealed one, by its own signature: what is around it says nothing of it.

        Anybody can encrypt to us. A signature of the response covers the ciphertext, and must hold as well.
        """
        sealed = check_sealed_shape(root)
        if signature_of(root) is not None:
            sealed = need(self.verify(root, expected.certificates, at).element, saml("EncryptedAssertion"))
        inside = self.read(unseal(sealed))
        assertion = check_shape(inside, response=False)
        return self.verify(assertion, expected.certificates, at)

    def _signed(self, root: Element, assertion: Element, expected: Expected, at: datetime) -> Signed:
        """The assertion as it was signed: by itself, or as part of the response."""
        alone = signature_of(assertion) is not None
        if root is assertion or signature_of(root) is None:
            return self.verify(assertion, expected.certificates, at)
        whole = self.verify(root, expected.certificates, at)
        if alone:
            return self.verify(assertion, expected.certificates, at)
        return Signed(element=need(whole.element, saml("Assertion")), covered=whole.covered)


def check_sealed_shape(root: Element) -> Element:
    """Find the one sealed assertion of a response, at its one place, with no plain one beside it. Step 4."""
    _check_children(root)
    found = list(root.iter(saml("EncryptedAssertion")))
    plain = any(True for _ in root.iter(saml("Assertion")))
    if not found and not plain:
        _check_status(root)
    if len(found) != 1 or found[0].getparent() is not root or plain:
        raise AssertionRejected(4, "assertion_plain", debug=f"{len(found)} sealed assertions")
    check_unique_ids(root)
    _check_signatures(root, {id(root)})
    return found[0]


def check_shape(root: Element, *, response: bool) -> Element:
    """Find the assertion where it must be, and nowhere else (signature wrapping, AS-13). Step 4."""
    if response:
        _check_children(root)
    elif root.tag != saml("Assertion"):
        raise AssertionRejected(4, "wrong_type", debug=str(root.tag)[-64:])
    if any(True for _ in root.iter(saml("EncryptedAssertion"))):
        raise AssertionRejected(4, "assertion_encrypted", debug="encrypted assertions are not read")
    found = list(root.iter(saml("Assertion")))
    if response and not found:
        _check_status(root)
    if len(found) != 1 or (response and found[0].getparent() is not root):
        raise AssertionRejected(4, "assertion_several", debug=f"{len(found)} assertions")
    (assertion,) = found
    check_unique_ids(root)
    _check_signatures(root, {id(root), id(assertion)})
    return assertion


def _check_children(root: Element) -> None:
    if root.tag != samlp("Response"):
        raise AssertionRejected(4, "wrong_type", debug=str(root.tag)[-64:])
    strange = [each for each in root if each.tag not in _OF_A_RESPONSE]
    if strange:
        raise AssertionRejected(4, "wrong_type", debug=f"`{local(strange[0])}` in a response")


def _check_signatures(root: Element, homes: set[int]) -> None:
    for signature in root.iter(ds("Signature")):
        if id(signature.getparent()) not in homes:
            raise AssertionRejected(4, "signature_misplaced", debug="not of the response or assertion itself")


def judge_said(said: Said, signed: Signed, expected: Expected, at: datetime) -> Judged:
    """Judge what a signed assertion says. Raises `AssertionRejected` at step 6."""
    if said.issuer != expected.issuer:
        raise AssertionRejected(6, "wrong_issuer", debug=f"`{said.issuer}`")
    # Core §2.5.1.4: who is in no restriction is not spoken to; several audiences are several parties.
    if said.audiences != ((expected.audience,),):
        raise AssertionRejected(6, "wrong_audience", debug=f"{said.audiences}"[:256])
    confirmation = _confirmed(said.confirmations, expected, at)
    _check_window(said, expected, at)
    _check_name(said.name, expected)
    ends = [each for each in (said.not_on_or_after, confirmation.not_on_or_after) if each is not None]
    if min(ends) - at > expected.longest + SKEW:
        raise AssertionRejected(6, "lives_too_long", debug=f"until {min(ends)}")
    return Judged(
        ident=said.ident,
        issuer=said.issuer,
        name=said.name,
        attributes=said.attributes,
        authentication=_authentication(said, at),
        expires_at=min(ends),
        digest=hashlib.sha256(signed.covered).hexdigest(),
        in_response_to=confirmation.in_response_to,
    )


def _confirmed(confirmations: Sequence[Confirmation], expected: Expected, at: datetime) -> Confirmation:
    """The bearer confirmation that is for us; the reason of the last that is not (Profiles §4.1.4.2)."""
    reason = "confirmation_missing"
    for each in confirmations:
        if each.method != names.BEARER:
            continue
        reason = _unfit(each, expected, at)
        if not reason:
            return each
    raise AssertionRejected(6, reason)


def _unfit(each: Confirmation, expected: Expected, at: datetime) -> str:
    if each.recipient != expected.recipient:
        return "wrong_recipient"
    if each.not_on_or_after is None or each.not_before is not None:
        return "confirmation_malformed"
    if at >= each.not_on_or_after + SKEW:
        return "expired"
    if expected.in_response_to is not None and each.in_response_to != expected.in_response_to:
        return "unsolicited"
    return ""


def _check_window(said: Said, expected: Expected, at: datetime) -> None:
    if said.not_before is not None and at < said.not_before - SKEW:
        raise AssertionRejected(6, "not_yet_valid", debug=f"from {said.not_before}")
    if said.not_on_or_after is not None and at >= said.not_on_or_after + SKEW:
        raise AssertionRejected(6, "expired", debug=f"until {said.not_on_or_after}")
    if not at - expected.longest - SKEW <= said.issued_at <= at + SKEW:
        raise AssertionRejected(6, "issued_elsewhen", debug=f"issued {said.issued_at}")


def _check_name(name: NameId | None, expected: Expected) -> None:
    """A name that is unique only among another pair of parties is nobody's here (Core §2.2.2)."""
    if name is None:
        return
    if name.qualifier not in {"", expected.issuer} or name.sp_qualifier not in {"", expected.audience}:
        raise AssertionRejected(6, "subject_foreign", debug=f"{name.qualifier} {name.sp_qualifier}"[:200])


def _authentication(said: Said, at: datetime) -> Authentication | None:
    """How the person authenticated; two statements would be two answers."""
    if len(said.authentications) > 1:
        raise AssertionRejected(6, "claim_repeated", debug="`AuthnStatement`")
    if not said.authentications:
        return None
    (found,) = said.authentications
    if found.at > at + SKEW:
        raise AssertionRejected(6, "not_yet_valid", debug=f"authenticated {found.at}")
    if found.session_ends_at is not None and at >= found.session_ends_at + SKEW:
        raise AssertionRejected(6, "expired", debug=f"session until {found.session_ends_at}")
    return found


def _check_response(root: Element, expected: Expected) -> None:
    """What the wrapping says: not always signed, so it can only refuse (Bindings §3.5.5.2, Core §3.2.2)."""
    _check_status(root)
    if root.get("Version") != "2.0":
        raise AssertionRejected(4, "wrong_type", debug="`Version` of the response")
    if root.find(saml("Issuer")) is not None and issuer_in(root) != expected.issuer:
        raise AssertionRejected(6, "wrong_issuer", debug="of the response")
    destination = root.get("Destination")
    if destination != expected.recipient and (destination is not None or signature_of(root) is not None):
        raise AssertionRejected(6, "wrong_recipient", debug=f"`Destination` {destination}"[:200])


def _check_answer(root: Element, judged: Judged, expected: Expected) -> None:
    """An answer to something: the wrapping and what is signed in it name one request (Profiles §4.1.5)."""
    outer = attribute_of(root, "InResponseTo")
    wanted = judged.in_response_to if expected.in_response_to is None else expected.in_response_to
    if not outer or outer != wanted:
        raise AssertionRejected(6, "unsolicited", debug=outer[:64])


def _check_status(root: Element) -> None:
    """A provider that could not, or would not, says so with a status and no assertion (Core §3.2.2.1)."""
    code = root.find(f"{samlp('Status')}/{samlp('StatusCode')}")
    value = "" if code is None else code.get("Value", "")
    if value == names.SUCCESS:
        return
    inner = None if code is None else code.find(samlp("StatusCode"))
    said = value if inner is None else inner.get("Value", "")
    raise AssertionRejected(6, "provider_refused", debug=said.rpartition(":")[2][:64])
