"""The trust matrix over the API of the whole installation: written, shown and taken back."""

import json
from typing import Any

import httpx2
import pytest

from remit.surface.web.schemas.rights import ceiling_view
from support.domains import ENTERPRISE, Enterprise
from support.house import House
from support.oauth import claims_in

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"


async def ask(
    house: House, method: str, path: str, body: Any = None, *, who: str = "admin"
) -> httpx2.Response:
    return await house.api(house[who], method, path, body)


def ceiling(house: House) -> dict[str, Any]:
    shown = ceiling_view(house.ceiling(purpose="scheduling"))
    rights = [
        {
            "action": each.action,
            "resource_type": each.resource_type,
            "any": each.any,
            "resources": each.resources,
        }
        for each in shown.rights
    ]
    return {
        "rights": rights,
        "start": shown.start.isoformat(),
        "end": shown.end.isoformat(),
        "purpose": "scheduling",
    }


@pytest.mark.req("R161", "N30")
async def test_a_domain_is_trusted_used_and_revoked(house: House) -> None:
    idp = Enterprise()
    keys = json.loads(idp.jwks())
    trusted = await ask(house, "POST", "/domains", {
        "name": "idp", "issuer": ENTERPRISE, "direction": "inbound", "keys": keys})  # fmt: skip
    assert trusted.status_code == 200, trusted.text
    agent = str(house["calendar-bot"].agent)
    rule = await ask(house, "POST", "/domains/idp/rules", {
        "who": "everybody", "client": agent, "text": "Staff books.", "ceiling": ceiling(house)})  # fmt: skip
    assert rule.status_code == 200, rule.text
    person = await ask(house, "POST", "/domains/idp/people", {"subject": "00u1", "user": house["user"].id})
    assert person.json()["user"] == house["user"].id
    shown = (await ask(house, "GET", "/domains/idp")).json()
    assert shown["domain"]["keys_from"] == "pinned"
    assert [each["who"] for each in shown["rules"]] == ["everybody"]
    assert [each["subject"] for each in shown["people"]] == ["00u1"]

    bot, at = house["calendar-bot"], int(house.now().timestamp())
    grant = idp.signed(
        {"iss": ENTERPRISE, "sub": "00u1", "aud": house.issuer, "client_id": bot.id, "jti": "j1", "iat": at,
         "exp": at + 300, "resource": f"{house.issuer}/mcp/business"}
    )  # fmt: skip
    token = await house.ask_token(bot, grant_type=JWT_BEARER, assertion=grant)
    assert claims_in(token)["sub"] == house["user"].id
    assert (await house.introspect(bot, token))["active"] is True

    revoked = await ask(house, "POST", "/domains/idp/revoke", {"reason": "the contract ended"})
    assert revoked.json()["state"] == "withdrawn"
    assert (await house.introspect(bot, token))["active"] is False
    (listed,) = (await ask(house, "GET", "/domains")).json()
    assert listed["state"] == "withdrawn"
    (record,) = await house.records("authority.domain.withdrawn")
    assert dict(record.detail)["because"] == "the contract ended"
    assert record.actor == house["admin"].id


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "plain http": ({"issuer": "http://idp.example"}, "issuer_unfit"),
    "no keys": ({"keys": None}, "domain_unfit"),
    "keys of nobody": ({"keys": {"keys": []}}, "issuer_keys_unfit"),
    "keys of one that signs nothing": ({"direction": "outbound"}, "domain_unfit"),
}


async def test_what_makes_no_sense_is_refused_with_its_reason_and_others_see_nothing(house: House) -> None:
    keys = json.loads(Enterprise().jwks())
    whole = {"name": "idp", "issuer": ENTERPRISE, "direction": "inbound", "keys": keys}
    for name, (changes, code) in WRONG.items():
        answer = await ask(house, "POST", "/domains", {**whole, **changes})
        assert answer.json()["code"] == code, (name, answer.text)
    assert (await ask(house, "POST", "/domains", whole)).status_code == 200
    again = await ask(house, "POST", "/domains", {**whole, "name": "other", "issuer": f"{ENTERPRISE}/"})
    assert again.json()["code"] == "domain_alike"
    agent = str(house["calendar-bot"].agent)
    for rule in (
        {"who": "nobody", "client": agent, "text": "x", "ceiling": ceiling(house)},
        {"who": "everybody", "client": "agt_none", "text": "x", "ceiling": ceiling(house)},
        {"who": "everybody", "client": agent, "text": "x"},
    ):
        assert (await ask(house, "POST", "/domains/idp/rules", rule)).json()["code"] == "domain_unfit"
    asked: tuple[tuple[str, str, Any], ...] = (
        ("GET", "/domains", None),
        ("POST", "/domains", whole),
        ("POST", "/domains/idp/revoke", {"reason": "x"}),
    )
    for method, path, body in asked:
        assert (await ask(house, method, path, body, who="user")).status_code == 403, path
    assert (await ask(house, "GET", "/domains/none")).json()["code"] == "unknown_domain"
