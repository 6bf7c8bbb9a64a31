"""How messages travel through browsers (SAML Bindings §3.4, §3.5), and whose signature is on them."""

import base64
import binascii
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol
from urllib.parse import unquote_plus

from remit.identity.federation.errors import AssertionRejected
from remit.identity.federation.saml.names import ds
from remit.identity.federation.saml.signature import check_unique_ids, signed_octets, signed_part
from remit.identity.federation.saml.xml import LARGEST, Element, malformed, read_document

REQUEST, RESPONSE = "SAMLRequest", "SAMLResponse"
LONGEST_RELAY: Final = 80
"""Octets of `RelayState` (§3.4.3); more is not carried back."""
_DEFLATE: Final = "urn:oasis:names:tc:SAML:2.0:bindings:URL-Encoding:DEFLATE"
_OURS: Final = (REQUEST, RESPONSE, "RelayState", "SigAlg", "Signature", "SAMLEncoding")


class Message(Protocol):
    """A message as it came. `kind` is `SAMLRequest` or `SAMLResponse`."""

    @property
    def kind(self) -> str:
        """Which of the two it is."""

    @property
    def relay(self) -> str:
        """What is to be said back with the answer, as it was said; empty if it is too long."""

    def verified(self, certificates: Sequence[str], *, at: datetime) -> Element:
        """The message, which one of these certificates signed. Raises `AssertionRejected`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """By a form: base64 of XML, with an enveloped signature."""

    kind: str
    text: str
    relay: str

    def verified(self, certificates: Sequence[str], *, at: datetime) -> Element:
        """What its signature covers. 1 form   3 to 5 `signed_part`."""
        root = read_document(_unpacked(self.text))
        check_unique_ids(root)
        return signed_part(root, certificates, at=at).element


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirected:
    """By an address: DEFLATE of XML without a signature; one over the very octets of the query (§3.4.4.1)."""

    kind: str
    text: str
    relay: str
    covered: bytes
    method: str
    signature: str

    def verified(self, certificates: Sequence[str], *, at: datetime) -> Element:
        """The whole message. 1 form   3, 5 the signature over the query   4 none inside."""
        try:
            signature = base64.b64decode(self.signature, validate=True)
        except (binascii.Error, ValueError) as broken:
            raise malformed("signature_malformed") from broken
        signed_octets(self.covered, signature, self.method, certificates, at=at)
        root = read_document(_inflated(_unpacked(self.text)))
        if any(True for _ in root.iter(ds("Signature"))):
            raise AssertionRejected(4, "signature_misplaced", debug="inside a message that is signed outside")
        check_unique_ids(root)
        return root


def posted(fields: dict[str, str]) -> Posted:
    """Read a form. Raises `AssertionRejected` for one that holds no message, or two."""
    kind = _kind(fields)
    return Posted(kind=kind, text=fields[kind], relay=_relay(fields.get("RelayState", "")))


def redirected(query: bytes) -> Redirected:
    """Read a query as it came: its octets are what is signed. Raises `AssertionRejected`.

    SAFETY: the signed text is put together from the parts that are read, each of which is there once, so
    nothing is read that is not signed.
    """
    raw: dict[str, str] = {}
    try:
        parts = query.decode("ascii").split("&")
    except UnicodeDecodeError as broken:
        raise malformed("query_malformed") from broken
    for part in parts:
        name, _, value = part.partition("=")
        if unquote_plus(name) not in _OURS:
            continue
        if name in raw or name not in _OURS:
            raise malformed("query_malformed", f"`{name[:32]}`")
        raw[name] = value
    kind, said = _kind(raw), {name: unquote_plus(value) for name, value in raw.items()}
    if said.get("SAMLEncoding", _DEFLATE) != _DEFLATE or not said.get("SigAlg") or not said.get("Signature"):
        raise AssertionRejected(5, "signature_missing", debug="of the query")
    covered = "&".join(f"{name}={raw[name]}" for name in (kind, "RelayState", "SigAlg") if name in raw)
    return Redirected(
        kind=kind,
        text=said[kind],
        relay=_relay(said.get("RelayState", "")),
        covered=covered.encode("ascii"),
        method=said["SigAlg"],
        signature=said["Signature"],
    )


def deflated(text: str) -> str:
    """DEFLATE without a header, then base64 (§3.4.4.1)."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return base64.b64encode(packer.compress(text.encode()) + packer.flush()).decode()


def _kind(said: dict[str, str]) -> str:
    found = [name for name in (REQUEST, RESPONSE) if said.get(name)]
    if len(found) != 1:
        raise malformed("message_missing" if not found else "message_repeated")
    return found[0]


def _relay(text: str) -> str:
    return text if len(text.encode()) <= LONGEST_RELAY else ""


def _unpacked(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as broken:
        raise malformed("message_malformed") from broken


def _inflated(packed: bytes) -> bytes:
    """Undo DEFLATE, up to the size of a document: a small text can hide a large one (DS-13)."""
    reader = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
    try:
        found = reader.decompress(packed, LARGEST + 1)
    except zlib.error as broken:
        raise malformed("message_malformed") from broken
    if len(found) > LARGEST or not reader.eof or reader.unused_data:
        raise malformed("xml_too_large" if len(found) > LARGEST else "message_malformed")
    return found
