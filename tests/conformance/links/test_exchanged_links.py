"""A link by token exchange alone (RFC 8693 §2.1): what an agent is given, and what it is refused, and why."""

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from remit.authority.ceiling_json import ceiling_to_json
from remit.authority.envelope import SEPARATOR, text_digest
from remit.kernel.canonical import b64u_decode
from remit.kernel.ids import KeyId, PrincipalId
from support.domains import DomainWorld
from support.links import handed_on, rights_of
from support.oauth import ABSENT, ACCESS_TOKEN, BOOK, SEND, TXN_TOKEN, World, claims_in

SYSTEM = PrincipalId("system")


def last_of(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims of an envelope's last part, unverified."""
    part = text.rpartition(SEPARATOR)[2]
    return json.loads(b64u_decode(part.split(".")[0])), claims_in(part)


def agent_of(world: World, name: str) -> PrincipalId:
    return PrincipalId(str(world.actors[name].principal.parent))


async def given(world: World, by: str, to: str, text: str = "", **changes: Any) -> str:
    answer = await handed_on(world, by, to, text, **changes)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


async def refused(world: World, by: str, to: str, text: str = "", **changes: Any) -> str:
    """The exact error, and the reason that went on record."""
    answer = await handed_on(world, by, to, text, **changes)
    assert answer.status_code in {400, 401, 403}, answer.text
    return str(answer.json()["error"])


@pytest.mark.spec("RFC 8693", "2.2.1")
@pytest.mark.req("R32", "R31")
async def test_the_answer_is_an_envelope_one_hop_longer_that_is_on_record(home: DomainWorld) -> None:
    world = home
    answer = await handed_on(
        world, "calendar-bot", "mail-bot", actions=[BOOK], resources=["Room-1"], scope="mcp"
    )
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["token_type"], body["issued_token_type"]) == ("N_A", TXN_TOKEN)
    assert "refresh_token" not in body
    assert answer.headers["cache-control"] == "no-store"
    text = body["access_token"]
    assert text.rpartition(SEPARATOR)[0] == world.envelope
    header, said = last_of(text)
    assert header["typ"] == "remit-lnk+jwt"
    asker = world.actors["calendar-bot"]
    assert (said["iss"], said["by"], said["next"]) == (world.issuer, asker.id, agent_of(world, "mail-bot"))
    assert (said["key"], said["scope"], said["kind"]) == (asker.key.public.thumbprint, "mcp", "attenuate")
    assert body["expires_in"] == said["exp"] - said["iat"]
    assert [right["resources"] for right in said["ceiling"]["rights"]] == [["Room-1"]]
    assert said["ceiling"]["depth"] == world.task.ceiling.depth - 1
    (record,) = [
        each
        for each in await world.records("authority.envelope.extended")
        if each.envelope == text_digest(text)
    ]
    assert (record.chain, dict(record.detail)["made"]) == ((asker.id,), "exchanged")
    # Whom it names goes on with it, and nobody else; no more than it says.
    taken = await world.exchange("mail-bot", subject_token=text)
    claims = claims_in(taken.json()["access_token"])
    assert claims["act"]["act"]["sub"].split("/")[-1] == asker.id
    assert (await world.exchange("calendar-bot", subject_token=text)).json()["error"] == "access_denied"
    assert (await world.exchange("mail-bot", subject_token=text, resource=ABSENT)).json()[
        "error"
    ] == "invalid_scope"
    named = await handed_on(world, "calendar-bot", "spiffe://remit.example/agent/mail-bot")
    assert last_of(named.json()["access_token"])[1]["next"] == agent_of(world, "mail-bot")


