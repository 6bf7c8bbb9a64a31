"""DP: attacks on proofs of possession, at the token endpoint and at a resource."""

import asyncio
import dataclasses
import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from remit.authority.oauth.proving.possession import PossessionCheck
from remit.authority.oauth.proving.verifier import AccessTokenVerifier
from remit.authority.oauth.wire.errors import InvalidToken, ProofRefused
from remit.authority.tokens import Proof
from remit.kernel.canonical import b64u_decode
from remit.kernel.jose.dpop import make_proof
from remit.kernel.jose.jwk import parse_jwk
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.platform.storage.tables.authority import replay
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.jose import private_key
from support.oauth import ABSENT, ISSUER, OPTIONS, World, building, claims_in

NONE_OR_A_GOOD_ONE: tuple[list[str] | None, ...] = ([], None)
COUNT = select(func.count()).select_from(replay)
RESOURCE = f"{ISSUER}/mcp/business"


@pytest.mark.attack("DP-01")
@pytest.mark.req("R13")
@pytest.mark.spec("RFC 9449", "7.1", "7.2")
async def test_a_bound_token_is_nothing_without_its_proof(each_world: World) -> None:
    token = await each_world.task_token()
    with pytest.raises(ProofRefused):
        await each_world.verify(token, proofs=[])
    for scheme in ("Bearer", "bearer", "BEARER"):
        for proofs in NONE_OR_A_GOOD_ONE:
            with pytest.raises(InvalidToken):
                await each_world.verify(token, scheme=scheme, proofs=proofs)


class Bearing(AccessTokenVerifier):
    def _possession(self, *_: Any) -> None:
        return None


@pytest.mark.twin("DP-01")
async def test_a_bound_token_would_pass_as_bearer_without_the_rule(world: World) -> None:
    lax = Bearing(keys=world.keyring, standings=world.view, clock=world.clock)
    subject = await world.verify(await world.task_token(), scheme="Bearer", proofs=[], verifier=lax)
    assert subject.task == world.task.id


@pytest.mark.attack("DP-01")
async def test_a_client_that_must_bind_gets_nothing_without_a_proof(world: World) -> None:
    answer = await world.ask("calendar-bot", grant_type="client_credentials", proof=ABSENT)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_dpop_proof")


@pytest.mark.attack("DP-02")
@pytest.mark.spec("RFC 9449", "11.1")
@pytest.mark.promise("P3")
async def test_a_proof_earns_one_token_on_any_node(each_world: World) -> None:
    world = each_world
    proof = world.proof("calendar-bot")
    first = await world.ask("calendar-bot", grant_type="client_credentials", proof=proof)
    again = await world.ask("calendar-bot", grant_type="client_credentials", proof=proof)
    other = World(world.uow)
    other.actors = world.actors
    elsewhere = await other.ask("calendar-bot", grant_type="client_credentials", proof=proof)
    assert first.status_code == 200
    for answer in (again, elsewhere):
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_dpop_proof")


@pytest.mark.twin("DP-02")
async def test_a_proof_would_earn_two_without_the_store(sqlite_uow: SqlUnitOfWork) -> None:
    world = await World(sqlite_uow, forgetful=True).populate()
    proof = world.proof("calendar-bot")
    for _ in range(2):
        assert (
            await world.ask("calendar-bot", grant_type="client_credentials", proof=proof)
        ).status_code == 200


