"""Our keys towards SAML providers: one signs requests (Bindings §3.4.4.1), one opens what they encrypted.

A certificate is made anew whenever it is shown, the same to the last octet: nothing of it is stored.
"""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final, Protocol
from urllib.parse import urlencode

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_der_private_key
from cryptography.x509.oid import NameOID
from lxml import etree

from remit.identity.federation.saml import names
from remit.identity.federation.saml.encryption import opened
from remit.identity.federation.saml.xml import Element
from remit.kernel.errors import Unavailable
from remit.kernel.jose.keys import KeyClass, KeyRecord, PrivateKey, Signer

CERTIFIED_FOR: Final = timedelta(days=1185)
"""Longer than a key signs: providers pin certificates, and some of them look at the end."""
_COMMON_NAME: Final = 64
"""Characters that a common name may have (RFC 5280, ub-common-name)."""


class RequestKeys(Protocol):
    """Our own keys."""

    async def prepare(self, key_class: KeyClass, *, at: datetime) -> None:
        """See that there is a key of a class."""

    def opening(self, key_class: KeyClass, *, at: datetime) -> tuple[PrivateKey, ...]:
        """The keys that open what was sealed to a class: the present one, and the one before for a while."""

    def signer(self, key_class: KeyClass) -> Signer:
        """The active key of a class."""

    def find(self, kid: str, key_class: KeyClass) -> KeyRecord | None:
        """What is known of a key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestSigner:
    """Signs requests by a key that signs nothing else. `name` is whose certificate it is."""

    keys: RequestKeys
    name: str

    async def unsealing(self, *, at: datetime) -> Callable[[Element], bytes]:
        """What opens an assertion that was encrypted to us: the present key, or the one before it."""
        await self.keys.prepare(KeyClass.SAML_ENCRYPTION, at=at)
        keys = [_rsa(each) for each in self.keys.opening(KeyClass.SAML_ENCRYPTION, at=at)]
        return partial(opened, keys=keys)

    async def signed(self, asked: dict[str, str], *, at: datetime) -> str:
        """The query of a signed request: `SigAlg` goes in, and `Signature` covers the very text before it."""
        await self.keys.prepare(KeyClass.SAML_REQUEST, at=at)
        query = urlencode({**asked, "SigAlg": names.RSA_SHA256})
        signature = self.keys.signer(KeyClass.SAML_REQUEST).private.sign(query.encode("ascii"))
        return f"{query}&{urlencode({'Signature': base64.b64encode(signature).decode()})}"

    async def enveloped(self, text: str, *, at: datetime) -> bytes:
        """A message of ours with its signature in it, behind the issuer (Core §5.4), for a form."""
        from signxml.algorithms import CanonicalizationMethod  # noqa: PLC0415 — 0.2 s that few need
        from signxml.signer import XMLSigner  # noqa: PLC0415 — as above

        ours = x509.load_der_x509_certificate(base64.b64decode(await self.certificate(at=at)))
        root = etree.fromstring(text)
        root.insert(1, etree.Element(names.ds("Signature"), attrib={"Id": "placeholder"}))
        signer = XMLSigner(c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0)
        private = _rsa(self.keys.signer(KeyClass.SAML_REQUEST).private)
        made = signer.sign(root, key=private, cert=[ours], reference_uri=f"#{root.get('ID')}")
        return etree.tostring(made)

    async def certificate(self, key_class: KeyClass = KeyClass.SAML_REQUEST, *, at: datetime) -> str:
        """The certificate of the present key of a class: DER in base64, as metadata have it."""
        await self.keys.prepare(key_class, at=at)
        signer = self.keys.signer(key_class)
        record = self.keys.find(signer.kid, key_class)
        if record is None:
            raise Unavailable("the key for requests changed just now")
        made = self_signed(signer.private, name=self.name, since=record.not_before)
        return base64.b64encode(made).decode()


def self_signed(private: PrivateKey, *, name: str, since: datetime) -> bytes:
    """A certificate of an RSA key by itself, DER; the same each time, as PKCS #1 v1.5 has no salt."""
    key = _rsa(private)
    whose = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:_COMMON_NAME])])
    start = since.replace(microsecond=0)
    made = (
        x509.CertificateBuilder()
        .subject_name(whose)
        .issuer_name(whose)
        .public_key(key.public_key())
        .serial_number(int.from_bytes(private.public.thumbprint.encode()[:16], "big"))
        .not_valid_before(start)
        .not_valid_after(start + CERTIFIED_FOR)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(Encoding.DER)


def _rsa(private: PrivateKey) -> rsa.RSAPrivateKey:
    key = load_der_private_key(private.export().reveal(), password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise Unavailable("the key for SAML is no RSA key")
    return key
