"""DP, TX: stolen, downgraded, foreign and endless tokens, at the token endpoint and at one without rules."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, select

from remit.kernel.canonical import b64u_decode
from remit.kernel.ids import TenantId
from remit.kernel.jose import jws, jwt
from remit.kernel.jose.dpop import make_proof
from remit.kernel.jose.keys import KeyClass
from remit.kernel.jose.profiles import TokenType
from remit.platform.storage.tables.authority import replay
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.jose import Party, party, private_key
from support.oauth import ABSENT, ACCESS_TOKEN, EXCHANGE, ISSUER, TXN_TOKEN, World, building, claims_in
from twins import oauth as lax

RESOURCE = f"{ISSUER}/mcp/business"
ROWS = select(func.count()).select_from(replay)
THEIRS = "https://other.example"


async def opened(uow: SqlUnitOfWork, **parts: Any) -> World:
    return await World(uow, build=building(**parts)).populate()


# -- DP-08


async def redeemed_by_a_thief(world: World, **form: Any) -> Any:
    """mail-bot has got hold of calendar-bot's ticket and token, and shows them with a key of its own."""
    stolen = {"subject_token": world.envelope, "actor_token": await world.own_token("calendar-bot")}
    return await world.exchange("mail-bot", **{**stolen, **form})


@pytest.mark.attack("DP-08")
@pytest.mark.spec("RFC 9449", "10")
async def test_a_stolen_ticket_is_worth_nothing_with_another_key(each_world: World) -> None:
    world = each_world
    held = await world.task_token()
    own = await world.own_token("calendar-bot")
    thief = private_key("thief")
    strange = make_proof(thief, method="POST", target=f"{ISSUER}/token", jti="thief", at=world.now)
    tries = (
        await redeemed_by_a_thief(world),
        await redeemed_by_a_thief(world, actor_token=await world.own_token("mail-bot")),
        await redeemed_by_a_thief(world, subject_token=held, subject_token_type=ACCESS_TOKEN),
        await redeemed_by_a_thief(world, subject_token=own, subject_token_type=ACCESS_TOKEN),
        await redeemed_by_a_thief(world, proof=world.proof("calendar-bot")),
        await redeemed_by_a_thief(world, proof=strange),
        await redeemed_by_a_thief(world, proof=ABSENT),
    )
    for answer in tries:
        assert answer.status_code == 400
        assert answer.json()["error"] in {"invalid_request", "access_denied", "invalid_dpop_proof"}
    refused = await world.records("authority.token.refused")
    assert len(refused) == len(tries)
    assert all(record.codes for record in refused)


@pytest.mark.twin("DP-08")
async def test_a_stolen_ticket_would_be_redeemed_by_whoever_holds_it(sqlite_uow: SqlUnitOfWork) -> None:
    world = await opened(sqlite_uow, exchange=lax.TakesAnyHolder)
    answer = await redeemed_by_a_thief(world)
    assert answer.status_code == 200
    thief = world.actors["mail-bot"].key.public.thumbprint
    assert claims_in(answer.json()["access_token"])["cnf"] == {"jkt": thief}


# -- DP-10


async def downgraded(world: World) -> Any:
    """A client that may have plain tokens exchanges a bound one without showing its key."""
    agent = world.actors["calendar-bot"].principal.parent
    assert agent is not None
    await world.instance("loose", agent, attributes=(("token_binding", "bearer"),))
    bound = await world.own_token("loose")
    assert "cnf" in claims_in(bound)
    return await world.exchange("loose", actor_token=bound, proof=ABSENT)


@pytest.mark.attack("DP-10")
@pytest.mark.spec("RFC 9449", "5")
async def test_a_bound_token_is_never_exchanged_for_a_plain_one(world: World) -> None:
    answer = await downgraded(world)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    held = await world.task_token()
    again = await world.ask(
        "calendar-bot", grant_type=EXCHANGE, subject_token=held, subject_token_type=ACCESS_TOKEN,
        resource=RESOURCE, proof=ABSENT,
    )  # fmt: skip
    assert again.json()["error"] == "invalid_dpop_proof"


@pytest.mark.twin("DP-10")
async def test_a_bound_token_would_become_a_plain_one(sqlite_uow: SqlUnitOfWork) -> None:
    answer = await downgraded(await opened(sqlite_uow, exchange=lax.TakesAnyHolder))
    assert answer.status_code == 200
    assert "cnf" not in claims_in(answer.json()["access_token"])


# -- DP-11


async def grown(world: World, proofs: int = 10) -> int:
    """Rows that so many proofs of strangers leave behind, beyond those of the assertions beside them."""

    async def rows() -> int:
        found = await world.uow.read(lambda tx: tx.sql.row(ROWS, {}))
        return 0 if found is None else int(found[0])

    before = await rows()
    for number in range(proofs):
        proof = make_proof(
            private_key(f"stranger {number}"), method="POST", target=f"{ISSUER}/token",
            jti=f"s{number}", at=world.now,
        )  # fmt: skip
        await world.ask("calendar-bot", grant_type="client_credentials", proof=proof)
    return await rows() - before


