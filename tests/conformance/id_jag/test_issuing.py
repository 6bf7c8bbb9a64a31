"""ID-JAG issued here: an ID token of ours, exchanged by its client for a word to another domain."""

from typing import Any

import pytest
import pytest_asyncio

from remit.authority.oauth.clients.registration import GRANTS
from remit.authority.oauth.enrolling import enrolment
from remit.authority.oauth.enrolling.enrolment import Act
from remit.authority.oauth.metadata import GRANT_TOKEN_EXCHANGE
from remit.kernel.tenancy import DEFAULT_TENANT
from support.domains import ID_JAG_TYPE, ID_TOKEN, PARTNER, Border, DomainWorld
from support.oauth import ABSENT, ACCESS_TOKEN, BOOK, EXCHANGE, claims_in

DRAFT = "draft-ietf-oauth-identity-assertion-authz-grant-04"


class Desk:
    """Ana signed in at home, by a client that is registered there and known at the partner's."""

    def __init__(self, border: Border) -> None:
        self.border = border
        self.home: DomainWorld = border.home
        self.id_token = ""

    async def open(self) -> "Desk":
        grants = GRANTS | {GRANT_TOKEN_EXCHANGE}
        await self.home.confidential("web", "calendar-bot", grant_types=grants)
        tokens = await self.home.tokens("web", scope="openid mcp")
        self.id_token = tokens["id_token"]
        return self

    async def ask(self, name: str = "web", **changes: Any) -> Any:
        form: dict[str, Any] = {
            "grant_type": EXCHANGE,
            "requested_token_type": ID_JAG_TYPE,
            "audience": PARTNER,
            "resource": self.border.partner.mcp(),
            "subject_token": self.id_token,
            "subject_token_type": ID_TOKEN,
            **changes,
        }
        client = self.home.clients[name].client_id
        return await self.home.ask(client_name(self.home, client), **without(form))


def without(form: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in form.items() if value is not ABSENT}


def client_name(world: DomainWorld, client_id: str) -> str:
    return next(name for name, actor in world.actors.items() if actor.id == client_id)


@pytest_asyncio.fixture
async def desk(border: Border) -> Desk:
    return await Desk(border).open()


@pytest.mark.spec(DRAFT, "4.3")
@pytest.mark.req("N30", "R36")
async def test_the_word_of_this_server_is_taken_at_the_partners(desk: Desk) -> None:
    home, partner = desk.home, desk.border.partner
    answer = await desk.ask()
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["token_type"], body["issued_token_type"]) == ("N_A", ID_JAG_TYPE)
    assert 0 < body["expires_in"] <= 300
    assert "refresh_token" not in body
    said = claims_in(body["access_token"])
    known = claims_in(desk.id_token)
    assert said["aud"] == PARTNER
    assert said["sub"] == home.ana
    assert said["client_id"] == partner.actors["calendar-bot"].id, "the id over there, not the one here"
    assert {name: said[name] for name in ("acr", "amr", "auth_time")} == {
        name: known[name] for name in ("acr", "amr", "auth_time")
    }
    assert {"iss", "sub", "aud", "client_id", "jti", "exp", "iat"} <= said.keys()
    assert "email" not in said
    token = (await partner.redeem_grant(body["access_token"])).json()
    (rights,) = token["authorization_details"]
    assert [right["action"] for right in rights["rights"]] == [BOOK]
    assert claims_in(token["access_token"])["sub"] == partner.ana
    (record,) = await home.records("authority.domain_grant.issued")
    assert record.user == home.ana
    assert dict(record.detail)["audience"] == PARTNER


@pytest.mark.spec(DRAFT, "4.3")
@pytest.mark.req("N30")
@pytest.mark.attack("TX-10", "TX-09", "TX-06")
async def test_what_is_no_id_token_of_this_client_gets_no_word(desk: Desk) -> None:
    home = desk.home
    own = await home.task_token()
    wrong: dict[str, tuple[dict[str, Any], str]] = {
        "no audience": ({"audience": ABSENT}, "invalid_request"),
        "another audience": ({"audience": "https://third.example"}, "invalid_target"),
        "an access token": ({"subject_token": own}, "invalid_request"),
        "an access token by its name": (
            {"subject_token": own, "subject_token_type": ACCESS_TOKEN}, "invalid_request"),
        "an actor beside it": (
            {"actor_token": own, "actor_token_type": ACCESS_TOKEN}, "invalid_request"),
        "no ID token": ({"subject_token": "a.b.c"}, "invalid_request"),
        "too much scope": ({"scope": "mcp admin"}, "invalid_scope"),
    }  # fmt: skip
    for name, (changes, error) in wrong.items():
        answer = await desk.ask(**changes)
        assert (answer.status_code, answer.json()["error"]) == (400, error), name
    # Another client's ID token, good as it is: its audience is the other one.
    form = {"grant_type": EXCHANGE, "requested_token_type": ID_JAG_TYPE, "audience": PARTNER,
            "subject_token": desk.id_token, "subject_token_type": ID_TOKEN}  # fmt: skip
    answer = await home.ask("calendar-bot", **form)
    assert answer.json()["error"] == "invalid_request"


@pytest.mark.spec(DRAFT, "4.3")
@pytest.mark.req("N2")
async def test_nobody_is_vouched_for_after_signing_out(desk: Desk) -> None:
    home = desk.home
    await home.sessions.end_all(home.ana, by=home.ana, because="signed out")
    assert (await desk.ask()).json()["error"] == "invalid_request"


@pytest.mark.spec(DRAFT, "4.3")
@pytest.mark.req("N2")
@pytest.mark.promise("P1", "P12")
@pytest.mark.parametrize("cause", ["user", "agent", "instance", "blueprint", "tenant", "client", "retired"])
async def test_nobody_is_vouched_for_by_the_dead_or_for_them(desk: Desk, cause: str) -> None:
    home = desk.home
    assert (await desk.ask()).status_code == 200
    client = home.clients["web"]
    who = {
        "user": home.ana,
        "agent": home.agent_id(),
        "instance": client.principal,
        "blueprint": home.blueprints["bot-production"],
        "tenant": DEFAULT_TENANT,
    }
    if cause == "retired":
        await home.identities.retire(home.ana, by=home.ana, because="test", at=home.now)
    elif cause == "client":
        done = Act(tenant=DEFAULT_TENANT, by=home.ana, at=home.now, entropy=home.entropy)
        await home.uow.commit(lambda tx: enrolment.revoke(tx, client, done, because="test"))
    else:

        def bury(tx: Any) -> None:
            epoch = tx.advance_epoch("test")
            tx.lineage.bury(cause, who[cause], cause="killed", epoch=epoch, at=home.now)

        await home.uow.commit(bury)
    assert (await desk.ask()).status_code in {400, 401}
    (issued,) = await home.records("authority.domain_grant.issued")
    assert issued.user == home.ana


@pytest.mark.req("N30")
async def test_the_rule_is_what_an_administrator_can_take_back(desk: Desk) -> None:
    home = desk.home
    (rule,) = (await home.domains.get("partner")).rules
    await home.domains.disallow(rule.id, by=home.ana, because="over", at=home.now)
    assert (await desk.ask()).json()["error"] == "invalid_target"
    await home.allow(desk.border.outbound, who="team:sales", there="cli_there", scopes=frozenset({"mcp"}))
    assert (await desk.ask()).json()["error"] == "invalid_target", "Ana is in no team"
