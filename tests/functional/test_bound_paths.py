"""R13: between agents, to the API and to a tool, a token is good for one key, one path, one environment."""

from typing import Any

import httpx2
import pytest

from support.clients import Refused
from support.house import House
from support.oauth import ISSUER, World, claims_in

ROOMS = {"start": "2026-05-15T14:00Z", "end": "2026-05-15T15:00Z"}
MINUTES = 300


def short(token: str) -> bool:
    """Bound to a key, and over within minutes."""
    claims = claims_in(token)
    return bool(claims["cnf"]["jkt"]) and claims["exp"] - claims["iat"] <= MINUTES


async def to_api(house: House, who: str, token: str, *, to: str = "/svids") -> int:
    body = {"audience": ["https://peer.example"]}
    return (await house.api(house[who], "POST", to, body, token=token)).status_code


async def to_tool(house: House, who: str, token: str, **how: Any) -> httpx2.Response:
    url, body, headers = house.call_request(house[who], token, "rooms_free", ROOMS, **how)
    return await house.http.post(url, content=body, headers=headers)


@pytest.mark.req("R13")
async def test_a_token_is_good_for_its_key_and_its_path_alone(house: House) -> None:
    calendar, mail = house["calendar-bot"], house["mail-bot"]
    started = await house.task("calendar-bot")
    own = await house.own_token(calendar)
    tool = await house.exchange(calendar, started.envelope)
    assert short(own)
    assert short(tool)
    # Agent to API: another key, then another path.
    assert await to_api(house, "calendar-bot", own) == 200
    assert await to_api(house, "mail-bot", own) == 401
    assert await to_api(house, "calendar-bot", tool) == 401
    # Agent to tool: the same, and the door of another server.
    assert (await to_tool(house, "calendar-bot", tool)).status_code == 200
    assert (await to_tool(house, "mail-bot", tool)).status_code == 401
    assert (await to_tool(house, "calendar-bot", own)).status_code == 401
    assert (await to_tool(house, "calendar-bot", tool, server="mail")).status_code in {401, 404}
    # Agent to agent: the hop names who goes on; its holder's token is no good to anybody else either.
    handed = house.chained(started, "calendar-bot", "mail-bot")
    passed = await house.exchange(mail, handed)
    assert short(passed)
    for thief, text in ((calendar, handed), (mail, started.envelope)):
        with pytest.raises(Refused):
            await house.exchange(thief, text)
    assert (await to_tool(house, "mail-bot", passed, envelope=handed)).status_code == 200
    assert (await to_tool(house, "calendar-bot", passed, envelope=handed)).status_code == 401
    # A stolen actor token: the exchange wants the key that it is bound to.
    with pytest.raises(Refused):
        await house.exchange(mail, handed, actor=own)


@pytest.mark.req("R13")
async def test_a_token_is_good_for_its_environment_alone(world: World) -> None:
    at = {"grant_type": "client_credentials", "resource": f"{ISSUER}/mcp/business"}
    assert (await world.ask("calendar-bot", **at)).status_code == 200
    answer = await world.ask("dev-bot", **at)
    assert (answer.status_code, answer.json()["error"]) == (400, "access_denied")
