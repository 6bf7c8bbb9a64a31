"""`private_key_jwt` (RFC 7523 §2.2, §3; RFC 10070) and the attacks on it (AS-01 to AS-05)."""

import json
from typing import Any

import httpx2
import pytest

from remit.authority.oauth.proving.client_auth import ClientAuthenticator
from remit.kernel.jose import jws, jwt
from remit.kernel.jose.jwt import VerifiedJwt
from remit.kernel.jose.profiles import TokenType
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.clock import NOON
from support.oauth import ABSENT, ACCESS_TOKEN, EXCHANGE, ISSUER, World, building

AT = int(NOON.timestamp())
OTHER_AUDIENCES = [
    f"{ISSUER}/token",
    f"{ISSUER}/",
    "https://other.example",
    [ISSUER, f"{ISSUER}/token"],
    [f"{ISSUER}/token"],
    [],
    "",
    ABSENT,
]


async def ask(world: World, **changes: Any) -> httpx2.Response:
    assertion = sign(world, **changes)
    return await world.ask("calendar-bot", grant_type="client_credentials", client_assertion=assertion)


def sign(world: World, **changes: Any) -> str:
    """Sign claims that our own signer would refuse, too."""
    actor = world.actors["calendar-bot"]
    claims = {
        "iss": actor.id,
        "sub": actor.id,
        "aud": ISSUER,
        "iat": AT,
        "exp": AT + 60,
        "jti": world.fresh(),
    }
    header = {"kid": actor.kid, "typ": changes.pop("typ", TokenType.CLIENT_ASSERTION.value)}
    changed = {name: value for name, value in {**claims, **changes}.items() if value is not ABSENT}
    header = {name: value for name, value in header.items() if value is not ABSENT}
    return jws.sign(header, json.dumps(changed).encode(), actor.key)


@pytest.mark.spec("RFC 7523", "3")
@pytest.mark.parametrize("audience", [ISSUER, [ISSUER]])
@pytest.mark.parametrize("typ", ["client-authentication+jwt", "JWT", ABSENT])
async def test_the_issuer_alone_is_the_audience(world: World, audience: Any, typ: Any) -> None:
    assert (await ask(world, aud=audience, typ=typ)).status_code == 200


@pytest.mark.attack("AS-02")
@pytest.mark.spec("RFC 10070", "4")
@pytest.mark.parametrize("audience", OTHER_AUDIENCES)
async def test_any_other_audience_is_refused(world: World, audience: Any) -> None:
    answer = await ask(world, aud=audience)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


class AnyAudience(ClientAuthenticator):
    def _verify(self, assertion: jwt.Unproven, keys: Any, at: Any) -> VerifiedJwt:
        return jwt.verify_unproven(
            assertion,
            as_type=TokenType.CLIENT_ASSERTION,
            keys=keys,
            at=at,
            audience=f"{ISSUER}/token",
        )


@pytest.mark.twin("AS-02")
async def test_an_endpoint_as_audience_would_work_without_the_check(sqlite_uow: SqlUnitOfWork) -> None:
    world = await World(sqlite_uow, build=building(clients=AnyAudience)).populate()
    assert (await ask(world, aud=f"{ISSUER}/token")).status_code == 200


@pytest.mark.attack("AS-01")
@pytest.mark.spec("RFC 7523", "3")
async def test_an_assertion_is_used_once(each_world: World) -> None:
    world = each_world
    assertion = world.assertion("calendar-bot")
    first = await world.ask("calendar-bot", grant_type="client_credentials", client_assertion=assertion)
    again = await world.ask("calendar-bot", grant_type="client_credentials", client_assertion=assertion)
    assert (first.status_code, again.status_code, again.json()["error"]) == (200, 401, "invalid_client")
    for path in ("/introspect", "/revoke"):
        side = await world.post(path, world.form("calendar-bot", client_assertion=assertion, token="x"))
        assert side.status_code == 401
    assert [each.codes[1] for each in await world.records("authority.token.refused")] == [
        "assertion_replayed"
    ]


@pytest.mark.attack("AS-01")
async def test_a_refused_request_uses_its_assertion_up(each_world: World) -> None:
    world = each_world
    assertion = world.assertion("calendar-bot")
    await world.ask("calendar-bot", grant_type="nonsense", client_assertion=assertion)
    again = await world.ask("calendar-bot", grant_type="client_credentials", client_assertion=assertion)
    assert again.status_code == 401


