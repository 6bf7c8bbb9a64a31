"""`remit doctor idp NAME`: the server walks the way to a connected provider; each planted fault is named."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from remit.app.ground import Ground
from remit.app.services import Services, build
from remit.identity.upstream.examination.asking import Asker
from remit.identity.upstream.examination.oidc import OidcWay
from remit.identity.upstream.examination.saml import SamlWay
from remit.identity.upstream.examination.service import ProviderExaminer
from remit.identity.upstream.examination.step import Step
from remit.identity.upstream.mapping import MarkRule
from remit.identity.upstream.provider import Condition, Language, Proves
from remit.identity.upstream.saml_keys import SamlKeys
from remit.kernel.errors import Unavailable
from remit.kernel.outbound import OutboundRequest, OutboundResponse
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.platform.storage.engine import OpenStore
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.companies import Company, Internet, Visitors
from support.people import ADMIN
from support.saml import SamlProvider, certificate, rsa_key
from support.saml_people import ENTITY, company, connected
from support.stores import TEST_KEK


@pytest.fixture
def uow(sqlite_store: OpenStore) -> SqlUnitOfWork:
    """One engine is enough: nothing here is about storage."""
    return SqlUnitOfWork(sqlite_store, tenant=DEFAULT_TENANT)


STEPS = [
    "connected", "discovery", "issuer", "clock", "endpoints", "keys", "ID token", "subject", "second factor",
    "conditions", "logout", "client", "redirect",
]  # fmt: skip


@dataclass
class Door(Company):
    """A provider that answers all that an examination asks; tests plant faults in what it says."""

    faults: dict[str, OutboundResponse] = field(default_factory=dict)

    def answer(self, request: OutboundRequest) -> OutboundResponse:
        path = urlsplit(request.url).path
        if path in self.faults:
            return self.faults[path]
        if path == "/authorize":
            back = "https://remit.example/sign-in/with/company/callback?error=login_required"
            return OutboundResponse(status=303, headers={"location": back}, body=b"")
        return super().answer(request)


def said(status: int, body: bytes = b"{}", **headers: str) -> OutboundResponse:
    return OutboundResponse(status=status, headers=headers, body=body)


def examiner(visitors: Visitors, uow: SqlUnitOfWork) -> ProviderExaminer:
    signing = visitors.signing
    way = OidcWay(http=Internet(visitors.companies), asker=Asker(speaker=signing.speaker, box=signing.box))
    return ProviderExaminer(uow=uow, clock=visitors.clock, kek=TEST_KEK, ways={Language.OIDC: way})


def failing(steps: tuple[Step, ...]) -> list[str]:
    assert all(bool(each.fix) != each.ok for each in steps)
    return [each.name for each in steps if not each.ok]


@pytest.mark.req("N35", "R159")
async def test_a_healthy_provider_has_no_fault(uow: SqlUnitOfWork) -> None:
    door = Door()
    visitors = Visitors(uow, door)
    await visitors.connect(door)
    found = await examiner(visitors, uow).examine("company")
    assert [each.name for each in found] == STEPS
    assert failing(found) == []
    # What is said holds nothing that could be taken for a sign-in.
    assert not any("state=" in each.detail or "?" in each.detail for each in found)


Plant = Callable[[Door], Any]


def document(**changes: Any) -> Plant:
    return lambda door: door.document.update(changes)


def fault(path: str, answer: OutboundResponse) -> Plant:
    return lambda door: door.faults.update({path: answer})


WELL_KNOWN = "/.well-known/openid-configuration"
PLANTED: tuple[tuple[Plant, list[str]], ...] = (
    (fault(WELL_KNOWN, said(404)), ["discovery"]),
    (fault(WELL_KNOWN, said(200, b"<html>")), ["discovery"]),
    (document(issuer="https://other.example"), ["issuer"]),
    (fault(WELL_KNOWN, said(200, date="Thu, 01 Jan 1970 00:00:00 GMT")), ["issuer", "clock", "endpoints"]),
    (document(token_endpoint="https://login.company.example/token2"), ["endpoints"]),
    (document(end_session_endpoint="https://login.company.example/gone"), ["endpoints"]),
    (document(code_challenge_methods_supported=["plain"]), ["endpoints"]),
    (document(token_endpoint_auth_methods_supported=["client_secret_jwt"]), ["endpoints"]),
    (fault("/keys", said(500)), ["keys"]),
    (fault("/keys", said(200, b'{"keys":[{"kty":"oct","k":"AA","kid":"s"}]}')), ["keys"]),
    (document(id_token_signing_alg_values_supported=["HS256", "none"]), ["ID token"]),
    (document(acr_values_supported=["silver"]), ["second factor"]),
    (fault("/token", said(401, b'{"error":"invalid_client"}')), ["client"]),
    (fault("/token", said(400, b'{"error":"unauthorized_client"}')), ["client"]),
    (fault("/token", said(200, b"<html>")), ["client"]),
    (fault("/authorize", said(400, b"<html>redirect_uri")), ["redirect"]),
    (fault("/authorize", said(503)), ["redirect"]),
)


@pytest.mark.req("N35")
async def test_each_planted_fault_is_named_by_its_step(uow: SqlUnitOfWork) -> None:
    door = Door(claims={"sub": "ana-1", "acr": "gold"})
    visitors = Visitors(uow, door)
    await visitors.connect(door, marks=(MarkRule(mark="mfa", claim="acr", values=("gold",)),))
    looks = examiner(visitors, uow)
    for plant, steps in PLANTED:
        door.document, door.faults = {}, {}
        plant(door)
        assert failing(await looks.examine("company")) == steps, steps
    door.document, door.faults = {"claims_supported": ["sub"]}, {"/authorize": said(200, b"<html>sign in")}
    told = {each.name: each.detail for each in await looks.examine("company")}
    assert "see in its console" in told["redirect"]
    await visitors.providers.suspend("company", by=ADMIN)
    assert failing(await looks.examine("company")) == ["connected"]


async def test_a_push_that_is_refused_is_named_with_its_code(uow: SqlUnitOfWork) -> None:
    par = "https://login.company.example/par"
    door = Door(document={"pushed_authorization_request_endpoint": par})
    visitors = Visitors(uow, door)
    await visitors.connect(
        door, proves=Proves.BASIC, conditions=(Condition(claim="hd", values=("company.com",)),)
    )
    door.faults["/par"] = said(201, b'{"request_uri":"urn:x"}')
    found = await examiner(visitors, uow).examine("company")
    assert failing(found) == []
    assert {each.name: each.detail for each in found}["conditions"] == "hd=company.com"
    door.faults["/par"] = said(400, b'{"error":"invalid_redirect_uri"}')
    found = await examiner(visitors, uow).examine("company")
    assert failing(found) == ["redirect"]
    assert "`invalid_redirect_uri`" in found[-1].detail
    assert "s3cret" not in str(found)


class Site:
    """A SAML provider's site: its metadata, and what it says to a request; `Fetcher` and `Outbound`."""

    def __init__(self) -> None:
        self.page, self.status = b"", 200

    async def fetch(self, address: str) -> bytes:
        if not self.page:
            raise Unavailable(f"`{address}` can't be reached")
        return self.page

    async def send(self, request: OutboundRequest) -> OutboundResponse:
        assert "SAMLRequest=" in request.url
        return said(self.status)


