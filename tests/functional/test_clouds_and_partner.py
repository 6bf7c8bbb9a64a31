"""R161: two clouds and a partner's domain act under one policy, each within its own namespace."""

import json
import secrets
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

from remit.authority.oauth.workloads import SPIFFE_ASSERTION_TYPE
from remit.identity.federation.conditions import Condition
from remit.identity.federation.profiles import ProfileName
from remit.identity.federation.registering import StatedIssuer
from remit.identity.principals import Kind
from remit.kernel.ids import KeyId, PrincipalId
from remit.kernel.jose.algorithms import Algorithm
from remit.kernel.jose.keys import PrivateKey
from support.clients import Party
from support.domains import ENTERPRISE, Enterprise
from support.federation import JWT_BEARER, ForeignIssuer, bundle
from support.house import BOOKING, House, right
from support.issuers import KINDS
from support.oauth import claims_in

POLICY = """
@id("data") permit (principal, action, resource) when {
  context has task && context.task.purpose == "scheduling"
};
"""
CALLS = {
    "business/rooms.read": ("rooms_free", {"start": "2026-05-15T14:00Z", "end": "2026-05-15T15:00Z"}),
    "business/customers.read": ("customers_read", {"customer_id": "C-100"}),
    "business/rooms.book": ("rooms_book", BOOKING),
    "business/mail.send": ("mail_send", {"to": "user@company.com", "subject": "Room", "body": "booked"}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """Where an agent runs, and the one action that is its namespace."""

    profile: ProfileName
    action: str


DOMAINS = {
    "aws-bot": Domain(profile=ProfileName.AWS, action="business/rooms.read"),
    "google-bot": Domain(profile=ProfileName.GOOGLE_CLOUD, action="business/customers.read"),
    "spiffe-bot": Domain(profile=ProfileName.SPIFFE, action="business/mail.send"),
}
CHAINED = "business/rooms.book"
"""What the partner's agent may: no workload of a platform, but a client that its server vouches for."""


async def trusted(house: House, name: str, domain: Domain) -> ForeignIssuer:
    """Its issuer, whose workload that the rule names is this agent."""
    kind, admin = KINDS[domain.profile], PrincipalId(house["admin"].id)
    them, service = kind.make(name), house.services.federation.service
    spiffe = domain.profile is ProfileName.SPIFFE
    stated = StatedIssuer(
        name=name, profile=domain.profile, issuer=them.issuer, keys=bundle(them) if spiffe else them.jwks()
    )
    issuer = await service.trust(stated, by=admin, at=house.now())
    rule = [Condition(claim=claim.replace("__", "."), pattern=said) for claim, said in kind.rule.items()]
    agent = house[name].agent
    await service.add_rule(issuer.id, PrincipalId(agent), rule, by=admin, at=house.now())
    return them


async def joined(house: House, name: str, them: ForeignIssuer) -> Party:
    """The workload, with a key of its own, by nothing but its platform's word."""
    key = PrivateKey.generate(Algorithm.ES256, secrets.token_bytes)
    stranger = Party(
        principal=house["user"].principal, kid=KeyId(""), key=key, issuer=house.issuer, now=house.now
    )
    said = them.assertion(house.now(), aud=house.issuer)
    svid = {"client_assertion_type": SPIFFE_ASSERTION_TYPE, "client_assertion": said}
    form = (
        {"grant_type": "client_credentials", **svid}
        if DOMAINS[name].profile is ProfileName.SPIFFE
        else {"grant_type": JWT_BEARER, "assertion": said}
    )
    url = f"{house.issuer}/token"
    reply = await house.http.post(url, data=form, headers={"DPoP": stranger.proof("POST", url)})
    assert reply.status_code == 200, reply.text
    ident = PrincipalId(claims_in(reply.json()["access_token"])["client_id"])
    (credential,) = await house.services.credentials.of(ident)
    entry = await house.services.identity.get(ident)
    assert entry.kind is Kind.INSTANCE
    return Party(principal=entry, kid=credential.id, key=key, issuer=house.issuer, now=house.now)


async def chained(house: House, name: str) -> tuple[Party, str]:
    """The partner's server sends its agent for a person of ours (identity chaining); its token here."""
    partner, admin, bot = Enterprise(), house["admin"], house[name]
    window = house.ceiling(purpose="scheduling").window
    ceiling = {
        "rights": [{"action": CHAINED, "resource_type": "Room", "any": True}],
        "start": window.start.isoformat(),
        "end": window.end.isoformat(),
        "purpose": "scheduling",
    }
    for path, body in {
        "/domains": {
            "name": "partner",
            "issuer": ENTERPRISE,
            "direction": "inbound",
            "keys": json.loads(partner.jwks()),
        },
        "/domains/partner/rules": {
            "who": "everybody",
            "client": str(bot.agent),
            "text": "The partner books rooms.",
            "ceiling": ceiling,
        },
        "/domains/partner/people": {"subject": "00u1", "user": house["user"].id},
    }.items():
        answer = await house.api(admin, "POST", path, body)
        assert answer.status_code == 200, answer.text
    at = int(house.now().timestamp())
    said = {"iss": ENTERPRISE, "sub": "00u1", "aud": house.issuer, "client_id": bot.id, "jti": "j1"}
    grant = partner.signed(
        {**said, "iat": at, "exp": at + 300, "resource": f"{house.issuer}/mcp/business"}, typ="JWT"
    )
    await house.services.ground.snapshots.catch_up()
    return bot, await house.ask_token(bot, grant_type=JWT_BEARER, assertion=grant)


@pytest.mark.req("R161", "R12", "R36")
async def test_each_acts_within_its_namespace_under_the_one_policy(house: House) -> None:
    await house.policy(POLICY)
    office = await house.blueprint("clouds")
    issuers = {}
    for name, domain in DOMAINS.items():
        await house.agent(name, blueprint=office, limit=house.ceiling(right(domain.action)))
        issuers[name] = await trusted(house, name, domain)
    await house.agent("partner-bot", blueprint=office, limit=house.ceiling(right(CHAINED)))
    holders = {"partner-bot": await chained(house, "partner-bot")}
    for name in DOMAINS:
        started = await house.task(name, purpose="scheduling")
        workload = await joined(house, name, issuers[name])
        holders[name] = (workload, await house.exchange(workload, started.envelope))
    namespaces = {name: domain.action for name, domain in DOMAINS.items()} | {"partner-bot": CHAINED}
    for name, (holder, token) in holders.items():
        for action, (tool, arguments) in CALLS.items():
            done = await house.call(holder, token, tool, arguments)
            assert done.ran is (action == namespaces[name]), (name, action, done.body)
            assert done.ran or done.code == f"Unknown tool: {tool}"  # what is not its own it can't even see
    # One policy for all: what it does not permit, no cloud and no partner may.
    other = await house.task("aws-bot", purpose="support")
    workload = await joined(house, "aws-bot", issuers["aws-bot"])
    token = await house.exchange(workload, other.envelope)
    assert not (await house.call(workload, token, *CALLS["business/rooms.read"])).ran
    # Nobody is another domain's agent: its own issuer's word is no good for the others' rules.
    for name, them in issuers.items():
        agent = PrincipalId(house[name].agent)
        entries = await house.work.read(partial(_children, agent=agent))
        made = [dict(each.attributes).get("federation_issuer") for each in entries]
        assert {each for each in made if each} == {them.issuer}

    # And it is one policy: its next version stops the clouds and the partner alike, with what they hold.
    ran = len(house.hits)
    await house.policy(POLICY.replace("scheduling", "an audit"))
    for name, (holder, token) in holders.items():
        tool, arguments = CALLS[namespaces[name]]
        assert not (await house.call(holder, token, tool, arguments)).ran, name
    assert len(house.hits) == ran


def _children(tx: Any, *, agent: PrincipalId) -> Any:
    return tx.principals.children(agent)
