"""Clients that prove themselves by a certificate, and tokens bound to one (RFC 8705, RFC 9440)."""

from dataclasses import replace
from typing import Any

import httpx2
import pytest

from remit.authority.oauth.clients.certificates import CertificateTrust
from remit.authority.oauth.clients.metadata import read_metadata
from remit.authority.oauth.clients.registration import ClientRegistration
from remit.authority.oauth.enrolling.registration_service import RegistrationService
from remit.authority.oauth.repository import TransactionView
from remit.authority.oauth.wire.errors import InvalidToken, MissingToken
from remit.authority.oauth.wire.options import OAuthOptions
from remit.kernel.certificate import PresentedCertificate
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.platform.settings.options import HttpOptions
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.certificates import Issued, issue
from support.documents import document
from support.oauth import ISSUER, TRUST_DOMAIN, World, claims_in

PROXY = "10.0.0.7"
CLIENT_CREDENTIALS = "client_credentials"
AUTHORITY = issue("Authority", authority=True)
LEAF = issue("notes.example", by=AUTHORITY)
OTHER = issue("other.example", by=AUTHORITY)
FOREIGN = issue("notes.example", by=issue("Authority", authority=True))
EXPIRED = issue("notes.example", by=AUTHORITY, days=-0.5)
OWN = issue("self.example")
LOOKALIKE = issue("self.example")


async def behind_a_proxy(uow: SqlUnitOfWork, *, peer: str = PROXY) -> World:
    options = OAuthOptions(issuer=ISSUER, trust_domain=TRUST_DOMAIN, certificates=True, authorities=True)
    trust = CertificateTrust([AUTHORITY.certificate])
    http = HttpOptions(certificate_proxies=(PROXY,))
    world = await World(uow, options=options, trust=trust, http=http).populate()
    world.http = httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=world.app, client=(peer, 1)), base_url=ISSUER
    )
    return world


async def registered(world: World, method: str, **stated: Any) -> ClientRegistration:
    service = RegistrationService(uow=world.uow, entropy=world.entropy, tenant=DEFAULT_TENANT)
    agent = world.actors["mail-bot"].principal.parent
    assert agent is not None
    bound = {"tls_client_certificate_bound_access_tokens": True}
    metadata = read_metadata(document(token_endpoint_auth_method=method, **bound, **stated))
    client = await service.register_agent(agent, metadata, by=world.actors["ana"].principal.id, at=world.now)
    # It may redeem codes alone; what it may do besides is of no matter here, so that a token can be seen.
    client = replace(client, grant_types=client.grant_types | {CLIENT_CREDENTIALS})
    await world.uow.commit(lambda tx: tx.registrations.put(client))
    return client


async def ask(world: World, client: ClientRegistration, shown: Issued | None, **form: Any) -> httpx2.Response:
    headers = [] if shown is None else [("client-cert", shown.header)]
    asked = {"grant_type": CLIENT_CREDENTIALS, "client_id": client.client_id, **form}
    return await world.post("/token", asked, headers=headers)


@pytest.mark.spec("RFC 8705", "2.1")
@pytest.mark.req("R13")
async def test_an_authoritys_certificate_with_the_registered_name_is_the_client(uow: SqlUnitOfWork) -> None:
    world = await behind_a_proxy(uow)
    client = await registered(world, "tls_client_auth", tls_client_auth_san_dns="notes.example")
    answer = await ask(world, client, LEAF)
    assert answer.status_code == 200, answer.text
    assert answer.json()["token_type"] == "Bearer"
    claims = claims_in(answer.json()["access_token"])
    assert claims["cnf"] == {"x5t#S256": PresentedCertificate(der=LEAF.der).thumbprint}
    for shown in (None, OTHER, FOREIGN, EXPIRED, OWN):
        refused = await ask(world, client, shown)
        assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")


@pytest.mark.spec("RFC 8705", "2.1.2")
@pytest.mark.parametrize(
    ("name", "value", "fits"),
    [
        ("san_dns", "notes.example", True),
        ("san_dns", "example", False),
        ("san_dns", "*.example", False),
        ("subject_dn", "CN=notes.example", True),
        ("subject_dn", "CN=notes.example,O=Other", False),
        ("subject_dn", "no name at all", False),
        ("san_uri", "notes.example", False),
        ("san_email", "notes.example", False),
        ("san_ip", "127.0.0.1", False),
        ("san_ip", "notes.example", False),
    ],
)
async def test_the_one_registered_name_decides(
    name: str, value: str, fits: bool, sqlite_uow: SqlUnitOfWork
) -> None:
    world = await behind_a_proxy(sqlite_uow)
    client = await registered(world, "tls_client_auth", **{f"tls_client_auth_{name}": value})
    assert ((await ask(world, client, LEAF)).status_code == 200) is fits


@pytest.mark.spec("RFC 8705", "2.2")
async def test_a_self_signed_certificate_is_the_registered_one_or_none(sqlite_uow: SqlUnitOfWork) -> None:
    world = await behind_a_proxy(sqlite_uow)
    client = await registered(world, "self_signed_tls_client_auth", jwks={"keys": [OWN.jwk]})
    assert (await ask(world, client, OWN)).status_code == 200
    for shown in (None, LOOKALIKE, LEAF):
        assert (await ask(world, client, shown)).status_code == 401


