"""X.509-SVIDs that prove a workload on a TLS connection (X509-SVID §5, SPIFFE Trust Domain and Bundle §4).

That the workload holds the key is proven by the handshake; what is judged here is whose certificate it is.
"""

import hashlib
from base64 import b64decode
from binascii import Error as BadBase64
from collections.abc import Sequence
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from remit.identity.federation.assertion import STALE, VerifiedAssertion
from remit.identity.federation.errors import AssertionRejected, SvidRejected
from remit.identity.federation.repository import FederationTransaction
from remit.identity.federation.trust import KeySet, TrustedIssuer
from remit.identity.federation.x509_svid import claimed_domain, validate_x509_svid
from remit.kernel.canonical import JsonObject, b64u
from remit.kernel.certificate import PresentedCertificate
from remit.kernel.jose.algorithms import Algorithm
from remit.kernel.jose.errors import KeyRefused
from remit.kernel.jose.jwk import PublicKey, parse_jwk

_CURVES = {"secp256r1": (Algorithm.ES256, "P-256", 32), "secp384r1": (Algorithm.ES384, "P-384", 48)}


def issuer_of_svid(tx: FederationTransaction, shown: PresentedCertificate) -> TrustedIssuer:
    """The trust domain that a certificate claims, among those that an administrator named.

    SAFETY: the claim only chooses whose bundle to verify with; no address or bundle of the client's counts.
    """
    domain = claimed_domain(shown.der)
    issuer = tx.issuers.trusted(f"spiffe://{domain}") if domain else None
    if issuer is None:
        raise AssertionRejected(3, "issuer_unknown", debug=domain)
    return issuer


def svid_in(
    tx: FederationTransaction, shown: PresentedCertificate, *, at: datetime
) -> tuple[VerifiedAssertion, PublicKey]:
    """Verify a certificate and its chain on one view of trust; the key is the workload's own.

    1 a bundle of the trust domain that it claims, last seen less than a day ago   2 `validate_x509_svid`
    3 a key of a kind that we verify. Raises `AssertionRejected`.
    """
    issuer = issuer_of_svid(tx, shown)
    keys = tx.issuer_keys.get(issuer.id)
    if keys is None:
        raise AssertionRejected(3, "keys_missing", debug=issuer.name)
    if at - keys.seen_at > STALE and issuer.address:
        raise AssertionRejected(3, "keys_stale", debug=f"last seen {keys.seen_at}")
    return verify_svid(shown, issuer=issuer, keys=keys, at=at)


def verify_svid(
    shown: PresentedCertificate, *, issuer: TrustedIssuer, keys: KeySet, at: datetime
) -> tuple[VerifiedAssertion, PublicKey]:
    """Verify over the bundle of one trust domain. Raises `AssertionRejected`."""
    try:
        named = validate_x509_svid(
            (shown.der, *shown.chain),
            authorities=_authorities(keys.authorities),
            trust_domain=issuer.issuer.removeprefix("spiffe://"),
            at=at,
        )
    except SvidRejected as rejected:
        raise AssertionRejected(5, rejected.reason, debug=rejected.debug) from rejected
    leaf = x509.load_der_x509_certificate(shown.der)
    assertion = VerifiedAssertion(
        issuer=issuer,
        subject=str(named),
        workload=str(named),
        texts=(("sub", str(named)),),
        expires_at=min(leaf.not_valid_after_utc, at + issuer.longest),
        digest=hashlib.sha256(shown.der).hexdigest(),
        jti="",
    )
    return assertion, _key_of(leaf)


def _authorities(held: Sequence[str]) -> list[bytes]:
    try:
        return [b64decode(each, validate=True) for each in held]
    except (BadBase64, ValueError) as broken:
        raise AssertionRejected(3, "bundle_malformed") from broken


def _key_of(leaf: x509.Certificate) -> PublicKey:
    algorithm, members = _members(leaf)
    try:
        return parse_jwk(members, algorithm=algorithm)
    except KeyRefused as unfit:
        raise AssertionRejected(5, "key_unfit", debug=unfit.hint) from unfit


def _members(leaf: x509.Certificate) -> tuple[Algorithm, JsonObject]:
    match leaf.public_key():
        case ec.EllipticCurvePublicKey() as key if key.curve.name in _CURVES:
            algorithm, curve, size = _CURVES[key.curve.name]
            point = key.public_numbers()
            return algorithm, {
                "kty": "EC",
                "crv": curve,
                "x": _octets(point.x, size),
                "y": _octets(point.y, size),
            }
        case rsa.RSAPublicKey() as key:
            numbers = key.public_numbers()
            return Algorithm.RS256, {"kty": "RSA", "n": _octets(numbers.n), "e": _octets(numbers.e)}
        case other:
            raise AssertionRejected(5, "key_unfit", debug=type(other).__name__)


def _octets(number: int, size: int = 0) -> str:
    return b64u(number.to_bytes(size or (number.bit_length() + 7) // 8, "big"))
