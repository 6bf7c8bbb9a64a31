"""RFC 8628: a device asks, a person answers elsewhere, the device polls."""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from remit.authority.oauth.clients.metadata import read_metadata
from remit.authority.oauth.clients.registration import DEVICE
from remit.authority.oauth.metadata import server_metadata
from remit.authority.oauth.wire.errors import InvalidClientMetadata, InvalidRedirectUri
from remit.kernel.ids import GrantId, PrincipalId
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.authorizing import AuthorizingWorld
from support.devices import DeviceWorld
from support.jose import private_key
from support.oauth import ABSENT, OPTIONS, claims_in

SPEC = "RFC 8628"


async def sign_out(world: DeviceWorld) -> None:
    ana = world.actors["ana"].principal.id
    await world.sessions.end_all(ana, by=ana, because="test")


async def withdraw(world: DeviceWorld) -> None:
    flow = world.oauth.devices
    assert flow is not None
    for given in await world.records("authority.grant.given"):
        ana = world.actors["ana"].principal.id
        await flow.consent._consents.withdraw(GrantId(given.grant), by=ana, at=world.now)


async def kill(world: DeviceWorld) -> None:
    (started,) = await world.records("authority.task.started")

    def work(tx: Any) -> None:
        epoch = tx.advance_epoch("test")
        tx.lineage.bury("task", started.task, cause="killed", epoch=epoch, at=world.now)

    await world.uow.commit(work)


async def suspend(world: DeviceWorld) -> None:
    agent = PrincipalId(str(world.actors["calendar-bot"].principal.parent))
    await world.identities.suspend(agent, by=PrincipalId("system"), because="test", at=world.now)


async def revoke(world: DeviceWorld) -> None:
    await world.change("tv", revoked_at=world.now)


CAUSES = {
    "the person signed out": sign_out,
    "the consent is withdrawn": withdraw,
    "the task is killed": kill,
    "the agent is suspended": suspend,
    "the client is revoked": revoke,
}


@pytest.fixture
async def world(sqlite_uow: SqlUnitOfWork) -> DeviceWorld:
    return await DeviceWorld(sqlite_uow).populate()


@pytest.mark.spec(SPEC, "3.1")
@pytest.mark.spec(SPEC, "3.2")
@pytest.mark.spec(SPEC, "3.4")
@pytest.mark.spec(SPEC, "3.5")
@pytest.mark.req("R35", "R26")
async def test_a_device_gets_what_a_person_allowed_it_elsewhere(world: DeviceWorld) -> None:
    shown = await world.asked()
    assert shown["verification_uri"] == "https://remit.example/device"
    assert (shown["expires_in"], shown["interval"]) == (600, 5)
    assert re.fullmatch(r"[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}", shown["user_code"])
    assert "verification_uri_complete" not in shown
    assert await world.error(shown["device_code"]) == "authorization_pending"
    person = await world.sign_in()
    page = await world.see(person, shown["user_code"].lower().replace("-", " "))
    assert "business/rooms.book" in page.text
    assert "the tv client" in page.text
    assert "the computer that Remit runs on (127.0.0.1)" in page.text
    said = await world.say(person, page)
    assert "Go back to the device" in said.text
    answer = await world.poll(shown["device_code"])
    assert answer.status_code == 200, answer.text
    tokens = answer.json()
    claims = claims_in(tokens["access_token"])
    assert claims["sub"] == world.actors["ana"].id
    assert claims["act"]["sub"].endswith(world.clients["tv"].principal)
    assert claims["txn"].startswith("tsk_")
    assert claims["cnf"]["jkt"] == world.device.public.thumbprint
    assert claims["auth_time"] == int(person.session.authenticated_at.timestamp())
    renewed = await world.refresh(tokens["refresh_token"], "tv")
    assert renewed.status_code == 200
    (approved,) = await world.records("authority.authorization.approved")
    assert approved.task == claims["txn"]


