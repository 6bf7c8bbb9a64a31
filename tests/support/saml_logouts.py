"""Messages of logout as a provider of another make writes, signs and sends them."""

import base64
import zlib
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from lxml import etree
from lxml.etree import _Element as Element

from remit.identity.federation.saml import names
from support.saml import ABSENT, NSMAP, SamlProvider, stamp

RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
ECDSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"


def request(them: SamlProvider, at: datetime, to: str, **changes: Any) -> Element:
    """A `LogoutRequest`; a change to `ABSENT` leaves a part out."""
    them.count += 1
    s = {
        "id": f"_lo{them.count}", "issuer": them.entity, "issued": stamp(at), "subject": them.subject,
        "destination": to,
        "format": them.format, "sessions": ("s1",), "extra": "", **changes,
    }  # fmt: skip
    index = "".join(f"<samlp:SessionIndex>{each}</samlp:SessionIndex>" for each in s["sessions"])
    where = "" if s["destination"] is ABSENT else f' Destination="{s["destination"]}"'
    return etree.fromstring(
        f'<samlp:LogoutRequest {NSMAP} ID="{s["id"]}" Version="2.0" IssueInstant="{s["issued"]}"{where}>'
        f"<saml:Issuer>{s['issuer']}</saml:Issuer>"
        f'<saml:NameID Format="{s["format"]}">{s["subject"]}</saml:NameID>'
        f"{index}{s['extra']}</samlp:LogoutRequest>"
    )


def response(
    them: SamlProvider, at: datetime, to: str, *, reply: str, status: str = names.SUCCESS
) -> Element:
    """A `LogoutResponse`."""
    them.count += 1
    return etree.fromstring(
        f'<samlp:LogoutResponse {NSMAP} ID="_la{them.count}" Version="2.0" IssueInstant="{stamp(at)}"'
        f' Destination="{to}" InResponseTo="{reply}"><saml:Issuer>{them.entity}</saml:Issuer><samlp:Status>'
        f'<samlp:StatusCode Value="{status}"/></samlp:Status></samlp:LogoutResponse>'
    )


def packed(message: Element | bytes) -> str:
    raw = message if isinstance(message, bytes) else etree.tostring(message)
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return base64.b64encode(packer.compress(raw) + packer.flush()).decode()


def unpacked(text: str) -> bytes:
    return zlib.decompress(base64.b64decode(text), wbits=-zlib.MAX_WBITS)


def query(message: Element | bytes, key: Any, *, kind: str = "SAMLRequest", relay: str = "") -> str:
    """A signed query; the encoding of its parts is the sender's own, and lower-case here."""
    method = RSA_SHA256 if isinstance(key, rsa.RSAPrivateKey) else ECDSA_SHA256
    parts = {kind: packed(message), **({"RelayState": relay} if relay else {}), "SigAlg": method}
    covered = "&".join(f"{name}={_lower(quote(value, safe=''))}" for name, value in parts.items())
    return f"{covered}&Signature={quote(base64.b64encode(_signed(key, covered.encode())).decode(), safe='')}"


def form(
    them: SamlProvider, message: Element, *, kind: str = "SAMLRequest", relay: str = ""
) -> dict[str, str]:
    """A signed form."""
    made = them.sign(message)
    return {kind: base64.b64encode(etree.tostring(made)).decode(), **({"RelayState": relay} if relay else {})}


def message_in(address: str, ours: x509.Certificate, *, kind: str) -> tuple[Element, dict[str, str]]:
    """A message of ours in an address, whose signature holds; and the other parts."""
    whole = urlsplit(address).query
    covered, _, _ = whole.partition("&Signature=")
    said = {name: values[0] for name, values in parse_qs(whole).items()}
    key = ours.public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    assert list(said) == [name for name in (kind, "RelayState", "SigAlg", "Signature") if name in said]
    key.verify(base64.b64decode(said["Signature"]), covered.encode(), padding.PKCS1v15(), hashes.SHA256())
    return etree.fromstring(unpacked(said[kind])), said


def unsigned(message: Element) -> str:
    return urlencode({"SAMLRequest": packed(message)})


def _lower(text: str) -> str:
    """As some .NET providers encode: `%2b` for `%2B`; what is signed is what was sent."""
    return "".join(f"%{part[:2].lower()}{part[2:]}" if n else part for n, part in enumerate(text.split("%")))


def _signed(key: Any, covered: bytes) -> bytes:
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(covered, padding.PKCS1v15(), hashes.SHA256())
    r, s = decode_dss_signature(key.sign(covered, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")
