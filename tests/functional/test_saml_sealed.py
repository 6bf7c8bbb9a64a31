"""A provider that encrypts to us: our key in our metadata, its rotation, and no way back to the clear."""

import base64
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from lxml import etree
from lxml.etree import _Element as Element

from remit.kernel.jose.keys import KeyClass
from support.people import ADMIN
from support.saml_people import company, round_trip
from support.saml_sealed import sealed
from support.visitors import Browser, browser

MD = "{urn:oasis:names:tc:SAML:2.0:metadata}"
DS = "{http://www.w3.org/2000/09/xmldsig#}"


async def sealing(one: Browser) -> Callable[[Element], Element]:
    """As a provider does that has just read our metadata."""
    role = etree.fromstring((await one.http.get("/sign-in/with/company/metadata")).content)[0]
    (shown,) = [each for each in role.findall(f"{MD}KeyDescriptor") if each.get("use") == "encryption"]
    methods = [each.get("Algorithm", "") for each in shown.findall(f"{MD}EncryptionMethod")]
    assert not any("cbc" in each or "1_5" in each for each in methods)
    text = shown.findtext(f".//{DS}X509Certificate") or ""
    key = x509.load_der_x509_certificate(base64.b64decode(text)).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    return lambda each: sealed(each, key, content=methods[0])


@pytest.mark.req("R27", "R159")
@pytest.mark.spec("SAML Metadata", "2.4.1.1")
async def test_a_provider_that_encrypts_is_read_and_one_that_stops_is_not(tmp_path: Path) -> None:
    async with company(tmp_path, encrypted=True) as (house, them), browser(house) as one:
        first = await sealing(one)
        assert 'url=/me/sessions"' in (await round_trip(them, one, seal=first)).text
        assert (await round_trip(them, one)).status_code == 403, "in the clear"
        keys, at = house.services.ground.keys, house.now()
        await keys.force(KeyClass.SAML_ENCRYPTION, compromised=False, by=ADMIN, at=at)
        second = await sealing(one)
        for seal in (first, second):
            assert 'url=/me/sessions"' in (await round_trip(them, one, seal=seal)).text
        await keys.force(KeyClass.SAML_ENCRYPTION, compromised=True, by=ADMIN, at=at)
        for seal in (first, second):
            assert (await round_trip(them, one, seal=seal)).status_code == 403, "the key is known to others"
        assert 'url=/me/sessions"' in (await round_trip(them, one, seal=await sealing(one))).text
        jwks = (await house.http.get(f"{house.issuer}/jwks")).json()["keys"]
        assert not any(each["kty"] == "RSA" for each in jwks)


async def test_a_provider_that_was_not_connected_so_is_refused_when_it_encrypts(tmp_path: Path) -> None:
    async with company(tmp_path / "a", encrypted=True) as (house, _), browser(house) as one:
        seal = await sealing(one)
    async with company(tmp_path / "b") as (house, them), browser(house) as one:
        shown = await one.http.get("/sign-in/with/company/metadata")
        assert b"encryption" not in shown.content
        assert (await round_trip(them, one, seal=seal)).status_code == 403
        assert one.secret is None
