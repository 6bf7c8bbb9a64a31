"""A client of a Keycloak realm is an agent's instance here, by the token of its service account."""

import secrets
from dataclasses import dataclass, field

import httpx2
import pytest

from remit.identity.federation.conditions import Condition
from remit.identity.federation.profiles import ProfileName
from remit.identity.federation.registering import StatedIssuer
from remit.identity.federation.trust import TrustedIssuer
from remit.kernel.ids import PrincipalId
from remit.kernel.jose.algorithms import Algorithm
from remit.kernel.jose.dpop import make_proof
from remit.kernel.jose.keys import PrivateKey
from support.domains import JWT_BEARER
from support.house import House
from support.keycloak import PATIENCE, WHERE, Administrator, audience
from support.oauth import claims_in

pytestmark = [
    pytest.mark.optional("Keycloak"),
    pytest.mark.timeout(PATIENCE + 120),
    pytest.mark.skipif(
        not WHERE, reason="REMIT_KEYCLOAK names no Keycloak: workloads of a real one DID NOT RUN"
    ),
]


@dataclass(frozen=True, kw_only=True)
class Workload:
    """A program with a key that nobody registered."""

    house: House
    key: PrivateKey = field(default_factory=lambda: PrivateKey.generate(Algorithm.ES256, secrets.token_bytes))

    async def join(self, token: str) -> httpx2.Response:
        """Show a token of Keycloak, and the key."""
        url = f"{self.house.issuer}/token"
        jti = secrets.token_urlsafe(16)
        proof = make_proof(self.key, method="POST", target=url, jti=jti, at=self.house.now())
        form = {"grant_type": JWT_BEARER, "assertion": token, "resource": f"{self.house.issuer}/api"}
        return await self.house.http.post(url, data=form, headers={"DPoP": proof})


async def trust(house: House, realm: Administrator, **conditions: str) -> TrustedIssuer:
    """Calendar-bot is who fulfils these."""
    service, admin, at = house.services.federation.service, PrincipalId(house["admin"].id), house.now()
    stated = StatedIssuer(name="company", profile=ProfileName.GENERIC_OIDC, issuer=realm.issuer)
    issuer = await service.trust(stated, by=admin, at=at)
    named = [Condition(claim=claim, pattern=value) for claim, value in conditions.items()]
    agent = PrincipalId(house["calendar-bot"].agent)
    await service.add_rule(issuer.id, agent, named, by=admin, at=at)
    return issuer


async def test_a_service_account_is_an_agents_instance(house: House, realm: Administrator) -> None:
    subject = await realm.account("release", audience(text=house.issuer))
    await trust(house, realm, sub=subject, azp="release")
    shown, workload = await realm.own_token("release"), Workload(house=house)
    answer = await workload.join(shown)
    assert answer.status_code == httpx2.codes.OK, answer.text
    theirs, ours = claims_in(shown), claims_in(answer.json()["access_token"])
    assert ours["sub"].endswith(f"/agent/calendar-bot/{ours['client_id']}")
    assert ours["cnf"]["jkt"] == workload.key.public.thumbprint
    assert ours["exp"] <= theirs["exp"]
    (enrolled,) = await house.records("identity.workload.enrolled")
    assert (enrolled.agent, dict(enrolled.detail)["workload"]) == (house["calendar-bot"].agent, subject)

    again = await workload.join(shown)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant"), "it is shown once"
    (refused,) = await house.records("authority.token.refused")
    assert refused.codes == ("invalid_grant", "assertion_replayed")

    # The next token of the same client, with the same key, is the same instance.
    later = await workload.join(await realm.own_token("release"))
    assert claims_in(later.json()["access_token"])["client_id"] == ours["client_id"]


async def test_what_is_not_that_client_or_not_for_us_gets_nothing(
    address: str, house: House, realm: Administrator
) -> None:
    subject = await realm.account("release", audience(text=house.issuer))
    issuer = await trust(house, realm, sub=subject, azp="release")
    await house.services.federation.refresher.refresh(issuer.id, at=house.now())
    await realm.account("elsewhere", audience(text="https://other.example"))
    await realm.account("wide", audience(text=house.issuer), fullScopeAllowed=True)
    await realm.account("other", audience(text=house.issuer))
    stranger = await Administrator.with_realm(address)
    await stranger.account("release", audience(text=house.issuer))
    shown = {
        await realm.own_token("elsewhere"): (6, "wrong_audience"),
        # Keycloak adds the audience `account` where a client has all of the account's roles.
        await realm.own_token("wide"): (6, "audience_malformed"),
        await realm.own_token("other"): (8, "no_rule"),
        await stranger.own_token("release"): (3, "issuer_unknown"),
    }
    await stranger.http.aclose()
    for token, stops in shown.items():
        tried = await house.services.federation.service.attempt(token, at=house.now())
        assert (tried.step, tried.reason) == stops, claims_in(token)
        answer = await Workload(house=house).join(token)
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant"), stops
    assert await house.records("identity.workload.enrolled") == []
    assert await house.records("authority.token.issued") == []
