"""A SAML assertion as a grant (RFC 7522 §3): the workload that its subject is, of an issuer that we trust."""

from datetime import datetime
from typing import Final

from remit.identity.federation.assertion import STALE, Peeked, VerifiedAssertion
from remit.identity.federation.errors import AssertionRejected
from remit.identity.federation.profiles import ProfileName
from remit.identity.federation.saml import names
from remit.identity.federation.saml.assertion import issuer_in
from remit.identity.federation.saml.judge import Expected, Judge, Judged
from remit.identity.federation.saml.xml import malformed, read_document
from remit.identity.federation.trust import KeySet, TrustedIssuer
from remit.kernel.canonical import b64u_decode
from remit.kernel.errors import Invalid

ATTRIBUTE: Final = "attribute."
"""What a rule puts before the name of an attribute."""
LARGEST_GRANT: Final = 48 << 10
"""Characters of an assertion as a grant: the form that carries it has 64 KiB."""
_STRICT: Final = Judge()


def peek_saml(text: str) -> Peeked:
    """Read whom an assertion says it is from; NOTHING of it is proven. Raises `AssertionRejected`."""
    issuer = issuer_in(read_document(decoded(text)))
    return Peeked(issuer=issuer, subject="", kid="")


def decoded(text: str) -> bytes:
    """Undo the transport (RFC 7522 §2.1: base64url, without padding or line breaks)."""
    if len(text) > LARGEST_GRANT:
        raise malformed("assertion_too_large", f"{len(text)} characters, the limit is {LARGEST_GRANT}")
    try:
        return b64u_decode(text.rstrip("="))
    except Invalid as broken:
        raise malformed("assertion_malformed", broken.hint) from broken


def verify_saml(
    text: str, *, issuer: TrustedIssuer, keys: KeySet, at: datetime, judge: Judge = _STRICT
) -> VerifiedAssertion:
    """Verify an assertion of one trusted issuer (RFC 7522 §3). Raises `AssertionRejected` with the step.

    1 form   3 certificates of that issuer, seen within a day, valid now   4 shape   5 signature   6 `Issuer`,
    `AudienceRestriction`, bearer confirmation with our token endpoint as `Recipient`, times, a subject
    """
    if issuer.profile is not ProfileName.SAML:
        raise AssertionRejected(3, "issuer_unknown", debug=f"`{issuer.name}` signs no SAML")
    if at - keys.seen_at > STALE and issuer.address:
        raise AssertionRejected(3, "keys_stale", debug=f"last seen {keys.seen_at}")
    expected = Expected(
        issuer=issuer.issuer,
        audience=issuer.audience,
        recipient=issuer.recipient,
        certificates=keys.authorities,
        longest=issuer.longest,
    )
    return _as_workload(judge.judge(decoded(text), expected, at=at), issuer)


def _as_workload(found: Judged, issuer: TrustedIssuer) -> VerifiedAssertion:
    name = found.name
    # RFC 7522 §3 (4): without a subject nobody is spoken of; a name that changes each time is nobody again.
    if name is None or name.format == names.TRANSIENT:
        raise AssertionRejected(6, "subject_transient" if name else "claim_missing", debug="`NameID`")
    said = found.authentication
    single = [(f"{ATTRIBUTE}{key}", values[0]) for key, values in found.attributes if len(values) == 1]
    return VerifiedAssertion(
        issuer=issuer,
        subject=name.value,
        workload=name.value,
        texts=(
            ("sub", name.value),
            ("name_format", name.format),
            *((("authn_context", said.class_ref),) if said is not None and said.class_ref else ()),
            *single,
        ),
        expires_at=found.expires_at,
        digest=found.digest,
        jti=found.ident,
    )