@pytest.mark.spec("RFC 8693", "2.2.2")
@pytest.mark.spec("RFC 8693", "4.4")
@pytest.mark.req("R32")
@pytest.mark.attack("DE-01", "DE-02", "DE-05", "TX-09")
async def test_who_could_not_have_signed_a_link_is_not_given_one(home: DomainWorld) -> None:
    world = home
    mail = str(agent_of(world, "mail-bot"))
    mail_instance = world.actors["mail-bot"].id
    flat = await world.start_task(ceiling=world.ceiling(BOOK, depth=0))
    late = json.loads(rights_of(world, [BOOK]))
    window = ceiling_to_json(world.ceiling(BOOK))["window"]
    late[0]["window"] = {**window, "end": window["end"] + 60}  # type: ignore[dict-item, operator, index, call-overload]  # JSON
    blueprint, human = str(world.blueprints["bot-production"]), world.actors["ana"].id
    forged: dict[str, tuple[str, dict[str, Any]]] = {
        "who is not named": ("access_denied", {"by": "mail-bot", "to": "dev-bot"}),
        "no actor": ("invalid_request", {"actor_token": ABSENT, "actor_token_type": ABSENT}),
        "another's actor token": ("invalid_request", {"actor_token": await world.own_token("mail-bot"),
                                                   "actor_token_type": ACCESS_TOKEN}),
        "more rights": ("invalid_authorization_details", {"actions": [BOOK, "files/files.read"]}),
        "more time": ("invalid_authorization_details", {"authorization_details": json.dumps(late)}),
        "no rights": ("invalid_authorization_details", {"authorization_details": "[]"}),
        "more scope": ("invalid_scope", {"scope": "mcp remit.admin"}),
        "nobody": ("invalid_target", {"to": "agt_01nobody"}),
        "nobody of that name": ("invalid_target", {"to": "spiffe://remit.example/agent/nobody"}),
        "an instance": ("invalid_target", {"to": f"spiffe://remit.example/agent/mail-bot/{mail_instance}"}),
        "of another domain": ("invalid_target", {"to": "spiffe://other.example/agent/mail-bot"}),
        "a blueprint": ("invalid_target", {"to": blueprint}),
        "a person": ("invalid_target", {"to": human}),
        "two": ("invalid_target", {"audience": [mail, mail]}),
        "a server": ("invalid_target", {"resource": world.mcp()}),
        "itself": ("access_denied", {"to": "calendar-bot"}),
        "no depth": ("access_denied", {"text": world.root(flat)}),
        "another kind": ("invalid_request", {"dev.remit.kind": "impersonate"}),
        "an unlisted worker": ("access_denied", {"dev.remit.kind": "broker"}),
        "the text twice": ("invalid_request", {"dev.remit.envelope": world.envelope}),
        "an access token for a text": ("invalid_request", {"text": await world.own_token("calendar-bot")}),
    }  # fmt: skip
    for name, (error, changes) in forged.items():
        asked = {"by": "calendar-bot", "to": "mail-bot", **changes}
        assert await refused(world, asked.pop("by"), asked.pop("to"), **asked) == error, name
    assert not await world.records("authority.envelope.extended")


@pytest.mark.req("R32")
@pytest.mark.attack("DE-01", "DE-04")
async def test_a_part_is_of_no_use_in_another_chain_or_for_a_second_time(home: DomainWorld) -> None:
    world = home
    text = await given(world, "calendar-bot", "mail-bot")
    part = text.rpartition(SEPARATOR)[2]
    other = world.root(await world.start_task())
    for forged in (f"{other}~{part}", f"{text}~{part}", part):
        assert await refused(world, "mail-bot", "dev-bot", forged) == "invalid_request"
        assert (await world.exchange("mail-bot", subject_token=forged)).json()["error"] == "invalid_request"