@pytest.mark.attack("DP-11")
@pytest.mark.promise("P13")
async def test_the_proofs_of_strangers_take_no_room_even_beside_good_assertions(world: World) -> None:
    """A refused request costs at most the row of its assertion, which only the client itself can make."""
    assert await grown(world) <= 10


@pytest.mark.twin("DP-11")
async def test_the_proofs_of_strangers_would_fill_the_store_where_anybodys_counts(
    sqlite_uow: SqlUnitOfWork,
) -> None:
    assert await grown(await opened(sqlite_uow, possession=lax.BurnsForAnybody)) >= 20


# -- TX-06


def another_server() -> Party:
    """An authorization server that is not ours, and whose tokens are good at home."""
    return party(KeyClass.ACCESS_TOKEN, issuer=THEIRS, tenant=TenantId("other"))


def foreign(world: World, token: str, by: Party, **changes: Any) -> str:
    """The same claims, issued by another server."""
    claims = {**claims_in(token), "iss": by.record.issuer, **changes}
    return jwt.issue(claims, as_type=TokenType.ACCESS_TOKEN, signer=by.signer)


def disguised(world: World, token: str, by: Party) -> list[str]:
    """Every way in which such a token can pretend to be ours."""
    claims, kid = claims_in(token), world.access_key.kid
    forms = [foreign(world, token, by), foreign(world, token, by, iss=ISSUER)]
    for issuer in (ISSUER, THEIRS, f"{ISSUER}/", f"{THEIRS}/{ISSUER}"):
        for name in (kid, str(by.record.kid)):
            payload = json.dumps({**claims, "iss": issuer}).encode()
            forms.append(jws.sign({"kid": name, "typ": "at+jwt"}, payload, by.private))
    return forms


@pytest.mark.attack("TX-06")
@pytest.mark.promise("P7", "P11")
async def test_a_token_of_another_server_is_no_subject_and_no_actor_here(each_world: World) -> None:
    world, by = each_world, another_server()
    own, held = await world.own_token("calendar-bot"), await world.task_token()
    texts = set()
    for text in disguised(world, own, by):
        texts.add((await world.exchange("calendar-bot", actor_token=text)).text)
    for text in disguised(world, held, by):
        answer = await world.exchange("calendar-bot", subject_token=text, subject_token_type=ACCESS_TOKEN)
        texts.add(answer.text)
    envelope = jws.sign(
        {"kid": by.record.kid, "typ": "txntoken+jwt"}, b64u_decode(world.envelope.split(".")[1]), by.private
    )
    texts.add((await world.exchange("calendar-bot", subject_token=envelope)).text)
    assert {json.loads(text)["error"] for text in texts} == {"invalid_request"}
    assert len(texts) == 1, "one public error for all"


@pytest.mark.twin("TX-06")
async def test_a_foreign_servers_token_would_be_ours_where_its_keys_are(sqlite_uow: SqlUnitOfWork) -> None:
    by = another_server()
    world = await World(sqlite_uow, build=lax.federated_with(by.record)).populate()
    actor = foreign(world, await world.own_token("calendar-bot"), by)
    assert (await world.exchange("calendar-bot", actor_token=actor)).status_code == 200


# -- TX-07


async def exchanged(world: World, times: int) -> int:
    """How often the result of an exchange can be exchanged again."""
    held = await world.task_token()
    for number in range(times):
        answer = await world.ask(
            "calendar-bot", grant_type=EXCHANGE, subject_token=held, subject_token_type=ACCESS_TOKEN,
            resource=RESOURCE,
        )  # fmt: skip
        if answer.status_code != 200:
            return number
        held = answer.json()["access_token"]
    return times


@pytest.mark.twin("TX-07")
async def test_a_token_would_be_exchanged_without_end(sqlite_uow: SqlUnitOfWork) -> None:
    assert await exchanged(await opened(sqlite_uow, exchange=lax.ForgetsAncestors), 40) == 40


Wide = Callable[[World], str]
WIDE: dict[str, Wide] = {
    "10^4 parts": lambda world: world.envelope + "~a.b.c" * 10_000,
    "twelve roots": lambda world: "~".join([world.envelope] * 12),
    "1 MB": lambda world: "a" * (1 << 20),
    "empty parts": lambda world: world.envelope + "~",
    "only separators": lambda world: "~" * 11,
}


@pytest.mark.attack("TX-07")
async def test_width_is_refused_before_anything_is_verified(world: World) -> None:
    own = await world.own_token("calendar-bot")
    for name, make in WIDE.items():
        answer = await world.exchange(
            "calendar-bot", subject_token=make(world), subject_token_type=TXN_TOKEN, actor_token=own
        )
        assert answer.status_code in {400, 413}, name
