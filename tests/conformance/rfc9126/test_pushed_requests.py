"""Pushed authorization requests (RFC 9126)."""

from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest

from remit.authority.oauth.asking.pending import PendingState
from remit.authority.oauth.endpoints.authorize import AuthorizationEndpoint
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.authorizing import BACK, AuthorizingWorld, told, with_codes
from support.jose import private_key
from support.oauth import ABSENT


@pytest.fixture
async def world(sqlite_uow: SqlUnitOfWork) -> AuthorizingWorld:
    return await AuthorizingWorld(sqlite_uow).populate()


async def come(world: AuthorizingWorld, uri: str, name: str = "strict", **beside: Any) -> Any:
    client = world.clients[name].client_id
    return await world.get(f"/authorize?{urlencode({'client_id': client, 'request_uri': uri, **beside})}")


@pytest.mark.spec("RFC 9126", "2.2")
@pytest.mark.spec("RFC 9126", "4")
async def test_a_pushed_request_is_taken_once_and_leads_to_a_code(world: AuthorizingWorld) -> None:
    pushed = await world.push()
    assert (pushed.status_code, pushed.headers["cache-control"]) == (201, "no-store")
    body = pushed.json()
    assert body["request_uri"].startswith("urn:ietf:params:oauth:request_uri:")
    assert body["expires_in"] == 60
    person = await world.sign_in()
    came = await come(world, body["request_uri"])
    page = await world.open(person, came.headers["location"])
    # A reload shows the same page; the name itself is used up.
    assert (await world.get(page.path, person)).status_code == 200
    assert (await come(world, body["request_uri"])).status_code == 400
    assert (await world.redeem(told(await world.say(person, page))["code"])).status_code == 200


@pytest.mark.attack("OA-14")
async def test_what_stands_beside_the_name_counts_for_nothing(world: AuthorizingWorld) -> None:
    body = (await world.push(scope="mcp", state="pushed")).json()
    beside = {
        "redirect_uri": "https://evil.example/",
        "state": "changed",
        "scope": "root",
        "response_type": "x",
    }
    came = await come(world, body["request_uri"], **beside)
    person = await world.sign_in()
    answer = await world.say(person, await world.open(person, came.headers["location"]))
    assert answer.headers["location"].startswith(f"{BACK}?")
    assert told(answer)["state"] == "pushed"


@pytest.mark.attack("OA-14")
async def test_the_name_is_its_clients_alone_and_soon_over(world: AuthorizingWorld) -> None:
    await world.public("other")
    body = (await world.push()).json()
    assert (await come(world, body["request_uri"], "other")).status_code == 400
    world.pass_time(seconds=60)
    assert (await come(world, body["request_uri"])).status_code == 400


@pytest.mark.attack("OA-16")
@pytest.mark.spec("RFC 9101", "10.4")
async def test_no_name_of_another_place_is_ever_fetched(world: AuthorizingWorld) -> None:
    """The server was composed without any way out: a fetch would fail loudly."""
    for name in ("https://evil.example/r", "http://127.0.0.1/", "urn:other:1", "file:///etc/passwd"):
        assert (await come(world, name)).status_code == 400


class Lenient(AuthorizationEndpoint):
    """Takes a request as often as its name comes, whoever's it is."""

    def _take(self, tx: Any, name: str, registration: Any, at: Any) -> Any:
        from remit.authority.oauth.asking.pending import URN
        from remit.authority.oauth.wire import opaque

        known = tx.pendings.get(opaque.digest_of(name.removeprefix(URN)))
        tx.pendings.move(replace(known, state=PendingState.OVER), was=PendingState.PUSHED)
        return known.request


def lenient(**parts: Any) -> Any:
    whole = with_codes(**parts)
    flow = whole.code_flow
    assert flow is not None
    planted = Lenient(
        uow=parts["uow"],
        directory=whole.directory,
        options=whole.options,
        tenant=parts["tenant"],
        keys=parts["keys"],
        entropy=parts["entropy"],
    )
    return replace(whole, code_flow=replace(flow, authorization=planted))


