"""Metadata of SAML providers: who they are and whose signatures count, or a reason why not."""

from datetime import timedelta
from typing import Any

import pytest
from lxml import etree

from remit.identity.federation.errors import KeysUnfit
from remit.identity.federation.saml.metadata import read_certificates, read_metadata
from remit.identity.federation.saml.names import md
from remit.identity.federation.saml.xml import Element
from support.clock import NOON
from support.saml import SamlProvider, certificate, ec_key, rsa_key, stamp

THEM = SamlProvider()
PLAIN = THEM.metadata(sign_in="https://idp.example/sso?a=1&b=2")


@pytest.mark.spec("SAML Metadata", "2.4.3")
def test_a_provider_is_who_its_metadata_says() -> None:
    found = read_metadata(PLAIN, at=NOON)
    assert (found.entity, found.sign_in, found.wants_signed) == (
        THEM.entity, "https://idp.example/sso?a=1&b=2", False,
    )  # fmt: skip
    assert read_certificates(THEM.pem, entity="", at=NOON) == found.certificates
    both = THEM.pem + certificate(ec_key("second")) + THEM.pem
    assert len(read_certificates(both, entity="", at=NOON)) == 2


def test_one_of_several_is_chosen_by_its_name() -> None:
    other = SamlProvider(entity="https://two.example", key=ec_key("two"))
    inner = [each.metadata().partition(b"-->\n")[2] for each in (THEM, other)]
    whole = b'<md:EntitiesDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata">%s%s' % tuple(inner)
    whole += b"</md:EntitiesDescriptor>"
    assert read_metadata(whole, entity=other.entity, at=NOON).entity == other.entity
    for entity in ("", "https://three.example"):
        with pytest.raises(KeysUnfit, match="not in the document once"):
            read_metadata(whole, entity=entity, at=NOON)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "can't be read"),
        (b"<x/>", "not in the document once"),
        (b"<!DOCTYPE x>" + PLAIN.partition(b"?>")[2], "xml_declaration"),
        (PLAIN.replace(b"IDPSSODescriptor", b"SPSSODescriptor"), "not in the document once"),
        (PLAIN.replace(b'use="signing"', b'use="encryption"'), "no certificate"),
        (PLAIN.replace(b"<ds:X509Certificate>", b"<ds:X509Certificate>AAAA"), "can't be read"),
        (SamlProvider(key=rsa_key("weak", 1024)).metadata(), "no certificate"),
        (certificate(rsa_key("weak", 1024)), "no certificate"),
        (b"".join(certificate(ec_key(f"many {n}")) for n in range(9)), "the limit is 8"),
        (b"-----BEGIN NOTHING-----", "no certificate"),
        (PLAIN + b" " * (512 << 10), "xml_too_large"),
        (PLAIN.replace(b"entityID=", b'validUntil="soon" entityID=', 1), "can't be read"),
    ],
)
def test_what_says_nothing_is_refused_with_a_reason(raw: bytes, reason: str) -> None:
    with pytest.raises(KeysUnfit, match=reason):
        read_certificates(raw, entity="", at=NOON)


@pytest.mark.spec("SAML Metadata", "2.3.2")
def test_metadata_ends_when_it_says() -> None:
    for minutes, counts in ((1, True), (0, False), (-1, False)):
        until = stamp(NOON + timedelta(minutes=minutes)).encode()
        raw = PLAIN.replace(b"entityID=", b'validUntil="%s" entityID=' % until, 1)
        if counts:
            assert read_metadata(raw, at=NOON).entity == THEM.entity
            continue
        with pytest.raises(KeysUnfit, match="valid until"):
            read_metadata(raw, at=NOON)


@pytest.mark.spec("SAML Metadata", "3")
def test_what_is_read_is_what_a_named_signer_signed() -> None:
    them, federation = SamlProvider(), ec_key("federation")
    pem = certificate(federation)
    signers = read_certificates(pem, entity="", at=NOON)

    def signed(key: Any = federation, cert: bytes = pem) -> Element:
        root = etree.fromstring(them.metadata(), parser=etree.XMLParser(remove_comments=True))
        root.set("ID", "_m1")
        return them.sign(root, key=key, cert=cert, place=0)

    assert read_metadata(etree.tostring(signed()), at=NOON, signers=signers).entity == them.entity
    changed = signed()
    changed.set("entityID", "https://evil.example")
    around = etree.Element(md("EntitiesDescriptor"))
    around.append(signed())
    moved = signed()
    moved.append(moved[0])
    for forged in (
        them.metadata(),
        etree.tostring(signed(rsa_key("thief"), certificate(rsa_key("thief")))),
        etree.tostring(changed),
        etree.tostring(around),
        etree.tostring(moved),
    ):
        with pytest.raises(KeysUnfit):
            read_metadata(forged, at=NOON, signers=signers)
        # The twin of it: where nobody must have signed, each of them is read.
        assert read_metadata(forged, at=NOON).certificates
