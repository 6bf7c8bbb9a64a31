"""Downstream credentials: each its own person's, opened for one call, renewed by one, ended upstream."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from starlette.responses import JSONResponse, Response

from remit.authority.company import Invited
from remit.authority.task_service import StartTask
from remit.authority.vault.connection import ConnectionState
from remit.authority.vault.errors import CredentialNotForThis, ProviderUnfit
from remit.authority.vault.provider import ProviderKind
from remit.authority.vault.provider_service import NewProvider
from remit.kernel.ids import DecisionId, PrincipalId, UserId
from remit.oversight.containment.kill import KillState, TargetKind
from support.vault import AGENT, CONNECTED, ENDED, OPENED, SCOPES, Scene, vaulted

REVOKED = "authority.upstream.revoked"
POSTPONED = "authority.upstream.postponed"


@pytest.fixture
async def on(tmp_path: Path) -> AsyncIterator[Scene]:
    async with vaulted(tmp_path / "data") as scene:
        yield scene


@pytest.mark.req("N28", "N29")
async def test_the_first_call_says_where_to_connect_and_the_next_one_carries_the_persons_own_token(
    on: Scene,
) -> None:
    first = await on.call()
    assert first.denial["code"] == "connection_required"
    link = urlsplit(first.denial["remedy"]["link"])
    assert f"{link.scheme}://{link.netloc}{link.path}" == f"{on.house.issuer}/connect/acme"
    assert dict(parse_qsl(link.query)) == {"server": "slow", "agent": AGENT}
    assert on.upstream.calls == []
    assert "enforcement.call.refused" in {each.kind for each in await on.house.log()}
    made = await on.connect()
    assert (made.place.scopes, made.refreshable, made.version) == (SCOPES, True, 1)
    assert (await on.call()).ran
    (token,) = on.acme.access
    assert on.shown == [f"Bearer {token}"]
    (record,) = await on.records(OPENED)
    assert (record.subject, record.user, record.agent) == (made.id, on.house["user"].id, made.place.agent)
    decided = (await on.records("decision.action.decided"))[-1]
    finished = (await on.records("enforcement.call.finished"))[-1]
    assert record.decision == decided.decision == finished.decision
    assert (await on.call()).ran, "only the first use asks"


@pytest.mark.req("N28")
async def test_nobody_elses_credential_ever_stands_in(on: Scene) -> None:
    """Every person, every agent, and each of them with a connection or without."""
    await on.house.person("other@company.com")
    people, agents = ("user", "other"), (AGENT, "mail-bot")
    mine: dict[tuple[str, str], str] = {}
    for person, agent in (("user", AGENT), ("other", "mail-bot")):
        before = set(on.acme.access)
        await on.connect(person, agent)
        (mine[person, agent],) = set(on.acme.access) - before
    for person in people:
        for agent in agents:
            seen = len(on.shown)
            called = await on.call(agent, user=person)
            if (person, agent) in mine:
                assert called.ran
                assert on.shown[seen:] == [f"Bearer {mine[person, agent]}"]
            else:
                assert called.denial["code"] == "connection_required"
                assert len(on.shown) == seen


@pytest.mark.req("N28")
async def test_a_credential_is_opened_for_a_permitted_call_that_is_under_way_and_for_no_other(
    on: Scene,
) -> None:
    await on.connect()
    await on.call()
    done = (await on.records("decision.action.decided"))[-1].decision
    desk = on.services.vault.desk
    for decision in (done, "dec_none", ""):
        with pytest.raises(CredentialNotForThis):
            await desk.open(DecisionId(decision))
    assert len(await on.records(OPENED)) == 1


async def test_a_denied_call_opens_nothing(on: Scene) -> None:
    await on.connect()
    await on.house.policy('@id("no") forbid (principal, action, resource);')
    assert not (await on.call()).ran
    assert on.shown == []
    assert await on.records(OPENED) == []


@pytest.mark.spec("RFC 6749", "6")
async def test_a_token_near_its_end_is_renewed_once_by_many_calls(on: Scene) -> None:
    """Rotation: whoever shows an old refresh token twice ends the family at this provider."""
    made = await on.connect()
    await on.age(made, timedelta(seconds=3590))
    answers = await asyncio.gather(*(on.call() for _ in range(8)))
    assert all(answer.ran for answer in answers)
    renewals = [form for kind, form in on.acme.asked if kind == "token" and "refresh_token" in form]
    assert len(renewals) == 1
    assert (await on.stored(made)).version == 2
    assert len(await on.records("authority.connection.renewed")) == 1
    assert {text.removeprefix("Bearer ") for text in on.shown} <= set(on.acme.access)


async def test_an_expired_one_waits_for_the_renewal_of_another(on: Scene) -> None:
    made = await on.connect()
    await on.age(made, timedelta(hours=2))
    answers = await asyncio.gather(*(on.call() for _ in range(4)))
    assert all(answer.ran for answer in answers)
    assert (await on.stored(made)).version == 2
    assert len(set(on.shown)) == 1


async def test_a_provider_that_takes_the_refresh_token_no_more_means_connecting_again(on: Scene) -> None:
    made = await on.connect()
    on.acme.refresh.clear()
    await on.age(made, timedelta(hours=2))
    assert (await on.call()).denial["code"] == "connection_required"
    assert (await on.stored(made)).state is ConnectionState.BROKEN
    again = await on.connect()
    assert again.id != made.id
    assert (await on.call()).ran
    assert (await on.stored(made)).state is ConnectionState.ENDED


@pytest.mark.parametrize(
    "answer",
    [Response(status_code=503), Response("no", 200), JSONResponse({"error": "invalid_client"}, 401)],
    ids=["503", "no document", "our own secret"],
)
async def test_a_provider_out_of_order_breaks_nothing(on: Scene, answer: Response) -> None:
    made = await on.connect()
    on.acme.fails["token"] = answer
    await on.age(made, timedelta(seconds=3590))
    assert (await on.call()).ran, "the present one is good for ten seconds yet"
    await on.age(made, timedelta(hours=1))
    called = await on.call()
    assert not called.ran
    assert called.denial == {}
    assert len(on.shown) == 1
    finished = (await on.records("enforcement.call.finished"))[-1]
    assert (finished.codes, dict(finished.detail)["sent"]) == (("provider_unavailable",), "false")
    assert (await on.stored(made)).state is ConnectionState.ACTIVE


@pytest.mark.req("N3")
@pytest.mark.spec("RFC 7009", "2.1")
async def test_disconnecting_ends_it_at_the_provider_too(on: Scene) -> None:
    made = await on.connect()
    (access,), (refresh,) = on.acme.access, on.acme.refresh
    by = PrincipalId(on.house["user"].id)
    await on.services.vault.connections.disconnect(made.id, by=by, because="asked")
    assert (await on.call()).denial["code"] == "connection_required"
    assert await on.services.vault.revoker.run_due() == 1
    assert on.acme.revoked == [("refresh_token", refresh), ("access_token", access)]
    assert on.acme.access == {}
    (told,) = await on.records(REVOKED)
    assert (told.subject, dict(told.detail)["outcome"]) == (made.id, "revoked")
    sealed = await on.house.work.read(lambda tx: tx.vault.get(made.id).sealed)
    assert sealed is None
    assert await on.services.vault.revoker.run_due() == 0


@pytest.mark.req("N3")
async def test_a_kill_ends_it_at_the_provider_before_it_is_done(on: Scene) -> None:
    await on.connect()
    kill = await on.house.kill(TargetKind.AGENT, on.house[AGENT].agent)
    assert kill.state is KillState.DONE
    assert on.acme.access == {}
    assert "upstream" in {plane.plane for plane in kill.planes}


@pytest.mark.req("N3")
@pytest.mark.spec("RFC 7009", "2.2.1")
async def test_an_unreachable_provider_keeps_the_kill_open_until_it_has_confirmed(on: Scene) -> None:
    on.acme.fails["revoke"] = Response(status_code=503, headers={"Retry-After": "1"})
    await on.connect()
    kill = await on.house.kill(TargetKind.USER, on.house["user"].id)
    assert kill.state is KillState.KILLING
    plane = next(each for each in kill.planes if each.plane == "upstream")
    assert not plane.confirmed
    assert "1 upstream grants" in plane.detail
    (told,) = await on.records(POSTPONED)
    assert told.codes == ("status_503",)
    assert (await on.stored_all())[0].state is ConnectionState.ENDED
    assert await on.services.containment.retry_unfinished() == 1, "not due yet"
    on.acme.fails.clear()
    await on.due_now()
    assert await on.services.containment.retry_unfinished() == 0
    assert on.acme.access == {}


async def test_what_ends_while_it_is_renewed_is_ended_upstream_as_well(on: Scene) -> None:
    """The answer of the provider comes after the disconnect: what it gave must not live on."""
    made = await on.connect()
    await on.age(made, timedelta(hours=2))
    entered, go = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        entered.set()
        await go.wait()

    on.acme.before_token = slow
    calling = asyncio.create_task(on.call())
    await asyncio.wait_for(entered.wait(), 10)
    by = PrincipalId(on.house["user"].id)
    await on.services.vault.connections.disconnect(made.id, by=by, because="asked")
    go.set()
    assert not (await calling).ran
    await on.services.vault.revoker.run_due()
    assert on.acme.access == {}


@pytest.mark.req("N29")
async def test_withdrawn_consent_and_retirement_leave_no_connection(tmp_path: Path) -> None:
    async with vaulted(tmp_path / "data", work_in_background=True) as on:
        made = await on.connect()
        assert made.place.user is not None
        (grant,) = await on.services.consent.of_user(made.place.user)
        await on.services.consent.withdraw(grant.id, by=PrincipalId(on.house["user"].id), at=on.house.now())
        async with asyncio.timeout(10):
            while on.acme.access or not await on.records(REVOKED):  # noqa: ASYNC110 — a job ends it
                await asyncio.sleep(0.05)
        assert [each.codes for each in await on.records(ENDED)] == [()]
        assert dict((await on.records(ENDED))[0].detail)["because"] == "consent withdrawn"


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "Acme!"},
        {"issuer": "http://10.0.0.1"},
        {"issuer": "https://user@acme.example"},
        {"issuer": "https://acme.example/#x"},
        {"header": "Cookie"},
        {"header": "Remit-Capability"},
        {"scheme": "Bearer\r\nX: y"},
        {"client_id": ""},
    ],
    ids=lambda changes: next(iter(changes)),
)
async def test_an_unfit_provider_is_refused(on: Scene, changes: dict[str, str]) -> None:
    stated: dict[str, Any] = {
        "name": "beta",
        "issuer": on.acme.issuer,
        "client_id": "us",
        "authorization_endpoint": f"{on.acme.issuer}/authorize",
        "token_endpoint": f"{on.acme.issuer}/token",
        **changes,
    }
    with pytest.raises(ProviderUnfit):
        await on.services.vault.providers.register(
            NewProvider(kind=ProviderKind.OAUTH, **stated),
            None,
            by=PrincipalId(on.house["admin"].id),
            at=on.house.now(),
        )


@pytest.mark.attack("AS-14")
@pytest.mark.spec("RFC 8414", "3.3")
async def test_metadata_of_another_issuer_is_refused(on: Scene) -> None:
    on.acme.issuer_says = "https://acme.example"
    stated = NewProvider(name="beta", kind=ProviderKind.OAUTH, issuer=on.acme.issuer, client_id="us")
    with pytest.raises(ProviderUnfit, match="another issuer"):
        await on.services.vault.providers.register(
            stated, None, by=PrincipalId(on.house["admin"].id), at=on.house.now()
        )


async def test_what_was_made_is_on_record(on: Scene) -> None:
    made = await on.connect()
    (record,) = await on.records(CONNECTED)
    assert (record.subject, record.user, record.actor) == (
        made.id,
        on.house["user"].id,
        on.house["user"].id,
    )


@pytest.mark.req("R36", "N28")
async def test_a_run_for_several_opens_nobodys_own_credential(on: Scene) -> None:
    """What the account of one of them shows is not what all of them may see."""
    await on.connect()
    assert (await on.call()).ran
    house = on.house
    await house.person("bea@company.com")
    agent = house[AGENT].agent
    for who in ("user", "bea"):
        ident = PrincipalId(house[who].id)
        await house.services.consent.give(
            user=UserId(ident), agent=agent, ceiling=house.ceiling(), text="ok", by=ident, at=house.now()
        )
    wanted = StartTask(
        user=UserId(house["user"].id),
        agent=agent,
        goal="look together",
        purpose="scheduling",
        ceiling=None,
        deadline=house.now() + timedelta(hours=1),
        company=(Invited(user=UserId(house["bea"].id)),),
    )
    started = await house.services.tasks.start(wanted, by=PrincipalId(house["user"].id), at=house.now())
    await house.services.ground.snapshots.catch_up()
    before = len(on.shown)
    token = await house.exchange(house[AGENT], started.envelope, server="slow")
    refused = await house.call(house[AGENT], token, "act", {}, server="slow")
    assert refused.code == "connection_required"
    assert "several people" in refused.denial["message"]
    assert len(on.shown) == before
