"""Workloads that their X.509-SVID proves at the token endpoint, over mutual TLS (`spiffe_x509`)."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from cryptography import x509

from remit.authority.oauth.provider import OAuth
from remit.authority.oauth.repository import TransactionView
from remit.authority.oauth.wire.errors import InvalidToken
from remit.authority.oauth.wire.options import OAuthOptions
from remit.authority.oauth.workloads import WorkloadDesk
from remit.identity.federation.errors import KeysUnfit
from remit.identity.federation.profiles import ProfileName
from remit.identity.federation.service import FederationService
from remit.identity.federation.trust import KeySet
from remit.identity.federation.x509_clients import issuer_of_svid, verify_svid
from remit.kernel.certificate import PresentedCertificate
from remit.kernel.jose.algorithms import Algorithm
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.platform.settings.options import HttpOptions
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.blindness import VeiledWork
from support.federation import DOMAIN, OURS, Federated, bundle, domain
from support.oauth import ISSUER, TRUST_DOMAIN, claims_in
from support.svids import (
    MIDDLE,
    ROOT,
    SUBJECT,
    Authority,
    certificate,
    der,
    header,
    leaf,
    root_entry,
)

PROXY = "10.0.0.7"
OPTIONS = OAuthOptions(issuer=ISSUER, trust_domain=TRUST_DOMAIN, workloads=True, certificates=True)
BOTH = (SUBJECT, f"{DOMAIN}/ns/agents/sa/other")
Chain = Sequence[x509.Certificate]


class Meshed(Federated):
    """Trusts a domain whose bundle holds an authority; a proxy in front of it ends TLS."""

    async def joined(self, *, authority: Authority = ROOT, peer: str = PROXY) -> "Meshed":
        await self.populate()
        self.world.http = httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=self.world.app, client=(peer, 1)), base_url=ISSUER
        )
        trusted = await self.trust(domain(), ProfileName.SPIFFE, keys=authorities(authority))
        await self.rule(trusted, sub=SUBJECT)
        return self

    async def ask(self, chain: Chain, client_id: str = SUBJECT, **form: Any) -> httpx2.Response:
        shown = [("client-cert", header(chain[0]))] if chain else []
        above = [("client-cert-chain", ", ".join(map(header, chain[1:])))] if chain[1:] else []
        asked = {"grant_type": "client_credentials", "client_id": client_id, **form}
        return await self.world.post("/token", asked, headers=[*shown, *above])


def meshed(uow: SqlUnitOfWork, **options: Any) -> Meshed:
    return Meshed(uow, options=OPTIONS, http=HttpOptions(certificate_proxies=(PROXY,)), **options)


def authorities(*roots: Authority, sequence: int | None = 1) -> bytes:
    return bundle(sequence=sequence, keys=[root_entry(each) for each in roots])


def refused(answer: httpx2.Response) -> bool:
    return (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


@pytest.mark.spec("X509-SVID", "5.2")
@pytest.mark.req("R12")
@pytest.mark.req("R13")
async def test_a_certificate_of_the_mesh_is_the_agent_and_binds_its_tokens(uow: SqlUnitOfWork) -> None:
    here = await meshed(uow).joined()
    chain = [leaf(), MIDDLE.certificate]
    answer = await here.ask(chain)
    assert answer.status_code == 200, answer.text
    claims = claims_in(answer.json()["access_token"])
    thumbprint = PresentedCertificate(der=der(chain[0])).thumbprint
    assert claims["cnf"] == {"x5t#S256": thumbprint}
    assert claims["sub"].startswith(f"spiffe://{TRUST_DOMAIN}/agent/calendar-bot/ins_")
    assert answer.json()["token_type"] == "Bearer"
    again = claims_in((await here.ask(chain)).json()["access_token"])
    assert again["sub"] == claims["sub"]  # the same key is the same instance
    token, api = answer.json()["access_token"], f"{ISSUER}/api"

    def work(tx: Any) -> Any:
        here.world.view.standing = TransactionView(tx)
        verify = here.world.verifier.verify
        shown: Any = (f"Bearer {token}", [], "GET", api, api, here.now)
        with pytest.raises(InvalidToken):
            verify(*shown, certificate=PresentedCertificate(der=der(leaf())).thumbprint)
        return verify(*shown, certificate=thumbprint)

    assert (await here.uow.read(work)).client == claims["client_id"]
    methods = (await here.world.http.get("/.well-known/oauth-authorization-server")).json()
    assert "spiffe_x509" in methods["token_endpoint_auth_methods_supported"]


ELSEWHERE = Authority("elsewhere")
ATTACKS: dict[str, Callable[[], Chain]] = {
    "two names": lambda: [leaf(uris=BOTH), MIDDLE.certificate],
    "an authority": lambda: [leaf(ca=True), MIDDLE.certificate],
    "over": lambda: [leaf(until=timedelta(seconds=-1)), MIDDLE.certificate],
    "an intermediate that is over": lambda: [
        leaf(old := Authority("old", ROOT, until=timedelta(seconds=-5))),
        old.certificate,
    ],
    "an intermediate that is none": lambda: [
        leaf(none := impostor()),
        none.certificate,
    ],
    "another authority": lambda: [leaf(ELSEWHERE)],
    "another domain": lambda: [leaf(ROOT, uris=("spiffe://evil.example/ns/agents/sa/calendar",))],
    "no workload that a rule names": lambda: [
        leaf(uris=(f"{DOMAIN}/ns/agents/sa/mail",)),
        MIDDLE.certificate,
    ],
    "nothing shown": list,
}


def impostor() -> Authority:
    made = Authority("impostor", ROOT)
    made.certificate = certificate(made.name, made.key.public_key(), ROOT, uris=[SUBJECT])
    return made


@pytest.mark.attack("AS-07")
@pytest.mark.parametrize("attack", ATTACKS)
async def test_a_chain_that_breaks_a_rule_is_no_client(sqlite_uow: SqlUnitOfWork, attack: str) -> None:
    here = await meshed(sqlite_uow).joined()
    assert refused(await here.ask(ATTACKS[attack]()))


async def test_whoever_it_is_says_his_own_name_alone(sqlite_uow: SqlUnitOfWork) -> None:
    here, chain = await meshed(sqlite_uow).joined(), [leaf(), MIDDLE.certificate]
    assert refused(await here.ask(chain, f"{DOMAIN}/ns/agents/sa/mail"))
    assert refused(await here.ask(chain, "spiffe://evil.example/x"))
    both = await here.ask(chain, client_secret="s")
    assert (both.status_code, both.json()["error"]) == (400, "invalid_request")


async def test_nobody_but_the_proxy_shows_a_certificate(sqlite_uow: SqlUnitOfWork) -> None:
    here = await meshed(sqlite_uow).joined(peer="10.0.0.8")
    assert refused(await here.ask([leaf(), MIDDLE.certificate]))


class _ReadsTheFirstName(WorkloadDesk):
    """Believes a leaf of the mesh by its first name, and asks nothing else of it."""

    def _verified(self, tx: Any, shown: PresentedCertificate, at: Any) -> Any:
        lawful = PresentedCertificate(der=der(leaf()), chain=(der(MIDDLE.certificate),))
        issuer = issuer_of_svid(tx, lawful)
        keys = tx.issuer_keys.get(issuer.id)
        believed, public = verify_svid(lawful, issuer=issuer, keys=keys, at=at)
        found = x509.load_der_x509_certificate(shown.der)
        found.verify_directly_issued_by(x509.load_der_x509_certificate(shown.chain[0]))
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        name = names.get_values_for_type(x509.UniformResourceIdentifier)[0]
        return replace(believed, subject=name, workload=name, texts=(("sub", name),)), public


def _credulous(**parts: Any) -> OAuth:
    whole = OAuth.build(**parts)
    whole.token._workloads.__class__ = _ReadsTheFirstName
    return whole


@pytest.mark.twin("AS-07")
@pytest.mark.parametrize("attack", ["two names", "an authority", "over", "an intermediate that is over"])
async def test_without_the_rules_such_a_chain_would_be_the_agent(
    sqlite_uow: SqlUnitOfWork, attack: str
) -> None:
    here = await meshed(sqlite_uow, build=_credulous).joined()
    assert (await here.ask(ATTACKS[attack]())).status_code == 200


# -- AS-08: an authority that was taken out of the bundle


async def rotated(here: Meshed) -> Meshed:
    """The mesh has a new authority; the old one was stolen, its bundle is kept by an attacker."""
    await here.service.pin("them", authorities(ELSEWHERE, sequence=5), by=here.ana, at=here.now)
    return here


@pytest.mark.attack("AS-08")
@pytest.mark.parametrize("sequence", [4, None])
async def test_a_bundle_from_before_brings_no_authority_back(
    sqlite_uow: SqlUnitOfWork, sequence: int | None
) -> None:
    here = await rotated(await meshed(sqlite_uow).joined())
    with pytest.raises(KeysUnfit):
        await here.service.pin("them", authorities(ROOT, sequence=sequence), by=here.ana, at=here.now)
    assert refused(await here.ask([leaf(), MIDDLE.certificate]))
    assert (await here.ask([leaf(ELSEWHERE)])).status_code == 200


class _ForgetsNumbers:
    """Keys of issuers, as a store would keep them that looks at no sequence."""

    def __init__(self, tx: Any) -> None:
        self._inner = tx.issuer_keys

    def get(self, ident: Any) -> KeySet | None:
        found = self._inner.get(ident)
        return None if found is None else replace(found, sequence=None)

    def put(self, new: KeySet) -> bool:
        present = self._inner.get(new.issuer)
        return bool(self._inner.put(replace(new, sequence=(present.sequence or 0) + 1)))


@pytest.mark.twin("AS-08")
async def test_without_the_sequence_a_stolen_authority_would_be_back(sqlite_uow: SqlUnitOfWork) -> None:
    here = await rotated(await meshed(sqlite_uow).joined())
    forgetful = VeiledWork(sqlite_uow, issuer_keys=_ForgetsNumbers)
    here.service = FederationService(
        uow=forgetful, entropy=here.world.entropy, tenant=DEFAULT_TENANT, ours=OURS
    )
    await here.service.pin("them", authorities(ROOT, sequence=4), by=here.ana, at=here.now)
    assert (await here.ask([leaf(), MIDDLE.certificate])).status_code == 200


async def test_a_key_of_the_mesh_is_registered_as_what_it_is(sqlite_uow: SqlUnitOfWork) -> None:
    here = await meshed(sqlite_uow).joined()
    claims = claims_in((await here.ask([leaf(), MIDDLE.certificate])).json()["access_token"])
    keys = await sqlite_uow.read(lambda tx: tx.credentials.of(claims["client_id"]))
    assert [each.algorithm for each in keys] == [Algorithm.ES256]
    assert keys[0].not_after is not None
    assert here.now < keys[0].not_after <= here.now + timedelta(hours=1)
