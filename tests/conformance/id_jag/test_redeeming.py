"""ID-JAG redeemed here (draft-ietf-oauth-identity-assertion-authz-grant-04): an enterprise vouches for one.

The grants are signed by PyJWT, as an identity provider of somebody else would.
"""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from remit.authority.oauth.metadata import server_metadata
from remit.identity.upstream.linked import LinkedBy, LinkedIdentity, LinkId, LinkState
from remit.identity.upstream.provider import IdpId, Language
from remit.kernel.tenancy import DEFAULT_TENANT
from support.domains import ENTERPRISE, DomainWorld, Enterprise
from support.oauth import ABSENT, BOOK, SEND, claims_in

DRAFT = "draft-ietf-oauth-identity-assertion-authz-grant-04"


class Office:
    """An installation, and the enterprise whose word it takes."""

    def __init__(self, world: DomainWorld) -> None:
        self.world = world
        self.idp = Enterprise()

    async def open(self, **stated: Any) -> "Office":
        self.domain = await self.world.inbound(self.idp, "00u1", name="enterprise", **stated)
        return self

    async def redeem(self, *, who: str = "calendar-bot", form: Any = None, **changes: Any) -> Any:
        """Show a grant that is honest but for the changes."""
        return await self.world.redeem_grant(self.idp.grant(self.world, who, **changes), who, **(form or {}))


@pytest_asyncio.fixture
async def office(home: DomainWorld) -> Office:
    return await Office(home).open()


@pytest.mark.spec(DRAFT, "4.4")
@pytest.mark.req("N30")
async def test_an_agents_client_gets_a_task_and_nobody_is_asked(office: Office) -> None:
    world = office.world
    answer = await office.redeem()
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert "refresh_token" not in body
    assert body["token_type"] == "DPoP"
    claims = claims_in(body["access_token"])
    assert claims["sub"] == world.ana
    assert claims["act"]["sub"].startswith("spiffe://remit.example/agent/calendar-bot/")
    assert claims["aud"] == world.mcp()
    subject = await world.verify(body["access_token"])
    assert subject.task is not None
    tasks = await world.uow.read(lambda tx: tx.tasks.page(after="", limit=10))
    (task,) = [each for each in tasks if each.id == subject.task]
    assert task.deadline <= world.now + timedelta(minutes=11)
    (record,) = await world.records("authority.domain_grant.redeemed")
    assert dict(record.detail)["issuer"] == ENTERPRISE


@pytest.mark.spec(DRAFT, "4.4")
@pytest.mark.req("N30")
async def test_five_servers_and_no_consent_screen(office: Office) -> None:
    world = office.world
    names = ("business", "mail", "files", "notes", "tickets")
    for name in names[2:]:
        await world.server(name)
    wide = world.ceiling(*(f"{name}/do.it" for name in names))
    await world.allow_agent("calendar-bot", wide)
    await world.domains.disallow(
        (await world.domains.get("enterprise")).rules[0].id, by=world.ana, because="wider", at=world.now
    )
    await world.allow(office.domain, ceiling=wide)
    for name in names:
        answer = await office.redeem(resource=world.mcp(name))
        assert answer.status_code == 200, answer.text
        token = answer.json()["access_token"]
        (rights,) = claims_in(token)["authorization_details"]
        assert [right["action"] for right in rights["rights"]] == [f"{name}/do.it"], "and nothing elsewhere"
        await world.verify(token, audience=world.mcp(name))
    assert await world.records("authority.authorization.approved") == []


