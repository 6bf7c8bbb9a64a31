"""People sign in, confirm and link through a SAML provider: what is sent, what comes of it, who stays out."""

import base64
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from lxml import etree

from remit.app.ground import Ground
from remit.app.services import Services, build
from remit.identity.principals import Kind
from remit.identity.sessions import ACR_UPSTREAM, ACR_UPSTREAM_MFA
from remit.identity.upstream.errors import IdentityProviderTaken, IdentityProviderUnfit
from remit.identity.upstream.provider import Condition, Product, Provisioning
from remit.identity.upstream.saml_keys import SamlKeys, place
from remit.kernel.canonical import sha256
from remit.kernel.errors import Unavailable
from remit.kernel.ids import PrincipalId
from support.composed import composed
from support.house import House
from support.people import ADMIN
from support.saml import ABSENT, SamlProvider, certificate, ec_key, rsa_key, stamp
from support.saml_people import (
    ANA,
    ENTITY,
    company,
    connected,
    leave,
    onward_in,
    request_in,
    round_trip,
)
from support.visitors import browser, field

SAML = {
    "p": "urn:oasis:names:tc:SAML:2.0:protocol",
    "a": "urn:oasis:names:tc:SAML:2.0:assertion",
    "md": "urn:oasis:names:tc:SAML:2.0:metadata",
}
PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"


@pytest.mark.req("R159", "R17")
@pytest.mark.spec("SAML Profiles", "4.1")
async def test_a_person_comes_in_by_redirect_and_post(tmp_path: Path) -> None:
    async with company(tmp_path) as (house, them), browser(house) as one:
        page = await one.open("/sign-in?next=/me/sessions")
        assert "Sign in with <bdi>company</bdi>" in page.text
        address = await leave(one)
        request = request_in(address)
        assert address.startswith("https://idp.example/sso?SAMLRequest=")
        assert request.get("Destination") == "https://idp.example/sso"
        assert request.get("AssertionConsumerServiceURL") == them.consumer
        assert request.get("ForceAuthn") is None
        assert request.findtext("a:Issuer", namespaces=SAML) == them.them.audience
        policy = request.find("p:NameIDPolicy", namespaces=SAML)
        assert policy is not None
        assert policy.get("Format") == PERSISTENT
        landed = await round_trip(them, one, attributes={"name": "Ana", "groups": ["a", "b"]})
        assert 'url=/me/sessions"' in landed.text, landed.text
        assert (await one.open("/me/sessions")).url.path == "/me/sessions"
        ana = await house.services.identity.find(Kind.HUMAN, "Ana")
        links = await house.services.upstream.links.of(ana.id)
        assert [(each.issuer, each.subject, each.groups) for each in links] == [(ENTITY, ANA, ("a", "b"))]
        (begun,) = await house.records("identity.session.begun")
        assert dict(begun.detail)["acr"] == ACR_UPSTREAM
        assert "set-cookie" in landed.headers
        # The same person next time, and nobody is made anew.
        assert 'url=/me/sessions"' in (await round_trip(them, one)).text
        assert len(await house.records("identity.principal.registered")) == 1
        again = await round_trip(them, one, attributes={"x": "y"}, class_ref="https://refeds.org/profile/mfa")
        assert again.status_code == 200
        assert dict((await house.records("identity.session.begun"))[-1].detail)["acr"] == ACR_UPSTREAM_MFA


@pytest.mark.spec("SAML Metadata", "2.4.4")
async def test_we_tell_the_provider_who_we_are(tmp_path: Path) -> None:
    async with company(tmp_path) as (house, them), browser(house) as one:
        answer = await one.http.get("/sign-in/with/company/metadata")
        assert answer.headers["content-type"].startswith("application/samlmetadata+xml")
        root = etree.fromstring(answer.content)
        assert root.get("entityID") == them.them.audience == str(answer.url)
        consumer = root.find(".//md:AssertionConsumerService", namespaces=SAML)
        assert consumer is not None
        assert consumer.get("Location") == them.consumer
        assert (await one.http.get("/sign-in/with/nobody/metadata")).status_code == 404
        admin = house.services.upstream.providers
        await admin.suspend("company", by=ADMIN)
        assert (await one.http.get("/sign-in/with/company")).status_code == 404
        assert (await one.http.get("/sign-in/with/company/metadata")).status_code == 404


