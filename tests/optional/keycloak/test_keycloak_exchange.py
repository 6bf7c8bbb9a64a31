"""A person's token is exchanged at Keycloak for one that begins a task of an agent here.

Standard token exchange (version 2) there, identity chaining here: the realm is an inbound domain. Keycloak
says of its own accord neither `client_id` nor a scope of ours; a mapper and a scope of the realm do.
"""

import httpx2
import pytest

from remit.authority.domains.trust import Direction
from remit.authority.oauth.domains.service import StatedDomain, StatedRule
from remit.kernel.ids import PrincipalId, UserId
from support.clients import Party
from support.domains import JWT_BEARER
from support.house import ASSERTION, BOOKING, House
from support.keycloak import PATIENCE, WHERE, Administrator, audience, stated
from support.oauth import claims_in

pytestmark = [
    pytest.mark.optional("Keycloak"),
    pytest.mark.timeout(PATIENCE + 120),
    pytest.mark.skipif(
        not WHERE, reason="REMIT_KEYCLOAK names no Keycloak: exchange at a real one DID NOT RUN"
    ),
]
SCOPES = {"defaultClientScopes": ["basic", "mcp"]}
"""`basic` brings `sub`."""


async def border(house: House, realm: Administrator) -> None:
    """Ana signs in at `desk`; calendar-bot is `calendar` there, and may come from there for her."""
    bot, admin, at = house["calendar-bot"], PrincipalId(house["admin"].id), house.now()
    ana = await realm.person("ana")
    await realm.scope("mcp")
    # We are a client there by the name that its tokens need as their audience.
    await realm.client(house.issuer)
    ours = (audience(client=house.issuer), stated("client_id", bot.id))
    await realm.client("calendar", *ours, exchanges=True, **SCOPES)
    await realm.client("desk", audience(client="calendar"))

    inbound = StatedDomain(
        name="company", issuer=realm.issuer, direction=Direction.INBOUND, address=realm.keys
    )
    domain = await house.services.domains.trust(inbound, by=admin, at=at)
    ceiling = house.ceiling(days=20, purpose="scheduling")
    rule = StatedRule(who="everybody", client=str(bot.agent), text="Staff books rooms.", ceiling=ceiling)
    await house.services.domains.allow(domain.id, rule, by=admin, at=at)
    await house.services.domains.link(domain.id, ana, UserId(house["user"].id), by=admin, at=at)


async def redeem(house: House, who: Party, grant: str) -> httpx2.Response:
    """Bring a token of Keycloak here, beside the client's own proof."""
    url = f"{house.issuer}/token"
    form = {
        "grant_type": JWT_BEARER,
        "assertion": grant,
        "resource": f"{house.issuer}/mcp/business",
        "client_assertion_type": ASSERTION,
        "client_assertion": who.assertion(),
    }
    return await house.http.post(url, data=form, headers={"DPoP": who.proof("POST", url)})


async def refusal(house: House, who: Party, grant: str) -> tuple[str, ...]:
    """Why a token of Keycloak begins nothing: what the client reads, and what the log knows."""
    answer = await redeem(house, who, grant)
    assert answer.status_code == httpx2.codes.BAD_REQUEST, answer.text
    *_, refused = await house.records("authority.token.refused")
    assert refused.codes[0] == answer.json()["error"]
    return tuple(refused.codes)


async def test_what_keycloak_exchanged_begins_a_task_that_acts(house: House, realm: Administrator) -> None:
    await border(house, realm)
    bot = house["calendar-bot"]
    grant = await realm.exchanged("calendar", await realm.token_of("ana", "desk"), to=house.issuer)
    said = claims_in(grant)
    assert (said["aud"], said["azp"], said["scope"]) == (house.issuer, "calendar", "mcp")
    assert "act" not in said, "Keycloak does not say who acted; there is no history to keep"

    answer = await redeem(house, bot, grant)
    assert answer.status_code == httpx2.codes.OK, answer.text
    token = answer.json()["access_token"]
    ours = claims_in(token)
    assert (ours["sub"], ours["aud"]) == (house["user"].id, f"{house.issuer}/mcp/business")
    assert ours["act"]["sub"].endswith(f"/agent/calendar-bot/{bot.id}")
    assert "act" not in ours["act"]
    (redeemed,) = await house.records("authority.domain_grant.redeemed")
    assert dict(redeemed.detail)["subject_there"] == said["sub"]

    again = (await redeem(house, bot, grant)).json()["access_token"]
    assert claims_in(again)["txn"] == ours["txn"], "shown again it goes on with the one task"
    await house.services.ground.snapshots.catch_up()
    called = await house.call(bot, token, "rooms_book", BOOKING)
    assert called.ran, called.code
    assert len(house.hits) == 1


async def test_keycloak_itself_exchanges_for_nobody_else(house: House, realm: Administrator) -> None:
    await border(house, realm)
    await realm.client("stranger", audience(client=house.issuer), exchanges=True)
    await realm.client("plain", audience(client=house.issuer))
    await realm.client("hall", audience(client="plain"))
    await realm.person("ben")
    desk, hall = await realm.token_of("ana", "desk"), await realm.token_of("ben", "hall")
    outside = await realm.exchange("stranger", desk, to=house.issuer)
    assert (outside.status_code, outside.json()["error"]) == (403, "access_denied"), outside.text
    assert outside.json()["error_description"] == "Client is not within the token audience"
    plain = await realm.exchange("plain", hall, to=house.issuer)
    assert (plain.status_code, plain.json()["error"]) == (400, "invalid_request"), plain.text


async def test_what_we_demand_of_a_grant_is_demanded_of_keycloaks_too(
    house: House, realm: Administrator
) -> None:
    await border(house, realm)
    bot, mail, ours = house["calendar-bot"], house["mail-bot"], audience(client=house.issuer)
    await realm.client("unnamed", ours, exchanges=True, **SCOPES)
    await realm.client("unscoped", ours, stated("client_id", bot.id), exchanges=True)
    mappers = [audience(client=name) for name in ("calendar", "unnamed", "unscoped")]
    await realm.client("hall", *({**each, "name": str(at)} for at, each in enumerate(mappers)))
    await realm.person("ben")
    ana, ben = await realm.token_of("ana", "hall"), await realm.token_of("ben", "hall")
    exchanged = {
        name: await realm.exchanged(name, ana, to=house.issuer)
        for name in ("calendar", "unnamed", "unscoped")
    }
    desk = await realm.token_of("ana", "desk")
    assert await refusal(house, bot, desk) == ("invalid_grant", "wrong_audience"), "her own token"
    assert await refusal(house, bot, exchanged["unnamed"]) == ("invalid_grant", "client_id_differs")
    assert await refusal(house, mail, exchanged["calendar"]) == ("invalid_grant", "client_id_differs")
    assert await refusal(house, bot, exchanged["unscoped"]) == ("invalid_scope", "scope_none")
    bens = await realm.exchanged("calendar", ben, to=house.issuer)
    assert await refusal(house, bot, bens) == ("invalid_grant", "subject_unknown"), "nobody linked him"
    assert await house.records("authority.domain_grant.redeemed") == []
    assert (await redeem(house, bot, exchanged["calendar"])).status_code == httpx2.codes.OK
