"""Assertions encrypted as providers do it, and as nobody should: written here, with nothing of ours."""

import base64
import os
from collections.abc import Iterator
from copy import deepcopy
from datetime import datetime
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import padding as blocks
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from lxml import etree
from lxml.etree import _Element as Element

from remit.identity.federation.saml.names import ds, saml, samlp
from support.saml import SamlProvider, certificate, rsa_key
from support.saml_corpus import EVIL, Case, bare, detached, named, only, raw, renamed

XENC, XENC11 = "http://www.w3.org/2001/04/xmlenc#", "http://www.w3.org/2009/xmlenc11#"
DS = "http://www.w3.org/2000/09/xmldsig#"
GCM, CBC_256 = f"{XENC11}aes256-gcm", f"{XENC}aes256-cbc"
OAEP_1, OAEP_11, PKCS1 = f"{XENC}rsa-oaep-mgf1p", f"{XENC11}rsa-oaep", f"{XENC}rsa-1_5"
SHA256 = f'<ds:DigestMethod xmlns:ds="{DS}" Algorithm="{XENC}sha256"/>'
MGF256 = f'<x:MGF xmlns:x="{XENC11}" Algorithm="{XENC11}mgf1sha256"/>'


def sealed(
    inside: Element | bytes,
    to: rsa.RSAPublicKey,
    *,
    content: str = GCM,
    transport: str = OAEP_1,
    beside: bool = False,
    parameters: str = "",
    content_parameters: str = "",
    of: str = f"{XENC}Element",
    key: bytes = b"",
    tail: bytes = b"",
) -> Element:
    """An `EncryptedAssertion` around some bytes, for whoever has the key."""
    text = inside if isinstance(inside, bytes) else etree.tostring(inside, with_tail=False)
    size = {"128": 16, "192": 24, "256": 32}[content[content.index("#aes") + 4 :][:3]]
    secret = key or os.urandom(size)
    iv = os.urandom(12)
    if content.endswith("gcm"):
        box = iv + AESGCM(secret).encrypt(iv, text, None) + tail
    else:
        iv, pad = os.urandom(16), blocks.PKCS7(128).padder()
        cipher = Cipher(AES(secret), CBC(iv)).encryptor()
        box = iv + cipher.update(pad.update(text) + pad.finalize()) + cipher.finalize()
    scheme: Any = padding.PKCS1v15()
    if transport != PKCS1:
        digest = hashes.SHA256() if SHA256 in parameters else hashes.SHA1()  # noqa: S303 — the default of OAEP
        mask = hashes.SHA256() if MGF256 in parameters else hashes.SHA1()  # noqa: S303 — as above
        scheme = padding.OAEP(mgf=padding.MGF1(mask), algorithm=digest, label=None)
    wrapped = (
        f'<x:EncryptedKey xmlns:x="{XENC}" Id="_key"><x:EncryptionMethod Algorithm="{transport}">{parameters}'
        f"</x:EncryptionMethod><x:CipherData><x:CipherValue>{_b64(to.encrypt(secret, scheme))}"
        "</x:CipherValue></x:CipherData></x:EncryptedKey>"
    )
    pointer = f'<ds:RetrievalMethod Type="{XENC}EncryptedKey" URI="#_key"/>'
    return etree.fromstring(
        f'<saml:EncryptedAssertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">'
        f'<x:EncryptedData xmlns:x="{XENC}" Type="{of}"><x:EncryptionMethod Algorithm="{content}">'
        f'{content_parameters}</x:EncryptionMethod><ds:KeyInfo xmlns:ds="{DS}">'
        f"{pointer if beside else wrapped}</ds:KeyInfo>"
        f"<x:CipherData><x:CipherValue>{_b64(box)}</x:CipherValue></x:CipherData>"
        f"</x:EncryptedData>{wrapped if beside else ''}</saml:EncryptedAssertion>"
    )


def ways() -> Iterator[dict[str, Any]]:
    """Every form that is taken."""
    for bits in (128, 192, 256):
        yield {"content": f"{XENC11}aes{bits}-gcm"}
    yield {"beside": True}
    yield {"parameters": SHA256}
    yield {"transport": OAEP_11}
    yield {"transport": OAEP_11, "parameters": SHA256 + MGF256}


