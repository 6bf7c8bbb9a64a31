"""Authorities of a trust domain, and the X.509-SVIDs that they issue."""

from base64 import b64encode
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from remit.kernel.canonical import b64u
from support.clock import NOON
from support.federation import DOMAIN

SUBJECT = f"{DOMAIN}/ns/agents/sa/calendar"


class Authority:
    """A certificate authority of a trust domain."""

    def __init__(self, name: str, parent: "Authority | None" = None, **options: Any) -> None:
        self.key, self.parent = ec.generate_private_key(ec.SECP256R1()), parent
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = certificate(
            self.name, self.key.public_key(), parent or self, uris=options.pop("uris", [DOMAIN]), ca=True,
            **options,
        )  # fmt: skip


def certificate(
    subject: x509.Name,
    key: ec.EllipticCurvePublicKey,
    by: Authority,
    *,
    uris: Sequence[str],
    ca: bool = False,
    usage: str = "",
    until: timedelta = timedelta(hours=1),
    length: int | None = None,
    critical: bool = False,
    names: bool = True,
) -> x509.Certificate:
    chosen = usage or ("certify" if ca else "sign")
    sign, certify = chosen == "sign", chosen == "certify"
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by.name)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOON - timedelta(hours=1))
        .not_valid_after(NOON + until)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=length), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=sign, key_cert_sign=certify, crl_sign=certify, content_commitment=False,
                key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
    )  # fmt: skip
    if names:
        uri = [x509.UniformResourceIdentifier(each) for each in uris]
        built = built.add_extension(x509.SubjectAlternativeName(uri), critical=False)
    if critical:
        odd = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4.5"), b"\x05\x00")
        built = built.add_extension(odd, critical=True)
    return built.sign(by.key, hashes.SHA256())


def der(each: x509.Certificate) -> bytes:
    return each.public_bytes(serialization.Encoding.DER)


ROOT = Authority("root")
MIDDLE = Authority("middle", ROOT)
LEAF = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "leaf")])
LEAF_KEY = ec.generate_private_key(ec.SECP256R1())


def leaf(by: Authority = MIDDLE, uris: Sequence[str] = (SUBJECT,), **options: Any) -> x509.Certificate:
    return certificate(LEAF, LEAF_KEY.public_key(), by, uris=uris, **options)


def header(each: x509.Certificate) -> str:
    """The certificate as a proxy reports it (RFC 9440 §2.2)."""
    return f":{b64encode(der(each)).decode()}:"


def root_entry(by: Authority) -> dict[str, Any]:
    """The entry of a bundle for an authority (X509-SVID §6.1)."""
    numbers = by.key.public_key().public_numbers()
    return {
        "kty": "EC",
        "crv": "P-256",
        "use": "x509-svid",
        "x": b64u(numbers.x.to_bytes(32, "big")),
        "y": b64u(numbers.y.to_bytes(32, "big")),
        "x5c": [b64encode(der(by.certificate)).decode()],
    }
