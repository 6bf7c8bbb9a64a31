"""The token endpoint: one form, one answer, exact names and codes."""

from typing import Any

import pytest

from support.oauth import ABSENT, ISSUER, World


@pytest.mark.spec("RFC 6749", "5.1")
async def test_an_answer_is_json_that_nobody_stores(world: World) -> None:
    answer = await world.ask("calendar-bot", grant_type="client_credentials")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert "no-store" in answer.headers["cache-control"]
    assert answer.headers["pragma"] == "no-cache"
    assert answer.json().keys() == {"access_token", "token_type", "expires_in", "scope"}
    assert type(answer.json()["expires_in"]) is int


@pytest.mark.spec("RFC 6749", "5.2")
@pytest.mark.parametrize(
    ("parameters", "error", "status"),
    [
        ({"grant_type": ABSENT}, "invalid_request", 400),
        ({"grant_type": ""}, "invalid_request", 400),
        ({"grant_type": "password", "username": "a", "password": "b"}, "unsupported_grant_type", 400),
        ({"grant_type": "authorization_code", "code": "x"}, "unsupported_grant_type", 400),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, "unsupported_grant_type", 400),
        ({"grant_type": "CLIENT_CREDENTIALS"}, "unsupported_grant_type", 400),
        ({"scope": "nonsense"}, "invalid_scope", 400),
        ({"scope": "remit.admin"}, "invalid_scope", 400),
        ({"scope": "remit.act  mcp"}, "invalid_scope", 400),
        ({"scope": "remit.act " * 65}, "invalid_scope", 400),
        ({"resource": "https://other.example/api"}, "invalid_target", 400),
        ({"resource": f"{ISSUER}/mcp/nowhere"}, "invalid_target", 400),
        ({"resource": [f"{ISSUER}/api", f"{ISSUER}/mcp/business"]}, "invalid_target", 400),
        ({"resource": [f"{ISSUER}/api", f"{ISSUER}/api"]}, "invalid_target", 400),
        ({"audience": f"{ISSUER}/api"}, "invalid_target", 400),
        ({"authorization_details": "[]"}, "invalid_authorization_details", 400),
        ({"client_assertion": "x.y.z"}, "invalid_client", 401),
        ({"client_assertion_type": "urn:other"}, "invalid_client", 401),
        ({"client_assertion_type": ABSENT}, "invalid_client", 401),
        ({"client_id": "ins_other"}, "invalid_client", 401),
        ({"client_secret": "x"}, "invalid_request", 400),
    ],
)
async def test_each_mistake_has_its_name_and_code(
    world: World, parameters: dict[str, Any], error: str, status: int
) -> None:
    form = {"grant_type": "client_credentials", **parameters}
    answer = await world.ask("calendar-bot", **form)
    assert (answer.status_code, answer.json()["error"]) == (status, error), answer.text
    assert answer.json().keys() == {"error", "error_description"}
    assert answer.headers["cache-control"] == "no-store"
    assert set(answer.json()["error_description"]) <= {chr(n) for n in range(0x20, 0x7F)} - {'"', "\\"}


@pytest.mark.spec("RFC 6749", "3.2")
async def test_parameters_come_once_and_in_the_body(world: World) -> None:
    form = world.form("calendar-bot", grant_type="client_credentials")
    twice = await world.post("/token", {**form, "grant_type": ["client_credentials"] * 2})
    assert (twice.status_code, twice.json()["error"]) == (400, "invalid_request")
    query = await world.post("/token?scope=mcp", form)
    assert (query.status_code, query.json()["error"]) == (400, "invalid_request")
    as_json = await world.http.post("/token", json=form)
    assert (as_json.status_code, as_json.json()["error"]) == (400, "invalid_request")


@pytest.mark.spec("RFC 6749", "3.2")
async def test_only_post_is_served(world: World) -> None:
    for path in ("/token", "/introspect", "/revoke"):
        for method in ("GET", "PUT", "DELETE"):
            assert (await world.http.request(method, path)).status_code == 405


@pytest.mark.promise("P13")
async def test_a_form_over_its_limit_is_refused_without_being_read(world: World) -> None:
    answer = await world.post("/token", {"grant_type": "x" * (64 << 10)})
    assert (answer.status_code, answer.json()["error"]) == (413, "invalid_request")


@pytest.mark.spec("RFC 6749", "2.3")
async def test_two_authentications_at_once_are_none(world: World) -> None:
    answer = await world.ask(
        "calendar-bot", grant_type="client_credentials", headers=[("authorization", "Basic YTpi")]
    )
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


@pytest.mark.spec("RFC 6749", "5.2")
async def test_a_client_that_used_the_header_is_told_so(world: World) -> None:
    answer = await world.post(
        "/token", {"grant_type": "client_credentials"}, headers=[("authorization", "Basic YTpi")]
    )
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert answer.headers["www-authenticate"].startswith("Basic ")


async def test_a_person_gets_the_scopes_of_their_roles_at_the_api_alone(world: World) -> None:
    answer = await world.ask("ana", grant_type="client_credentials")
    assert answer.json()["scope"] == "remit.admin remit.approve remit.kill remit.read remit.write"
    answer = await world.ask("ben", grant_type="client_credentials")
    assert "remit.kill" not in answer.json()["scope"].split()
    assert "remit.approve" in answer.json()["scope"].split()
    answer = await world.ask("ben", grant_type="client_credentials", scope="remit.kill")
    assert answer.json()["error"] == "invalid_scope"
    answer = await world.ask("ana", grant_type="client_credentials", resource=f"{ISSUER}/mcp/business")
    assert answer.json()["error"] == "invalid_target"


@pytest.mark.req("R34")
async def test_an_issue_and_a_refusal_leave_each_a_record(world: World) -> None:
    await world.own_token("calendar-bot")
    await world.ask("calendar-bot", grant_type="client_credentials", scope="remit.admin")
    (issued,) = await world.records("authority.token.issued")
    assert issued.actor == world.actors["calendar-bot"].id
    assert issued.owner == world.actors["ana"].id
    assert issued.resource == f"{ISSUER}/api"
    assert dict(issued.detail)["scope"] == "remit.act"
    (refused,) = await world.records("authority.token.refused")
    assert refused.actor == world.actors["calendar-bot"].id
    assert refused.codes == ("invalid_scope", "scope_widened")


async def test_strangers_cannot_fill_the_ledger(world: World) -> None:
    await world.ask("calendar-bot", grant_type="client_credentials", client_assertion="a.b.c")
    assert not await world.records("authority.token.refused")


async def test_nothing_is_issued_while_the_clock_is_in_doubt(world: World) -> None:
    world.clock.is_suspect = True
    answer = await world.ask("calendar-bot", grant_type="client_credentials")
    assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
    assert answer.headers["retry-after"]


@pytest.mark.promise("P14")
async def test_no_answer_of_refusal_repeats_what_was_secret(world: World) -> None:
    assertion = world.assertion("calendar-bot")
    answer = await world.ask("calendar-bot", grant_type="x", client_assertion=assertion)
    assert assertion.split(".")[2] not in answer.text
