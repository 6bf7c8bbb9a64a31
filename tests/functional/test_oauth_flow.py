"""The whole way of a token: own token, exchange, use, introspection, revocation."""

from support.oauth import ISSUER, World, claims_in


async def test_an_instance_gets_its_own_token(world: World) -> None:
    answer = await world.ask("calendar-bot", grant_type="client_credentials")
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["token_type"] == "DPoP"
    assert body["expires_in"] == 300
    assert body["scope"] == "remit.act"
    claims = claims_in(body["access_token"])
    assert claims["sub"].startswith("spiffe://remit.example/agent/calendar-bot/ins_")
    assert claims["aud"] == f"{ISSUER}/api"
    assert "act" not in claims


async def test_an_exchange_gives_a_delegated_token(world: World) -> None:
    answer = await world.exchange("calendar-bot")
    assert answer.status_code == 200, answer.text
    claims = claims_in(answer.json()["access_token"])
    assert claims["sub"] == world.actors["ana"].id
    assert claims["act"]["sub"].endswith(world.actors["calendar-bot"].id)
    subject = await world.verify(answer.json()["access_token"])
    assert subject.user == world.actors["ana"].id
    assert subject.task == world.task.id
