"""Single logout with a SAML provider: its word ends sessions here, and we tell it of ours."""

import base64
import html
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from remit.identity.federation.saml.binding import Redirected, redirected
from remit.identity.federation.saml.metadata import read_certificates
from remit.identity.federation.saml.names import samlp
from remit.identity.federation.saml.signature import signed_part
from remit.identity.federation.saml.xml import Element, read_document
from remit.identity.principals import Kind
from remit.identity.upstream.errors import ArrivalRefused
from remit.kernel.ids import PrincipalId
from support import saml_logouts
from support.clock import NOON
from support.house import House
from support.saml import ABSENT, SamlProvider, certificate, ec_key, rsa_key, stamp
from support.saml_people import ANA, ENTITY, Company, company, round_trip
from support.visitors import Browser, browser

SLO = "https://idp.example/slo"
POST = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
MD = "{urn:oasis:names:tc:SAML:2.0:metadata}"
ANA_TOO = {"subject": ANA}


@asynccontextmanager
async def leaving(folder: Path, **how: Any) -> AsyncIterator[tuple[House, Company, str]]:
    """A provider with single logout, and where it sends people out."""
    metadata = SamlProvider(entity=ENTITY).metadata(sign_out=SLO, **how)
    async with company(folder, metadata=metadata) as (house, them):
        yield house, them, f"{house.services.people.desk.home}/sign-in/with/company/slo"


async def get(url: str, query: str) -> httpx2.Response:
    async with httpx2.AsyncClient(trust_env=False, timeout=30) as http:
        return await http.get(f"{url}?{query}")


async def post(url: str, fields: dict[str, str]) -> httpx2.Response:
    async with httpx2.AsyncClient(trust_env=False, timeout=30) as http:
        return await http.post(url, data=fields, headers={"Origin": "https://login.example"})


async def open_sessions(house: House, name: str = "Ana") -> int:
    human = await house.services.identity.find(Kind.HUMAN, name)
    return len(await house.services.people.sessions.of(PrincipalId(human.id)))


async def ours(house: House) -> x509.Certificate:
    """Our certificate, as our metadata shows it; the two addresses beside it."""
    page = await house.http.get(f"{house.services.people.desk.home}/sign-in/with/company/metadata")
    role = etree.fromstring(page.content)[0]
    names = [etree.QName(each).localname for each in role]
    assert names == [
        "KeyDescriptor",
        *["SingleLogoutService"] * 2,
        "NameIDFormat",
        "AssertionConsumerService",
    ]
    (text,) = role.itertext("{http://www.w3.org/2000/09/xmldsig#}X509Certificate")
    return x509.load_der_x509_certificate(base64.b64decode(str(text)))


async def signed_in(them: Company, one: Browser, **changes: Any) -> None:
    changes = {"attributes": {"name": "Ana"}, **changes}
    assert 'url=/me/sessions"' in (await round_trip(them, one, **changes)).text


@pytest.mark.req("R159", "R17")
@pytest.mark.attack("CO-17")
@pytest.mark.spec("SAML Profiles", "4.4")
@pytest.mark.spec("SAML Bindings", "3.4.4.1")
async def test_the_providers_logout_by_address_ends_the_session_that_it_names(tmp_path: Path) -> None:
    async with leaving(tmp_path) as (house, them, slo), browser(house) as one, browser(house) as two:
        await signed_in(them, one)
        await signed_in(them, two, session_index="s2")
        certificate_ = await ours(house)
        asked = saml_logouts.request(them.them, house.now(), slo, **ANA_TOO)
        query = saml_logouts.query(asked, them.them.key, relay="a b&c=d/é")
        answer = await get(slo, query)
        assert answer.status_code == 303, answer.text
        assert answer.headers["location"].startswith(f"{SLO}?SAMLResponse=")
        said, parts = saml_logouts.message_in(answer.headers["location"], certificate_, kind="SAMLResponse")
        assert (said.tag, said.get("InResponseTo")) == (samlp("LogoutResponse"), asked.get("ID"))
        assert said.get("Destination") == SLO
        assert said.find(f".//{samlp('StatusCode')}").get("Value", "").endswith(":Success")  # type: ignore[union-attr]  # found, or it fails
        assert parts["RelayState"] == "a b&c=d/é"
        assert "/sign-in" in str((await one.open("/me/sessions")).url)
        assert (await two.open("/me/sessions")).url.path == "/me/sessions", "another session there"
        (record,) = await house.records("identity.provider.logged_out")
        assert dict(record.detail)["sessions"] == "1"
        # The same message again: the next session stays.
        await signed_in(them, one)
        assert (await get(slo, query)).status_code == 403
        assert await open_sessions(house) == 2


