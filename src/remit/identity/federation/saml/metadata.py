"""A provider's metadata (SAML Metadata §2.4.3), or its bare certificates, as an administrator gives them.

SAFETY: who we believe is what the administrator named, and a fetched document comes from the address that
they gave, over TLS. It can change keys, never the entity. Where they named signers of it too, nothing of a
document is read but what one of these signed.
"""

import base64
import binascii
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from remit.identity.federation.errors import AssertionRejected, KeysUnfit
from remit.identity.federation.saml import names
from remit.identity.federation.saml.assertion import instant
from remit.identity.federation.saml.names import alg, ds, md
from remit.identity.federation.saml.signature import AT_THE_FRONT, check_unique_ids, signed_part
from remit.identity.federation.saml.xml import LONGEST_TEXT, Element, read_document

LARGEST_METADATA: Final = 512 << 10
MOST_CERTIFICATES: Final = 8
_PEM: Final = re.compile(rb"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")
_LEAST_RSA_BITS: Final = 2048
_CURVES: Final = frozenset({"secp256r1", "secp384r1", "secp521r1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderMetadata:
    """What one `IDPSSODescriptor` says: who, whose keys, where people are sent; DER in base64."""

    entity: str
    certificates: tuple[str, ...]
    sign_in: str
    """Address of the redirect binding; empty if it has none."""
    wants_signed: bool
    name_formats: tuple[str, ...]
    signs_by: tuple[str, ...] = ()
    """Methods that it says it signs with (Algorithm Support §2.4); empty: it does not say."""
    sign_out: str = ""
    """Address of single logout; empty if it has none that we speak."""
    sign_out_answer: str = ""
    """Where it takes answers to its own logout, if that is elsewhere."""
    sign_out_binding: str = ""
    """Redirect, or POST where it has no redirect."""


def read_metadata(
    raw: bytes, *, at: datetime, entity: str = "", signers: Sequence[str] = ()
) -> ProviderMetadata:
    """Read the metadata of one provider; `entity` chooses among several. Raises `KeysUnfit`.

    Metadata §2.3.1, §2.3.2, §2.4.1: what has run out by its own word is no metadata any more. With `signers`
    (§3), the document bears a signature that one of them made, and what it covers is all that is read.
    """
    try:
        root = read_document(raw, largest=LARGEST_METADATA, comments=True)
        if signers:
            check_unique_ids(root)
            root = signed_part(root, signers, at=at, place=AT_THE_FRONT).element
    except AssertionRejected as odd:
        raise KeysUnfit(f"metadata can't be read: {odd.reason}", debug=odd.debug) from odd
    described = _entity(root, entity)
    role = described.findall(md("IDPSSODescriptor"))
    if len(role) != 1:
        raise KeysUnfit("metadata describes no single identity provider (`IDPSSODescriptor`)")
    for each in (root, described, role[0]):
        _check_end(each, at)
    return ProviderMetadata(
        entity=described.get("entityID", ""),
        certificates=_certificates(role[0]),
        sign_in=_redirect(role[0]),
        wants_signed=role[0].get("WantAuthnRequestsSigned", "false") in {"true", "1"},
        name_formats=tuple(each.text or "" for each in role[0].findall(md("NameIDFormat")))[:16],
        signs_by=tuple(_methods(described, role[0])),
        **_sign_out(role[0]),
    )


def read_certificates(raw: bytes, *, entity: str, at: datetime) -> tuple[str, ...]:
    """Certificates of a provider: from its metadata, or from one PEM file. Raises `KeysUnfit`."""
    if not raw.lstrip().startswith(b"-----BEGIN"):
        return read_metadata(raw, entity=entity, at=at).certificates
    if len(raw) > LARGEST_METADATA:
        raise KeysUnfit(f"certificates have {len(raw)} bytes, the limit is {LARGEST_METADATA}")
    return _checked([_loaded(each) for each in _PEM.findall(raw)])


def _entity(root: Element, entity: str) -> Element:
    found = [
        each
        for each in root.iter(md("EntityDescriptor"))
        if each.find(md("IDPSSODescriptor")) is not None and entity in {"", each.get("entityID")}
    ]
    if len(found) != 1:
        whom = f"of `{entity[:128]}`" if entity else "of one provider"
        raise KeysUnfit(f"metadata {whom} is not in the document once, but {len(found)} times")
    return found[0]


def _check_end(element: Element, at: datetime) -> None:
    text = element.get("validUntil")
    if text is None:
        return
    try:
        ended = at >= instant(text)
    except AssertionRejected as odd:
        raise KeysUnfit(f"`validUntil` of the metadata can't be read: `{text[:40]}`") from odd
    if ended:
        raise KeysUnfit(f"metadata was valid until `{text[:40]}`")


def _certificates(role: Element) -> tuple[str, ...]:
    """Those that sign; a descriptor without `use` is for both (§2.4.1.1)."""
    found = [
        certificate.text or ""
        for descriptor in role.findall(md("KeyDescriptor"))
        if descriptor.get("use", "signing") == "signing"
        for certificate in descriptor.iter(ds("X509Certificate"))
    ]
    return _checked([_decoded(text) for text in found])


def _redirect(role: Element) -> str:
    found = [
        each.get("Location", "")
        for each in role.findall(md("SingleSignOnService"))
        if each.get("Binding") == names.REDIRECT
    ]
    return found[0] if found and len(found[0]) <= LONGEST_TEXT else ""


def _methods(described: Element, role: Element) -> Iterator[str]:
    """Algorithm Support §2.4: what the role says, else what the entity says."""
    for each in (role, described):
        found = each.findall(f"{md('Extensions')}/{alg('SigningMethod')}")
        if found:
            yield from (method.get("Algorithm", "")[:128] for method in found[:32])
            return


def _sign_out(role: Element) -> dict[str, str]:
    """Its single logout (§2.4.2), by redirect if it has that, else by POST."""
    offered = {each.get("Binding", ""): each for each in reversed(role.findall(md("SingleLogoutService")))}
    for binding in (names.REDIRECT, names.POST):
        found = offered.get(binding)
        where = "" if found is None else found.get("Location", "")
        answer = "" if found is None else found.get("ResponseLocation", "")
        if where and max(len(where), len(answer)) <= LONGEST_TEXT:
            return {"sign_out": where, "sign_out_answer": answer, "sign_out_binding": binding}
    return {}


def _decoded(text: str) -> x509.Certificate:
    try:
        return x509.load_der_x509_certificate(base64.b64decode("".join(text.split()), validate=True))
    except (binascii.Error, ValueError) as broken:
        raise KeysUnfit("a certificate can't be read") from broken


def _loaded(pem: bytes) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError as broken:
        raise KeysUnfit("a certificate can't be read") from broken


def _checked(certificates: list[x509.Certificate]) -> tuple[str, ...]:
    """Those with a key that we take; none of them, or too many, is refused as a whole."""
    if len(certificates) > MOST_CERTIFICATES:
        raise KeysUnfit(f"there are {len(certificates)} certificates, the limit is {MOST_CERTIFICATES}")
    fit = [each for each in certificates if _is_strong(each)]
    if not fit:
        raise KeysUnfit(f"no certificate has an RSA key of {_LEAST_RSA_BITS} bits or a NIST curve")
    ders = [base64.b64encode(each.public_bytes(Encoding.DER)).decode() for each in fit]
    return tuple(dict.fromkeys(ders))


def _is_strong(certificate: x509.Certificate) -> bool:
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return key.key_size >= _LEAST_RSA_BITS
    return isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES
