"""X.509-SVIDs (X509-SVID §2 to §5), validated over the authorities of one bundle; pure, for mTLS to use."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from remit.identity.federation.errors import SvidRejected
from remit.identity.spiffe import MalformedSpiffeId, SpiffeId, parse_spiffe_id

T = TypeVar("T", bound=x509.ExtensionType)
LONGEST_CHAIN: Final = 5
"""Certificates from the leaf to the last intermediate."""
_LARGEST: Final = 16 << 10
_RSA_BITS: Final = 2048
_CURVES: Final = (ec.SECP256R1, ec.SECP384R1)
_KNOWN: Final = frozenset({
    x509.OID_BASIC_CONSTRAINTS, x509.OID_KEY_USAGE, x509.OID_EXTENDED_KEY_USAGE,
    x509.OID_SUBJECT_ALTERNATIVE_NAME, x509.OID_SUBJECT_KEY_IDENTIFIER, x509.OID_AUTHORITY_KEY_IDENTIFIER,
})  # fmt: skip
"""Extensions that are judged here, or that may stand there without changing anything."""


def validate_x509_svid(
    chain: Sequence[bytes], *, authorities: Sequence[bytes], trust_domain: str, at: datetime
) -> SpiffeId:
    """Validate a chain of DER certificates, leaf first, and give the workload's name.

    1 at most five certificates, each readable   2 each is valid at `at`, knows no critical extension that
    we don't   3 leaf: `cA` false, may sign, may not certify, exactly one URI and it is a SPIFFE ID with a
    path in the trust domain (§2, §4.1, §4.3, §5.2)   4 every certificate above: `cA` true, may certify, its
    path length holds, a URI of its own names no workload (§4.1)   5 every signature up to an authority of
    the bundle, which alone anchors trust. Raises `SvidRejected`.
    """
    certificates = [_read(each) for each in _bounded(chain)]
    for each in certificates:
        _check_dates(each, at)
        _check_critical(each)
    leaf, *above = certificates
    named = _check_leaf(leaf, trust_domain)
    for depth, each in enumerate(above):
        _check_authority(each, trust_domain, below=depth)
    for child, parent in zip(certificates, above, strict=False):
        _check_signed(child, parent)
    _check_anchored(certificates[-1], [_read(each) for each in authorities], trust_domain, len(above), at)
    return named


def claimed_domain(leaf: bytes) -> str:
    """The trust domain that a certificate says it is of, NOTHING of it proven; empty if it says none."""
    try:
        uris = _uris(_read(leaf))
        return parse_spiffe_id(uris[0]).trust_domain if len(uris) == 1 else ""
    except (SvidRejected, MalformedSpiffeId):
        return ""


def _bounded(chain: Sequence[bytes]) -> Sequence[bytes]:
    if not 0 < len(chain) <= LONGEST_CHAIN or any(len(each) > _LARGEST for each in chain):
        raise SvidRejected("chain_size", debug=f"{len(chain)} certificates, the limit is {LONGEST_CHAIN}")
    return chain


def _read(der: bytes) -> x509.Certificate:
    try:
        found = x509.load_der_x509_certificate(der)
        _ = found.extensions  # parsed lazily: a broken one must not raise later
        key = found.public_key()
    # SAFETY: these are a stranger's bytes; whatever the parser raises is the one refusal.
    except Exception as broken:
        raise SvidRejected("certificate_malformed", debug=type(broken).__name__) from broken
    match key:
        case rsa.RSAPublicKey() if key.key_size >= _RSA_BITS:
            return found
        case ec.EllipticCurvePublicKey() if isinstance(key.curve, _CURVES):
            return found
    raise SvidRejected("key_unfit", debug=type(key).__name__)


def _check_dates(certificate: x509.Certificate, at: datetime) -> None:
    if not certificate.not_valid_before_utc <= at < certificate.not_valid_after_utc:
        raise SvidRejected("expired", debug=f"until {certificate.not_valid_after_utc}")


def _check_critical(certificate: x509.Certificate) -> None:
    """RFC 5280 §4.2: what is critical and not understood refuses the certificate."""
    unknown = [each.oid for each in certificate.extensions if each.critical and each.oid not in _KNOWN]
    if unknown:
        raise SvidRejected("critical_extension", debug=unknown[0].dotted_string)


def _check_leaf(leaf: x509.Certificate, trust_domain: str) -> SpiffeId:
    constraints = _extension(leaf, x509.BasicConstraints)
    if constraints is not None and constraints.ca:
        raise SvidRejected("leaf_is_authority")
    usage = _extension(leaf, x509.KeyUsage)
    # §4.3: a leaf must have key usage, with digitalSignature and without the two of an authority.
    if usage is None or not usage.digital_signature or usage.key_cert_sign or usage.crl_sign:
        raise SvidRejected("leaf_usage")
    uris = _uris(leaf)
    if len(uris) != 1:
        raise SvidRejected("uri_count", debug=f"{len(uris)} URIs")
    named = _spiffe(uris[0], trust_domain)
    if not named.path:
        raise SvidRejected("leaf_without_path")
    return named


def _check_authority(certificate: x509.Certificate, trust_domain: str, *, below: int) -> None:
    constraints = _extension(certificate, x509.BasicConstraints)
    if constraints is None or not constraints.ca:
        raise SvidRejected("not_an_authority")
    if constraints.path_length is not None and constraints.path_length < below:
        raise SvidRejected("path_length")
    usage = _extension(certificate, x509.KeyUsage)
    if usage is None or not usage.key_cert_sign:
        raise SvidRejected("authority_usage")
    for uri in _uris(certificate):
        if _spiffe(uri, trust_domain).path:
            raise SvidRejected("authority_with_path", debug=uri)


def _check_anchored(
    last: x509.Certificate, roots: Sequence[x509.Certificate], trust_domain: str, below: int, at: datetime
) -> None:
    """SAFETY: an empty bundle anchors nothing."""
    for root in roots:
        if root.subject != last.issuer:
            continue
        try:
            _check_signed(last, root)
            _check_dates(root, at)
            _check_critical(root)
            _check_authority(root, trust_domain, below=below)
        except SvidRejected:
            continue  # another root of the same name may fit; one that does is needed below
        return
    raise SvidRejected("not_anchored", debug=f"{len(roots)} authorities")


def _check_signed(child: x509.Certificate, parent: x509.Certificate) -> None:
    try:
        child.verify_directly_issued_by(parent)
    except (ValueError, TypeError, InvalidSignature) as broken:
        raise SvidRejected("bad_signature") from broken


def _uris(certificate: x509.Certificate) -> list[str]:
    names = _extension(certificate, x509.SubjectAlternativeName)
    return [] if names is None else names.get_values_for_type(x509.UniformResourceIdentifier)


def _spiffe(uri: str, trust_domain: str) -> SpiffeId:
    try:
        named = parse_spiffe_id(uri)
    except MalformedSpiffeId as odd:
        raise SvidRejected("uri_malformed", debug=odd.hint) from odd
    if named.trust_domain != trust_domain:
        raise SvidRejected("wrong_trust_domain", debug=uri)
    return named


def _extension(certificate: x509.Certificate, kind: type[T]) -> T | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
