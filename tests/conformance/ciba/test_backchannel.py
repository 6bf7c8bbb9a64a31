"""OpenID Connect CIBA Core 1.0, poll mode: a client asks, a person answers on their own page, it fetches."""

from typing import Any

import pytest

from remit.authority.oauth.asking import backchannel as rules
from remit.authority.oauth.clients.metadata import read_metadata
from remit.authority.oauth.clients.registration import CIBA
from remit.authority.oauth.metadata import server_metadata
from remit.authority.oauth.wire.errors import InvalidClientMetadata
from remit.identity.sessions import ACR_PASSKEY_UV
from remit.kernel.canonical import Json
from remit.kernel.ids import GrantId, PrincipalId
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.authorizing import told
from support.backchannel import BackchannelWorld, flow_of
from support.jose import private_key
from support.oauth import ABSENT, OPTIONS, claims_in
from support.request_objects import request_object

SPEC = "CIBA Core"


@pytest.fixture
async def world(sqlite_uow: SqlUnitOfWork) -> BackchannelWorld:
    return await BackchannelWorld(sqlite_uow).populate()


@pytest.fixture
async def each(uow: SqlUnitOfWork) -> BackchannelWorld:
    return await BackchannelWorld(uow).populate()


@pytest.mark.req("R68", "R69")
@pytest.mark.spec(SPEC, "7.1")
@pytest.mark.spec(SPEC, "7.3")
@pytest.mark.spec(SPEC, "10.1.1")
async def test_an_instance_that_nobody_registered_gets_what_its_person_allowed(
    each: BackchannelWorld,
) -> None:
    world = each
    answer = (await world.bc(binding_message="room 401 for Friday")).json()
    assert (answer["expires_in"], answer["interval"]) == (300, 5)
    ident = answer["auth_req_id"]
    assert await world.error(ident) == "authorization_pending"
    person = await world.sign_in()
    page = await world.see(person)
    for words in ("room 401 for Friday", "business/rooms.book", "calendar-bot", "127.0.0.1", "passkey"):
        assert words in page.text, words
    assert "goes on by itself" in (await world.say(person, page)).text
    tokens = await world.fetched(ident)
    claims = claims_in(tokens["access_token"])
    assert claims["sub"] == world.actors["ana"].id
    assert claims["act"]["sub"].endswith(world.actors["calendar-bot"].id)
    assert claims["client_id"] == world.actors["calendar-bot"].id
    assert claims["cnf"]["jkt"] == world.actors["calendar-bot"].key.public.thumbprint
    assert claims["acr"] == ACR_PASSKEY_UV
    assert claims["authorization_details"]
    told_of = claims_in(tokens["id_token"])
    assert (told_of["sub"], told_of["aud"]) == (claims["sub"], claims["client_id"])
    (task,) = await world.records("authority.task.started")
    (asked,) = await world.records("authority.backchannel.asked")
    assert claims["txn"] == task.task
    assert (asked.user, asked.agent) == (claims["sub"], task.agent)
    renewed = await world.ask(
        "calendar-bot", grant_type="refresh_token", refresh_token=tokens["refresh_token"]
    )
    assert claims_in(renewed.json()["access_token"])["txn"] == task.task
    assert await world.waiting(person) == []
    assert (await world.introspect("calendar-bot", tokens["access_token"])).json()["active"] is True
    assert (await world.revoke("calendar-bot", renewed.json()["refresh_token"])).status_code == 200
    assert (await world.introspect("calendar-bot", tokens["access_token"])).json() == {"active": False}


@pytest.mark.spec(SPEC, "7.1")
async def test_a_registered_client_names_its_person_in_any_of_the_ways(world: BackchannelWorld) -> None:
    ana = world.actors["ana"]
    person = await world.sign_in()
    first = await world.asked("box", login_hint=ana.principal.name)
    await world.answer(person)
    tokens = await world.fetched(first, "box")
    again = await world.asked("box", login_hint=ABSENT, id_token_hint=tokens["id_token"])
    await world.answer(person)
    assert claims_in((await world.fetched(again, "box"))["access_token"])["sub"] == ana.id


