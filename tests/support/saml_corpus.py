"""Signature wrapping and its kin: documents made from an honest one, each of which would name somebody else.

Sources: XSW1 to XSW8 as in "On Breaking SAML" (USENIX Security 2012); CVE-2017-11427 (comments),
CVE-2024-45409 and CVE-2025-29774 (several `SignedInfo`), CVE-2025-29775 (comments in `DigestValue`),
CVE-2025-66568 (canonicalization that fails). Made here, with signxml; nothing is copied from elsewhere.
"""

import base64
import hashlib
from collections.abc import Iterator
from copy import deepcopy
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from lxml import etree
from lxml.etree import _Element as Element
from signxml.algorithms import CanonicalizationMethod, DigestAlgorithm, SignatureMethod
from signxml.signer import XMLSigner

from remit.identity.federation.saml import names
from remit.identity.federation.saml.names import ds, saml, samlp
from support.saml import SamlProvider, certificate, rsa_key

EVIL = "urn:workload:admin"
Case = tuple[str, bytes]


class Lax(XMLSigner):
    """Signs as SHA-1, where signxml would not."""

    def check_deprecated_methods(self) -> None:
        """Nothing is checked."""


def wrapped(them: SamlProvider, at: datetime, *, reply: str = "") -> Iterator[Case]:
    """XSW1 to XSW8, for a response whose assertion, or which itself, is signed."""
    how = {"in_response_to": reply} if reply else {}
    stated = {"InResponseTo": reply} if reply else {}

    def fresh(*, whole: bool = False) -> tuple[Element, Element]:
        assertion = them.assertion(at, **how)
        if not whole:
            assertion = them.sign(assertion)
        root = them.response(at, assertion, **stated)
        root = them.sign(root) if whole else root
        return root, only(root, saml("Assertion"))

    root, _ = fresh(whole=True)
    evil, signature = renamed(bare(root)), detached(root)
    root.insert(1, signature)
    signature.append(evil)
    yield "xsw1: clone of the response behind the signature", raw(root)

    root, _ = fresh(whole=True)
    evil, signature = renamed(bare(root)), detached(root)
    evil.insert(1, signature)
    signature.append(root)
    yield "xsw2: the response inside the signature of its clone", raw(evil)

    root, assertion = fresh()
    assertion.addprevious(renamed(bare(assertion)))
    yield "xsw3: clone before the assertion", raw(root)

    root, assertion = fresh()
    evil = renamed(bare(assertion))
    root.replace(assertion, evil)
    evil.append(assertion)
    yield "xsw4: the assertion inside its clone", raw(root)

    root, assertion = fresh()
    honest = bare(assertion)
    named(assertion)
    root.append(honest)
    yield "xsw5: changed in place, the honest one at the end", raw(root)

    root, assertion = fresh()
    honest = bare(assertion)
    named(assertion)
    only(assertion, ds("Signature")).append(honest)
    yield "xsw6: changed in place, the honest one in its signature", raw(root)

    root, assertion = fresh()
    extensions = etree.Element(samlp("Extensions"))
    extensions.append(renamed(bare(assertion)))
    root.insert(1, extensions)
    yield "xsw7: clone in `Extensions`", raw(root)

    root, assertion = fresh()
    honest = bare(assertion)
    named(assertion)
    etree.SubElement(only(assertion, ds("Signature")), ds("Object")).append(honest)
    yield "xsw8: changed in place, the honest one in an `Object`", raw(root)

    root, assertion = fresh()
    twin = named(bare(assertion))
    root.append(twin)
    yield "the same id twice", raw(root)

    root, assertion = fresh()
    root.replace(assertion, named(bare(assertion)))
    etree.SubElement(root, samlp("Extensions")).append(assertion)
    yield "the signed one moved away, its clone with its id", raw(root)

    root, assertion = fresh()
    evil = named(bare(assertion))
    evil.set("ID", "_other")
    evil.insert(1, detached(assertion))
    root.replace(assertion, evil)
    etree.SubElement(root, samlp("Extensions")).append(assertion)
    yield "the signature moved to another assertion", raw(root)

    root, assertion = fresh()
    evil = them.response(at, renamed(bare(assertion)), **stated)
    etree.SubElement(evil, samlp("Extensions")).append(assertion)
    yield "an honest assertion beside the one that is read", raw(evil)