@pytest.mark.spec("SAML Bindings", "3.5")
async def test_by_form_without_a_session_all_of_that_person_end(tmp_path: Path) -> None:
    async with (
        leaving(tmp_path, binding=POST) as (house, them, slo),
        browser(house) as one,
        browser(house) as two,
    ):
        await signed_in(them, one)
        await signed_in(them, two, session_index="s2", subject="f3b8-eve", attributes={"name": "Eve"})
        await signed_in(them, one, session_index="s3")
        everything = {**ANA_TOO, "sessions": ()}
        asked = saml_logouts.request(them.them, house.now(), slo, **everything)
        answer = await post(slo, saml_logouts.form(them.them, asked, relay='"><script>'))
        assert answer.status_code == 200
        assert "<script>" not in answer.text
        assert f'action="{SLO}"' in answer.text
        assert "form-action 'self' https://idp.example" in answer.headers["content-security-policy"]
        text = html.unescape(answer.text.partition('name="SAMLResponse" value="')[2].partition('"')[0])
        root = read_document(base64.b64decode(text))
        made = await ours(house)
        der = base64.b64encode(made.public_bytes(Encoding.DER)).decode()
        assert signed_part(root, [der], at=house.now()).element.get("InResponseTo") == asked.get("ID")
        assert await open_sessions(house) == 0
        assert await open_sessions(house, "Eve") == 1
        # Nobody is signed in any more: that is done, too.
        again = saml_logouts.request(them.them, house.now(), slo, **everything)
        assert (await post(slo, saml_logouts.form(them.them, again))).status_code == 200


@pytest.mark.attack("CO-17")
async def test_nobody_else_signs_anybody_out(tmp_path: Path) -> None:
    async with leaving(tmp_path) as (house, them, slo), browser(house) as one:
        await signed_in(them, one)
        at, key, idp = house.now(), them.them.key, them.them

        def asked(**changes: Any) -> Element:
            return saml_logouts.request(idp, at, slo, **{**ANA_TOO, **changes})

        good = saml_logouts.query(asked(), key)
        thief = rsa_key("thief")
        bomb = b"<a>" + b"x" * (4 << 20) + b"</a>"
        for query in (
            saml_logouts.unsigned(asked()),
            saml_logouts.query(asked(), thief),
            saml_logouts.query(asked(), ec_key("thief")),
            good.replace("SAMLRequest=", "SAMLRequest=A", 1),
            f"{good}&RelayState=x",
            f"{good}&SAMLRequest=x",
            f"{good}&SAMLResponse=x",
            good.replace("SAMLRequest", "%53AMLRequest", 1),
            good.replace("rsa-sha256", "rsa-sha1"),
            good.partition("&Signature=")[0],
            saml_logouts.query(asked(destination=f"{slo}2"), key),
            saml_logouts.query(asked(destination=ABSENT), key),
            saml_logouts.query(asked(issuer="https://other.example"), key),
            saml_logouts.query(asked(issued=stamp(at - timedelta(hours=1))), key),
            saml_logouts.query(asked(issued=stamp(at + timedelta(hours=1))), key),
            saml_logouts.query(asked(extra="<saml:EncryptedID/>"), key),
            saml_logouts.query(asked(sessions=["s"] * 33), key),
            saml_logouts.query(idp.sign(asked()), key),
            saml_logouts.query(asked(), key, kind="SAMLResponse"),
            saml_logouts.query(idp.response(at, None), key),
            saml_logouts.query(bomb, key),
            saml_logouts.query(b"\xff", key),
            "SAMLRequest=%%&SigAlg=x&Signature=x",
            "",
        ):
            assert (await get(slo, query)).status_code in {400, 403}, query[-80:]
        changed = idp.sign(asked())
        changed.set("ID", "_other")
        for made in (asked(), changed, idp.sign(asked(), key=thief, cert=certificate(thief))):
            text = base64.b64encode(etree.tostring(made)).decode()
            assert (await post(slo, {"SAMLRequest": text})).status_code == 403
        # The provider's own word, about somebody whom it did not name here: well said, and nobody ends.
        for changes in ({"subject": "f3b8-eve"}, {"format": "urn:x:y"}, {"sessions": ("s9",)}):
            assert (await get(slo, saml_logouts.query(asked(**changes), key))).status_code == 303
        assert (await get(slo.replace("company", "nobody"), good)).status_code == 404
        assert await open_sessions(house) == 1
        assert (await get(slo, good)).status_code == 303
        assert await open_sessions(house) == 0