@pytest.mark.spec("SAML Bindings", "3.4.4.1")
@pytest.mark.spec("SAML Metadata", "2.4.1.1")
async def test_a_provider_that_wants_it_gets_signed_requests(tmp_path: Path) -> None:
    strict = SamlProvider(entity=ENTITY).metadata(wants_signed=True)
    async with company(tmp_path, metadata=strict) as (house, them), browser(house) as one:
        root = etree.fromstring((await one.http.get("/sign-in/with/company/metadata")).content)
        role = root.find("md:SPSSODescriptor", namespaces=SAML)
        assert role is not None
        assert role.get("AuthnRequestsSigned") == "true"
        # The order of Metadata §2.4.4: keys, then formats, then addresses.
        names = [etree.QName(each).localname for each in role]
        assert names == ["KeyDescriptor", "NameIDFormat", "AssertionConsumerService"]
        (shown,) = role.itertext("{http://www.w3.org/2000/09/xmldsig#}X509Certificate")
        ours = x509.load_der_x509_certificate(base64.b64decode(str(shown)))
        ours.verify_directly_issued_by(ours)
        assert ours.not_valid_before_utc <= house.now() < ours.not_valid_after_utc
        key = ours.public_key()
        assert isinstance(key, rsa.RSAPublicKey)
        query = urlsplit(await leave(one)).query
        covered, _, signature = query.partition("&Signature=")
        assert [name for name, _ in parse_qsl(query)] == ["SAMLRequest", "SigAlg", "Signature"]
        assert dict(parse_qsl(query))["SigAlg"].endswith("#rsa-sha256")
        raw = base64.b64decode(unquote(signature))
        key.verify(raw, covered.encode(), padding.PKCS1v15(), hashes.SHA256())
        with pytest.raises(InvalidSignature):
            key.verify(
                raw,
                covered.replace("SAMLRequest=", "SAMLRequest=A").encode(),
                padding.PKCS1v15(),
                hashes.SHA256(),
            )
        assert 'url=/me/sessions"' in (await round_trip(them, one)).text
        again = etree.fromstring((await one.http.get("/sign-in/with/company/metadata")).content)
        assert etree.tostring(again) == etree.tostring(root), "a certificate that is pinned stays the same"


OUTSIDERS: tuple[dict[str, Any], ...] = (
    {"format": "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"},
    {"format": "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress", "subject": "ana@company.com"},
    {"format": ABSENT},
    {"authenticated": ABSENT},
    {"audience": "https://other.example"},
    {"recipient": "http://localhost:1/sign-in/with/company/saml"},
    {"name_attributes": ' SPNameQualifier="https://other.example"'},
    {"attributes": {"department": "sales"}},
)


@pytest.mark.req("R159")
async def test_who_is_not_named_for_ever_or_not_for_us_stays_outside(tmp_path: Path) -> None:
    only_ops: dict[str, Any] = {"conditions": (Condition(claim="department", values=("operations",)),)}
    async with company(tmp_path, **only_ops) as (house, them), browser(house) as one:
        for changes in OUTSIDERS:
            refused = await round_trip(them, one, **changes)
            assert refused.status_code == 403, changes
            assert one.secret is None
        assert await house.records("identity.session.begun") == []
        assert 'url=/me/sessions"' in (await round_trip(them, one)).text


async def test_who_authenticated_long_ago_is_asked_again(tmp_path: Path) -> None:
    async with company(tmp_path, people=True) as (house, them), browser(house) as one:
        old = stamp(house.now() - timedelta(hours=13))
        assert (await round_trip(them, one, authenticated=old)).status_code == 403
        assert 'url=/me/sessions"' in (await round_trip(them, one)).text
        confirming = "?again=1&next=/me/passkeys"
        asked = request_in(await leave(one, confirming))
        assert asked.get("ForceAuthn") == "true"
        stale = stamp(house.now() - timedelta(minutes=5))
        assert (await round_trip(them, one, confirming, authenticated=stale)).status_code == 403
        assert (await round_trip(them, one, confirming, subject="f3b8-eve")).status_code == 403
        assert 'url=/me/passkeys"' in (await round_trip(them, one, confirming)).text