@pytest.mark.attack("AS-01")
@pytest.mark.promise("P3")
async def test_a_second_node_knows_what_the_first_one_used_up(each_world: World) -> None:
    world = each_world
    assertion = world.assertion("calendar-bot")
    await world.ask("calendar-bot", grant_type="client_credentials", client_assertion=assertion)
    other = World(world.uow)
    other.actors = world.actors
    again = await other.ask("calendar-bot", grant_type="client_credentials", client_assertion=assertion)
    assert again.status_code == 401


@pytest.mark.twin("AS-01")
async def test_a_replay_would_work_without_the_store(sqlite_uow: SqlUnitOfWork) -> None:
    world = await World(sqlite_uow, forgetful=True).populate()
    assertion = world.assertion("calendar-bot")
    for _ in range(2):
        answer = await world.ask("calendar-bot", grant_type="client_credentials", client_assertion=assertion)
        assert answer.status_code == 200


class AnyClaims(ClientAuthenticator):
    def _check_claims(self, verified: Any, parameters: Any, at: Any) -> None:
        return


@pytest.mark.attack("AS-03")
@pytest.mark.parametrize("subject", ["ins_other", "", ABSENT, None, 7])
async def test_issuer_and_subject_are_the_client(world: World, subject: Any) -> None:
    assert (await ask(world, sub=subject)).json()["error"] == "invalid_client"
    assert (await ask(world, iss=world.actors["mail-bot"].id)).json()["error"] == "invalid_client"


@pytest.mark.twin("AS-03")
async def test_another_subject_would_work_without_the_check(sqlite_uow: SqlUnitOfWork) -> None:
    world = await World(sqlite_uow, build=building(clients=AnyClaims)).populate()
    assert (await ask(world, sub="ins_other")).status_code == 200


@pytest.mark.attack("AS-04")
@pytest.mark.parametrize(
    "changes",
    [
        {"exp": AT + 301},
        {"exp": AT + 331, "iat": ABSENT},
        {"exp": AT + 86_400},
        {"exp": ABSENT},
        {"exp": AT - 31, "iat": AT - 91},
        {"iat": AT + 31},
        {"nbf": AT + 31},
        {"jti": ABSENT},
        {"jti": ""},
    ],
)
async def test_an_assertion_lives_five_minutes_at_most(world: World, changes: dict[str, Any]) -> None:
    answer = await ask(world, **changes)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client"), changes


@pytest.mark.attack("AS-04")
async def test_exactly_five_minutes_are_lawful(world: World) -> None:
    assert (await ask(world, exp=AT + 300)).status_code == 200


@pytest.mark.twin("AS-04")
async def test_a_long_life_would_work_without_the_check(sqlite_uow: SqlUnitOfWork) -> None:
    world = await World(sqlite_uow, build=building(clients=AnyClaims)).populate()
    assert (await ask(world, exp=AT + 400)).status_code == 200


@pytest.mark.attack("AS-05")
@pytest.mark.spec("RFC 8725", "3.12")
async def test_an_assertion_is_no_grant_and_no_token_is_an_assertion(world: World) -> None:
    own = await world.own_token("calendar-bot")
    as_assertion = await world.ask("calendar-bot", grant_type="client_credentials", client_assertion=own)
    assert as_assertion.json()["error"] == "invalid_client"
    assertion = world.assertion("calendar-bot")
    for parameters in (
        {"subject_token": assertion, "subject_token_type": ACCESS_TOKEN, "actor_token": own},
        {"subject_token": world.envelope, "actor_token": assertion},
        {"subject_token": assertion, "actor_token": own},
    ):
        answer = await world.exchange("calendar-bot", **parameters)
        assert answer.json()["error"] == "invalid_request"
    grant = "urn:ietf:params:oauth:grant-type:jwt-bearer"
    answer = await world.ask("calendar-bot", grant_type=grant, assertion=assertion)
    assert answer.json()["error"] == "unsupported_grant_type"
    assert grant != EXCHANGE


async def test_all_failures_of_a_client_look_alike(world: World) -> None:
    answers = [
        await ask(world, iss="ins_unknown", sub="ins_unknown"),
        await ask(world, aud="https://other.example"),
        await ask(world, exp=AT - 100, iat=AT - 200),
        await ask(world, sub="ins_other"),
        await world.ask("calendar-bot", grant_type="client_credentials", client_assertion="a.b.c"),
    ]
    assert len({answer.text for answer in answers}) == 1
    assert {answer.status_code for answer in answers} == {401}