@pytest.mark.req("R159")
@pytest.mark.spec("SAML Core", "3.7")
async def test_our_sign_out_shows_the_way_to_theirs_and_hears_of_it(tmp_path: Path) -> None:
    async with leaving(tmp_path) as (house, them, slo), browser(house) as one:
        await signed_in(them, one)
        out = await one.open("/sign-out")
        left = await one.post(
            "/sign-out", {"csrf": out.text.partition('name="csrf" value="')[2].partition('"')[0]}
        )
        away = html.unescape(left.text.partition('class="button" href="')[2].partition('"')[0])
        asked, _ = saml_logouts.message_in(away, await ours(house), kind="SAMLRequest")
        assert (asked.tag, asked.get("Destination")) == (samlp("LogoutRequest"), SLO)
        assert asked.findtext("{urn:oasis:names:tc:SAML:2.0:assertion}NameID") == ANA
        assert asked.findtext(samlp("SessionIndex")) == "s1"
        assert await open_sessions(house) == 0

        async def told(reply: str, **how: str) -> httpx2.Response:
            made = saml_logouts.response(them.them, house.now(), slo, reply=reply, **how)
            return await get(slo, saml_logouts.query(made, them.them.key, kind="SAMLResponse"))

        ident = str(asked.get("ID"))
        assert "Here, and at company" in (await told(ident)).text
        partly = "urn:oasis:names:tc:SAML:2.0:status:Responder"
        assert "was not said by" in (await told(ident, status=partly)).text
        for never in ("_never", "", f"{ident[:-4]}AAAA"):
            assert (await told(never)).status_code == 403
        forged = saml_logouts.response(them.them, house.now(), slo, reply=ident)
        assert (
            await get(slo, saml_logouts.query(forged, rsa_key("thief"), kind="SAMLResponse"))
        ).status_code == 403


async def test_a_provider_without_single_logout_is_not_heard(tmp_path: Path) -> None:
    async with company(tmp_path) as (house, them), browser(house) as one:
        await signed_in(them, one)
        slo = f"{house.services.people.desk.home}/sign-in/with/company/slo"
        asked = saml_logouts.request(them.them, house.now(), slo, **ANA_TOO)
        assert (await get(slo, saml_logouts.query(asked, them.them.key))).status_code == 404
        assert await open_sessions(house) == 1


class Unverified(Redirected):
    """A message whose signature nobody looks at."""

    __slots__ = ()

    def verified(self, *_: Any, **__: Any) -> Element:
        return etree.fromstring(saml_logouts.unpacked(self.text))


@pytest.mark.twin("CO-17")
async def test_without_the_signature_anybody_signs_anybody_out(tmp_path: Path) -> None:
    async with leaving(tmp_path) as (house, them, slo), browser(house) as one:
        await signed_in(them, one)
        assert house.services.saml is not None
        asked = saml_logouts.request(them.them, house.now(), slo, **ANA_TOO)
        message = redirected(saml_logouts.query(asked, rsa_key("thief")).encode())
        with pytest.raises(ArrivalRefused):
            await house.services.saml.logout.take("company", message)
        assert await open_sessions(house) == 1
        planted = Unverified(**{name: getattr(message, name) for name in Redirected.__slots__})
        await house.services.saml.logout.take("company", planted)
        assert await open_sessions(house) == 0


def test_ecdsa_signs_addresses_as_xml_signature_has_it() -> None:
    key = ec_key("slo")
    them = SamlProvider(key=key)
    at = NOON
    certificates = read_certificates(certificate(key), entity="", at=at)
    asked = saml_logouts.request(them, at, "https://remit.example/slo")
    message = redirected(saml_logouts.query(asked, key).encode())
    assert message.verified(certificates, at=at).get("ID") == asked.get("ID")