@pytest.mark.spec(SPEC, "11")
async def test_each_end_of_a_request_has_its_own_word(world: BackchannelWorld) -> None:
    person = await world.sign_in()
    denied = await world.asked()
    assert "gets nothing" in (await world.answer(person, "deny")).text
    assert await world.error(denied) == "access_denied"
    late = await world.asked(requested_expiry="60")
    page = await world.see(person)
    world.pass_time(seconds=61)
    assert await world.error(late) == "expired_token"
    assert (await world.say(person, page)).status_code == 400
    assert await world.error("rmt_br_" + "A" * 43) == "invalid_grant"
    assert await world.error(denied, "box") == "invalid_grant"
    missing = await world.ask("calendar-bot", grant_type=CIBA)
    assert missing.json()["error"] == "invalid_request"


@pytest.mark.spec(SPEC, "7.3")
@pytest.mark.spec(SPEC, "11")
@pytest.mark.attack("CB-09")
async def test_who_polls_too_fast_polls_more_slowly_ever_after(world: BackchannelWorld) -> None:
    ident = await world.asked()
    said = [await world.error(ident)]
    for wait in (5.0, 3.0, 10.0, 5.0, 15.0):
        world.pass_time(seconds=wait)
        said.append(await world.error(ident))
    pending, slow = "authorization_pending", "slow_down"
    assert said == [pending, pending, slow, pending, slow, pending]


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no hint": ({"login_hint": ABSENT}, "invalid_request"),
    "two hints": ({"id_token_hint": "x.y.z"}, "invalid_request"),
    "a hint token": ({"login_hint": ABSENT, "login_hint_token": "x.y.z"}, "invalid_request"),
    "a hint of nobody's making": ({"login_hint": ABSENT, "id_token_hint": "x.y.z"}, "invalid_request"),
    "an id that is nobody's": ({"login_hint": "usr_01ARZ3NDEKTSV4RRFFQ69G5FAV"}, "unknown_user_id"),
    "no openid": ({"scope": ABSENT}, "invalid_scope"),
    "a server that is not there": ({"resource": "https://remit.example/mcp/none"}, "invalid_target"),
    "rights that are none": ({"authorization_details": "[{}]"}, "invalid_authorization_details"),
    "an expiry of none": ({"requested_expiry": "0"}, "invalid_request"),
    "an expiry of words": ({"requested_expiry": "soon"}, "invalid_request"),
    "no request of the client's": ({"request": "x.y.z"}, "invalid_request_object"),
}


@pytest.mark.spec(SPEC, "13")
@pytest.mark.parametrize("case", WRONG)
async def test_what_is_wrong_has_its_own_word(world: BackchannelWorld, case: str) -> None:
    changes, error = WRONG[case]
    assert await world.bc_error(**changes) == error
    assert await world.waiting(await world.sign_in()) == []


@pytest.mark.spec(SPEC, "7.1")
async def test_nobody_waits_longer_than_they_may(world: BackchannelWorld) -> None:
    answer = (await world.bc(requested_expiry="86400")).json()
    assert answer["expires_in"] == rules.LIFE.total_seconds()


@pytest.mark.spec(SPEC, "13")
async def test_who_may_ask(world: BackchannelWorld) -> None:
    assert await world.bc_error("web") == "unauthorized_client", "not registered for it"
    assert await world.bc_error("ana") == "unauthorized_client", "a person asks nobody"
    unproven = await world.post("/bc-authorize", {"client_id": world.clients["box"].client_id})
    assert (unproven.status_code, unproven.json()["error"]) == (401, "invalid_client")
    assertion = world.assertion("box")
    assert (await world.bc("box", client_assertion=assertion)).status_code == 200
    assert await world.bc_error("box", client_assertion=assertion, status=401) == "invalid_client"


@pytest.mark.spec(SPEC, "7.1.1")
@pytest.mark.spec("RFC 9101", "6.3")
async def test_a_signed_request_is_the_whole_request(world: BackchannelWorld) -> None:
    signed = request_object(
        world,
        "box",
        scope="openid",
        login_hint=world.actors["ana"].id,
        binding_message="from the object",
    )
    ident = await world.asked("box", request=signed, binding_message="from beside it")
    person = await world.sign_in()
    page = await world.see(person)
    assert "from the object" in page.text
    assert "from beside it" not in page.text
    await world.say(person, page)
    assert await world.fetched(ident, "box")