def misshapen(them: SamlProvider, at: datetime, to: rsa.RSAPublicKey, *, reply: str) -> Iterator[Case]:
    """An honest assertion, sealed in a form that is not taken."""
    honest = them.signed(at, in_response_to=reply)

    def around(*each: Element) -> bytes:
        root = them.response(at, None, InResponseTo=reply)
        root.extend(each)
        return raw(root)

    yield "in the clear", around(deepcopy(honest))
    yield "cbc", around(sealed(honest, to, content=CBC_256))
    yield "pkcs #1 v1.5", around(sealed(honest, to, transport=PKCS1))
    yield "mask beside the old name", around(sealed(honest, to, parameters=MGF256))
    yield (
        "a label",
        around(sealed(honest, to, parameters=f'<x:OAEPparams xmlns:x="{XENC}">AA==</x:OAEPparams>')),
    )
    yield (
        "an unknown hash",
        around(sealed(honest, to, parameters=f'<ds:DigestMethod xmlns:ds="{DS}" Algorithm="{DS}md5"/>')),
    )
    size = f'<x:KeySize xmlns:x="{XENC}">128</x:KeySize>'
    yield "a size of the key", around(sealed(honest, to, content_parameters=size))
    yield "content, not an element", around(sealed(honest, to, of=f"{XENC}Content"))
    yield "one octet more", around(sealed(honest, to, tail=b"\0"))
    yield "a key of another length", around(sealed(honest, to, content=GCM, key=os.urandom(16)))
    yield "to somebody else", around(sealed(honest, rsa_key("other").public_key()))
    two = sealed(honest, to)
    two.append(deepcopy(only(two, f".//{{{XENC}}}EncryptedKey")))
    yield "two keys", around(two)
    none = sealed(honest, to)
    only(none, f".//{ds('KeyInfo')}").clear()
    yield "no key", around(none)
    elsewhere = sealed(honest, to)
    value = only(elsewhere, f"{{{XENC}}}EncryptedData/{{{XENC}}}CipherData/{{{XENC}}}CipherValue")
    value.tag, value.text = f"{{{XENC}}}CipherReference", None
    value.set("URI", "https://evil.example/")
    yield "a reference to elsewhere", around(elsewhere)
    broken = sealed(honest, to)
    only(broken, f".//{{{XENC}}}EncryptedData/{{{XENC}}}CipherData/{{{XENC}}}CipherValue").text = "%%"
    yield "no base64", around(broken)
    yield "two sealed ones", around(sealed(honest, to), sealed(honest, to))
    yield "sealed twice", around(sealed(sealed(honest, to), to))
    unsigned = them.response(at, sealed(them.assertion(at, in_response_to=reply), to), InResponseTo=reply)
    yield "signed outside, not inside", raw(them.sign(unsigned))
    text = etree.tostring(honest)
    yield "a comment inside", around(sealed(text.replace(b"</saml:Issuer>", b"<!-- --></saml:Issuer>"), to))
    yield "a document type inside", around(sealed(b"<!DOCTYPE r>" + text, to))
    yield "two roots inside", around(sealed(text + text, to))
    yield "a response inside", around(sealed(them.response(at, deepcopy(honest), InResponseTo=reply), to))


def forged(them: SamlProvider, at: datetime, to: rsa.RSAPublicKey, *, reply: str) -> Iterator[Case]:
    """About somebody else: whoever knows our certificate can encrypt, and moves honest ones around."""
    how = {"in_response_to": reply}

    def around(*each: Element) -> Element:
        root = them.response(at, None, InResponseTo=reply)
        root.extend(each)
        return root

    def honest() -> Element:
        return them.signed(at, **how)

    evil = them.assertion(at, subject=EVIL, **how)
    thief = rsa_key("thief")
    stolen = them.sign(deepcopy(evil), key=thief, cert=certificate(thief))
    yield "sealed and unsigned", raw(around(sealed(evil, to)))
    yield "sealed by a thief's signature", raw(around(sealed(stolen, to)))
    yield "the sealed changed name", raw(around(sealed(named(honest()), to)))
    yield "evil in the clear, honest sealed", raw(around(deepcopy(evil), sealed(honest(), to)))
    yield "evil sealed, honest in the clear", raw(around(sealed(evil, to), honest()))
    yield "evil sealed, honest sealed", raw(around(sealed(evil, to), sealed(honest(), to)))
    root = around(sealed(evil, to))
    etree.SubElement(root, samlp("Extensions")).append(sealed(honest(), to))
    yield "honest sealed in `Extensions`", raw(root)
    whole = them.sign(around(sealed(honest(), to)))
    whole.replace(only(whole, saml("EncryptedAssertion")), sealed(evil, to))
    yield "exchanged under the signature of the response", raw(whole)
    whole = them.sign(around(sealed(honest(), to)))
    other = renamed(bare(whole))
    other.replace(only(other, saml("EncryptedAssertion")), sealed(evil, to))
    other.insert(1, detached(whole))
    only(other, ds("Signature")).append(whole)
    yield "the signed response inside the signature of its clone", raw(other)
    for name, wrap in (("around", True), ("inside", False)):
        good = honest()
        outer = renamed(bare(good))
        if wrap:
            outer.append(good)
            yield f"wrapped before it was sealed: {name}", raw(around(sealed(outer, to)))
        else:
            moved = named(good)
            only(moved, ds("Signature")).append(outer)
            yield f"wrapped before it was sealed: {name}", raw(around(sealed(moved, to)))
    shared = honest()
    plain = around(sealed(shared, to))
    plain.set("ID", str(shared.get("ID")))
    yield "the id of the response is that of the sealed one, changed", raw(named(plain))


def _b64(octets: bytes) -> str:
    return base64.b64encode(octets).decode()
