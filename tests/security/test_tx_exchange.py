"""TX: attacks on token exchange, over the real application; each defence with a twin that lacks it."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from remit.authority.oauth.grants.token_exchange import TokenExchange
from remit.authority.oauth.issuing.issuance import Issuance
from remit.authority.oauth.proving.requests import Asking, Draft
from remit.authority.oauth.tokens.access import AccessToken
from remit.authority.oauth.wire.rar import ceiling_of, details_of
from remit.authority.oauth.wire.scopes import Scope, parse_scope
from remit.authority.rights import Ceiling
from remit.authority.tasks import TaskState
from remit.identity.principals import Environment
from remit.kernel.canonical import b64u
from remit.kernel.ids import AgentId, PrincipalId
from remit.kernel.jose import jws, jwt
from remit.kernel.jose.keys import KeyClass
from remit.kernel.jose.profiles import TokenType
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.jose import private_key
from support.oauth import (
    ABSENT,
    ACCESS_TOKEN,
    BOOK,
    EXCHANGE,
    ISSUER,
    World,
    building,
    claims_in,
)


def refused(answer: Any, *errors: str) -> bool:
    return answer.status_code == 400 and answer.json()["error"] in errors


def wish_for(world: World, *actions: str, **changes: Any) -> str:
    return json.dumps([{**details_of(world.ceiling(*actions))[0], **changes}])  # type: ignore[dict-item]  # JSON


# -- TX-01


@pytest.mark.attack("TX-01")
@pytest.mark.req("R26", "R28")
@pytest.mark.promise("P6")
async def test_nothing_beyond_the_subject_is_had(each_world: World) -> None:
    world = each_world
    start = int((world.now - timedelta(hours=1)).timestamp())
    for wish in (
        wish_for(world, "business/customers.delete"),
        wish_for(world, BOOK, "business/refunds.pay"),
        wish_for(world, BOOK, window={"start": start, "end": start + 90_000}),
        wish_for(world, BOOK, depth=9),
        wish_for(world, BOOK, purpose="refunds"),
        wish_for(world, BOOK, purpose="any"),
        wish_for(world, BOOK, caps={"calls": 101}),
    ):
        answer = await world.exchange("calendar-bot", authorization_details=wish)
        if answer.status_code == 200:
            (details,) = claims_in(answer.json()["access_token"])["authorization_details"]
            assert details["caps"]["calls"] <= 100
        else:
            assert refused(answer, "invalid_authorization_details"), wish
    assert refused(await world.exchange("calendar-bot", scope="mcp remit.act"), "invalid_scope")
    assert refused(await world.exchange("calendar-bot", scope="remit.admin"), "invalid_scope")
    assert refused(await world.exchange("calendar-bot", audience="https://other.example"), "invalid_target")


class Widening(TokenExchange):
    def _narrow_rights(self, asking: Asking, parent: Ceiling) -> Ceiling:
        asked = asking.request.parameters.get("authorization_details")
        return ceiling_of(json.loads(asked)) if asked else parent

    def _narrow_scopes(self, asking: Asking, allowed: frozenset[Scope]) -> frozenset[Scope]:
        return parse_scope(asking.request.parameters.get("scope")) or allowed


@pytest.mark.twin("TX-01")
async def test_wider_rights_would_be_had_without_the_rule(sqlite_uow: SqlUnitOfWork) -> None:
    world = await World(sqlite_uow, build=building(exchange=Widening)).populate()
    answer = await world.exchange(
        "calendar-bot",
        authorization_details=wish_for(world, "business/customers.delete"),
        scope="remit.admin",
    )
    assert answer.status_code == 200
    claims = claims_in(answer.json()["access_token"])
    assert claims["scope"] == "remit.admin"
    assert claims["authorization_details"][0]["rights"][0]["action"] == "business/customers.delete"


# -- TX-03


@pytest.mark.attack("TX-03")
@pytest.mark.req("R25", "N24")
async def test_leaving_the_actor_out_gives_no_impersonation(each_world: World) -> None:
    answer = await each_world.exchange("calendar-bot", actor_token=ABSENT, actor_token_type=ABSENT)
    assert refused(answer, "invalid_request")
    assert "act" in claims_in(await each_world.task_token())


class Impersonating(TokenExchange):
    def draft(self, asking: Asking) -> Draft:
        found = super().draft(asking)
        return Draft(
            token=replace(found.token, chain=()), envelope=found.envelope, issued_token_type=ACCESS_TOKEN
        )


@pytest.mark.twin("TX-03")
async def test_a_token_without_actor_would_leave_without_the_rule(sqlite_uow: SqlUnitOfWork) -> None:
    world = await World(sqlite_uow, build=building(exchange=Impersonating)).populate()
    answer = await world.exchange("calendar-bot")
    assert answer.status_code == 200
    assert "act" not in claims_in(answer.json()["access_token"])


# -- TX-04


@pytest.mark.attack("TX-04")
@pytest.mark.req("N24")
@pytest.mark.promise("P7")
async def test_no_act_of_another_hand_gets_in(world: World) -> None:
    held = await world.task_token()
    header, _, mark = held.split(".")
    mail = world.actors["mail-bot"].id
    chains: list[Any] = [
        {"sub": f"spiffe://remit.example/agent/mail-bot/{mail}"},
        {
            "sub": claims_in(held)["act"]["sub"],
            "act": {"sub": f"spiffe://remit.example/agent/mail-bot/{mail}"},
        },
        None,
        [],
    ]
    for chain in chains:
        payload = json.dumps({**claims_in(held), "act": chain}).encode()
        forged = f"{header}.{b64u(payload)}.{mark}"
        attacker = private_key("attacker")
        signed = jws.sign({"kid": world.access_key.kid, "typ": "at+jwt"}, payload, attacker)
        for text in (forged, signed):
            answer = await world.exchange("calendar-bot", subject_token=text, subject_token_type=ACCESS_TOKEN)
            assert refused(answer, "invalid_request")
    for name in ("act", "chain", "actor", "may_act", "sub"):
        answer = await world.exchange("calendar-bot", **{name: json.dumps(chains[0])})
        assert claims_in(answer.json()["access_token"])["act"] == claims_in(held)["act"]


@pytest.mark.twin("TX-04")
async def test_a_chain_from_a_parameter_would_be_believed_without_the_rule(sqlite_uow: SqlUnitOfWork) -> None:
    class Credulous(TokenExchange):
        def draft(self, asking: Asking) -> Draft:
            found = super().draft(asking)
            told = asking.request.parameters.get("act")
            chain = (told,) if told else found.token.chain
            return replace(found, token=replace(found.token, chain=chain))

    world = await World(sqlite_uow, build=building(exchange=Credulous)).populate()
    mail = f"spiffe://remit.example/agent/mail-bot/{world.actors['mail-bot'].id}"
    answer = await world.exchange("calendar-bot", act=mail)
    assert claims_in(answer.json()["access_token"])["act"] == {"sub": mail}


# -- TX-05


def root_with(world: World, may_act: Any) -> str:
    """A root that our own key signed, with whatever `may_act`."""
    claims = {**claims_in(world.envelope), "may_act": may_act}
    changed = {name: value for name, value in claims.items() if value is not ABSENT}
    return jwt.issue(changed, as_type=TokenType.ENVELOPE, signer=world.keyring.signer(KeyClass.ENVELOPE))


@pytest.mark.attack("TX-05")
@pytest.mark.spec("RFC 8693", "4.4")
@pytest.mark.req("N24")
async def test_who_is_not_named_may_not_act(world: World) -> None:
    agent = str(world.actors["calendar-bot"].principal.parent)
    for may_act in (
        ABSENT,
        None,
        agent,
        [agent],
        {},
        {"sub": "*"},
        {"sub": ""},
        {"sub": agent.lower()},
        {"sub": agent + " "},
        {"sub": [agent]},
        {"sub": agent, "iss": "https://other.example"},
        {"sub": str(world.actors["mail-bot"].principal.parent)},
        {"sub": world.actors["calendar-bot"].id},
        {"client_id": agent},
    ):
        answer = await world.exchange("calendar-bot", subject_token=root_with(world, may_act))
        assert refused(answer, "invalid_request", "access_denied"), may_act
    answer = await world.exchange("mail-bot")
    assert refused(answer, "access_denied")
    assert (
        await world.exchange("calendar-bot", subject_token=root_with(world, {"sub": agent}))
    ).status_code == 200


class AnybodyMayAct(TokenExchange):
    def _require_named(self, named: AgentId, asking: Asking) -> None:
        return


@pytest.mark.twin("TX-05")
async def test_anybody_could_act_without_the_rule(sqlite_uow: SqlUnitOfWork) -> None:
    world = await World(sqlite_uow, build=building(exchange=AnybodyMayAct)).populate()
    assert (await world.exchange("mail-bot")).status_code == 200


# -- TX-07


@pytest.mark.attack("TX-07")
@pytest.mark.promise("P13")
async def test_a_chain_neither_loops_nor_grows_past_its_limit(world: World) -> None:
    longer = world.hop(world.envelope, world.task.ceiling, by="calendar-bot", to="mail-bot")
    deeper = replace(world.task.ceiling, depth=3)
    back = world.hop(longer, deeper, by="mail-bot", to="calendar-bot")
    assert refused(
        await world.exchange("calendar-bot", subject_token=back), "invalid_request", "access_denied"
    )
    wide = world.envelope + "~" * 10_000
    assert refused(await world.exchange("calendar-bot", subject_token=wide), "invalid_request")
    twelve = "~".join([world.envelope] * 12)
    assert refused(await world.exchange("calendar-bot", subject_token=twelve), "invalid_request")


@pytest.mark.attack("TX-07")
async def test_a_token_is_not_exchanged_without_end(world: World) -> None:
    held, answer = await world.task_token(), None
    for _ in range(30):
        answer = await world.ask(
            "calendar-bot",
            grant_type=EXCHANGE,
            subject_token=held,
            subject_token_type=ACCESS_TOKEN,
            resource=f"{ISSUER}/mcp/business",
        )
        if answer.status_code != 200:
            break
        held = answer.json()["access_token"]
    assert refused(answer, "access_denied")


# -- TX-08


class Forgiving(Issuance):
    """Neither asks whether all still lives, nor has the envelope judged once more."""

    def _check_alive(self, tx: Any, known: Any, token: Any, request: Any) -> None:
        return

    def _with_envelope(self, tx: Any, draft: Draft, request: Any) -> AccessToken:
        return draft.token


class KillsInBetween(Issuance):
    """Between judging and issuing, the task ends: the race, made certain."""

    kill: Any = None

    def issue(self, tx: Any, draft: Draft, **rest: Any) -> Any:
        if draft.token.task is not None and type(self).kill is not None:
            type(self).kill(tx, draft.token)
        return super().issue(tx, draft, **rest)


def end_task(tx: Any, token: AccessToken) -> None:
    tx.tasks.finish(token.task, TaskState.ENDED, token.issued_at)


def revoke_actor(tx: Any, token: AccessToken) -> None:
    tx.lineage.bury("token", token.ancestors[-1], cause="revoked", epoch=99, at=token.issued_at)


@pytest.mark.attack("TX-08")
@pytest.mark.promise("P1")
@pytest.mark.parametrize("death", [end_task, revoke_actor])
async def test_a_parent_that_dies_before_the_commit_yields_no_token(uow: SqlUnitOfWork, death: Any) -> None:
    class Race(KillsInBetween):
        kill = staticmethod(death)

    world = await World(uow, build=building(issuance=Race)).populate()
    assert refused(await world.exchange("calendar-bot"), "access_denied")
    assert not [each for each in await world.records("authority.token.issued") if each.task]
    assert (await world.records("authority.token.refused"))[0].codes[0] == "access_denied"


@pytest.mark.twin("TX-08")
async def test_the_dead_would_be_served_without_the_check_in_the_transaction(
    sqlite_uow: SqlUnitOfWork,
) -> None:
    class Late(Forgiving, KillsInBetween):
        kill = staticmethod(end_task)

    world = await World(sqlite_uow, build=building(issuance=Late)).populate()
    assert (await world.exchange("calendar-bot")).status_code == 200


@pytest.mark.attack("TX-08")
async def test_an_expired_parent_yields_nothing(world: World) -> None:
    own, held = await world.own_token("calendar-bot"), await world.task_token()
    world.clock.advance(301)
    assert refused(await world.exchange("calendar-bot", actor_token=own), "invalid_request")
    late = await world.exchange("calendar-bot", subject_token=held, subject_token_type=ACCESS_TOKEN)
    assert refused(late, "invalid_request")
    world.clock.advance(3600)
    assert refused(await world.exchange("calendar-bot"), "invalid_request")


# -- TX-09


@pytest.mark.twin("TX-09")
async def test_a_wish_for_another_type_would_be_ignored_without_the_rule(sqlite_uow: SqlUnitOfWork) -> None:
    class Careless(TokenExchange):
        def _check_wanted(self, asking: Asking) -> None:
            return

    world = await World(sqlite_uow, build=building(exchange=Careless)).populate()
    kind = "urn:ietf:params:oauth:token-type:refresh_token"
    assert (await world.exchange("calendar-bot", requested_token_type=kind)).status_code == 200


# -- TX-10


@pytest.mark.attack("TX-10")
@pytest.mark.req("R25")
async def test_without_a_task_nobody_acts_for_a_user(each_world: World) -> None:
    world = each_world
    own = await world.own_token("calendar-bot")
    for subject in (own, await world.own_token("ana")):
        answer = await world.exchange("calendar-bot", subject_token=subject, subject_token_type=ACCESS_TOKEN)
        assert refused(answer, "access_denied", "invalid_request")
    ghost = replace(world.task, id="tsk_ghost")  # type: ignore[arg-type]  # a TaskId
    assert refused(await world.exchange("calendar-bot", subject_token=world.root(ghost)), "access_denied")
    other = world.root(world.task, subject=world.actors["ben"].id)
    assert refused(await world.exchange("calendar-bot", subject_token=other), "access_denied")
    assert refused(await world.exchange("calendar-bot", actor_token=await world.own_token("mail-bot")),
                   "invalid_request", "access_denied")  # fmt: skip


@pytest.mark.attack("TX-10")
async def test_a_withdrawn_consent_ends_the_exchange(world: World) -> None:
    assert world.task.grant is not None
    grant = world.task.grant
    await world.uow.commit(lambda tx: tx.grants.withdraw(grant, world.now))
    assert refused(await world.exchange("calendar-bot"), "access_denied")


@pytest.mark.twin("TX-10")
async def test_a_withdrawn_consent_would_not_matter_without_the_check(sqlite_uow: SqlUnitOfWork) -> None:
    world = await World(sqlite_uow, build=building(issuance=Forgiving)).populate()
    assert world.task.grant is not None
    grant = world.task.grant
    await world.uow.commit(lambda tx: tx.grants.withdraw(grant, world.now))
    assert (await world.exchange("calendar-bot")).status_code == 200


# -- TX-11


@pytest.mark.attack("TX-11")
async def test_a_suspended_or_retired_actor_gets_nothing(each_world: World) -> None:
    world = each_world
    bot, ana = world.actors["calendar-bot"].principal, PrincipalId(world.actors["ana"].id)
    assert bot.parent is not None
    own = await world.own_token("calendar-bot")
    await world.identities.suspend(bot.parent, by=ana, because="test", at=world.now)
    answer = await world.ask("calendar-bot", grant_type="client_credentials")
    assert refused(answer, "access_denied")
    assert refused(await world.exchange("calendar-bot", actor_token=own), "access_denied", "invalid_request")
    await world.identities.retire(bot.parent, by=ana, because="test", at=world.now)
    answer = await world.exchange("calendar-bot", actor_token=own)
    assert answer.json()["error"] in {"invalid_client", "access_denied", "invalid_request"}


@pytest.mark.attack("TX-11")
async def test_an_agent_of_development_does_not_reach_production(world: World) -> None:
    for grant in ("client_credentials", EXCHANGE):
        answer = await world.ask(
            "dev-bot", grant_type=grant, resource=f"{ISSUER}/mcp/business", subject_token=world.envelope
        )
        assert refused(answer, "access_denied")
    await world.server("sandbox", Environment.DEVELOPMENT)
    answer = await world.ask("dev-bot", grant_type="client_credentials", resource=f"{ISSUER}/mcp/sandbox")
    assert answer.status_code == 200


@pytest.mark.twin("TX-11")
async def test_a_suspended_actor_would_be_served_without_the_check(sqlite_uow: SqlUnitOfWork) -> None:
    world = await World(sqlite_uow, build=building(issuance=Forgiving)).populate()
    bot, ana = world.actors["calendar-bot"].principal, PrincipalId(world.actors["ana"].id)
    assert bot.parent is not None
    await world.identities.suspend(bot.parent, by=ana, because="test", at=world.now)
    assert (await world.ask("calendar-bot", grant_type="client_credentials")).status_code == 200