@pytest.mark.spec("RFC 9449", "10")
async def test_the_key_that_asked_is_the_only_one_that_fetches(world: BackchannelWorld) -> None:
    url = f"{world.options.issuer}/bc-authorize"
    ident = await world.asked("box", proof=world.device_proof("/bc-authorize"))
    await world.answer(await world.sign_in())
    assert await world.error(ident, "box", proof=world.proof("box")) == "invalid_grant"
    fetched = await world.fetch(ident, "box", proof=world.device_proof())
    assert claims_in(fetched.json()["access_token"])["cnf"]["jkt"] == world.device.public.thumbprint
    stranger = private_key("a stranger's")
    proof = world.device_proof("/bc-authorize", key=stranger)
    assert await world.bc_error(proof=proof) == "invalid_dpop_proof", url


async def test_it_can_be_registered_for_and_is_named_where_clients_look(world: BackchannelWorld) -> None:
    named = server_metadata(OPTIONS, codes=True)
    assert CIBA in named["grant_types_supported"]  # type: ignore[operator]  # a list
    assert named["backchannel_authentication_endpoint"] == f"{OPTIONS.issuer}/bc-authorize"
    assert named["backchannel_token_delivery_modes_supported"] == ["poll", "ping", "push"]
    assert named["backchannel_user_code_parameter_supported"] is False
    assert "backchannel_authentication_endpoint" not in server_metadata(OPTIONS)
    keys: Json = {"keys": [private_key("a client's").public.jwk()]}
    stated = read_metadata({"client_name": "x", "grant_types": [CIBA], "jwks": keys})
    assert stated.redirect_uris == ()
    with pytest.raises(InvalidClientMetadata, match="proves itself"):
        read_metadata({"client_name": "x", "grant_types": [CIBA]})


async def sign_out(world: BackchannelWorld) -> None:
    ana = world.actors["ana"].principal.id
    await world.sessions.end_all(ana, by=ana, because="test")


async def withdraw(world: BackchannelWorld) -> None:
    for given in await world.records("authority.grant.given"):
        ana = world.actors["ana"].principal.id
        await flow_of(world.oauth).consent._consents.withdraw(GrantId(given.grant), by=ana, at=world.now)


async def suspend(world: BackchannelWorld) -> None:
    agent = PrincipalId(str(world.actors["calendar-bot"].principal.parent))
    await world.identities.suspend(agent, by=PrincipalId("system"), because="test", at=world.now)


async def retire(world: BackchannelWorld) -> None:
    ident = world.actors["calendar-bot"].principal.id
    await world.identities.retire(ident, by=PrincipalId("system"), because="test", at=world.now)


ENDS = {
    "the person signed out": sign_out,
    "the consent is withdrawn": withdraw,
    "the agent is suspended": suspend,
    "the instance is retired": retire,
}


@pytest.mark.req("N2")
@pytest.mark.parametrize("cause", ENDS)
async def test_what_ends_between_the_yes_and_the_fetch_ends_it(world: BackchannelWorld, cause: str) -> None:
    ident = await world.asked()
    await world.answer(await world.sign_in())
    await ENDS[cause](world)
    answer = await world.fetch(ident)
    assert answer.status_code in {400, 401}, answer.text
    assert answer.json()["error"] in {"invalid_grant", "invalid_client"}


@pytest.mark.req("N2")
@pytest.mark.parametrize("cause", ["the agent is suspended", "the instance is retired"])
async def test_what_ends_before_the_yes_can_not_be_allowed(world: BackchannelWorld, cause: str) -> None:
    ident = await world.asked()
    person = await world.sign_in()
    page = await world.see(person)
    await ENDS[cause](world)
    assert (await world.say(person, page)).status_code == 400
    assert (await world.get(page.path, person)).status_code == 400
    assert (await world.fetch(ident)).status_code in {400, 401}
    assert not await world.records("authority.task.started")


async def test_the_page_of_a_browser_is_another(world: BackchannelWorld) -> None:
    person = await world.sign_in()
    await world.asked()
    page = await world.see(person)
    elsewhere = page.path.replace("/me/asks/", "/authorize/")
    assert (await world.get(elsewhere, person)).status_code in {400, 404}
    consent = await world.show(person, "web")
    handle = consent.path.rpartition("/")[2]
    assert (await world.get(f"/me/asks/{handle}", person)).status_code == 400
    assert "code" in told(await world.say(person, consent))
