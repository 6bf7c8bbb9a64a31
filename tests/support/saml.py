"""SAML providers of other people, with real keys: what Okta or Keycloak would sign, made with signxml."""

import base64
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from lxml import etree
from lxml.etree import _Element as Element
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureMethod
from signxml.signer import XMLSigner

from remit.identity.federation.saml import names
from remit.kernel.canonical import b64u

ABSENT: Any = object()
ISSUER = "https://remit.example"
ENTITY = "https://idp.example/saml"
PASSWORD_TLS = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"
NSMAP = (
    f'xmlns:samlp="{names.PROTOCOL_NS}" xmlns:saml="{names.ASSERTION_NS}" xmlns:ds="{names.SIGNATURE_NS}" '
    f'xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="{names.SCHEMA_INSTANCE_NS}"'
)
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


def stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@lru_cache(maxsize=8)
def rsa_key(name: str, bits: int = 2048) -> rsa.RSAPrivateKey:
    """An RSA key, made once a session: they are slow."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


@lru_cache(maxsize=16)
def ec_key(name: str) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def certificate(key: Any, *, begins: datetime = EPOCH, life: timedelta = timedelta(days=3650)) -> bytes:
    """A self-signed certificate, PEM."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "idp")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(begins)
        .not_valid_after(begins + life)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(Encoding.PEM)


@dataclass(slots=True, kw_only=True)
class SamlProvider:
    """Somebody who signs assertions; the defaults are those of an honest one."""

    entity: str = ENTITY
    key: Any = field(default_factory=lambda: rsa_key("saml"))
    audience: str = ISSUER
    recipient: str = f"{ISSUER}/token"
    life: timedelta = timedelta(minutes=5)
    subject: str = "urn:workload:calendar"
    format: str = names.PERSISTENT
    attributes: dict[str, Any] = field(default_factory=lambda: {"department": "operations"})
    pem: bytes = b""
    count: int = 0

    def __post_init__(self) -> None:
        self.pem = self.pem or certificate(self.key)

    def metadata(
        self,
        *,
        sign_in: str = "https://idp.example/sso",
        wants_signed: bool = False,
        sign_out: str = "",
        binding: str = names.REDIRECT,
    ) -> bytes:
        leaving = f"<md:SingleLogoutService Binding={quoteattr(binding)} Location={quoteattr(sign_out)}/>"
        body = b"".join(self.pem.splitlines()[1:-1]).decode()
        return f"""<?xml version="1.0" encoding="UTF-8"?>
<!-- as exported -->
<md:EntityDescriptor xmlns:md="{names.METADATA_NS}" entityID={quoteattr(self.entity)}>
 <md:IDPSSODescriptor WantAuthnRequestsSigned="{str(wants_signed).lower()}"
   protocolSupportEnumeration="{names.PROTOCOL_NS}">
  <md:KeyDescriptor use="signing"><ds:KeyInfo xmlns:ds="{names.SIGNATURE_NS}"><ds:X509Data>
   <ds:X509Certificate>{body}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>
  {leaving if sign_out else ""}
  <md:NameIDFormat>{names.PERSISTENT}</md:NameIDFormat>
  <md:SingleSignOnService Binding="{names.REDIRECT}" Location={quoteattr(sign_in)}/>
 </md:IDPSSODescriptor>
</md:EntityDescriptor>""".encode()

    def assertion(self, at: datetime, **changes: Any) -> Element:
        """An assertion, not signed; a change to `ABSENT` leaves a part out."""
        self.count += 1
        s: dict[str, Any] = {
            "id": f"_a{self.count}-{self.entity[-4:]}",
            "issuer": self.entity,
            "issued": stamp(at),
            "subject": self.subject,
            "format": self.format,
            "name": None,
            "method": names.BEARER,
            "recipient": self.recipient,
            "until": stamp(at + self.life),
            "confirmed_until": stamp(at + self.life),
            "confirmed_from": ABSENT,
            "since": stamp(at),
            "audience": self.audience,
            "in_response_to": ABSENT,
            "conditions": "",
            "class_ref": PASSWORD_TLS,
            "authenticated": stamp(at),
            "session_until": ABSENT,
            "session_index": "s1",
            "attributes": self.attributes,
            "version": "2.0",
            "name_attributes": "",
            **changes,
        }
        return etree.fromstring(_assertion(s).encode())

    def response(self, at: datetime, assertion: Element | None, **changes: Any) -> Element:
        """A response around an assertion, not signed itself."""
        self.count += 1
        s = {
            "ID": f"_r{self.count}",
            "Version": "2.0",
            "IssueInstant": stamp(at),
            "Destination": self.recipient,
            "InResponseTo": ABSENT,
            **{key: value for key, value in changes.items() if key not in {"status", "issuer"}},
        }
        status = changes.get("status", names.SUCCESS)
        issuer = changes.get("issuer", self.entity)
        root = etree.fromstring(
            f"<samlp:Response {NSMAP} {_attributes_of(s)}><saml:Issuer>{escape(issuer)}</saml:Issuer>"
            f'<samlp:Status><samlp:StatusCode Value="{status}"/></samlp:Status></samlp:Response>'.encode()
        )
        if assertion is not None:
            root.append(assertion)
        return root

    def sign(self, element: Element, **how: Any) -> Element:
        """Sign an element at its place: behind its issuer."""
        key = how.pop("key", self.key)
        rsa_like = isinstance(key, rsa.RSAPrivateKey)
        signer = how.pop("signer", XMLSigner)(
            signature_algorithm=how.pop("method", None)
            or (SignatureMethod.RSA_SHA256 if rsa_like else SignatureMethod.ECDSA_SHA256),
            digest_algorithm=how.pop("digest", DigestAlgorithm.SHA256),
            c14n_algorithm=how.pop("c14n", CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0),
        )
        place = etree.SubElement(element, names.ds("Signature"), attrib={"Id": "placeholder"})
        element.insert(how.pop("place", 1), place)
        how.setdefault("cert", self.pem)
        made: Element = signer.sign(
            element, key=key, reference_uri=how.pop("reference", f"#{element.get('ID')}"), **how
        )
        for signature in made.iterchildren(names.ds("Signature")):
            signature.attrib.pop("Id", None)
        return made

    def signed(self, at: datetime, **changes: Any) -> Element:
        """An honest assertion."""
        return self.sign(self.assertion(at, **changes))

    def grant(self, at: datetime, **changes: Any) -> str:
        """An honest assertion as RFC 7522 §2.1 sends it."""
        return as_grant(self.signed(at, **changes))


