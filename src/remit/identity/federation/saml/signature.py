"""XML Signature of SAML (SAML Core §5.4): one form of it, by keys of our own record, and what it covers.

INVARIANT: what is returned is what was digested, parsed again from the very canonical bytes. Nobody reads the
tree that came (see what is signed).
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from lxml import etree

from remit.identity.federation.errors import AssertionRejected
from remit.identity.federation.saml import names
from remit.identity.federation.saml.names import ds
from remit.identity.federation.saml.xml import Element, strict_parser

_TRANSFORMS: Final = [names.ENVELOPED, names.EXCLUSIVE]
_LEAST_RSA_BITS: Final = 2048
_HASHES: Final[dict[str, type[hashes.SHA256 | hashes.SHA384 | hashes.SHA512]]] = {
    "256": hashes.SHA256,
    "384": hashes.SHA384,
    "512": hashes.SHA512,
}
_IDS: Final = frozenset({"id"})
BEHIND_ISSUER: Final = 1
"""Core §2.3.3, §3.2.2: where the signature of an assertion or a message stands."""
AT_THE_FRONT: Final = 0
"""Metadata §2.3.1, §2.3.2: where the signature of metadata stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """An element as it was signed, and the canonical bytes that the signature covers."""

    element: Element
    covered: bytes


def signed_part(
    element: Element, certificates: Sequence[str], *, at: datetime, place: int = BEHIND_ISSUER
) -> Signed:
    """Verify the signature of one element. Raises `AssertionRejected` at step 3, 4 or 5.

    3 some certificate of ours is valid now and has a key for the method   4 the one form of §5.4: a child of
    the element, one `Reference` to the element's own `ID`, enveloped signature and exclusive
    canonicalization, SHA-256 or better, no `Object`   5 the signature holds under a key of ours, and what it
    covers is this element. `KeyInfo` is never asked.
    """
    method = _check_form(element, place)
    fit = [each for each in _usable(certificates, at) if _fits(each, method)]
    if not fit:
        raise AssertionRejected(3, "key_unknown", debug=f"no valid certificate for `{method}`")
    raw = etree.tostring(element, with_tail=False)
    for certificate in fit:
        found = _verified(raw, certificate, at)
        if found is not None:
            return _covering(found, element)
    raise AssertionRejected(5, "bad_signature", debug=f"{len(fit)} certificates tried")


def signed_octets(
    covered: bytes, signature: bytes, method: str, certificates: Sequence[str], *, at: datetime
) -> None:
    """Verify a signature over octets (Bindings §3.4.4.1). Raises `AssertionRejected` at step 3 or 5."""
    if method not in names.RSA_METHODS | names.ECDSA_METHODS:
        raise AssertionRejected(3, "wrong_algorithm", debug=method[:128])
    fit = [each for each in _usable(certificates, at) if _fits(each, method)]
    if not fit:
        raise AssertionRejected(3, "key_unknown", debug=f"no valid certificate for `{method}`")
    if not any(_signed_by(each, signature, covered, _HASHES[method[-3:]]()) for each in fit):
        raise AssertionRejected(5, "bad_signature", debug=f"{len(fit)} certificates tried")


def signature_of(element: Element, place: int = BEHIND_ISSUER) -> Element | None:
    """The signature of an element, at the place where the schema puts it; None if it has none."""
    children = list(element)
    found = [index for index, child in enumerate(children) if child.tag == ds("Signature")]
    if not found:
        return None
    if found != [place]:
        raise AssertionRejected(4, "signature_misplaced", debug=f"at {found}")
    return children[place]


def check_unique_ids(root: Element) -> None:
    """Refuse a document in which one id is there twice, whatever the attribute's case or namespace."""
    seen: set[str] = set()
    for element in root.iter():
        for name, value in element.attrib.items():
            if str(name).rpartition("}")[2].lower() not in _IDS:
                continue
            if value in seen:
                raise AssertionRejected(4, "id_repeated", debug=str(value)[:64])
            seen.add(str(value))


def certificate_of(text: str) -> x509.Certificate:
    """Read a certificate of ours, DER in base64."""
    return _certificate(text)


@lru_cache(maxsize=256)
def _certificate(text: str) -> x509.Certificate:
    """A pure function of what was stored."""
    return x509.load_der_x509_certificate(base64.b64decode(text, validate=True))


def _check_form(element: Element, place: int) -> str:
    """The only form that is understood; gives the signature's method."""
    signature = signature_of(element, place)
    if signature is None:
        raise AssertionRejected(5, "signature_missing")
    parts = _tags(signature)
    if parts[:2] != [ds("SignedInfo"), ds("SignatureValue")] or parts[2:] not in ([], [ds("KeyInfo")]):
        raise _odd("a signature holds `SignedInfo`, `SignatureValue`, perhaps `KeyInfo`")
    info, value = signature[0], signature[1]
    if _tags(info) != [ds("CanonicalizationMethod"), ds("SignatureMethod"), ds("Reference")]:
        raise _odd("one `Reference` is signed")
    if not value.text or len(value):
        raise _odd("`SignatureValue` is empty")
    canonical, method, reference = info
    if canonical.get("Algorithm") != names.EXCLUSIVE:
        raise _odd(f"canonicalization `{canonical.get('Algorithm')}`")
    _check_reference(reference, element.get("ID", ""))
    algorithm = method.get("Algorithm", "")
    # SHA-1 and shared secrets are in no list; a parameter of the method would be its own length or curve.
    if algorithm not in names.RSA_METHODS | names.ECDSA_METHODS or len(method):
        raise AssertionRejected(3, "wrong_algorithm", debug=algorithm[:128])
    return algorithm


