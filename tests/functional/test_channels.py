"""People are told over every channel: in order, once more after a restart, never with what was asked."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from remit.kernel.canonical import sha256
from remit.kernel.ids import PrincipalId
from remit.oversight.approvals.approval import ApprovalState
from remit.oversight.containment.kill import TargetKind
from remit.oversight.notices.message import MessageState
from support.asking import asked
from support.clock import FixedClock
from support.composed import composed, populated
from support.house import ASSERTION, House
from support.sinks import authority, http_sink, mail_sink
from support.telling import PushBrowser, add, carried, heard, reach, standard_signature, told


@asynccontextmanager
async def reached(folder: Path, *places: str, **chosen: Any) -> AsyncIterator[tuple[House, FixedClock]]:
    """A house whose operator lets messages go to these places, with a clock that a test moves."""
    clock = FixedClock()
    settings = {
        "channels.private_hosts": list(places),
        "channels.push_hosts": list(places),
        **chosen,
    }
    (folder / "data").mkdir(parents=True, exist_ok=True)
    async with populated(folder / "data", make_clock=lambda _: clock, chosen=settings) as house:
        yield house, clock


async def subscribed(house: House, who: str, endpoint: str) -> PushBrowser:
    browser = PushBrowser()
    await house.services.reaching.service.subscribe(
        PrincipalId(house[who].id), browser.subscription(endpoint), name="phone", host="127.0.0.1"
    )
    return browser


SECRETS_OF_THE_ASK = ("8812", "480.00", "refunds_create", "order_id")
"""Arguments and resource of the ask: for the page alone."""


@pytest.mark.req("R71")
async def test_push_mail_and_sms_each_receive_an_approval(tmp_path: Path) -> None:
    async with http_sink() as push, mail_sink() as mail, http_sink(status=201) as sms:
        places = (push.place, mail.place, sms.place)
        async with reached(tmp_path, *places) as (house, _):
            await add(house, "push", "web_push", sender="mailto:user@company.com")
            await add(house, "post", "mail", url=f"smtp://{mail.place}", sender="remit@company.com")
            await add(house, "text", "sms", url=sms.url, account="AC1", sender="+15550100", secret="token-1")
            browser = await subscribed(house, "lead", f"{push.url}/p/1")
            push.status = 201
            for way in ("push", "post", "text=+15550123"):
                await reach(house, "lead", way)
                async with asked(house) as ask:
                    await carried(house)
                    assert await ask.state() is ApprovalState.PENDING
                    await house.services.approvals.cancel_for(principals=(ask.approval.agent,), tasks=())
        said = json.loads(browser.read(push.got[0].body))
        texts = [
            json.dumps(said),
            str(mail.got[0]),
            parse_qs(sms.got[0].body.decode())["Body"][0],
        ]
        assert said["title"] == mail.got[0]["Subject"] == "An approval waits for you"
        assert push.got[0].headers["content-encoding"] == "aes128gcm"
        assert push.got[0].headers["authorization"].startswith("vapid t=")
        assert int(push.got[0].headers["ttl"]) > 0
        assert sms.got[0].path == "/2010-04-01/Accounts/AC1/Messages.json"
        assert parse_qs(sms.got[0].body.decode())["To"] == ["+15550123"]
        for text in texts:
            assert "/me/messages/msg_" in text.replace("=\n", "")
            assert not [each for each in SECRETS_OF_THE_ASK if each in text]


@pytest.mark.req("R71", "R72")
async def test_a_channel_that_fails_gives_way_to_the_next_in_order_and_it_is_on_record(
    tmp_path: Path,
) -> None:
    async with (
        http_sink(status=503) as sms,
        mail_sink() as mail,
        reached(tmp_path, sms.place, mail.place) as (house, _),
    ):
        await add(house, "text", "sms", url=sms.url)
        await add(house, "post", "mail", url=f"smtp://{mail.place}", sender="remit@company.com")
        await reach(house, "lead", "text=+15550123", "post")
        async with asked(house) as ask:
            await carried(house)
            (message,) = await told(house, "lead")
            assert message.state is MessageState.DELIVERED
            tried = [(each.channel, each.result.value) for each in message.attempts]
            assert tried == [("text", "failed"), ("post", "delivered")]
            record = (await house.records("oversight.notice.delivered"))[-1]
            assert record.approval == ask.approval.id
            assert dict(record.detail)["channel"] == "post"
            assert record.subject == house["lead"].id
            health = (await house.services.reaching.service.get("text")).health
            assert (health.failures, health.why) == (1, "status 503")
        assert len(mail.got) == 1


@pytest.mark.req("R71")
async def test_what_nobody_confirms_in_time_goes_the_next_way_too(tmp_path: Path) -> None:
    async with (
        http_sink(status=201) as push,
        mail_sink() as mail,
        reached(tmp_path, push.place, mail.place) as (house, clock),
    ):
        await add(house, "push", "web_push", sender="mailto:user@company.com")
        await add(house, "post", "mail", url=f"smtp://{mail.place}", sender="remit@company.com")
        await subscribed(house, "lead", f"{push.url}/p/1")
        async with asked(house):
            await carried(house)
            assert (await told(house, "lead"))[0].state is MessageState.HANDED
            assert mail.got == []
            clock.advance(timedelta(minutes=2))
            await carried(house)
            assert len(mail.got) == len(push.got) == 1


@pytest.mark.req("R71")
async def test_a_browser_that_shows_it_says_so_and_nothing_more_is_sent(tmp_path: Path) -> None:
    async with (
        http_sink(status=201) as push,
        mail_sink() as mail,
        reached(tmp_path, push.place, mail.place) as (house, clock),
    ):
        await add(house, "push", "web_push", sender="mailto:user@company.com")
        await add(house, "post", "mail", url=f"smtp://{mail.place}", sender="remit@company.com")
        browser = await subscribed(house, "lead", f"{push.url}/p/1")
        async with asked(house) as ask:
            await carried(house)
            shown = json.loads(browser.read(push.got[0].body))["id"]
            foreign = {"Origin": "https://evil.example"}
            url = f"{house.issuer}/me/received"
            refused = await house.http.post(url, data={"message": shown}, headers=foreign)
            assert refused.status_code == 403
            ours = {"Origin": house.services.people.desk.home}
            reply = await house.http.post(url, data={"message": shown}, headers=ours)
            assert reply.status_code == 204
            clock.advance(timedelta(minutes=2))
            await carried(house)
            assert mail.got == []
            assert await ask.state() is ApprovalState.PENDING


@pytest.mark.req("R71")
async def test_a_service_that_says_gone_loses_the_browser(tmp_path: Path) -> None:
    async with http_sink(status=410) as push, reached(tmp_path, push.place) as (house, _):
        await add(house, "push", "web_push", sender="mailto:user@company.com")
        await subscribed(house, "lead", f"{push.url}/p/1")
        async with asked(house):
            await carried(house)
            (message,) = await told(house, "lead")
            assert message.state is MessageState.UNREACHABLE
            assert [each.why for each in message.attempts] == ["gone: status 410"]
            found = await house.services.reaching.service.reach(PrincipalId(house["lead"].id))
            assert found.devices == ()


@pytest.mark.req("R71")
async def test_a_person_without_any_channel_is_said_so_at_once(tmp_path: Path) -> None:
    async with reached(tmp_path) as (house, _), asked(house) as ask:
        await heard(house)
        (message,) = await told(house, "lead")
        assert (message.state, message.about) == (MessageState.UNREACHABLE, ask.approval.id)
        (record,) = await house.records("oversight.notice.unreachable")
        assert record.approval == ask.approval.id


@pytest.mark.req("R71")
async def test_with_every_channel_down_nothing_opens_and_what_is_lost_can_be_sent_again(
    tmp_path: Path,
) -> None:
    """Mail and webhook are down until the ask has run out: it expires, unanswered, and says where it got."""
    async with http_sink(status=500) as sms, mail_sink(refuses=b"451 later\r\n") as mail:
        places = (sms.place, mail.place)
        async with reached(tmp_path, *places, **{"channels.rounds": 2}) as (house, clock):
            await add(house, "text", "sms", url=sms.url)
            await add(house, "post", "mail", url=f"smtp://{mail.place}", sender="remit@company.com")
            await reach(house, "lead", "text=+15550123", "post")
            async with asked(house) as ask:
                for _ in range(3):
                    await carried(house)
                    clock.advance(timedelta(minutes=1))
                (message,) = await told(house, "lead")
                assert message.state is MessageState.DEAD
                assert [each.turn for each in message.attempts] == [0, 0, 1, 1]
                assert await ask.state() is ApprovalState.PENDING
                assert house.hits == []
                mail.refuses = b""
                path = f"/messages/{message.id}/retry"
                assert (await house.api(house["admin"], "POST", path)).status_code == 200
                await carried(house)
                assert len(mail.got) == 1
                (message,) = await told(house, "lead")
                assert message.state is MessageState.DELIVERED
                again = await house.api(house["admin"], "POST", path)
                assert (again.status_code, again.json()["code"]) == (409, "message_settled")


@pytest.mark.req("R71")
async def test_a_restart_loses_nothing_and_repeats_with_the_same_id(tmp_path: Path) -> None:
    """Stopped between the receiver's answer and its record: it hears it twice, under one id, and once more
    nothing."""
    async with http_sink() as hook:
        async with reached(tmp_path, hook.place) as (house, clock):
            await add(house, "hook", "webhook", url=f"{hook.url}/in")
            await reach(house, "lead", "hook")
            async with asked(house):
                await heard(house)
                delivery, at = house.services.reaching.delivery, house.now()
                (ready,) = await house.work.read(
                    lambda tx: [delivery._ready(tx, each, at) for each in tx.messages.due(at, 10)]
                )
                assert ready.parcel is not None
                await delivery._sent(ready.parcel)
        chosen = {"channels.private_hosts": [hook.place]}
        async with composed(
            tmp_path / "data", make_clock=lambda _: FixedClock(clock.now()), port=house.port, chosen=chosen
        ) as anew:
            for _ in range(3):
                await anew.services.reaching.delivery.run_due()
            (message,) = await told(anew)
            assert message.state is MessageState.DELIVERED
        first, second = hook.got
        assert first.headers["webhook-id"] == second.headers["webhook-id"] == message.id


@pytest.mark.req("R71")
async def test_beyond_a_persons_share_one_message_says_that_there_is_more(tmp_path: Path) -> None:
    async with http_sink() as hook:
        chosen = {"channels.per_person_per_hour": 2, "approvals.pending_per_agent": 10}
        async with reached(tmp_path, hook.place, **chosen) as (house, clock):
            await add(house, "hook", "webhook", url=f"{hook.url}/in")
            await reach(house, "lead", "hook")
            for _ in range(4):
                async with asked(house) as ask:
                    await carried(house)
                    await house.services.approvals.cancel_for(principals=(ask.approval.agent,), tasks=())
            states = [each.state for each in await told(house, "lead")]
            assert states.count(MessageState.FOLDED) == 2
            titles = [json.loads(each.body)["data"]["title"] for each in hook.got]
            assert titles.count("An approval waits for you") == 2
            assert titles.count("More waits for you") == 1
            clock.advance(timedelta(hours=1))
            async with asked(house):
                await carried(house)
            assert len(hook.got) == 4


@pytest.mark.spec("Standard Webhooks 1.0", "Signature scheme")
async def test_a_webhook_is_signed_its_secret_shown_once_and_changed_without_a_gap(tmp_path: Path) -> None:
    async with http_sink() as hook, reached(tmp_path, hook.place) as (house, clock):
        first = (await add(house, "hook", "webhook", url=f"{hook.url}/in"))["secret"]
        shown = (await house.api(house["admin"], "GET", "/channels/hook")).text
        assert first not in shown
        second = (await house.api(house["admin"], "POST", "/channels/hook/rotate", {})).json()["secret"]
        await house.api(house["admin"], "POST", "/channels/hook/test", {})
        clock.advance(timedelta(hours=25))
        await house.api(house["admin"], "POST", "/channels/hook/test", {})
        during, after = hook.got
        assert during.headers["webhook-signature"].split(" ") == [
            standard_signature(each, during.headers, during.body) for each in (second, first)
        ]
        signature = standard_signature(second, after.headers, after.body)
        assert after.headers["webhook-signature"] == signature
        raw = b"".join(each.read_bytes() for each in (tmp_path / "data").glob("remit.db*"))
        assert first.encode() not in raw
        assert second.encode() not in raw


@pytest.mark.req("R69")
async def test_an_agent_that_waits_is_told_what_became_of_its_ask(tmp_path: Path) -> None:
    async with http_sink() as hook, reached(tmp_path, hook.place) as (house, _):
        made = await add(house, "back", "webhook", url=f"{hook.url}/in", agent="support-bot")
        async with asked(house) as ask:
            await heard(house)
            assert hook.got == []
            await house.services.approvals.cancel_for(principals=(ask.approval.agent,), tasks=())
            await carried(house)
            await carried(house)
            (got,) = hook.got
            signature = standard_signature(made["secret"], got.headers, got.body)
            assert got.headers["webhook-signature"] == signature
            said = json.loads(got.body)
            assert said["type"] == "remit.outcome"
            assert said["data"]["approval"] == ask.approval.id
            assert said["data"]["state"] == "cancelled"
            assert not [each for each in SECRETS_OF_THE_ASK if each in got.body.decode()]


@pytest.mark.req("R71")
async def test_mail_is_sent_over_verified_tls_only(tmp_path: Path) -> None:
    good, context = authority(tmp_path / "good")
    other, _ = authority(tmp_path / "other")
    for at_once, scheme in ((True, "smtps"), (False, "smtp")):
        for believed, works in ((good, True), (other, False)):
            folder = tmp_path / sha256(f"{at_once}{works}".encode())[:8]
            async with mail_sink(tls=context, at_once=at_once) as mail:
                chosen = {"channels.authorities": str(believed)}
                async with reached(folder, mail.place, **chosen) as (house, _):
                    await add(
                        house, "post", "mail", url=f"{scheme}://{mail.place}",
                        sender="remit@company.com", account="remit", secret="pass-1",
                    )  # fmt: skip
                    reply = await house.api(house["admin"], "POST", "/channels/post/test", {})
                    assert (reply.status_code == 200) is works, reply.text
                    assert (len(mail.got) == 1) is works
                    secret = b"AHJlbWl0AHBhc3MtMQ=="  # \0remit\0pass-1
                    assert any(secret in each for each in mail.said) is works


@pytest.mark.req("R71")
async def test_an_installation_tells_by_itself(tmp_path: Path) -> None:
    """Outbox, dispatcher and jobs as they run: from the ask to the receiver, without a hand of ours."""
    (tmp_path / "data").mkdir()
    async with http_sink() as hook:
        chosen = {"channels.private_hosts": [hook.place]}
        async with populated(tmp_path / "data", chosen=chosen, work_in_background=True) as house:
            await add(house, "hook", "webhook", url=f"{hook.url}/in")
            await reach(house, "lead", "hook")
            async with asked(house) as ask, asyncio.timeout(30):
                await hook.heard.wait()
                said = json.loads(hook.got[0].body)["data"]
                message = await house.services.reaching.service.message(said["message"])
                assert message.about == ask.approval.id


@pytest.mark.req("R68", "R69")
@pytest.mark.spec("CIBA Core", "8")
async def test_whom_an_agent_asks_behind_the_scenes_is_told_and_a_killed_agents_owner_too(
    tmp_path: Path,
) -> None:
    async with (
        http_sink() as hook,
        reached(tmp_path, hook.place) as (house, _),
    ):
        await add(house, "hook", "webhook", url=f"{hook.url}/in")
        for who in ("user", "admin", "lead"):
            await reach(house, who, "hook")
        bot, url = house["calendar-bot"], f"{house.issuer}/bc-authorize"
        form = {
            "client_assertion_type": ASSERTION,
            "client_assertion": bot.assertion(),
            "scope": "openid",
            "resource": f"{house.issuer}/mcp/business",
            "login_hint": house["user"].id,
            "binding_message": "Weiss nicht 4711",
        }
        asked_for = await house.http.post(url, data=form, headers={"DPoP": bot.proof("POST", url)})
        assert asked_for.status_code == 200, asked_for.text
        await house.kill(TargetKind.AGENT, bot.agent, by="lead")
        await carried(house)
        topics = {each.topic: each.person for each in await told(house)}
        assert topics == {"sign_in": house["user"].id, "kill": house["admin"].id}
        texts = b"".join(each.body for each in hook.got).decode()
        assert "calendar-bot" in texts
        assert "4711" not in texts