def altered(them: SamlProvider, at: datetime, *, reply: str = "") -> Iterator[Case]:
    """One assertion in a response, with one thing changed: text, signature, key, or the form of either."""
    how = {"in_response_to": reply} if reply else {}
    stated = {"InResponseTo": reply} if reply else {}

    def inside(assertion: Element) -> bytes:
        return raw(them.response(at, assertion, **stated))

    def honest() -> Element:
        return them.signed(at, **how)

    def evil(**more: object) -> Element:
        return them.assertion(at, subject=EVIL, **how, **more)

    yield "changed name", inside(named(honest()))
    yield "no signature", inside(evil())
    for tag in ("SignedInfo", "SignatureValue"):
        made = honest()
        signature = only(made, ds("Signature"))
        signature.remove(only(signature, ds(tag)))
        yield f"no {tag}", inside(made)
    made = honest()
    only(made, f".//{ds('SignatureValue')}").text = ""
    yield "empty SignatureValue", inside(made)

    made = honest()
    made.append(detached(made))
    yield "signature at the end of the assertion", inside(made)
    made = honest()
    root = them.response(at, made, **stated)
    root.insert(1, detached(made))
    yield "signature of the assertion beside it", raw(root)

    thief = rsa_key("thief")
    yield "attacker's key in KeyInfo", inside(them.sign(evil(), key=thief, cert=certificate(thief)))
    yield "attacker's key, our certificate in KeyInfo", inside(them.sign(evil(), key=thief, cert=them.pem))
    yield "attacker's key as KeyValue", inside(them.sign(evil(), key=thief, cert=None))
    yield "shared secret: the public certificate", inside(hmac_signed(them, evil()))
    yield (
        "sha-1 signature",
        inside(them.sign(evil(), signer=Lax, method=SignatureMethod.RSA_SHA1, digest=DigestAlgorithm.SHA256)),
    )
    yield "sha-1 digest", inside(them.sign(evil(), signer=Lax, digest=DigestAlgorithm.SHA1))
    for method in CanonicalizationMethod:
        if method is not CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0:
            yield f"canonicalization {method.name}", inside(them.sign(evil(), c14n=method))
    for algorithm in (
        "http://www.w3.org/TR/1999/REC-xslt-19991116",
        "http://www.w3.org/TR/1999/REC-xpath-19991116",
        "http://www.w3.org/2002/06/xmldsig-filter2",
        f"{names.SIGNATURE_NS}base64",
    ):
        made = honest()
        extra = etree.Element(ds("Transform"), attrib={"Algorithm": algorithm})
        only(named(made), f".//{ds('Transforms')}").append(extra)
        yield f"transform {algorithm}", inside(made)
    made = honest()
    transforms = only(made, f".//{ds('Transforms')}")
    for each in list(transforms):
        transforms.remove(each)
    yield "no transforms", inside(named(made))

    for uri in ("", "#", "#_nobody", "#xpointer(/)", "https://evil.example/a.xml", "file:///etc/hostname"):
        made = named(honest())
        only(made, f".//{ds('Reference')}").set("URI", uri)
        yield f"reference to `{uri}`", inside(made)
    made = named(honest())
    del only(made, f".//{ds('Reference')}").attrib["URI"]
    yield "reference to nothing", inside(made)
    made = named(honest())
    reference = only(made, f".//{ds('Reference')}")
    reference.addnext(deepcopy(reference))
    yield "two references", inside(made)

    made = honest()
    info = only(made, f".//{ds('SignedInfo')}")
    forged = deepcopy(info)
    digested(forged, named(made))
    info.addprevious(forged)
    yield "a second SignedInfo before the signed one", inside(made)
    made = honest()
    value = only(made, f".//{ds('DigestValue')}")
    old, value.text = value.text or "", None
    comment = etree.Comment(old)
    comment.tail = digest_of(named(made))
    value.append(comment)
    yield "digest in a comment", inside(made)

    longer = them.signed(at, subject=f"{EVIL}.example", **how)
    text = inside(longer).replace(EVIL.encode(), EVIL.encode() + b"<!---->")
    yield "comment in the name, after signing", text
    made = them.assertion(at, subject=f"{EVIL}.example", **how)
    name = only(made, f".//{saml('NameID')}")
    name.text, comment = EVIL, etree.Comment("x")
    comment.tail = ".example"
    name.append(comment)
    yield "comment in the name, before signing", inside(them.sign(made))
    made = them.assertion(at, **how)
    name = only(made, f".//{saml('NameID')}")
    name.text, inner = EVIL, etree.SubElement(name, "b")
    inner.tail = ".example"
    yield "element in the name, before signing", inside(them.sign(made))

    made = honest()
    made.set("{http://evil.example}x", "1")
    yield "attribute of another namespace", inside(made)
    text = raw(them.response(at, named(honest()), **stated))
    yield (
        "relative namespace, for canonicalization to fail",
        text.replace(b"<saml:Subject>", b'<saml:Subject xmlns:evil="1">'),
    )
    yield "encrypted", raw(them.response(at, etree.Element(saml("EncryptedAssertion")), **stated))
    yield "nothing in it", raw(them.response(at, None, **stated))