@pytest.mark.spec(SPEC, "3.5")
async def test_each_end_of_a_request_has_its_own_word(world: DeviceWorld) -> None:
    person = await world.sign_in()
    denied = await world.asked()
    await world.answer(person, denied["user_code"], "deny")
    assert await world.error(denied["device_code"]) == "access_denied"
    late = await world.asked()
    world.pass_time(minutes=10)
    assert await world.error(late["device_code"]) == "expired_token"
    assert await world.error("rmt_dc_" + "A" * 43) == "invalid_grant"
    assert await world.error("nothing of ours") == "invalid_grant"
    missing = await world.send("/token", "tv", {"grant_type": DEVICE})
    assert missing.json()["error"] == "invalid_request"
    typed = await world.type(person, late["user_code"])
    assert typed.status_code == 400


@pytest.mark.spec(SPEC, "3.5")
@pytest.mark.attack("CB-09")
async def test_who_polls_too_fast_polls_more_slowly_ever_after(world: DeviceWorld) -> None:
    code = (await world.asked())["device_code"]
    said = [await world.error(code)]
    for wait in (4.0, 3.0, 10.0, 11.0, 15.0, 15.0):
        world.pass_time(seconds=wait)
        said.append(await world.error(code))
    # 5 s first; from the poll after 3 s on 10 s, and never less again.
    assert said == [
        "authorization_pending",
        "authorization_pending",
        "slow_down",
        "authorization_pending",
        "authorization_pending",
        "authorization_pending",
        "authorization_pending",
    ]
    world.pass_time(seconds=5)
    assert await world.error(code) == "slow_down"
    world.pass_time(seconds=10)
    assert await world.error(code) == "slow_down", "15 s by now"
    world.pass_time(seconds=20)
    assert await world.error(code) == "authorization_pending"


@pytest.mark.spec(SPEC, "3.1")
@pytest.mark.spec(SPEC, "5.6")
async def test_who_may_ask(world: DeviceWorld) -> None:
    other = private_key("another key").public.thumbprint
    assert (await world.ask_device(dpop_jkt=other)).json()["error"] == "invalid_dpop_proof"
    assert (await world.ask_device("strict")).json()["error"] == "unauthorized_client"
    assert (await world.ask_device(scope="remit.admin")).json()["error"] == "invalid_scope"
    foreign = await world.ask_device(resource="https://elsewhere.example/mcp")
    assert foreign.json()["error"] == "invalid_target"
    strange = await world.ask_device(authorization_details="[{}]")
    assert strange.json()["error"] == "invalid_authorization_details"
    unknown = await world.post("/device_authorization", {"client_id": "cli_nobody"})
    assert (unknown.status_code, unknown.json()["error"]) == (401, "invalid_client")
    # One that proves itself needs no proof here, and needs one where tokens are given.
    box = await world.asked("box", proof=ABSENT)
    assert await world.error(box["device_code"], "box", proof=ABSENT) == "invalid_dpop_proof"
    await world.answer(await world.sign_in(), box["user_code"])
    answer = await world.poll(box["device_code"], "box", proof=world.proof("box"))
    assert answer.status_code == 200, answer.text


@pytest.mark.spec(SPEC, "3.1")
@pytest.mark.spec("RFC 9449", "5")
async def test_a_client_that_knows_no_proof_there_needs_one_where_tokens_are_given(
    world: DeviceWorld,
) -> None:
    plain = await world.asked(proof=ABSENT)
    named = await world.asked(proof=ABSENT, dpop_jkt=private_key("another key").public.thumbprint)
    person = await world.sign_in()
    for shown in (plain, named):
        await world.answer(person, shown["user_code"])
    assert await world.error(plain["device_code"], proof=ABSENT) == "invalid_dpop_proof"
    assert await world.error(named["device_code"]) == "invalid_grant"
    tokens = (await world.poll(plain["device_code"])).json()
    assert claims_in(tokens["access_token"])["cnf"]["jkt"] == world.device.public.thumbprint
    # From then on it is that key's: no other renews it.
    thief = world.device_proof(key=private_key("key of a thief"))
    stolen = await world.refresh(tokens["refresh_token"], "tv", proof=thief)
    assert stolen.json()["error"] == "invalid_grant"