async def test_a_person_links_their_account_and_comes_in_by_it(tmp_path: Path) -> None:
    linked_only: dict[str, Any] = {"provisioning": Provisioning.LINKED_ONLY}
    async with (
        company(tmp_path, people=True, **linked_only) as (house, them),
        browser(house) as one,
        browser(house) as two,
    ):
        stranger = await round_trip(them, two)
        assert stranger.status_code == 403
        assert "nobody here is linked" in stranger.text
        await one.enrol("lead")
        shown = await round_trip(them, one, "?link=1")
        assert "Link it to me" in shown.text, shown.text
        assert ANA in shown.text
        fields = {"ticket": field(shown.text, "ticket"), "csrf": field(shown.text, "csrf")}
        assert (await one.post("/me/sign-ins/link", fields)).status_code == 303
        assert 'url=/me/sessions"' in (await round_trip(them, two)).text
        assert "lead@company.com" in (await two.open("/me/sessions")).text
        links = await house.services.upstream.links.of(PrincipalId(house["lead"].id))
        assert [(each.issuer, each.subject) for each in links] == [(ENTITY, ANA)]


async def test_a_provider_is_connected_as_its_metadata_says_or_not_at_all(tmp_path: Path) -> None:
    async with company(tmp_path) as (house, them):
        honest = SamlProvider(entity="https://two.example/realms/a")
        for said in (
            {"metadata": honest.metadata(sign_in="http://idp.example/sso")},
            {"metadata": honest.metadata(sign_in="javascript:alert(1)")},
            {"metadata": honest.metadata(), "product": Product.ENTRA},
            {"metadata": honest.metadata(), "name_format": "transient"},
            {"metadata": honest.metadata(), "entity": "https://three.example"},
            {"metadata": b"<x/>"},
            {"metadata": b""},
            {"metadata": SamlProvider(entity=house.issuer).metadata()},
            {"metadata": SamlProvider(entity="https://weak.example", key=rsa_key("weak", 1024)).metadata()},
        ):
            with pytest.raises(IdentityProviderUnfit):
                await connected(house, them.them, name="other", **said)
        with pytest.raises(IdentityProviderTaken):
            await connected(house, them.them)
    async with composed(tmp_path / "off") as off:
        assert off.services.saml is None


class Pages:
    """A `Fetcher` over one page."""

    def __init__(self) -> None:
        self.page = b""
        self.asked = 0

    async def fetch(self, address: str) -> bytes:
        self.asked += 1
        if not self.page:
            raise Unavailable("nobody is there")
        return self.page


async def test_certificates_rotate_by_metadata_and_last_a_day_without(tmp_path: Path) -> None:
    pages, them = Pages(), SamlProvider(entity=ENTITY)
    pages.page = them.metadata()

    def fetching(ground: Ground) -> Services:
        services = build(ground)
        assert services.saml is not None
        keys = SamlKeys(uow=ground.work, fetcher=pages)
        saml = replace(
            services.saml,
            providers=replace(services.saml.providers, keys=keys),
            signing=replace(services.saml.signing, keys=keys),
        )
        return replace(services, saml=saml)

    by_address: dict[str, Any] = {"metadata": b"", "address": "https://idp.example/metadata"}
    async with company(tmp_path, make=fetching, **by_address) as (house, there), browser(house) as one:
        assert (await round_trip(there, one)).status_code == 200
        there.them.key, there.them.pem = ec_key("new"), certificate(ec_key("new"))
        pages.page = there.them.metadata()
        assert (await round_trip(there, one)).status_code == 403
        assert pages.asked == 1
        await grow_old(house, timedelta(hours=2))
        assert (await round_trip(there, one)).status_code == 200
        pages.page = b""
        await grow_old(house, timedelta(hours=2))
        assert (await round_trip(there, one)).status_code == 200, "the last good ones stay"
        await grow_old(house, timedelta(hours=25))
        assert (await round_trip(there, one)).status_code == 503