def _check_reference(reference: Element, ident: str) -> None:
    if _tags(reference) != [ds("Transforms"), ds("DigestMethod"), ds("DigestValue")]:
        raise _odd("`Reference` has another shape")
    if not ident or reference.get("URI") != f"#{ident}":
        raise AssertionRejected(4, "reference_foreign", debug=str(reference.get("URI"))[:128])
    transforms, digest, value = reference
    if not value.text or len(value):
        raise _odd("`DigestValue` is empty")
    if [each.get("Algorithm") for each in transforms] != _TRANSFORMS or len(transforms[0]):
        raise _odd("transforms are not `enveloped-signature`, then exclusive canonicalization")
    # The prefix list is the one parameter that exclusive canonicalization has, and it only adds to what
    # is signed.
    if _tags(transforms[1]) not in ([], [f"{{{names.EXCLUSIVE}}}InclusiveNamespaces"]):
        raise _odd("transform with a parameter of its own")
    if digest.get("Algorithm") not in names.DIGESTS:
        raise AssertionRejected(3, "wrong_algorithm", debug=str(digest.get("Algorithm"))[:128])


def _usable(certificates: Sequence[str], at: datetime) -> list[x509.Certificate]:
    read = [certificate_of(text) for text in certificates]
    return [each for each in read if each.not_valid_before_utc <= at <= each.not_valid_after_utc]


def _fits(certificate: x509.Certificate, method: str) -> bool:
    """The key's own kind decides, never the document (as RFC 8725 §3.1 has it for JWT)."""
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return method in names.RSA_METHODS and key.key_size >= _LEAST_RSA_BITS
    return isinstance(key, ec.EllipticCurvePublicKey) and method in names.ECDSA_METHODS


def _signed_by(
    certificate: x509.Certificate,
    signature: bytes,
    covered: bytes,
    digest: hashes.SHA256 | hashes.SHA384 | hashes.SHA512,
) -> bool:
    key = certificate.public_key()
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, covered, padding.PKCS1v15(), digest)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(_ecdsa(signature, key), covered, ec.ECDSA(digest))
        else:
            return False
    except InvalidSignature:
        return False  # under this key; with none left, the caller refuses
    return True


def _ecdsa(signature: bytes, key: ec.EllipticCurvePublicKey) -> bytes:
    """XML Signature 1.1 §6.4.3: both numbers at full width, one behind the other."""
    size = (key.curve.key_size + 7) // 8
    if len(signature) != 2 * size:
        raise InvalidSignature
    halves = signature[:size], signature[size:]
    return encode_dss_signature(*(int.from_bytes(each, "big") for each in halves))


def _verified(raw: bytes, certificate: x509.Certificate, at: datetime) -> Signed | None:
    """What signxml says is signed, under exactly this certificate; None if it does not hold."""
    # Imported here: 0.2 s that an installation without SAML need not pay.
    from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureMethod  # noqa: PLC0415
    from signxml.exceptions import SignXMLException  # noqa: PLC0415
    from signxml.verifier import SignatureConfiguration, XMLVerifier  # noqa: PLC0415

    try:
        found = XMLVerifier().verify(
            raw,
            x509_cert=certificate,
            id_attribute="ID",
            parser=strict_parser(),
            expect_config=SignatureConfiguration(
                location="./",
                expect_references=1,
                signature_methods=frozenset(map(SignatureMethod, names.RSA_METHODS | names.ECDSA_METHODS)),
                digest_algorithms=frozenset(map(DigestAlgorithm, names.DIGESTS)),
                ignore_ambiguous_key_info=True,
                verification_time=at,
                default_reference_c14n_method=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
            ),
        )
    except (SignXMLException, etree.LxmlError, ValueError):
        return None  # does not hold under this key; with none left, the caller refuses
    if isinstance(found, list) or found.signed_xml is None:
        return None
    return Signed(element=found.signed_xml, covered=found.signed_data)


def _covering(found: Signed, element: Element) -> Signed:
    """That the signature covers the element which was asked about, and not another one."""
    if found.element.tag != element.tag or found.element.get("ID") != element.get("ID"):
        raise AssertionRejected(5, "signature_elsewhere", debug=str(found.element.tag))
    return found


def _tags(element: Element) -> list[str]:
    return [str(each.tag) for each in element]


def _odd(what: str) -> AssertionRejected:
    return AssertionRejected(4, "signature_form", debug=what)