def looking(site: Site) -> Callable[[Ground], Services]:
    def make(ground: Ground) -> Services:
        services = build(ground)
        assert services.saml is not None
        keys = SamlKeys(uow=ground.work, fetcher=site)
        signing = replace(services.saml.signing, keys=keys)
        way = SamlWay(http=site, keys=keys, asks=signing, places=signing.ours.places)
        saml = replace(
            services.saml,
            providers=replace(services.saml.providers, keys=keys),
            signing=signing,
            examiner=replace(services.saml.examiner, ways={Language.SAML: way}),
        )
        return replace(services, saml=saml)

    return make


SHA1 = (
    '<md:Extensions><alg:SigningMethod xmlns:alg="urn:oasis:names:tc:SAML:metadata:algsupport"'
    ' Algorithm="http://www.w3.org/2000/09/xmldsig#rsa-sha1"/></md:Extensions>'
)


@pytest.mark.req("N35", "R159")
async def test_a_saml_provider_is_walked_to_and_its_faults_are_named(tmp_path: Path) -> None:
    site, honest = Site(), SamlProvider(entity=ENTITY)
    site.page = honest.metadata()
    by_address: dict[str, Any] = {"metadata": b"", "address": "https://idp.example/metadata"}
    async with AsyncExitStack() as stack:
        house, _ = await stack.enter_async_context(
            company(tmp_path, make=looking(site), people=True, **by_address)
        )

        async def walk() -> dict[str, Any]:
            found = await house.api(house["admin"], "POST", "/identity-providers/company/examine")
            assert found.status_code == 200, found.text
            assert all(bool(each["fix"]) != each["ok"] for each in found.json())
            return {each["step"]: each["detail"] for each in found.json() if not each["ok"]}

        assert await walk() == {}
        page = honest.metadata().decode()
        for changed, steps in (
            ("", ["metadata"]),
            (page.replace(ENTITY, "https://other.example"), ["metadata"]),
            (page.replace("nameid-format:persistent", "nameid-format:transient"), ["name"]),
            (page.replace("/sso", "/moved"), ["addresses"]),
            (page.replace("<md:IDPSSODescriptor W", f"{SHA1}<md:IDPSSODescriptor W"), ["signatures"]),
            (honest.metadata(wants_signed=True).decode(), ["signatures"]),
        ):
            site.page = changed.encode()
            assert list(await walk()) == steps, changed
        site.page, site.status = honest.metadata(), 403
        assert list(await walk()) == ["request"]
        assert (
            await house.api(house["lead"], "POST", "/identity-providers/company/examine")
        ).status_code == 403
        assert (
            await house.api(house["admin"], "POST", "/identity-providers/nobody/examine")
        ).status_code == 404


async def test_a_certificate_that_ends_soon_is_named_in_time(tmp_path: Path) -> None:
    site, soon = Site(), SamlProvider(entity=ENTITY)
    async with company(tmp_path / "a", make=looking(site)) as (house, _):
        at, examined = house.now(), house.services.saml
        assert examined is not None
        began = at - timedelta(days=360)
        for life, told in ((timedelta(days=365), "in 4 days"), (timedelta(days=359), "ended")):
            soon.pem = certificate(rsa_key("saml"), begins=began, life=life)
            name = f"soon-{life.days}"
            entity = f"https://{name}.example"
            metadata = SamlProvider(entity=entity, pem=soon.pem).metadata()
            await connected(house, soon, name=name, metadata=metadata)
            found = await examined.examiner.examine(name)
            assert failing(found) == ["certificates"]
            assert any(told in each.detail for each in found)