def lies(world: DomainWorld) -> dict[str, dict[str, Any]]:
    """Everything that a grant can say wrong; each is refused, and all look alike."""
    at = int(world.now.timestamp())
    mail = world.actors["mail-bot"].id
    return {
        "typ of a JWT": {"typ": "JWT", "client_id": mail},
        "typ of an access token": {"typ": "at+jwt"},
        "another audience": {"aud": "https://other.example"},
        "the token endpoint": {"aud": f"{world.issuer}/token"},
        "two audiences": {"aud": [world.issuer, "https://other.example"]},
        "no audience": {"aud": ABSENT},
        "run out": {"iat": at - 600, "exp": at - 120},
        "of the future": {"iat": at + 600, "exp": at + 700},
        "too long": {"exp": at + 3600},
        "no end": {"exp": ABSENT},
        "another client": {"client_id": mail},
        "no client": {"client_id": ABSENT},
        "a JWT for nobody in particular": {"typ": "JWT", "client_id": ABSENT},
        "its client's agent": {"client_id": world.agent_id()},
        "unknown issuer": {"iss": "https://evil.example"},
        "alike issuer": {"iss": f"{ENTERPRISE}/"},
        "ourselves": {"iss": world.issuer},
        "nobody's subject": {"sub": "00u2"},
        "an e-mail instead": {"sub": "user@company.com", "email": "user@company.com"},
        "our own id as subject": {"sub": world.ana},
        "another tenant's subject": {"tenant": "acme"},
        "another person here": {"aud_sub": world.actors["ben"].id},
        "another tenant here": {"aud_tenant": "other"},
        "another's key": {"cnf": {"jkt": world.actors["mail-bot"].key.public.thumbprint}},
        "a binding that nobody knows": {"cnf": {"x5t#S256": "abc"}},
        "no number": {"jti": ABSENT},
        "act that is no object": {"act": "me"},
        "act that is too deep": {"act": nested(11)},
        "scope that is no text": {"scope": ["mcp"]},
    }


def nested(depth: int) -> dict[str, Any]:
    act: dict[str, Any] = {}
    for number in range(depth):
        act = {"sub": f"a{number}", **({"act": act} if act else {})}
    return act


@pytest.mark.spec(DRAFT, "4.4.1")
@pytest.mark.req("N30")
@pytest.mark.attack("TX-06", "AS-02", "AS-12")
async def test_every_wrong_grant_is_refused_and_none_tells_why(office: Office) -> None:
    told = set()
    for name, changes in lies(office.world).items():
        answer = await office.redeem(**changes)
        assert answer.status_code == 400, (name, answer.text)
        assert answer.json()["error"] == "invalid_grant", name
        told.add(answer.text)
    assert len(told) == 1, told
    reasons = {each.codes[1] for each in await office.world.records("authority.token.refused")}
    assert {"wrong_audience", "client_id_differs", "issuer_self", "subject_unknown", "other_key"} <= reasons
    assert (await office.redeem()).status_code == 200


@pytest.mark.spec(DRAFT, "4.4.1")
@pytest.mark.attack("AS-05")
async def test_a_forged_or_unsigned_grant_is_refused(office: Office) -> None:
    other = Enterprise()
    honest = office.idp.grant(office.world)
    head, payload, signature = honest.split(".")
    forms = [
        other.grant(office.world),
        f"{head}.{payload}.",
        f"{head}.{payload}.{signature[:-4]}AAAA",
        "not.a.jwt",
        "",
    ]
    for text in forms:
        answer = await office.world.redeem_grant(text)
        assert answer.status_code == 400
        assert answer.json()["error"] in {"invalid_grant", "invalid_request"}
    # A grant is no client's proof, and a client's proof no grant.
    world = office.world
    answer = await world.ask("calendar-bot", grant_type="client_credentials", client_assertion=honest)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    answer = await world.redeem_grant(world.assertion("calendar-bot"))
    assert answer.json()["error"] == "invalid_grant"


@pytest.mark.spec(DRAFT, "4.4")
async def test_a_client_that_proves_nothing_redeems_nothing(office: Office) -> None:
    world = office.world
    client = await world.public("strict")
    grant = office.idp.grant(world, client_id=client.client_id)
    form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": grant}
    answer = await world.send("/token", "strict", form)
    assert answer.json()["error"] == "unauthorized_client"
    answer = await world.post("/token", form, headers=[("dpop", world.device_proof())])
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


@pytest.mark.spec(DRAFT, "4.4")
async def test_a_bound_grant_needs_the_very_key_and_a_bound_domain_a_bound_grant(office: Office) -> None:
    world = office.world
    own = world.actors["calendar-bot"].key.public.thumbprint
    assert (await office.redeem(cnf={"jkt": own})).status_code == 200
    await world.domains.withdraw(office.domain.id, by=world.ana, because="bound now", at=world.now)
    strict = await Office(world).open(bound=True)
    assert (await strict.redeem()).json()["error"] == "invalid_grant"
    assert (await strict.redeem(cnf={"jkt": own})).status_code == 200