@pytest.mark.req("R32", "N2")
@pytest.mark.attack("DE-10")
async def test_it_ends_with_its_giver_and_the_key_with_which_it_was_asked(home: DomainWorld) -> None:
    world = home

    async def suspend(who: PrincipalId) -> None:
        await world.identities.suspend(who, by=SYSTEM, because="test", at=world.now)

    async def revoke_key() -> None:
        await world.credentials.revoke(
            KeyId(world.actors["second"].kid), by=SYSTEM, because="lost", at=world.now
        )

    await world.instance("second", agent_of(world, "calendar-bot"))
    await world.instance("third", agent_of(world, "calendar-bot"))
    endings: tuple[tuple[str, Callable[[], Awaitable[Any]], str], ...] = (
        ("second", revoke_key, "invalid_client"),
        ("third", lambda: suspend(world.actors["third"].principal.id), "invalid_request"),
        ("calendar-bot", lambda: suspend(agent_of(world, "mail-bot")), "invalid_target"),
    )
    for giver, end, error in endings:
        text = await given(world, giver, "mail-bot")
        assert (await world.exchange("mail-bot", subject_token=text)).status_code == 200
        own = await world.own_token(giver)
        await end()
        again = await handed_on(world, giver, "mail-bot", actor_token=own, actor_token_type=ACCESS_TOKEN)
        assert again.json()["error"] == error, (giver, again.text)
        if giver != "calendar-bot":
            after = await world.exchange("mail-bot", subject_token=text)
            assert (after.status_code, after.json()["error"]) == (400, "invalid_request")


@pytest.mark.spec("RFC 8693", "2.1")
@pytest.mark.req("R32", "R26", "N2")
async def test_a_held_token_hands_on_what_it_allows_and_takes_that_with_it(home: DomainWorld) -> None:
    world = home
    narrow = rights_of(world, [BOOK], ["Room-1"])
    held = await world.task_token(scope="mcp", authorization_details=narrow)
    asked: dict[str, Any] = {
        "subject_token": held,
        "subject_token_type": ACCESS_TOKEN,
        "actor_token": ABSENT,
        "dev.remit.envelope": world.envelope,
    }
    text = await given(world, "calendar-bot", "mail-bot", **asked)
    _, said = last_of(text)
    assert [(right["action"], right["resources"]) for right in said["ceiling"]["rights"]] == [
        (BOOK, ["Room-1"])
    ]
    assert (said["scope"], said["exp"]) == ("mcp", claims_in(held)["exp"])
    assert claims_in(held)["jti"] in said["on"]
    wrong: dict[str, dict[str, Any]] = {
        "more than the token": {"actions": [BOOK, SEND]},
        "no text": {"dev.remit.envelope": ABSENT},
        "another text": {"dev.remit.envelope": world.root(await world.start_task())},
        "a longer text": {"dev.remit.envelope": text},
    }
    found = {
        name: await refused(world, "calendar-bot", "mail-bot", **{**asked, **each})
        for name, each in wrong.items()
    }
    assert set(found.values()) == {"invalid_request", "invalid_authorization_details"}, found
    assert found["more than the token"] == "invalid_authorization_details"
    assert await refused(world, "mail-bot", "dev-bot", **asked) in {"access_denied", "invalid_request"}
    # What it stands on is named in it: with the token ends what came of it, with whom it went on too.
    taken = await world.exchange("mail-bot", subject_token=text)
    onward = taken.json()["access_token"]
    assert (await world.introspect("mail-bot", onward)).json()["active"]
    assert (await world.revoke("calendar-bot", held)).status_code == 200
    assert not (await world.introspect("mail-bot", onward)).json()["active"]
    assert (await world.exchange("mail-bot", subject_token=text)).json()["error"] == "access_denied"
    assert await refused(world, "mail-bot", "dev-bot", text) == "access_denied"


@pytest.mark.req("R32")
async def test_time_ends_a_link_as_it_ends_what_it_stands_on(home: DomainWorld) -> None:
    world = home
    details = json.loads(rights_of(world, [BOOK]))
    window = ceiling_to_json(world.ceiling(BOOK))["window"]
    assert isinstance(window, dict)
    details[0]["window"] = {**window, "end": int((world.now + timedelta(minutes=1)).timestamp())}
    text = await given(world, "calendar-bot", "mail-bot", authorization_details=json.dumps(details))
    _, said = last_of(text)
    assert said["exp"] - said["iat"] == 60
    world.clock.advance(timedelta(seconds=60))
    assert (await world.exchange("mail-bot", subject_token=text)).json()["error"] == "invalid_request"