@pytest.mark.twin("OA-14")
async def test_another_client_would_take_it_twice_without_the_check(sqlite_uow: SqlUnitOfWork) -> None:
    world = await AuthorizingWorld(sqlite_uow, build=lenient).populate()
    await world.public("other")
    body = (await world.push()).json()
    for _ in range(2):
        assert (await come(world, body["request_uri"], "other")).status_code == 303


ERRORS: dict[str, tuple[dict[str, Any], int, str]] = {
    "no such client": ({"client_id": "cli_unknown"}, 401, "invalid_client"),
    "another's redirect": ({"redirect_uri": "https://evil.example/"}, 400, "invalid_request"),
    "a request_uri": ({"request_uri": "urn:ietf:params:oauth:request_uri:x"}, 400, "invalid_request"),
    "no challenge": ({"code_challenge": ABSENT}, 400, "invalid_request"),
    "unknown scope": ({"scope": "root"}, 400, "invalid_scope"),
    "foreign resource": ({"resource": "https://other.example/"}, 400, "invalid_target"),
    "details of no type": ({"authorization_details": "[{}]"}, 400, "invalid_authorization_details"),
    "token": ({"response_type": "token"}, 400, "unsupported_response_type"),
    "a request object": ({"request": "e30.e30."}, 400, "invalid_request_object"),
}


@pytest.mark.spec("RFC 9126", "2.3")
async def test_errors_are_those_of_the_token_endpoint(world: AuthorizingWorld) -> None:
    for changed, status, error in ERRORS.values():
        answer = await world.push(**changed)
        assert (answer.status_code, answer.json()["error"]) == (status, error), changed
    assert (await world.get("/par")).status_code == 405


@pytest.mark.spec("RFC 9126", "2.1")
async def test_a_client_with_a_key_proves_itself(world: AuthorizingWorld) -> None:
    assert (await world.push("web")).status_code == 201
    unproven = await world.post("/par", {**world.request("web")})
    assert (unproven.status_code, unproven.json()["error"]) == (401, "invalid_client")
    form = world.form("web")
    assert (await world.post("/par", {**form, **world.request("web")})).status_code == 201
    again = await world.post("/par", {**form, **world.request("web")})
    assert (again.status_code, again.json()["error"]) == (401, "invalid_client")


@pytest.mark.spec("RFC 9449", "10.1")
async def test_a_proof_binds_the_code_to_its_key(world: AuthorizingWorld) -> None:
    thief = private_key("key of a thief")
    bound = await world.push(proof=world.device_proof("/par"))
    assert bound.status_code == 201
    differs = await world.push(proof=world.device_proof("/par"), dpop_jkt=thief.public.thumbprint)
    assert (differs.status_code, differs.json()["error"]) == (400, "invalid_dpop_proof")
    elsewhere = await world.push(proof=world.device_proof("/token"))
    assert elsewhere.json()["error"] == "invalid_dpop_proof"
    person = await world.sign_in()
    came = await come(world, bound.json()["request_uri"])
    code = told(await world.say(person, await world.open(person, came.headers["location"])))["code"]
    stolen = await world.redeem(code, proof=world.device_proof(key=thief))
    assert stolen.json()["error"] == "invalid_grant"
    assert (await world.redeem(code)).status_code == 200


@pytest.mark.spec("RFC 8414", "2")
@pytest.mark.spec("RFC 9126", "5")
@pytest.mark.spec("RFC 7636", "6.2.1")
@pytest.mark.spec("RFC 9207", "3")
async def test_what_is_on_is_advertised(world: AuthorizingWorld) -> None:
    found = (await world.get("/.well-known/oauth-authorization-server")).json()
    issuer = world.options.issuer
    assert found["authorization_endpoint"] == f"{issuer}/authorize"
    assert found["pushed_authorization_request_endpoint"] == f"{issuer}/par"
    assert found["code_challenge_methods_supported"] == ["S256"]
    assert found["response_types_supported"] == ["code"]
    assert found["authorization_response_iss_parameter_supported"] is True
    assert {"authorization_code", "refresh_token"} <= set(found["grant_types_supported"])