@pytest.mark.spec(DRAFT, "4.4")
@pytest.mark.req("R26")
@pytest.mark.attack("TX-01")
async def test_scope_resource_and_rights_only_narrow(office: Office) -> None:
    world = office.world
    answer = await office.redeem(form={"resource": world.mcp("mail")})
    assert answer.json()["error"] == "invalid_target"
    both = [world.mcp(), world.mcp("mail")]
    assert (await office.redeem(resource=both)).json()["error"] == "invalid_target", "one per token"
    assert (await office.redeem(resource=both, form={"resource": world.mcp()})).status_code == 200
    # The rule is about rooms; the agent may also send mail, and the enterprise says nothing of it.
    answer = await office.redeem(resource=world.mcp("mail"))
    assert answer.json()["error"] == "invalid_target"
    assert (await office.redeem(resource=ABSENT)).json()["error"] == "invalid_target"
    assert (await office.redeem(resource=f"{world.issuer}/api")).json()["error"] == "invalid_target"
    assert (await office.redeem(scope="calendar.read")).json()["error"] == "invalid_scope"
    answer = await office.redeem(form={"scope": "mcp remit.admin"})
    assert answer.json()["error"] == "invalid_scope"
    details = [{"type": "payment", "amount": 1}]
    assert (await office.redeem(authorization_details=details)).json()["error"] == "invalid_target"
    wide = json.dumps([{"type": "remit_action", "rights": [
        {"action": SEND, "resource_type": "Thing", "resources": "any", "constraints": []}]}])  # fmt: skip
    answer = await office.redeem(form={"authorization_details": wide})
    assert answer.json()["error"] == "invalid_authorization_details"


async def test_whom_a_rule_names_and_nobody_else(office: Office) -> None:
    world = office.world
    rule = (await world.domains.get("enterprise")).rules[0]
    await world.domains.disallow(rule.id, by=world.ana, because="narrower", at=world.now)
    assert (await office.redeem()).json()["error"] == "invalid_grant"
    await world.allow(office.domain, who=world.actors["ben"].id, ceiling=world.over(BOOK))
    assert (await office.redeem()).json()["error"] == "invalid_grant"
    await world.allow(
        office.domain, who=world.ana, client=world.agent_id("mail-bot"), ceiling=world.over(BOOK)
    )
    assert (await office.redeem()).json()["error"] == "invalid_grant"
    await world.allow(office.domain, who=world.ana, ceiling=world.over(BOOK))
    assert (await office.redeem()).status_code == 200


@pytest.mark.spec(DRAFT, "5")
async def test_the_metadata_says_that_such_grants_are_taken_and_not_whose(office: Office) -> None:
    said = server_metadata(office.world.options)
    assert said["authorization_grant_profiles_supported"] == ["urn:ietf:params:oauth:grant-profile:id-jag"]
    assert "urn:ietf:params:oauth:grant-type:jwt-bearer" in said["grant_types_supported"]  # type: ignore[operator]  # a list
    assert ENTERPRISE not in json.dumps(said)


@pytest.mark.attack("AS-12")
async def test_who_signed_in_from_there_needs_no_second_link_and_whose_link_ended_has_none(
    office: Office,
) -> None:
    world = office.world
    await world.domains.unlink(office.domain.id, "00u1", by=world.ana, at=world.now)
    assert (await office.redeem()).json()["error"] == "invalid_grant"
    link = LinkedIdentity(
        id=LinkId("lnk_1"),
        tenant=DEFAULT_TENANT,
        provider=IdpId("idp_1"),
        language=Language.OIDC,
        issuer=ENTERPRISE,
        subject="00u1",
        human=world.ana,
        state=LinkState.ACTIVE,
        by=LinkedBy.PASSKEY,
        linked_by=world.ana,
        linked_at=world.now,
    )
    await world.uow.commit(lambda tx: tx.linked_identities.add(link))
    assert (await office.redeem()).status_code == 200
    # A tenant of that issuer is another name space, and what was ended stays so.
    assert (await office.redeem(tenant="acme")).json()["error"] == "invalid_grant"
    ended = replace(link, state=LinkState.ENDED)
    await world.uow.commit(lambda tx: tx.linked_identities.put(ended, was=link))
    assert (await office.redeem()).json()["error"] == "invalid_grant"
