"""Token status lists (draft-ietf-oauth-status-list-21): what a token's bit says, and to whom."""

import json
import zlib
from typing import Any

import pytest

from remit.authority.oauth.tokens.status_list import SIZE, NoPlace, pack, take_place
from remit.authority.oauth.wire.options import OAuthOptions
from remit.kernel.canonical import b64u_decode
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.clock import NOON
from support.oauth import ISSUER, TRUST_DOMAIN, World, claims_in

DRAFT = "draft-ietf-oauth-status-list"


async def publishing(uow: SqlUnitOfWork) -> World:
    options = OAuthOptions(issuer=ISSUER, trust_domain=TRUST_DOMAIN, status_lists=True)
    return await World(uow, options=options).populate()


async def bit(world: World, token: str) -> int:
    """What somebody who has the token and nothing else finds."""
    place = claims_in(token)["status"]["status_list"]
    answer = await world.http.get(place["uri"], headers={"accept": "application/statuslist+jwt"})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/statuslist+jwt"
    said = claims_in(answer.text)
    assert said["sub"] == place["uri"]
    bits = zlib.decompress(b64u_decode(said["status_list"]["lst"]))
    index = int(place["idx"])
    return bits[index // 8] >> (index % 8) & 1


@pytest.mark.spec(DRAFT, "4.1")
def test_the_least_significant_bit_comes_first() -> None:
    """The draft's own example: sixteen statuses in two bytes."""
    bits = zlib.decompress(b64u_decode(pack({0, 3, 4, 5, 7, 8, 9, 13, 15})))
    assert bits[:2] == bytes.fromhex("b9a3")
    assert len(bits) * 8 == SIZE
    assert not any(bits[2:])


@pytest.mark.spec(DRAFT, "6.1")
async def test_a_token_is_valid_until_what_it_stands_on_ends(uow: SqlUnitOfWork) -> None:
    world = await publishing(uow)
    first, second = await world.task_token(), await world.task_token()
    assert [await bit(world, each) for each in (first, second)] == [0, 0]
    assert (await world.revoke("calendar-bot", first)).status_code == 200
    world.clock.advance(1)
    assert [await bit(world, each) for each in (first, second)] == [1, 0]
    ana = world.actors["ana"].principal.id
    agent = world.actors["calendar-bot"].principal.parent
    assert agent is not None
    await world.identities.suspend(agent, by=ana, because="test", at=world.now)
    world.clock.advance(1)
    assert [await bit(world, each) for each in (first, second)] == [1, 1]


async def test_it_is_off_unless_the_operator_wants_it(world: World) -> None:
    assert "status" not in claims_in(await world.own_token("ana"))
    assert (await world.http.get("/status/2026051512-0")).status_code == 404


@pytest.mark.spec(DRAFT, "5.1")
@pytest.mark.spec(DRAFT, "8.1")
async def test_a_list_is_kept_for_its_ttl_and_names_nobody(sqlite_uow: SqlUnitOfWork) -> None:
    world = await publishing(sqlite_uow)
    token = await world.own_token("calendar-bot")
    uri = claims_in(token)["status"]["status_list"]["uri"]
    first = await world.http.get(uri)
    header = json.loads(b64u_decode(first.text.split(".")[0]))
    said = claims_in(first.text)
    assert header["typ"] == "statuslist+jwt"
    assert set(said) == {"iss", "sub", "iat", "exp", "ttl", "status_list"}
    assert (said["ttl"], said["exp"] - said["iat"], said["status_list"]["bits"]) == (60, 300, 1)
    assert claims_in(token)["jti"] not in str(said)
    world.clock.advance(59)
    assert (await world.http.get(uri)).text == first.text
    world.clock.advance(1)
    assert claims_in((await world.http.get(uri)).text)["iat"] == said["iat"] + 60


@pytest.mark.parametrize("name", ["2026051512", "x-0", "2026051512-100", "2030010100-0"])
async def test_there_is_no_other_list(name: str, sqlite_uow: SqlUnitOfWork) -> None:
    world = await publishing(sqlite_uow)
    assert (await world.http.get(f"/status/{name}")).status_code in {400, 404}


async def test_places_are_drawn_and_a_taken_one_is_drawn_again(sqlite_uow: SqlUnitOfWork) -> None:
    world = await publishing(sqlite_uow)
    places = [claims_in(await world.own_token("ana"))["status"]["status_list"] for _ in range(8)]
    assert len({(each["uri"], each["idx"]) for each in places}) == 8
    assert [each["idx"] for each in places] != sorted(each["idx"] for each in places)


def test_where_no_place_is_free_nothing_is_issued() -> None:
    class Full:
        def take(self, _: Any) -> bool:
            return False

    class Token:
        expires_at = NOON
        generation = 0

    with pytest.raises(NoPlace):
        take_place(Full(), Token(), None, entropy=lambda size: b"x" * size)  # type: ignore[arg-type]  # only what it asks