@pytest.mark.spec("RFC 8705", "3")
async def test_a_token_is_good_on_connections_of_its_certificate_alone(sqlite_uow: SqlUnitOfWork) -> None:
    world = await behind_a_proxy(sqlite_uow)
    client = await registered(world, "tls_client_auth", tls_client_auth_san_dns="notes.example")
    token = (await ask(world, client, LEAF)).json()["access_token"]
    api = f"{ISSUER}/api"

    def present(scheme: str, shown: Issued | None) -> Any:
        def work(tx: Any) -> Any:
            world.view.standing = TransactionView(tx)
            certificate = "" if shown is None else PresentedCertificate(der=shown.der).thumbprint
            return world.verifier.verify(
                f"{scheme} {token}", [], "GET", api, api, world.now, certificate=certificate
            )

        return world.uow.read(work)

    assert (await present("Bearer", LEAF)).client == client.principal
    for scheme, shown in (("Bearer", None), ("Bearer", OTHER), ("DPoP", LEAF)):
        with pytest.raises(InvalidToken):
            await present(scheme, shown)
    with pytest.raises(MissingToken):
        await present("mTLS", LEAF)


@pytest.mark.attack("AS-15")
@pytest.mark.spec("RFC 9440", "4")
async def test_nobody_but_the_proxy_says_what_the_certificate_is(sqlite_uow: SqlUnitOfWork) -> None:
    world = await behind_a_proxy(sqlite_uow, peer="10.0.0.8")
    client = await registered(world, "tls_client_auth", tls_client_auth_san_dns="notes.example")
    assert (await ask(world, client, LEAF)).status_code == 401


@pytest.mark.twin("AS-15")
async def test_twin_a_header_that_is_believed_from_everywhere(sqlite_uow: SqlUnitOfWork) -> None:
    options = OAuthOptions(issuer=ISSUER, trust_domain=TRUST_DOMAIN, certificates=True, authorities=True)
    trust = CertificateTrust([AUTHORITY.certificate])
    everywhere = HttpOptions(certificate_proxies=("10.0.0.8", PROXY))
    world = await World(sqlite_uow, options=options, trust=trust, http=everywhere).populate()
    transport = httpx2.ASGITransport(app=world.app, client=("10.0.0.8", 1))
    world.http = httpx2.AsyncClient(transport=transport, base_url=ISSUER)
    client = await registered(world, "tls_client_auth", tls_client_auth_san_dns="notes.example")
    assert (await ask(world, client, LEAF)).status_code == 200


@pytest.mark.spec("RFC 9440", "2.2")
@pytest.mark.parametrize(
    "value", ["", "x", ":x:", ":AAAA", "AAAA", ":AA==:;a=b", ":AAAA:, :AAAA:" + ", :AAAA:" * 8]
)
async def test_a_proxy_that_says_what_is_none_is_refused(value: str, sqlite_uow: SqlUnitOfWork) -> None:
    world = await behind_a_proxy(sqlite_uow)
    client = await registered(world, "tls_client_auth", tls_client_auth_san_dns="notes.example")
    form = {"grant_type": CLIENT_CREDENTIALS, "client_id": client.client_id}
    answer = await world.post("/token", form, headers=[("client-cert", value)])
    assert answer.status_code in {400, 401}
    twice = await world.post("/token", form, headers=[("client-cert", LEAF.header)] * 2)
    assert twice.status_code == 400


@pytest.mark.attack("OA-21")
@pytest.mark.spec("RFC 6749", "2.3")
async def test_one_method_at_a_time_and_only_the_registered_one(sqlite_uow: SqlUnitOfWork) -> None:
    world = await behind_a_proxy(sqlite_uow)
    by_certificate = await registered(world, "tls_client_auth", tls_client_auth_san_dns="notes.example")
    public = await registered(world, "none")
    for client in (by_certificate, public):
        for mixed in ({"client_secret": "x"}, {"client_assertion": "a.b.c"}):
            assert (await ask(world, client, LEAF, **mixed)).status_code in {400, 401}
    # A key that is registered beside a certificate signs no assertion.
    key = await registered(world, "self_signed_tls_client_auth", jwks={"keys": [OWN.jwk]})
    assert (await ask(world, key, None)).status_code == 401
    # And a client with keys is not believed for its certificate.
    bot = world.actors["mail-bot"]
    named = {"grant_type": CLIENT_CREDENTIALS, "client_id": bot.id}
    assert (await world.post("/token", named, headers=[("client-cert", LEAF.header)])).status_code == 401
    # A public client may neither ask about tokens nor earn one without a key.
    assert (await world.post("/introspect", {"client_id": public.client_id, "token": "x"})).status_code == 401
    secret = await world.post(
        "/token", {**named, "client_secret": "x"}, headers=[("authorization", "Basic eDp5")]
    )
    assert secret.status_code in {400, 401}


async def test_what_is_served_is_said(sqlite_uow: SqlUnitOfWork) -> None:
    world = await behind_a_proxy(sqlite_uow)
    said = (await world.http.get("/.well-known/oauth-authorization-server")).json()
    assert set(said["token_endpoint_auth_methods_supported"]) >= {
        "private_key_jwt", "none", "tls_client_auth", "self_signed_tls_client_auth",
    }  # fmt: skip
    assert said["tls_client_certificate_bound_access_tokens"] is True
