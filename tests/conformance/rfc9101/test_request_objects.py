"""RFC 9101: requests that are signed by their client."""

import json
from typing import Any

import pytest

from remit.authority.oauth.metadata import server_metadata
from remit.kernel.jose.algorithms import Algorithm
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.authorizing import BACK, AuthorizingWorld, told
from support.oauth import ABSENT, BOOK, OPTIONS, claims_in
from support.request_objects import later, request_object

SPEC = "RFC 9101"


@pytest.fixture
async def world(sqlite_uow: SqlUnitOfWork) -> AuthorizingWorld:
    return await AuthorizingWorld(sqlite_uow).populate()


async def come(world: AuthorizingWorld, name: str = "web", **query: Any) -> Any:
    """Come to `/authorize` with nothing but a client and what is given."""
    from urllib.parse import urlencode

    asked = {"client_id": world.clients[name].client_id, **query}
    stated = {each: value for each, value in asked.items() if value is not ABSENT}
    return await world.get(f"/authorize?{urlencode(stated)}")


@pytest.mark.spec(SPEC, "4")
@pytest.mark.spec(SPEC, "5.1")
@pytest.mark.spec(SPEC, "6.3")
async def test_what_was_signed_is_the_whole_request(world: AuthorizingWorld) -> None:
    right = {"action": BOOK, "resource_type": "Thing", "resources": "any", "constraints": []}
    signed = request_object(
        world,
        state="the signed state",
        max_age=600,
        resource=[world.options.mcp("business")],
        authorization_details=[{"type": "remit_action", "rights": [right]}],
    )
    # What stands beside it counts for nothing, the place of the answer least of all.
    began = await come(
        world, request=signed, state="another", redirect_uri="https://evil.example/", scope="remit.admin"
    )
    assert began.status_code == 303, began.text
    person = await world.sign_in()
    answer = await world.say(person, await world.open(person, began.headers["location"]))
    assert answer.headers["location"].startswith(BACK)
    found = told(answer)
    assert found["state"] == "the signed state"
    tokens = await world.redeem(found["code"], "web", proof=world.proof("web"))
    assert tokens.status_code == 200, tokens.text
    (details,) = claims_in(tokens.json()["access_token"])["authorization_details"]
    assert [each["action"] for each in details["rights"]] == [BOOK]


@pytest.mark.spec(SPEC, "6.3")
@pytest.mark.spec(SPEC, "7")
async def test_an_error_in_it_goes_where_it_says(world: AuthorizingWorld) -> None:
    found = told(await come(world, request=request_object(world, scope="root", state="s")))
    assert (found["error"], found["state"]) == ("invalid_scope", "s")
    foreign = request_object(world, redirect_uri="https://evil.example/")
    assert (await come(world, request=foreign, redirect_uri=BACK)).status_code == 400
    # Outside there is only the client: without it nobody's keys are known (§5).
    nobody = await come(world, client_id=ABSENT, request=request_object(world))
    assert nobody.status_code == 400


@pytest.mark.spec("RFC 9126", "3")
@pytest.mark.spec(SPEC, "6")
async def test_a_signed_request_can_be_pushed(world: AuthorizingWorld) -> None:
    body = {"request": request_object(world, state="pushed"), "state": "beside"}
    pushed = await world.send("/par", "web", body, proof=ABSENT)
    assert pushed.status_code == 201, pushed.text
    began = await come(world, request_uri=pushed.json()["request_uri"])
    person = await world.sign_in()
    answer = await world.say(person, await world.open(person, began.headers["location"]))
    assert told(answer)["state"] == "pushed"
    broken = await world.send("/par", "web", {"request": request_object(world)[:-2]}, proof=ABSENT)
    assert (broken.status_code, broken.json()["error"]) == (400, "invalid_request_object")


@pytest.mark.spec(SPEC, "10.5")
async def test_a_client_that_signs_its_requests_sends_no_other(world: AuthorizingWorld) -> None:
    await world.change("web", signed_requests=True)
    assert (await world.begin("web")).status_code == 400
    assert (await world.push("web")).json()["error"] == "invalid_request"
    assert (await come(world, request=request_object(world))).status_code == 303


@pytest.mark.spec(SPEC, "4")
async def test_its_times_are_bounded(world: AuthorizingWorld) -> None:
    for expires, good in ((later(world, minutes=9), True), (later(world, minutes=11), False)):
        answer = await come(world, request=request_object(world, exp=expires))
        assert (answer.status_code == 303) is good
    late = request_object(world)
    world.pass_time(minutes=2)
    assert (await come(world, request=late)).status_code == 400
    early = request_object(world, nbf=later(world, minutes=5))
    assert (await come(world, request=early)).status_code == 400


@pytest.mark.spec(SPEC, "9")
def test_the_metadata_say_what_is_read() -> None:
    named = json.loads(json.dumps(server_metadata(OPTIONS, codes=True)))
    assert named["request_parameter_supported"] is True
    assert named["request_uri_parameter_supported"] is False
    assert named["require_signed_request_object"] is False
    served = named["request_object_signing_alg_values_supported"]
    assert set(served) == {str(each) for each in Algorithm}
    assert "none" not in served
