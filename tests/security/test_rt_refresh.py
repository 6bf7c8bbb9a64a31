"""Attacks on refresh tokens (security, class RT): reuse, race, widening, theft."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from remit.authority.oauth.asking.families import (
    RACE,
    Family,
    FamilyId,
    RefreshToken,
)
from remit.authority.oauth.clients.registration import REFRESH, SessionLimits
from remit.authority.oauth.grants.refresh_token import RefreshTokenGrant, SpendRefresh
from remit.authority.oauth.proving.requests import Asking
from remit.authority.oauth.wire import opaque
from remit.authority.oauth.wire.errors import OAuthError
from remit.kernel.ids import GrantId, PrincipalId, SessionId, UserId
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.authorizing import AuthorizingWorld, with_codes
from support.clock import NOON
from support.jose import private_key
from support.oauth import ABSENT


@pytest.fixture
async def world(sqlite_uow: SqlUnitOfWork) -> AuthorizingWorld:
    return await AuthorizingWorld(sqlite_uow).populate()


@pytest.fixture
async def each(uow: SqlUnitOfWork) -> AuthorizingWorld:
    return await AuthorizingWorld(uow).populate()


def refused(answer: Any, error: str = "invalid_grant") -> bool:
    return (answer.status_code, answer.json().get("error")) == (400, error)


async def lives(world: AuthorizingWorld, token: str) -> bool:
    try:
        await world.verify(token, proofs=[world.device_proof("/mcp/business", access_token=token)])
    except OAuthError:
        return False
    return True


@pytest.mark.attack("RT-01")
@pytest.mark.spec("RFC 9700", "4.14.2")
@pytest.mark.req("R27")
async def test_a_used_token_that_comes_again_later_ends_its_family(each: AuthorizingWorld) -> None:
    first = await each.tokens()
    second = (await each.refresh(first["refresh_token"])).json()
    third = (await each.refresh(second["refresh_token"])).json()
    assert await lives(each, third["access_token"])
    # The thief has everything that the client has but time: the last but one, with the client's own key.
    assert refused(await each.refresh(first["refresh_token"]))
    for token in (first, second, third):
        assert refused(await each.refresh(token["refresh_token"]))
        assert not await lives(each, token["access_token"])
    (ended,) = await each.records("authority.family.ended")
    assert ended.codes == ("refresh_reused",)
    assert [record.codes for record in await each.records("authority.task.ended")]


@pytest.mark.attack("RT-01")
async def test_a_lost_answer_is_given_again_and_once_it_is_used_no_more(world: AuthorizingWorld) -> None:
    first = await world.tokens()
    lost = (await world.refresh(first["refresh_token"])).json()
    world.pass_time(seconds=RACE.total_seconds())
    again = await world.refresh(first["refresh_token"])
    assert again.status_code == 200
    assert again.json()["refresh_token"] == lost["refresh_token"]
    assert (await world.refresh(lost["refresh_token"])).status_code == 200
    assert refused(await world.refresh(first["refresh_token"]))
    assert refused(await world.refresh(lost["refresh_token"]))


@pytest.mark.attack("RT-01")
async def test_after_a_few_seconds_nobody_has_lost_an_answer(world: AuthorizingWorld) -> None:
    first = await world.tokens()
    assert (await world.refresh(first["refresh_token"])).status_code == 200
    world.pass_time(seconds=RACE.total_seconds(), microseconds=1)
    assert refused(await world.refresh(first["refresh_token"]))
    (ended,) = await world.records("authority.family.ended")
    assert ended.codes == ("refresh_reused",)


@pytest.mark.attack("RT-01")
async def test_who_proves_nothing_has_lost_no_answer(world: AuthorizingWorld) -> None:
    """Without a key nobody can tell its client from a thief: what comes again is theft at once."""
    parent = world.actors["calendar-bot"].principal.parent
    assert parent is not None
    bearer = await world.instance("bearer", parent, attributes=(("token_binding", "bearer"),))
    await world.register(
        "loose", bearer.principal.id, auth_method=world.clients["strict"].auth_method, dpop_bound=False
    )
    person = await world.sign_in()
    code = await world.code(person, "loose")
    first = (await world.redeem(code, "loose", proof=ABSENT)).json()
    assert first["token_type"] == "Bearer"
    second = (await world.refresh(first["refresh_token"], "loose", proof=ABSENT)).json()
    assert refused(await world.refresh(first["refresh_token"], "loose", proof=ABSENT))
    assert refused(await world.refresh(second["refresh_token"], "loose", proof=ABSENT))


@pytest.mark.attack("RT-02")
async def test_however_many_race_there_is_one_leaf(each: AuthorizingWorld) -> None:
    token = (await each.tokens())["refresh_token"]
    for _ in range(3):
        answers = await asyncio.gather(*(each.refresh(token) for _ in range(32)))
        leaves = {answer.json()["refresh_token"] for answer in answers if answer.status_code == 200}
        assert len(leaves) == 1
        assert all(answer.status_code == 200 or refused(answer) for answer in answers)
        (token,) = leaves


class Unasked(SpendRefresh):
    """Uses a token without asking whether it was the first, and makes a new leaf for each."""

    def apply(self, tx: Any, *, at: datetime) -> str:
        known = tx.families.token(opaque.digest_of(self.text))
        text = (
            opaque.REFRESH + str(len(tx.codes.__class__.__name__)) + self.presenter.key[:1] + at.isoformat()
        )
        tx.families.add_token(replace(known, id=opaque.digest_of(text), number=known.number + 1))
        return text


class Racing(RefreshTokenGrant):
    """Judges on the view that was read, and not where the token is issued."""

    count = 0

    def draft(self, asking: Asking) -> Any:
        drafted = super().draft(asking)
        spend: Any = drafted.spend
        Racing.count += 1
        held = replace(spend.presenter, key=f"{Racing.count}")
        return replace(drafted, spend=Unasked(text=spend.text, presenter=held, successors=spend.successors))


def racing(**parts: Any) -> Any:
    whole = with_codes(**parts)
    grants = dict(whole.token._grants)
    ours: Any = grants[REFRESH]
    grants[REFRESH] = Racing(mint=ours._mint, successors=ours._successors)
    whole.token._grants = grants
    return whole


@pytest.mark.twin("RT-01", "RT-02")
async def test_several_leaves_would_live_without_the_judgement_where_it_is_issued(
    sqlite_uow: SqlUnitOfWork,
) -> None:
    world = await AuthorizingWorld(sqlite_uow, build=racing).populate()
    token = (await world.tokens())["refresh_token"]
    first, second = await world.refresh(token), await world.refresh(token)
    assert first.status_code == second.status_code == 200
    assert first.json()["refresh_token"] != second.json()["refresh_token"]


@pytest.mark.attack("RT-03")
@pytest.mark.spec("RFC 6749", "6")
@pytest.mark.spec("RFC 8707", "2.2")
async def test_nothing_widens(world: AuthorizingWorld) -> None:
    token = (await world.tokens())["refresh_token"]
    right = '[{"type":"remit_action","rights":[{"action":"mail/mail.send","resource_type":"Thing",'
    wider = {
        "invalid_scope": {"scope": "mcp remit.act"},
        "invalid_target": {"resource": world.options.mcp("mail")},
        "invalid_authorization_details": {
            "authorization_details": right + '"resources":"any","constraints":[]}]}]'
        },
    }
    for error, changed in wider.items():
        assert refused(await world.refresh(token, **changed), error)
    # A refusal uses nothing up.
    assert (await world.refresh(token, scope="mcp")).status_code == 200


@pytest.mark.attack("RT-04")
@pytest.mark.spec("RFC 9449", "5")
async def test_only_its_client_with_its_key_is_served(world: AuthorizingWorld) -> None:
    await world.public("other")
    token = (await world.tokens())["refresh_token"]
    assert refused(await world.refresh(token, "other"))
    assert refused(await world.refresh(token, proof=world.device_proof(key=private_key("key of a thief"))))
    assert refused(await world.refresh(token, proof=ABSENT), "invalid_dpop_proof")
    assert refused(await world.refresh(token, "web", proof=world.proof("web")))
    # Whoever can't prove to be its client ends nothing either.
    assert (await world.refresh(token)).status_code == 200


CAUSES: dict[str, Callable[[AuthorizingWorld], Awaitable[Any]]] = {}


def cause(name: str) -> Callable[[Callable[[AuthorizingWorld], Awaitable[Any]]], None]:
    def keep(act: Callable[[AuthorizingWorld], Awaitable[Any]]) -> None:
        CAUSES[name] = act

    return keep


@cause("the person is suspended")
async def _(world: AuthorizingWorld) -> None:
    ana = world.actors["ana"].principal.id
    await world.identities.suspend(ana, by=PrincipalId("system"), because="test", at=world.now)


@cause("the agent is suspended")
async def _(world: AuthorizingWorld) -> None:
    agent = PrincipalId(str(world.actors["calendar-bot"].principal.parent))
    await world.identities.suspend(agent, by=PrincipalId("system"), because="test", at=world.now)


@cause("the instance is retired")
async def _(world: AuthorizingWorld) -> None:
    entry = world.clients["strict"].principal
    await world.identities.retire(entry, by=PrincipalId("system"), because="test", at=world.now)


@cause("the consent is withdrawn")
async def _(world: AuthorizingWorld) -> None:
    flow = world.oauth.code_flow
    assert flow is not None
    consents = flow.consent._consents
    for given in await world.records("authority.grant.given"):
        await consents.withdraw(GrantId(given.grant), by=world.actors["ana"].principal.id, at=world.now)


@cause("the task is killed")
async def _(world: AuthorizingWorld) -> None:
    started = await world.records("authority.task.started")

    def work(tx: Any) -> None:
        epoch = tx.advance_epoch("test")
        for each in started:
            tx.lineage.bury("task", each.task, cause="killed", epoch=epoch, at=world.now)

    await world.uow.commit(work)


@cause("the tenant is killed")
async def _(world: AuthorizingWorld) -> None:
    await world.uow.commit(
        lambda tx: tx.lineage.bury(
            "tenant", DEFAULT_TENANT, cause="killed", epoch=tx.advance_epoch("test"), at=world.now
        )
    )


@cause("the registration is revoked")
async def _(world: AuthorizingWorld) -> None:
    await world.change("strict", revoked_at=world.now)


@cause("the person signed out")
async def _(world: AuthorizingWorld) -> None:
    ana = world.actors["ana"].principal.id
    await world.sessions.end_all(ana, by=ana, because="signed out")


@cause("it rested too long")
async def _(world: AuthorizingWorld) -> None:
    world.pass_time(hours=12)


@pytest.mark.attack("RT-05")
@pytest.mark.req("N2")
@pytest.mark.parametrize("name", CAUSES)
async def test_after_each_cause_nothing_is_renewed(world: AuthorizingWorld, name: str) -> None:
    # The agent's ceiling outlasts the session, so that only the cause can end it.
    held = await world.tokens()
    code = await world.code(await world.sign_in())
    await CAUSES[name](world)
    for answer in (await world.refresh(held["refresh_token"]), await world.redeem(code)):
        error = answer.json()["error"]
        assert answer.status_code in {400, 401}, answer.text
        assert error in {"invalid_grant", "invalid_client"}, answer.text


@pytest.mark.req("R27")
async def test_a_session_has_the_limits_of_its_registration(world: AuthorizingWorld) -> None:
    limits = SessionLimits(
        lifetime=timedelta(minutes=30), idle=timedelta(minutes=10), concurrency=2, refresh_count=2
    )
    await world.change("strict", limits=limits)
    held = await world.tokens()
    for _ in range(2):
        world.pass_time(minutes=9)
        held = (await world.refresh(held["refresh_token"])).json()
    assert refused(await world.refresh(held["refresh_token"])), "two refreshes, and no more"
    idle = await world.tokens()
    world.pass_time(minutes=10)
    assert refused(await world.refresh(idle["refresh_token"]))


@pytest.mark.req("R27")
async def test_the_oldest_session_makes_room(world: AuthorizingWorld) -> None:
    await world.change("strict", limits=SessionLimits(concurrency=2))
    oldest = await world.tokens()
    world.pass_time(seconds=1)
    middle, newest = [await world.tokens() for _ in range(2)]
    assert refused(await world.refresh(oldest["refresh_token"]))
    for held in (middle, newest):
        assert (await world.refresh(held["refresh_token"])).status_code == 200


@pytest.mark.attack("RT-01")
async def test_no_token_is_kept_where_it_could_be_read(world: AuthorizingWorld) -> None:
    person = await world.sign_in()
    page = await world.show(person)
    held = await world.tokens()
    again = (await world.refresh(held["refresh_token"])).json()
    handle = page.path.rpartition("/")[2]
    secrets = [handle, held["refresh_token"], again["refresh_token"], held["access_token"]]

    def everything(tx: Any) -> str:
        from sqlalchemy import select

        from remit.platform.storage.tables.schema import metadata

        return "\n".join(
            str(row) for table in metadata.sorted_tables for row in tx.sql.rows(select(table), {})
        )

    stored = await world.uow.read(everything)
    assert not [secret for secret in secrets if secret in stored]


def _family(**changes: Any) -> Family:
    values: dict[str, Any] = {
        "id": FamilyId("fam_1"),
        "tenant": DEFAULT_TENANT,
        "client_id": "cli_x",
        "principal": PrincipalId("ins_1"),
        "user": UserId("usr_1"),
        "session": SessionId("ses_1"),
        "task": None,
        "resource": "r",
        "scopes": frozenset(),
        "key": "key",
        "acr": "",
        "amr": (),
        "signed_in_at": NOON,
        "started_at": NOON,
        "used_at": NOON,
        "ends_at": NOON + timedelta(days=7),
        "idle": timedelta(hours=12),
        "refresh_count": 10,
        **changes,
    }
    return Family(**values)


def _token(**changes: Any) -> RefreshToken:
    values: dict[str, Any] = {
        "id": "d0",
        "tenant": DEFAULT_TENANT,
        "family": FamilyId("fam_1"),
        "number": 0,
        "issued_at": NOON,
        **changes,
    }
    return RefreshToken(**values)


@pytest.mark.attack("RT-06", "RT-07")
@pytest.mark.spec("RFC 7662", "2.2")
async def test_its_own_client_alone_may_ask_about_a_refresh_token(world: AuthorizingWorld) -> None:
    await world.confidential("other", "mail-bot")
    held = await world.tokens("web", resource=world.options.mcp("mail"))
    token = held["refresh_token"]
    found = (await world.introspect("web", token)).json()
    assert found["active"] is True
    assert found["client_id"] == world.clients["web"].client_id
    assert found["sub"] == world.actors["ana"].id
    assert (await world.introspect("other", token)).json() == {"active": False}
    used = (await world.refresh(token, "web")).json()
    assert (await world.introspect("web", token)).json() == {"active": False}
    assert (await world.introspect("web", used["refresh_token"])).json()["active"] is True
    await CAUSES["the person signed out"](world)
    assert (await world.introspect("web", used["refresh_token"])).json() == {"active": False}


@pytest.mark.attack("RT-08")
@pytest.mark.spec("RFC 7009", "2.1")
async def test_taking_back_a_refresh_token_takes_everything(world: AuthorizingWorld) -> None:
    held = await world.tokens()
    foreign = await world.revoke("web", held["refresh_token"])
    assert (foreign.status_code, foreign.content) == (200, b"")
    renewed = (await world.refresh(held["refresh_token"])).json()
    assert await lives(world, renewed["access_token"])
    own = await world.post("/revoke", {"client_id": "cli_strict", "token": renewed["refresh_token"]})
    assert (own.status_code, own.content) == (200, b"")
    assert refused(await world.refresh(renewed["refresh_token"]))
    for token in (held, renewed):
        assert not await lives(world, token["access_token"])
    (ended,) = await world.records("authority.family.ended")
    assert ended.codes == ("revoked",)


async def test_what_is_over_is_forgotten(world: AuthorizingWorld) -> None:
    held = await world.tokens()
    await world.push()
    world.pass_time(days=9)

    def forget(tx: Any) -> list[int]:
        return [
            each.forget(world.now - timedelta(days=1), 100) for each in (tx.pendings, tx.codes, tx.families)
        ]

    assert await world.uow.commit(forget) == [2, 1, 1]
    assert refused(await world.refresh(held["refresh_token"]))