async def grow_old(house: House, age: timedelta) -> None:
    """Let the certificates have been seen that long ago, and the provider not asked since."""
    provider = await house.services.upstream.providers.get("company")
    seen = house.now() - age

    def work(tx: Any) -> None:
        known = tx.issuer_keys.get(place(provider))
        tx.issuer_keys.claim(place(provider), at=seen, unless_after=house.now())
        tx.issuer_keys.put(replace(known, seen_at=seen, refresh_at=seen + timedelta(hours=1)))

    await house.work.commit(work)


async def test_an_answer_is_taken_once_and_soon(tmp_path: Path) -> None:
    async with company(tmp_path) as (house, them), browser(house) as one:
        response = them.answer(await leave(one))
        posted = await them.post(response)
        onward = onward_in(posted)
        assert "too_much" not in posted.text
        again = await them.post(response)
        assert again.status_code >= 400
        assert "taken before" in again.text
        assert 'url=/me/sessions"' in (await one.http.get(onward)).text
        assert (await one.http.get(onward)).status_code == 403, "the browser asked for nothing any more"
        for broken in ("", "%%%", "PHg+"):
            answer = await one.http.post("/sign-in/with/company/saml", data={"SAMLResponse": broken})
            assert answer.status_code == 403
        many = {"groups": [sha256(str(n).encode()) for n in range(200)]}
        assert (await round_trip(them, one, attributes=many)).status_code == 403


@pytest.mark.req("R27", "R159")
async def test_administrators_connect_and_trust_by_the_api(tmp_path: Path) -> None:
    async with company(tmp_path, people=True) as (house, _):
        admin, reader = house["admin"], house["lead"]
        two = SamlProvider(entity="https://two.example/realms/a")
        text = two.metadata(sign_out="https://two.example/slo").decode()
        said = {"name": "two", "product": "keycloak", "metadata": text}
        made = await house.api(admin, "POST", "/identity-providers/saml", said)
        assert made.status_code == 201, made.text
        view = made.json()
        assert (view["protocol"], view["issuer"]) == ("saml", two.entity)
        home = house.services.people.desk.home
        assert view["acs_uri"] == f"{home}/sign-in/with/two/saml"
        assert view["metadata_uri"] == f"{home}/sign-in/with/two/metadata"
        assert view["name_format"] == PERSISTENT
        assert view["logout_uri"] == f"{home}/sign-in/with/two/slo"
        assert (await house.api(reader, "POST", "/identity-providers/saml", said)).status_code == 403
        sts = SamlProvider(entity="urn:example:sts", audience=house.issuer)
        sts.recipient = f"{house.issuer}/token"
        trusted = {
            "name": "sts",
            "profile": "saml",
            "issuer": sts.entity,
            "metadata": sts.metadata().decode(),
        }
        assert (await house.api(admin, "POST", "/issuers", trusted)).status_code == 200
        shown = {"assertion": sts.grant(house.now()), "form": "saml"}
        tried = (await house.api(admin, "POST", "/issuers/try", shown)).json()
        assert (tried["accepted"], tried["step"], tried["reason"]) == (False, 8, "no_rule")
        assert tried["claims"]["attribute.department"] == "operations"
        rule = {"agent": "calendar-bot", "conditions": {"sub": sts.subject}}
        assert (await house.api(admin, "POST", "/issuers/sts/rules", rule)).status_code == 200
        assert (await house.api(admin, "POST", "/issuers/try", shown)).json()["accepted"]
        pinned = {"metadata": certificate(ec_key("other")).decode()}
        assert (await house.api(admin, "PUT", "/issuers/sts/keys", pinned)).status_code == 200
        assert not (await house.api(admin, "POST", "/issuers/try", shown)).json()["accepted"]
