"""Token exchange (RFC 8693): what goes in, what comes out, and the names of the refusals."""

import itertools
import json
from datetime import timedelta
from typing import Any

import pytest

from remit.authority.oauth.wire.rar import ceiling_of, details_of
from support.oauth import ABSENT, ACCESS_TOKEN, EXCHANGE, ISSUER, SEND, TXN_TOKEN, World, claims_in

TOKEN_TYPE = "urn:ietf:params:oauth:token-type:"


@pytest.mark.spec("RFC 8693", "2.2.1")
@pytest.mark.req("R26")
async def test_the_answer_names_what_was_issued(each_world: World) -> None:
    answer = await each_world.exchange("calendar-bot")
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["issued_token_type"] == ACCESS_TOKEN
    assert body["token_type"] == "DPoP"
    assert body["scope"] == "mcp"
    assert "refresh_token" not in body
    assert ceiling_of(body["authorization_details"]) == ceiling_of(details_of(each_world.task.ceiling))


@pytest.mark.spec("RFC 8693", "4.1")
@pytest.mark.req("R25", "R26", "R31")
async def test_the_subject_is_the_user_and_the_actor_is_the_instance(world: World) -> None:
    claims = claims_in(await world.task_token())
    bot = world.actors["calendar-bot"]
    assert claims["sub"] == world.actors["ana"].id
    assert claims["act"] == {"sub": f"spiffe://remit.example/agent/calendar-bot/{bot.id}"}
    assert claims["client_id"] == bot.id
    assert claims["txn"] == world.task.id
    assert claims["aud"] == f"{ISSUER}/mcp/business"
    assert claims["cnf"] == {"jkt": bot.key.public.thumbprint}
    assert world.actors["ana"].kid not in json.dumps(claims)


@pytest.mark.req("N24", "R31")
async def test_the_server_extends_the_chain_by_each_verified_hop(each_world: World) -> None:
    world = each_world
    longer = world.hop(world.envelope, world.task.ceiling, by="calendar-bot", to="mail-bot")
    claims = claims_in(
        await world.task_token("mail-bot", subject_token=longer, resource=f"{ISSUER}/mcp/mail")
    )
    outer, inner = world.actors["mail-bot"].id, world.actors["calendar-bot"].id
    assert claims["act"] == {
        "sub": f"spiffe://remit.example/agent/mail-bot/{outer}",
        "act": {"sub": f"spiffe://remit.example/agent/calendar-bot/{inner}"},
    }
    assert claims["sub"] == world.actors["ana"].id
    (told,) = [each for each in await world.records("authority.token.issued") if each.task]
    assert told.chain == (inner, outer)
    assert told.task == world.task.id


@pytest.mark.spec("RFC 8693", "2.1")
@pytest.mark.attack("TX-09")
@pytest.mark.parametrize(
    "parameters",
    [
        {"subject_token": ABSENT},
        {"subject_token_type": ABSENT},
        {"subject_token_type": f"{TOKEN_TYPE}jwt"},
        {"subject_token_type": f"{TOKEN_TYPE}id_token"},
        {"subject_token_type": f"{TOKEN_TYPE}refresh_token"},
        {"subject_token_type": f"{TOKEN_TYPE}saml2"},
        {"subject_token_type": "access_token"},
        {"subject_token_type": TXN_TOKEN.upper()},
        {"subject_token_type": ACCESS_TOKEN},
        {"actor_token_type": ABSENT},
        {"actor_token_type": TXN_TOKEN},
        {"actor_token_type": f"{TOKEN_TYPE}jwt"},
        {"requested_token_type": f"{TOKEN_TYPE}refresh_token"},
        {"requested_token_type": f"{TOKEN_TYPE}id_token"},
        {"requested_token_type": f"{TOKEN_TYPE}id-jag"},
        {"requested_token_type": TXN_TOKEN},
        {"subject_token": "nonsense"},
        {"actor_token": "nonsense"},
    ],
)
async def test_unknown_and_mixed_types_are_refused(world: World, parameters: dict[str, Any]) -> None:
    answer = await world.exchange("calendar-bot", **parameters)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request"), answer.text


@pytest.mark.attack("TX-09")
async def test_roles_follow_the_class_of_a_token_not_its_place(world: World) -> None:
    own = await world.own_token("calendar-bot")
    swapped = await world.exchange(
        "calendar-bot", subject_token=own, subject_token_type=TXN_TOKEN, actor_token=own
    )
    assert swapped.json()["error"] == "invalid_request"
    swapped = await world.exchange("calendar-bot", actor_token=world.envelope)
    assert swapped.json()["error"] == "invalid_request"