def hostile(them: SamlProvider, at: datetime, canary: Path) -> Iterator[Case]:
    """What is meant for the parser: it never gets it (DS-13, XXE)."""
    text = raw(them.response(at, them.signed(at))).decode()
    levels = [f'<!ENTITY a{n} "{f"&a{n - 1};" * 10 if n else "x"}">' for n in range(9)]
    bomb = "".join(levels)
    yield "entity bomb", f"<!DOCTYPE r [{bomb}]>{text.replace(them.subject, '&a8;')}".encode()
    yield (
        "quadratic bomb",
        (f'<!DOCTYPE r [<!ENTITY a "{"x" * 50_000}">]>{text.replace(them.subject, "&a;" * 2000)}'.encode()),
    )
    external = f'<!DOCTYPE r [<!ENTITY a SYSTEM "{canary.as_uri()}">]>'
    yield "external entity", (external + text.replace(them.subject, "&a;")).encode()
    yield "external subset", f'<!DOCTYPE r SYSTEM "{canary.as_uri()}">{text}'.encode()
    yield "parameter entity", (f'<!DOCTYPE r [<!ENTITY % p SYSTEM "{canary.as_uri()}"> %p;]>{text}'.encode())
    yield "document type alone", f"<!DOCTYPE r>{text}".encode()
    yield "undeclared entity", text.replace(them.subject, "&a;").encode()
    yield "instruction", f"<?xml-stylesheet href='{canary.as_uri()}'?>{text}".encode()
    yield "instruction inside", text.replace("<saml:Subject>", "<?php 1?><saml:Subject>").encode()
    yield "comment outside", f"{text}<!-- x -->".encode()
    include = f'<x:include xmlns:x="http://www.w3.org/2001/XInclude" href="{canary.as_uri()}"/>'
    yield "inclusion", text.replace("<samlp:Status>", f"{include}<samlp:Status>").encode()
    yield "utf-16", text.encode("utf-16")
    yield "utf-7", b'<?xml version="1.0" encoding="UTF-7"?>' + text.encode("utf-7")
    yield "latin-1", b'<?xml version="1.0" encoding="ISO-8859-1"?>' + text.encode()
    yield "doctype hidden by another encoding", b'<?xml version="1.0" encoding="UTF-7"?>+ADw-!DOCTYPE r+AD4-'
    yield "too large", text.encode() + b" " * (256 << 10)
    yield "too deep", text.replace(them.subject, "<a>" * 200 + "x" + "</a>" * 200).encode()
    yield "too many", text.replace(them.subject, "<a/>" * 5000).encode()
    yield "nul", text.replace(them.subject, "a\0b").encode()
    yield "two roots", (text + text).encode()
    yield "cut off", text[:-20].encode()
    yield "nothing", b""


def hmac_signed(them: SamlProvider, element: Element) -> Element:
    """Signed with a secret that everybody has; what `none` is to JWT."""
    made = them.sign(element)
    only(made, f".//{ds('SignatureMethod')}").set("Algorithm", SignatureMethod.HMAC_SHA256.value)
    mac = HMAC(them.pem, SHA256())
    mac.update(canonical(only(made, f".//{ds('SignedInfo')}")))
    only(made, f".//{ds('SignatureValue')}").text = base64.b64encode(mac.finalize()).decode()
    return made


def resigned(element: Element, key: rsa.RSAPrivateKey) -> Element:
    """`SignedInfo` as it is now, signed: by a provider that signs what it should not."""
    info = canonical(only(element, f".//{ds('SignedInfo')}"))
    value = key.sign(info, padding.PKCS1v15(), SHA256())
    only(element, f".//{ds('SignatureValue')}").text = base64.b64encode(value).decode()
    return element


def digested(info: Element, element: Element) -> None:
    only(info, f".//{ds('DigestValue')}").text = digest_of(element)


def digest_of(element: Element) -> str:
    """Of the element without its signature, as the one form has it."""
    return base64.b64encode(hashlib.sha256(canonical(bare(element))).digest()).decode()


def canonical(element: Element) -> bytes:
    made: bytes = etree.tostring(element, method="c14n", exclusive=True, with_comments=False)
    return made


def raw(element: Element) -> bytes:
    made: bytes = etree.tostring(element)
    return made


def only(element: Element, path: str) -> Element:
    found = element.find(path)
    assert found is not None, path
    return found


def bare(element: Element) -> Element:
    """A copy without its own signature."""
    made = deepcopy(element)
    made.tail = None
    for each in made.findall(ds("Signature")):
        made.remove(each)
    return made


def detached(element: Element) -> Element:
    found = only(element, ds("Signature"))
    element.remove(found)
    return found


def named(element: Element, name: str = EVIL) -> Element:
    """The same element, about somebody else."""
    for each in element.iter(saml("NameID")):
        each.text = name
    return element


def renamed(element: Element) -> Element:
    """About somebody else, under other ids."""
    for each in element.iter():
        if each.get("ID"):
            each.set("ID", f"{each.get('ID')}-evil")
    return named(element)
