"""Introspection answers as JWTs (RFC 9701): for their one reader, and good for nothing else."""

import json
from typing import Any

import pytest

from remit.kernel.canonical import b64u_decode
from remit.kernel.jose import jws
from remit.kernel.jose.keys import KeyClass
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.oauth import ISSUER, World

JWT = "application/token-introspection+jwt"


async def signed(world: World, token: str, *, who: str = "calendar-bot", accept: str = JWT) -> Any:
    return await world.post("/introspect", world.form(who, token=token), headers=[("accept", accept)])


def read(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    header, payload = (json.loads(b64u_decode(part)) for part in text.split(".")[:2])
    return header, payload


@pytest.mark.spec("RFC 9701", "5")
async def test_a_living_token_is_told_in_a_signed_answer(uow: SqlUnitOfWork) -> None:
    world = await World(uow).populate()
    token = await world.task_token()
    answer = await signed(world, token)
    assert (answer.status_code, answer.headers["content-type"]) == (200, JWT)
    header, payload = read(answer.text)
    assert header["typ"] == "token-introspection+jwt"
    assert set(payload) == {"iss", "aud", "iat", "token_introspection"}
    assert (payload["iss"], payload["aud"]) == (ISSUER, world.actors["calendar-bot"].id)
    told = payload["token_introspection"]
    assert told["active"] is True
    assert told["act"]["sub"].startswith("spiffe://")
    plain = (await world.introspect("calendar-bot", token)).json()
    assert told == plain
    record = world.keyring.find(header["kid"], KeyClass.STATEMENT)
    assert record is not None
    parts = jws.take_apart(answer.text)
    assert record.public.verify(parts.signing_input, parts.signature)
    published = (await world.http.get("/jwks")).json()["keys"]
    assert header["kid"] in [key["kid"] for key in published]


@pytest.mark.spec("RFC 9701", "5")
async def test_a_dead_token_is_told_no_more_than_that(world: World) -> None:
    foreign = await world.own_token("mail-bot")
    for token in ("nonsense", foreign):
        _, payload = read((await signed(world, token)).text)
        assert payload["token_introspection"] == {"active": False}


@pytest.mark.spec("RFC 9701", "4")
@pytest.mark.parametrize(
    ("accept", "is_jwt"),
    [
        ("*/*", False),
        ("application/json", False),
        ("application/jwt", False),
        (f"text/html, {JWT};q=0.9", True),
    ],
)
async def test_only_who_names_it_gets_it(accept: str, is_jwt: bool, world: World) -> None:
    answer = await signed(world, await world.own_token("calendar-bot"), accept=accept)
    assert (answer.headers["content-type"] == JWT) is is_jwt


@pytest.mark.spec("RFC 9701", "8.1")
async def test_an_answer_passes_for_no_token(world: World) -> None:
    text = (await signed(world, await world.own_token("calendar-bot"))).text
    again = await world.introspect("calendar-bot", text)
    assert again.json() == {"active": False}
    used = await world.exchange("calendar-bot", actor_token=text)
    assert used.status_code == 400
    as_assertion = await world.ask("calendar-bot", grant_type="client_credentials", client_assertion=text)
    assert as_assertion.status_code == 401