@pytest.mark.req("R26")
async def test_a_narrower_token_for_another_resource_is_had_from_a_held_one(world: World) -> None:
    held = await world.task_token()
    wish = [{"type": "remit_action", "rights": details_of(world.ceiling(SEND))[0]["rights"]}]  # type: ignore[index,call-overload]  # JSON
    answer = await world.ask(
        "calendar-bot",
        grant_type=EXCHANGE,
        subject_token=held,
        subject_token_type=ACCESS_TOKEN,
        resource=f"{ISSUER}/mcp/mail",
        authorization_details=json.dumps(wish),
    )
    assert answer.status_code == 200, answer.text
    before, after = claims_in(held), claims_in(answer.json()["access_token"])
    assert after["act"] == before["act"]
    assert after["txn"] == before["txn"]
    assert after["aud"] == f"{ISSUER}/mcp/mail"
    assert after["exp"] <= before["exp"]
    (details,) = after["authorization_details"]
    assert [right["action"] for right in details["rights"]] == [SEND]
    back = await world.ask(
        "calendar-bot",
        grant_type=EXCHANGE,
        subject_token=answer.json()["access_token"],
        subject_token_type=ACCESS_TOKEN,
        resource=f"{ISSUER}/mcp/business",
    )
    assert back.json()["error"] == "invalid_target"


async def test_a_held_token_is_exchanged_by_its_own_instance_alone(world: World) -> None:
    held = await world.task_token()
    answer = await world.ask(
        "mail-bot",
        grant_type=EXCHANGE,
        subject_token=held,
        subject_token_type=ACCESS_TOKEN,
        resource=f"{ISSUER}/mcp/mail",
    )
    assert answer.json()["error"] == "invalid_request"


@pytest.mark.req("R26")
async def test_a_token_ends_with_whatever_it_stands_on_that_ends_first(world: World) -> None:
    own = await world.own_token("calendar-bot")
    world.clock.advance(200)
    claims = claims_in(await world.task_token(actor_token=own))
    assert claims["exp"] == claims_in(own)["exp"]
    short = await world.start_task(deadline=timedelta(seconds=30))
    claims = claims_in(await world.task_token(subject_token=world.root(short)))
    assert claims["exp"] == int(short.deadline.timestamp())


async def test_people_and_workloads_do_not_exchange(world: World) -> None:
    for who in ("ana", (await world.workload("backup")).principal.name):
        answer = await world.exchange(who)
        assert (answer.status_code, answer.json()["error"]) == (400, "unauthorized_client")


@pytest.mark.spec("RFC 8707", "2")
@pytest.mark.parametrize(
    "resource", [f"{ISSUER}/mcp/nowhere", "https://other.example/mcp/business", "business", f"{ISSUER}/mcp/"]
)
async def test_a_target_of_nobody_is_refused(world: World, resource: str) -> None:
    answer = await world.exchange("calendar-bot", resource=resource)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_target")


async def test_a_target_at_which_nothing_would_be_allowed_is_refused(world: World) -> None:
    await world.server("other")
    answer = await world.exchange("calendar-bot", resource=f"{ISSUER}/mcp/other")
    assert answer.json()["error"] == "invalid_target"


async def test_a_delegated_token_for_the_api_never_carries_a_persons_scopes(world: World) -> None:
    claims = claims_in(await world.task_token(resource=f"{ISSUER}/api"))
    assert claims["scope"] == "remit.act"
    for scope in ("remit.admin", "remit.approve", "remit.kill", "remit.read"):
        answer = await world.exchange("calendar-bot", resource=f"{ISSUER}/api", scope=scope)
        assert answer.json()["error"] == "invalid_scope"


@pytest.mark.req("R25")
async def test_no_combination_of_parameters_yields_a_users_token_without_an_actor(world: World) -> None:
    """Every combination of grant, subject, actor, target and wish that a client could send."""
    held, own = await world.task_token(), await world.own_token("calendar-bot")
    persons = await world.own_token("ana")
    subjects = [
        (world.envelope, TXN_TOKEN),
        (held, ACCESS_TOKEN),
        (own, ACCESS_TOKEN),
        (persons, ACCESS_TOKEN),
    ]
    actors = [ABSENT, own, held, persons]
    targets = [f"{ISSUER}/api", f"{ISSUER}/mcp/business"]
    issued = 0
    for (subject, kind), actor, target in itertools.product(subjects, actors, targets):
        answer = await world.ask(
            "calendar-bot",
            grant_type=EXCHANGE,
            subject_token=subject,
            subject_token_type=kind,
            actor_token=actor,
            actor_token_type=ABSENT if actor is ABSENT else ACCESS_TOKEN,
            resource=target,
            act='{"sub":"nobody"}',
        )
        if answer.status_code == 200:
            issued += 1
            claims = claims_in(answer.json()["access_token"])
            assert claims["act"]["sub"].endswith(world.actors["calendar-bot"].id)
            assert "act" not in claims["act"]
    assert issued > 0