@pytest.mark.spec(SPEC, "4")
async def test_nothing_of_it_is_there_unless_it_is_on(sqlite_uow: SqlUnitOfWork) -> None:
    world = await AuthorizingWorld(sqlite_uow).populate()
    named = server_metadata(OPTIONS, codes=True)
    assert "device_authorization_endpoint" not in named
    assert DEVICE not in str(named["grant_types_supported"])
    assert (await world.post("/device_authorization", {"client_id": "cli_strict"})).status_code == 404
    polled = await world.send("/token", "strict", {"grant_type": DEVICE, "device_code": "x"})
    assert polled.json()["error"] == "unsupported_grant_type"
    on = server_metadata(replace(OPTIONS, devices=True), codes=True)
    assert on["device_authorization_endpoint"] == f"{OPTIONS.issuer}/device_authorization"
    assert DEVICE in str(on["grant_types_supported"])


@pytest.mark.spec(SPEC, "5.3")
async def test_a_device_code_is_its_own_devices_alone_and_fetched_once(world: DeviceWorld) -> None:
    await world.public("radio", grant_types=world.clients["tv"].grant_types, redirect_uris=())
    shown = await world.asked()
    code = shown["device_code"]
    thief = {"proof": world.device_proof(key=private_key("key of a thief"))}
    assert await world.error(code, **thief) == "invalid_grant"
    assert await world.error(code, "radio") == "invalid_grant"
    await world.answer(await world.sign_in(), shown["user_code"])
    assert await world.error(code, "radio") == "invalid_grant"
    thief = {"proof": world.device_proof(key=private_key("key of a thief"))}
    assert await world.error(code, **thief) == "invalid_grant"
    tokens = (await world.poll(code)).json()
    assert "access_token" in tokens
    assert await world.error(code) == "invalid_grant"
    # What was fetched twice is given to nobody: it ends.
    assert (await world.refresh(tokens["refresh_token"], "tv")).json()["error"] == "invalid_grant"


@pytest.mark.spec(SPEC, "3.5")
@pytest.mark.promise("P1")
@pytest.mark.parametrize("name", CAUSES)
async def test_what_ends_between_yes_and_poll_is_not_fetched(world: DeviceWorld, name: str) -> None:
    shown = await world.asked()
    await world.answer(await world.sign_in(), shown["user_code"])
    await CAUSES[name](world)
    refused = await world.poll(shown["device_code"])
    assert refused.json()["error"] in {"invalid_grant", "invalid_client"}, refused.text
    assert not await world.records("authority.token.issued")


@pytest.mark.spec("RFC 7591", "2")
def test_a_client_of_devices_alone_is_sent_nowhere() -> None:
    stated = read_metadata({"client_name": "tv", "grant_types": [DEVICE, "refresh_token"]})
    assert stated.redirect_uris == ()
    assert stated.grant_types == {DEVICE, "refresh_token"}
    with pytest.raises(InvalidRedirectUri):
        read_metadata({"client_name": "tv", "grant_types": [DEVICE, "authorization_code"]})
    with pytest.raises(InvalidClientMetadata):
        read_metadata({"client_name": "tv", "grant_types": ["refresh_token"]})


async def test_requests_that_ran_out_are_dropped(world: DeviceWorld) -> None:
    person = await world.sign_in()
    await world.asked()
    await world.type(person, "BCDF-GHJK")
    later = world.now + timedelta(hours=1)
    assert await world.uow.commit(lambda tx: tx.devices.forget(later, 100)) == 1
    assert await world.uow.commit(lambda tx: tx.devices.forget(later, 100)) == 0
