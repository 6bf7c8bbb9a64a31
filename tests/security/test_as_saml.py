"""AS-13, DS-13: every way that is known to make a SAML reader read what nobody signed."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.exceptions import SignXMLException
from signxml.verifier import SignatureConfiguration, XMLVerifier

from remit.identity.federation.errors import AssertionRejected
from remit.identity.federation.saml.assertion import read_assertion
from remit.identity.federation.saml.judge import Expected, Judge, Judged, judge_said
from remit.identity.federation.saml.metadata import read_certificates
from remit.identity.federation.saml.names import ds, saml
from remit.identity.federation.saml.signature import Signed
from remit.identity.federation.saml.xml import Element, read_document
from support.saml import SamlProvider, ec_key
from support.saml_corpus import EVIL, altered, hostile, only, raw, wrapped

AT = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
REPLY = "_request-1"
THEM = SamlProvider()


def expected(them: SamlProvider = THEM, *, reply: str | None = REPLY, response: bool = True) -> Expected:
    return Expected(
        issuer=them.entity,
        audience=them.audience,
        recipient=them.recipient,
        certificates=read_certificates(them.pem, entity=them.entity, at=AT),
        longest=timedelta(hours=1),
        in_response_to=reply,
        response=response,
    )


def accepted(
    cases: Sequence[tuple[str, bytes]], judge: Judge | None = None, wanted: Expected | None = None
) -> dict[str, str]:
    """Which documents were believed, and about whom. Anything but a refusal by its own error escapes."""
    found: dict[str, str] = {}
    for name, document in cases:
        try:
            judged = (judge or Judge()).judge(document, wanted or expected(), at=AT)
        except AssertionRejected:
            continue
        assert judged.name is not None
        found[name] = judged.name.value
    return found


def honest(them: SamlProvider = THEM, *, whole: bool = False) -> bytes:
    assertion = them.assertion(AT, in_response_to=REPLY)
    made = them.response(AT, assertion if whole else them.sign(assertion), InResponseTo=REPLY)
    return raw(them.sign(made) if whole else made)


@pytest.mark.req("R27")
@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("key", [None, ec_key("honest")])
def test_an_honest_document_is_believed(whole: bool, key: object) -> None:
    them = SamlProvider(key=key) if key else THEM
    judged = Judge().judge(honest(them, whole=whole), expected(them), at=AT)
    assert judged.name is not None
    assert judged.name.value == them.subject
    assert judged.values("department") == ("operations",)


@pytest.mark.req("R27")
@pytest.mark.attack("AS-13")
def test_no_wrapped_document_is_believed() -> None:
    cases = list(wrapped(THEM, AT, reply=REPLY))
    assert len(cases) == 12
    assert accepted(cases) == {}


@pytest.mark.req("R27")
@pytest.mark.attack("AS-13")
def test_no_altered_document_is_believed() -> None:
    cases = list(altered(THEM, AT, reply=REPLY))
    assert len(cases) > 35
    assert accepted(cases) == {}


@pytest.mark.attack("AS-13")
def test_a_bare_assertion_is_wrapped_as_little() -> None:
    """The grant's form: no response around it."""
    cases = []
    for name, document in (*wrapped(THEM, AT), *altered(THEM, AT)):
        root = etree.fromstring(document)
        cases += [(f"{name} [{n}]", raw(each)) for n, each in enumerate(root.findall(saml("Assertion")))]
    believed = accepted(cases, wanted=expected(reply=None, response=False))
    assert EVIL not in believed.values()
    # Cut out of its wrapping, an honest assertion is what it was: the signed one, by itself.
    assert set(believed.values()) <= {THEM.subject}


