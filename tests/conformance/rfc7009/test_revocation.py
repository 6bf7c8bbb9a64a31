"""Revocation (RFC 7009): at once, with all descendants, and without a word about what was there."""

import pytest

from remit.authority.oauth.wire.errors import InvalidToken
from support.oauth import ACCESS_TOKEN, EXCHANGE, ISSUER, World, claims_in


@pytest.mark.spec("RFC 7009", "2.2")
@pytest.mark.req("R34")
async def test_a_revoked_token_is_dead_at_every_endpoint(each_world: World) -> None:
    world = each_world
    token = await world.task_token()
    await world.verify(token)
    answer = await world.revoke("calendar-bot", token, token_type_hint="access_token")
    assert (answer.status_code, answer.content) == (200, b"")
    assert (await world.introspect("calendar-bot", token)).json() == {"active": False}
    with pytest.raises(InvalidToken):
        await world.verify(token)
    (told,) = await world.records("authority.token.revoked")
    assert told.subject == claims_in(token)["jti"]
    assert told.task == world.task.id
    again = await world.revoke("calendar-bot", token)
    assert (again.status_code, again.content) == (200, b"")
    assert len(await world.records("authority.token.revoked")) == 1


@pytest.mark.spec("RFC 7009", "2.1")
async def test_every_exchanged_descendant_dies_with_it(each_world: World) -> None:
    world = each_world
    own = await world.own_token("calendar-bot")
    child = await world.task_token(actor_token=own)
    answer = await world.ask(
        "calendar-bot",
        grant_type=EXCHANGE,
        subject_token=child,
        subject_token_type=ACCESS_TOKEN,
        resource=f"{ISSUER}/mcp/mail",
    )
    grandchild = answer.json()["access_token"]
    assert (await world.introspect("calendar-bot", grandchild)).json()["active"] is True
    await world.revoke("calendar-bot", own)
    for token in (own, child, grandchild):
        assert (await world.introspect("calendar-bot", token)).json() == {"active": False}
    answer = await world.exchange("calendar-bot", actor_token=own)
    assert answer.json()["error"] == "invalid_request"


@pytest.mark.attack("RT-08")
@pytest.mark.spec("RFC 7009", "2.1")
async def test_another_clients_token_is_not_touched(each_world: World) -> None:
    world = each_world
    token = await world.task_token()
    for who in ("mail-bot", "ben", "ana"):
        answer = await world.revoke(who, token)
        assert (answer.status_code, answer.content) == (200, b"")
    assert (await world.introspect("calendar-bot", token)).json()["active"] is True


@pytest.mark.spec("RFC 7009", "2.2")
async def test_an_unknown_token_is_answered_like_a_known_one(world: World) -> None:
    for text in ("x", "a.b.c", world.assertion("calendar-bot")):
        answer = await world.revoke("calendar-bot", text, token_type_hint="refresh_token")
        assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.spec("RFC 7009", "2.2.1")
async def test_errors_have_their_names(world: World) -> None:
    answer = await world.revoke("calendar-bot", world.envelope + "~x")
    assert (answer.status_code, answer.json()["error"]) == (400, "unsupported_token_type")
    answer = await world.post("/revoke", {"token": "x"})
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    answer = await world.post("/revoke", world.form("calendar-bot"))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


@pytest.mark.attack("RT-06")
@pytest.mark.promise("P3")
async def test_another_node_knows_it_at_once(each_world: World) -> None:
    token = await each_world.task_token()
    await each_world.revoke("calendar-bot", token)
    other = World(each_world.uow)
    other.actors = each_world.actors
    assert (await other.introspect("calendar-bot", token)).json() == {"active": False}
    with pytest.raises(InvalidToken):
        await other.verify(token)