def as_grant(element: Element | bytes) -> str:
    return b64u(element if isinstance(element, bytes) else etree.tostring(element))


def as_form(element: Element | bytes) -> str:
    """As the POST binding sends it."""
    raw = element if isinstance(element, bytes) else etree.tostring(element)
    return base64.b64encode(raw).decode()


def _attributes_of(stated: dict[str, Any]) -> str:
    return " ".join(f"{key}={quoteattr(str(value))}" for key, value in stated.items() if value is not ABSENT)


def _assertion(s: dict[str, Any]) -> str:
    name = s["name"]
    if name is None:
        form = "" if s["format"] is ABSENT else f" Format={quoteattr(s['format'])}"
        name = f"<saml:NameID{form}{s['name_attributes']}>{escape(s['subject'])}</saml:NameID>"
    data = _attributes_of(
        {
            "Recipient": s["recipient"],
            "NotOnOrAfter": s["confirmed_until"],
            "NotBefore": s["confirmed_from"],
            "InResponseTo": s["in_response_to"],
        }
    )
    audiences = [] if s["audience"] is ABSENT else s["audience"]
    listed = [audiences] if isinstance(audiences, str) else audiences
    restriction = "".join(f"<saml:Audience>{escape(each)}</saml:Audience>" for each in listed)
    if listed:
        restriction = f"<saml:AudienceRestriction>{restriction}</saml:AudienceRestriction>"
    window = _attributes_of({"NotBefore": s["since"], "NotOnOrAfter": s["until"]})
    statement = ""
    if s["authenticated"] is not ABSENT:
        when = _attributes_of(
            {
                "AuthnInstant": s["authenticated"],
                "SessionIndex": s["session_index"],
                "SessionNotOnOrAfter": s["session_until"],
            }
        )
        statement = (
            f"<saml:AuthnStatement {when}><saml:AuthnContext><saml:AuthnContextClassRef>{s['class_ref']}"
            "</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>"
        )
    attributes = "".join(_attribute(name, value) for name, value in s["attributes"].items())
    if attributes:
        attributes = f"<saml:AttributeStatement>{attributes}</saml:AttributeStatement>"
    head = _attributes_of({"ID": s["id"], "Version": s["version"], "IssueInstant": s["issued"]})
    return (
        f"<saml:Assertion {NSMAP} {head}><saml:Issuer>{escape(s['issuer'])}</saml:Issuer>"
        f"<saml:Subject>{name}<saml:SubjectConfirmation Method={quoteattr(s['method'])}>"
        f"<saml:SubjectConfirmationData {data}/></saml:SubjectConfirmation></saml:Subject>"
        f"<saml:Conditions {window}>{restriction}{s['conditions']}</saml:Conditions>"
        f"{statement}{attributes}</saml:Assertion>"
    )


def _attribute(name: str, value: Any) -> str:
    values = [value] if isinstance(value, str) else value
    body = "".join(
        f'<saml:AttributeValue xsi:type="xs:string">{escape(each)}</saml:AttributeValue>' for each in values
    )
    return f"<saml:Attribute Name={quoteattr(name)}>{body}</saml:Attribute>"