@pytest.mark.attack("AS-13", "DS-13")
def test_no_hostile_document_reaches_the_parser(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    canary.write_text("urn:workload:canary")
    for name, document in hostile(THEM, AT, canary):
        with pytest.raises(AssertionRejected) as refused:
            Judge().judge(document, expected(reply=None), at=AT)
        assert refused.value.step in {1, 4, 5}, name
        assert "canary" not in refused.value.debug


@pytest.mark.attack("AS-13")
@pytest.mark.parametrize("reply", [None, "", "_request-2", "_request-1 "])
def test_a_response_that_nobody_asked_for_is_refused(reply: str | None) -> None:
    """Unsolicited, or in answer to another request: of the wrapping and of what is signed in it."""
    absent = {} if reply is None else {"in_response_to": reply}
    outer = {} if reply is None else {"InResponseTo": reply}
    for inside, around in ((absent, {"InResponseTo": REPLY}), ({"in_response_to": REPLY}, outer)):
        document = raw(THEM.response(AT, THEM.signed(AT, **inside), **around))
        with pytest.raises(AssertionRejected) as refused:
            Judge().judge(document, expected(), at=AT)
        assert refused.value.reason == "unsolicited"


@pytest.mark.attack("AS-13")
@settings(max_examples=120)
@given(data=st.data())
def test_whatever_is_changed_nothing_else_is_read(data: st.DataObject) -> None:
    """Any few bytes replaced: refused, or what is read is what was signed."""
    document, before = _HONEST, _READ
    begin = data.draw(st.integers(0, len(document) - 1))
    size = data.draw(st.integers(0, 12))
    into = data.draw(
        st.sampled_from([b"", b"x", b"<", b">", b"<!---->", b"&#0;", b"<a/>", b" ", b'"', b"A="])
    )
    changed = document[:begin] + into + document[begin + size :]
    try:
        after = Judge().judge(changed, expected(), at=AT)
    except AssertionRejected:
        return
    assert after == before


# -- twins: each defence taken away, and the same documents believed


class Unseeing(Judge):
    """Verifies some signature in the document, then reads the first assertion of the tree that came."""

    __slots__ = ()

    def judge(self, raw: bytes, expected: Expected, *, at: datetime) -> Judged:
        root = read_document(raw)
        signed = next((each for each in root.iter() if _holds(each, expected, at)), None)
        if signed is None:
            raise AssertionRejected(5, "bad_signature")
        first = next(root.iter(saml("Assertion")))
        return judge_said(read_assertion(first), Signed(element=first, covered=b""), expected, at)


@pytest.mark.twin("AS-13")
def test_a_reader_of_the_unsigned_tree_is_fooled_by_wrapping() -> None:
    believed = accepted(list(wrapped(THEM, AT, reply=REPLY)), Unseeing())
    assert list(believed.values()).count(EVIL) >= 4, believed


@pytest.mark.twin("AS-13")
def test_a_verifier_that_trusts_key_info_believes_anybody() -> None:
    def by_key_info(element: Element, _: Sequence[str], at: datetime) -> Signed:
        inside = only(element, f".//{ds('X509Certificate')}").text or ""
        pem = f"-----BEGIN CERTIFICATE-----\n{inside.strip()}\n-----END CERTIFICATE-----"
        return _verified(element, pem, at)

    believed = accepted(list(altered(THEM, AT, reply=REPLY)), Judge(verify=_or_refused(by_key_info)))
    assert believed.get("attacker's key in KeyInfo") == EVIL


@pytest.mark.twin("AS-13")
def test_a_reader_that_stops_at_a_comment_reads_another_name() -> None:
    class Stopping(Judge):
        __slots__ = ()

        def judge(self, raw: bytes, expected: Expected, *, at: datetime) -> Judged:
            root = etree.fromstring(raw)
            assertion = only(root, saml("Assertion"))
            signed = self.verify(assertion, expected.certificates, at)
            # The signature holds, comments being no part of what is signed; the name is read from the tree.
            name = only(assertion, f".//{saml('NameID')}").text or ""
            found = judge_said(read_assertion(signed.element), signed, expected, at)
            assert found.name is not None
            return replace(found, name=replace(found.name, value=name))

    cut = [each for each in altered(THEM, AT, reply=REPLY) if each[0].startswith("comment in the name")]
    assert accepted(cut, Stopping()) == dict.fromkeys((name for name, _ in cut), EVIL)
    assert accepted(cut) == {}


@pytest.mark.twin("AS-13")
def test_without_the_question_remembered_anybodys_answer_would_do() -> None:
    other = "_request-of-somebody-else"
    document = raw(THEM.response(AT, THEM.signed(AT, in_response_to=other), InResponseTo=other))
    assert accepted([("other", document)], wanted=expected(reply=None)) == {"other": THEM.subject}
    assert accepted([("other", document)]) == {}


@pytest.mark.twin("DS-13")
def test_a_parser_that_resolves_entities_reads_our_files_and_grows(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    canary.write_text("urn:workload:canary")
    lax = etree.XMLParser(resolve_entities=True, load_dtd=True, no_network=True, huge_tree=True)
    cases = dict(hostile(THEM, AT, canary))
    read = etree.fromstring(cases["external entity"], parser=lax)
    assert "urn:workload:canary" in "".join(read.itertext())
    # libxml2 itself stops the big ones by now; a small one shows that it is we who stop all.
    small = f'<!DOCTYPE r [<!ENTITY a "{"x" * 4000}">]><r>{"&a;" * 100}</r>'.encode()
    assert len("".join(etree.fromstring(small, parser=lax).itertext())) == 400_000
    with pytest.raises(AssertionRejected):
        read_document(small)


def _holds(element: Element, expected: Expected, at: datetime) -> bool:
    """Whether an element carries a signature that holds for something, anywhere in its document."""
    if element.tag != ds("Signature"):
        return False
    root = element.getroottree().getroot()
    (text,) = expected.certificates
    pem = f"-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----"
    try:
        _verified(root, pem, at, location=".//")
    except (SignXMLException, etree.LxmlError, ValueError, TypeError):
        return False
    return True


def _verified(element: Element, pem: str, at: datetime, *, location: str = "./") -> Signed:
    found = XMLVerifier().verify(
        _alone(element),
        x509_cert=pem,
        expect_config=SignatureConfiguration(
            location=location,
            signature_methods=frozenset(SignatureMethod),
            digest_algorithms=frozenset(DigestAlgorithm),
            verification_time=at,
        ),
        validate_schema=False,
    )
    assert not isinstance(found, list)
    assert found.signed_xml is not None
    return Signed(element=found.signed_xml, covered=found.signed_data)


def _alone(element: Element) -> bytes:
    made: bytes = etree.tostring(element, with_tail=False)
    return made


def _or_refused(
    verify: Callable[[Element, Sequence[str], datetime], Signed],
) -> Callable[[Element, Sequence[str], datetime], Signed]:
    def attempt(element: Element, certificates: Sequence[str], at: datetime) -> Signed:
        try:
            return verify(element, certificates, at)
        except (SignXMLException, etree.LxmlError, ValueError, TypeError, AssertionError) as broken:
            raise AssertionRejected(5, "bad_signature") from broken

    return attempt


_HONEST = honest()
_READ = Judge().judge(_HONEST, expected(), at=AT)
