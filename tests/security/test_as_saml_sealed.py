"""AS-13 for encrypted assertions: that something was encrypted to us says nothing of who did it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from lxml import etree

from remit.identity.federation.errors import AssertionRejected
from remit.identity.federation.saml.assertion import read_assertion
from remit.identity.federation.saml.encryption import opened
from remit.identity.federation.saml.judge import Expected, Judge, Judged, judge_said
from remit.identity.federation.saml.metadata import read_certificates
from remit.identity.federation.saml.signature import Signed
from remit.identity.federation.saml.xml import Element, read_document
from support.saml import SamlProvider, rsa_key
from support.saml_corpus import EVIL, raw
from support.saml_sealed import forged, misshapen, sealed, ways

AT = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
REPLY = "_request-1"
THEM = SamlProvider()
OURS, BEFORE = rsa_key("ours"), rsa_key("ours-before")
EXPECTED = Expected(
    issuer=THEM.entity,
    audience=THEM.audience,
    recipient=THEM.recipient,
    certificates=read_certificates(THEM.pem, entity=THEM.entity, at=AT),
    longest=timedelta(hours=1),
    in_response_to=REPLY,
    response=True,
    unseal=partial(opened, keys=[OURS, BEFORE]),
)


def response(assertion: Element, *, signed: bool = False) -> bytes:
    made = THEM.response(AT, assertion, InResponseTo=REPLY)
    return raw(THEM.sign(made) if signed else made)


def name_in(document: bytes, judge: Judge | None = None, expected: Expected = EXPECTED) -> str:
    judged = (judge or Judge()).judge(document, expected, at=AT)
    assert judged.name is not None
    return judged.name.value


@pytest.mark.req("R27", "R159")
@pytest.mark.spec("SAML Core", "2.3.4")
@pytest.mark.parametrize("way", list(ways()), ids=str)
@pytest.mark.parametrize("signed", [False, True])
def test_an_honest_sealed_assertion_is_believed(way: dict[str, object], signed: bool) -> None:
    honest = THEM.signed(AT, in_response_to=REPLY)
    assert name_in(response(sealed(honest, OURS.public_key(), **way), signed=signed)) == THEM.subject  # type: ignore[arg-type]  # words of `sealed`


def test_the_key_before_still_opens() -> None:
    honest = THEM.signed(AT, in_response_to=REPLY)
    document = response(sealed(honest, BEFORE.public_key()))
    assert name_in(document) == THEM.subject
    with pytest.raises(AssertionRejected, match="assertion"):
        name_in(document, expected=replace(EXPECTED, unseal=partial(opened, keys=[OURS])))


@pytest.mark.attack("AS-13")
def test_nothing_sealed_in_another_form_is_opened() -> None:
    cases = list(misshapen(THEM, AT, OURS.public_key(), reply=REPLY))
    assert len(cases) == 22
    for name, document in cases:
        with pytest.raises(AssertionRejected) as refused:
            name_in(document)
        assert refused.value.step in {1, 4, 5}, name


@pytest.mark.attack("AS-13")
def test_no_sealed_forgery_is_believed() -> None:
    cases = list(forged(THEM, AT, OURS.public_key(), reply=REPLY))
    assert len(cases) == 12
    for name, document in cases:
        try:
            found = name_in(document)
        except AssertionRejected:
            continue
        assert found == THEM.subject, name


@pytest.mark.attack("AS-13")
def test_why_a_key_did_not_open_it_is_told_to_nobody() -> None:
    """Manger's and Bleichenbacher's attacks live of a difference: there is none in what is said."""
    honest = THEM.signed(AT, in_response_to=REPLY)
    said = set()
    for made in (
        sealed(honest, rsa_key("other").public_key()),
        sealed(honest, OURS.public_key(), tail=b"\0"),
        sealed(honest, OURS.public_key(), key=bytes(16)),
        sealed(honest, OURS.public_key(), key=bytes(32), tail=b"\0"),
    ):
        with pytest.raises(AssertionRejected) as refused:
            name_in(response(made))
        said.add((refused.value.step, refused.value.reason, refused.value.debug, str(refused.value)))
    assert said == {(5, "assertion_unopened", "2 keys tried", str(AssertionRejected(5, "")))}


# -- the twin: a reader that takes encryption for authenticity


class Trusting(Judge):
    """Believes whatever was encrypted to us."""

    __slots__ = ()

    def judge(self, raw: bytes, expected: Expected, *, at: datetime) -> Judged:
        root = read_document(raw)
        first = next(root.iter("{urn:oasis:names:tc:SAML:2.0:assertion}EncryptedAssertion"))
        assert expected.unseal is not None
        inside = etree.fromstring(expected.unseal(first))
        return judge_said(read_assertion(inside), Signed(element=inside, covered=b""), expected, at)


@pytest.mark.twin("AS-13")
def test_a_reader_that_takes_encryption_for_a_signature_believes_anybody() -> None:
    fooled = []
    for name, document in forged(THEM, AT, OURS.public_key(), reply=REPLY):
        try:
            fooled += [name] if name_in(document, Trusting()) == EVIL else []
        except (AssertionRejected, StopIteration):
            continue
    assert len(fooled) >= 6, fooled