@pytest.mark.attack("DP-02")
async def test_many_at_once_earn_one(each_world: World) -> None:
    proof = each_world.proof("calendar-bot")
    answers = await asyncio.gather(
        *(each_world.ask("calendar-bot", grant_type="client_credentials", proof=proof) for _ in range(16))
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 15


@pytest.mark.attack("DP-03")
@pytest.mark.spec("RFC 9449", "4.3")
async def test_a_proof_of_another_request_is_refused(world: World) -> None:
    token = await world.task_token()
    for url in (
        f"{ISSUER}/mcp/mail",
        f"{ISSUER}/mcp/business/",
        f"{ISSUER}/mcp/%62usiness",
        f"{ISSUER}:8443/mcp/business",
        "https://attacker.example/mcp/business",
        "http://remit.example/mcp/business",
        f"{ISSUER}/token",
    ):
        with pytest.raises(ProofRefused):
            await world.verify(token, proofs=[world.proof("calendar-bot", url, access_token=token)])
    for method in ("GET", "post", "PUT"):
        proof = world.proof("calendar-bot", RESOURCE, method=method, access_token=token)
        with pytest.raises(ProofRefused):
            await world.verify(token, proofs=[proof])
    for url in (f"{RESOURCE}?x=1#y", "https://REMIT.example/mcp/business", f"{ISSUER}:443/mcp/business"):
        subject = await world.verify(token, proofs=[world.proof("calendar-bot", url, access_token=token)])
        assert subject.task == world.task.id


@pytest.mark.attack("DP-03")
async def test_the_token_endpoint_compares_with_the_configured_url(world: World) -> None:
    for url in (f"{ISSUER}/introspect", "https://attacker.example/token", f"{ISSUER}/token/"):
        answer = await world.ask(
            "calendar-bot",
            grant_type="client_credentials",
            proof=world.proof("calendar-bot", url),
            headers=[("x-forwarded-host", "attacker.example")],
        )
        assert answer.json()["error"] == "invalid_dpop_proof"


@pytest.mark.attack("DP-04")
@pytest.mark.spec("RFC 9449", "7")
async def test_a_proof_names_its_token(world: World) -> None:
    token, other = await world.task_token(), await world.task_token()
    for bound in (None, other, "x"):
        with pytest.raises(ProofRefused):
            await world.verify(token, proofs=[world.proof("calendar-bot", RESOURCE, access_token=bound)])


@pytest.mark.attack("DP-05")
@pytest.mark.spec("RFC 9449", "6.1")
async def test_a_proof_of_another_key_is_refused(each_world: World) -> None:
    world = each_world
    token = await world.task_token()
    for who in ("mail-bot", "ana"):
        with pytest.raises(ProofRefused):
            await world.verify(token, proofs=[world.proof(who, RESOURCE, access_token=token)])


@pytest.mark.twin("DP-05")
async def test_any_key_would_do_without_the_comparison(world: World) -> None:
    class AnyKey(AccessTokenVerifier):
        def _possession(self, scheme: str, known: Any, dpop: list[str], *rest: Any) -> Any:
            header = json.loads(b64u_decode(dpop[0].split(".")[0]))
            stolen = dataclasses.replace(known.token, key=parse_jwk(header["jwk"]).thumbprint)
            return super()._possession(scheme, dataclasses.replace(known, token=stolen), dpop, *rest)

    lax = AnyKey(keys=world.keyring, standings=world.view, clock=world.clock)
    token = await world.task_token()
    subject = await world.verify(
        token, proofs=[world.proof("mail-bot", RESOURCE, access_token=token)], verifier=lax
    )
    assert subject.task == world.task.id


@pytest.mark.attack("DP-05")
async def test_a_token_is_bound_to_registered_keys_alone(world: World) -> None:
    thief = private_key("thief")
    proof = make_proof(thief, method="POST", target=f"{ISSUER}/token", jti="thief", at=world.now)
    for shown in (proof, world.proof("mail-bot")):
        answer = await world.ask("calendar-bot", grant_type="client_credentials", proof=shown)
        assert answer.json()["error"] == "invalid_dpop_proof"


@pytest.mark.twin("DP-05")
async def test_a_stolen_assertion_would_earn_a_token_without_the_rule(sqlite_uow: SqlUnitOfWork) -> None:
    class AnyProof(PossessionCheck):
        def prove(self, proofs: Any, *, at: Any, generation: int, **_: Any) -> Any:
            found = self._verify(proofs[0], self._options.token_endpoint, at, generation)
            return Proof(key=found.thumbprint, jti=found.jti, keep_until=found.keep_until)

    world = await World(sqlite_uow, build=building(possession=AnyProof)).populate()
    answer = await world.ask("calendar-bot", grant_type="client_credentials", proof=world.proof("mail-bot"))
    thief = world.actors["mail-bot"].key.public.thumbprint
    assert claims_in(answer.json()["access_token"])["cnf"] == {"jkt": thief}


@pytest.mark.attack("DP-07")
@pytest.mark.spec("RFC 9449", "8")
async def test_proofs_made_ahead_and_without_nonce_are_refused(sqlite_uow: SqlUnitOfWork) -> None:
    world = await World(sqlite_uow, options=dataclasses.replace(OPTIONS, require_nonce=True)).populate()
    answer = await world.ask("calendar-bot", grant_type="client_credentials")
    assert (answer.status_code, answer.json()["error"]) == (400, "use_dpop_nonce")
    nonce = answer.headers["dpop-nonce"]
    good = await world.ask(
        "calendar-bot", grant_type="client_credentials", proof=world.proof("calendar-bot", nonce=nonce)
    )
    assert good.status_code == 200
    world.clock.advance(600)
    for old in (nonce, "x", ""):
        late = await world.ask(
            "calendar-bot", grant_type="client_credentials", proof=world.proof("calendar-bot", nonce=old)
        )
        assert late.json()["error"] == "use_dpop_nonce"


@pytest.mark.attack("DP-07")
@pytest.mark.parametrize("seconds", [-61, 61, 3600])
async def test_a_proof_of_another_time_is_refused(world: World, seconds: int) -> None:
    at = world.now + timedelta(seconds=seconds)
    answer = await world.ask(
        "calendar-bot", grant_type="client_credentials", proof=world.proof("calendar-bot", at=at)
    )
    assert answer.json()["error"] == "invalid_dpop_proof"


async def test_two_proofs_are_none(world: World) -> None:
    token = await world.task_token()
    proofs = [world.proof("calendar-bot", RESOURCE, access_token=token) for _ in range(2)]
    with pytest.raises(ProofRefused):
        await world.verify(token, proofs=proofs)
    answer = await world.post(
        "/token",
        world.form("calendar-bot", grant_type="client_credentials"),
        headers=[("dpop", world.proof("calendar-bot")), ("dpop", world.proof("calendar-bot"))],
    )
    assert answer.status_code == 400


@pytest.mark.attack("DP-11")
async def test_proofs_of_strangers_are_remembered_nowhere(world: World) -> None:
    """Only a proof whose key is a client's own, beside an assertion of that client, reaches the store."""

    def rows(tx: Any) -> int:
        return int(tx.sql.row(COUNT)[0])

    before = await world.uow.read(rows)
    for number in range(50):
        stranger = private_key(f"stranger {number}")
        proof = make_proof(stranger, method="POST", target=f"{ISSUER}/token", jti=f"s{number}", at=world.now)
        await world.ask(
            "calendar-bot", grant_type="client_credentials", client_assertion="a.b.c", proof=proof
        )
    assert await world.uow.read(rows) == before


@pytest.mark.attack("DP-11")
async def test_what_a_client_itself_fills_the_store_with_is_gone_in_minutes(world: World) -> None:
    """Its own good proofs are remembered, as long as one could be shown again and no longer."""

    def rows(tx: Any) -> int:
        return int(tx.sql.row(COUNT)[0])

    before = await world.uow.read(rows)
    for _ in range(20):
        await world.own_token("calendar-bot")
    assert await world.uow.read(rows) >= before + 20
    late = world.now + timedelta(minutes=5)
    await world.uow.commit(lambda tx: tx.replay.forget(DEFAULT_TENANT, late, 1000))
    assert await world.uow.read(rows) == 0
