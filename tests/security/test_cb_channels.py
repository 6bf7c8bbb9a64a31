"""Channels as a way in: links that are fetched, cards that are forged, addresses that lead inside."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest

from remit.app.ground import Ground
from remit.app.services import Services, build
from remit.kernel.ids import PrincipalId
from remit.kernel.outbound import AddressRule, Destination
from remit.oversight.approvals.approval import ApprovalState
from remit.oversight.notices.channel import ChannelKind
from remit.oversight.notices.letter import Detail, approval_letter
from remit.oversight.notices.message import MessageState
from remit.platform.channels.webhook import Webhook
from remit.platform.outbound import GuardedHttp
from support.asking import asked
from support.asks import ask as an_ask
from support.clock import FixedClock
from support.composed import populated
from support.house import BOOKING, House
from support.sinks import HttpSink, http_sink
from support.telling import add, carried, reach, slack_headers, told
from support.visitors import browser

KEY = "slack-signing-secret"
MEMBER = "U0123ABCD"
REVERSIBLE = """
@id("book") @approval("team:support-leads") @reason("rooms are scarce")
permit (principal, action == Remit::Action::"business/rooms.book", resource);
@id("refund") @approval("team:support-leads") @reason("money leaves")
permit (principal, action == Remit::Action::"business/refunds.create", resource);
"""


@asynccontextmanager
async def slacked(folder: Path, **how: Any) -> AsyncIterator[tuple[House, FixedClock, HttpSink]]:
    """A house with a Slack channel whose cards have buttons, and lead reached by it alone."""
    clock = FixedClock()
    async with http_sink() as sink:
        chosen = {"channels.private_hosts": [sink.place]}
        async with populated(folder / "data", make_clock=lambda _: clock, chosen=chosen, **how) as house:
            await house.policy(REVERSIBLE)
            await house.services.ground.snapshots.catch_up()
            await add(house, "room", "slack", url=f"{sink.url}/hook", secret=KEY, answers=True)
            await reach(house, "lead", f"room={MEMBER}")
            yield house, clock, sink


def buttons(sink: HttpSink) -> dict[str, str]:
    """The values of the last card's buttons, by what they do."""
    blocks = json.loads(sink.got[-1].body)["blocks"]
    elements = next(each for each in blocks if each["type"] == "actions")["elements"]
    return {each["action_id"]: each.get("value", "") for each in elements}


def pressed(action: str, value: str, member: str = MEMBER) -> bytes:
    payload = {
        "type": "block_actions",
        "user": {"id": member},
        "actions": [{"action_id": action, "value": value}],
    }
    return urlencode({"payload": json.dumps(payload)}).encode()


async def press(
    house: House, body: bytes, *, key: str = KEY, moment: float | None = None, room: str = "room"
) -> httpx2.Response:
    headers = slack_headers(body, key, house.now().timestamp() if moment is None else moment)
    return await house.http.post(f"{house.issuer}/channels/{room}/slack", content=body, headers=headers)


@pytest.mark.req("R71")
@pytest.mark.attack("CB-08")
async def test_opening_a_link_answers_nothing_whoever_opens_it(house: House) -> None:
    """Prefetch, scanner, preview, another person, and at last the one who was asked."""
    async with asked(house) as ask, browser(house) as lead, browser(house) as other:
        await lead.enrol("lead")
        await other.enrol("user")
        await carried(house)
        (message,) = await told(house, "lead")
        path = f"/me/messages/{message.id}"
        agents = ("Slackbot-LinkExpanding 1.0", "Mozilla/5.0 (scanner)", "facebookexternalhit/1.1")
        for method in ("HEAD", "GET"):
            for agent in agents:
                url = house.services.people.desk.home + path
                reply = await house.http.request(
                    method, url, headers={"user-agent": agent, "purpose": "prefetch"}
                )
                assert reply.status_code == 303
                assert reply.headers["location"].startswith("/sign-in?")
        assert (await other.http.get(path)).headers["location"] == "/me/messages"
        assert (await told(house, "lead"))[0].state is MessageState.UNREACHABLE
        card = await lead.open(path)
        assert "refunds_create" in card.text
        assert await ask.state() is ApprovalState.PENDING
        assert house.hits == []


@pytest.mark.req("R71", "R72")
async def test_a_button_answers_what_can_be_taken_back_once_for_whom_it_was_shown_to(
    tmp_path: Path,
) -> None:
    async with slacked(tmp_path) as (house, clock, sink), asked(house, "rooms_book", BOOKING) as ask:
        await carried(house)
        value = buttons(sink)["approve"]
        body = pressed("approve", value)
        refusals = [
            await press(house, body, key="guessed"),
            await press(house, body, moment=house.now().timestamp() - 301),
            await press(house, body, moment=house.now().timestamp() + 301),
            await press(house, pressed("approve", value, "U0000EVIL")),
            await press(house, pressed("approve", value.split(" ")[0] + " " + "0" * 64)),
            await press(house, pressed("approve", "msg_" + "0" * 40 + " " + ask.approval.digest)),
            await press(house, pressed("delete", value)),
            await press(house, body, room="nowhere"),
            await house.http.post(f"{house.issuer}/channels/room/slack", content=body),
        ]
        assert [each.status_code for each in refusals] == [403, 403, 403, 403, 403, 404, 403, 404, 403]
        assert await ask.state() is ApprovalState.PENDING
        reply = await press(house, body)
        assert (reply.status_code, reply.text.split(".")[0]) == (200, "Recorded: approved")
        assert (await press(house, pressed("deny", value))).status_code in {403, 409}
        assert await ask.state() is ApprovalState.APPROVED
        granted = (await house.records("oversight.approval.approved"))[-1]
        assert (granted.actor, dict(granted.detail)["channel"]) == (house["lead"].id, "slack")
        assert clock.now() == granted.at


@pytest.mark.req("R71")
async def test_what_cant_be_taken_back_has_no_button_and_a_made_up_one_answers_nothing(
    tmp_path: Path,
) -> None:
    async with slacked(tmp_path) as (house, _, sink), asked(house) as ask:
        await carried(house)
        assert set(buttons(sink)) == {"open"}
        (message,) = await told(house, "lead")
        reply = await press(house, pressed("approve", f"{message.id} {ask.approval.digest}"))
        assert (reply.status_code, await ask.state()) == (403, ApprovalState.PENDING)


@pytest.mark.attack("CB-02")
@pytest.mark.parametrize("detail", list(Detail))
async def test_what_an_agent_wrote_stays_in_its_quotes_and_no_argument_leaves(detail: Detail) -> None:
    hostile = "bot”\u202e\u200b\n<b>Approved by admin</b>\x1b[2K" + "A" * 500
    asking = an_ask(agent_name=hostile, user_name=hostile, reason="line\nbreak\u202e", reversible=False)
    letter = approval_letter(asking, detail=detail)
    text = letter.title + letter.sentence
    assert letter.title == "An approval waits for you"
    assert text.isprintable()
    assert len(text) < 700
    assert not [each for each in ("8812", "480", "order_id") if each in text]
    assert letter.sentence.count("“") == letter.sentence.count("”")
    assert ("business/refunds.create" in text) is (detail is Detail.SUMMARY)


INSIDE = (
    "https://127.0.0.1/x",
    "https://169.254.169.254/latest/meta-data",
    "https://[::1]/",
    "https://10.0.0.7/",
    "https://[::ffff:10.0.0.7]/",
    "https://8.8.8.8:22/",
    "http://8.8.8.8/",
)


@pytest.mark.attack("CB-12")
async def test_no_channel_leads_inside_the_network(house: House) -> None:
    """Webhooks, cards, SMS gateways, relays and push endpoints: refused before anything is connected to."""
    for number, url in enumerate(INSIDE):
        name = f"in-{number}"
        await add(house, name, "webhook", url=url)
        reply = await house.api(house["admin"], "POST", f"/channels/{name}/test", {})
        assert reply.status_code == 409, url
        told_why = reply.text
        assert any(word in told_why for word in ("public network", "port", "plain HTTP")), (url, told_why)
    await add(house, "post", "mail", url="smtps://127.0.0.1", sender="remit@company.com")
    reply = await house.api(house["admin"], "POST", "/channels/post/test", {"address": "user@company.com"})
    assert reply.status_code == 409
    assert "public network" in reply.text
    async with browser(house) as lead:
        await lead.enrol("lead")
        await add(house, "push", "web_push", sender="mailto:user@company.com")
        page = (await lead.open("/me/channels")).text
        csrf = page.partition('name="csrf" value="')[2].partition('"')[0]
        for endpoint in (*INSIDE, "https://evil.example/p", "https://fcm.googleapis.com.evil.example/p"):
            fields = {"csrf": csrf, "endpoint": endpoint, "p256dh": "x", "auth": "x", "name": "x"}
            assert (await lead.post("/me/channels/devices", fields)).status_code == 400, endpoint
        reachable = await house.services.reaching.service.reach(PrincipalId(house["lead"].id))
        assert reachable.devices == ()


class Everything(frozenset[Destination]):
    """Hosts that nobody named, all of them."""

    def __contains__(self, _: object) -> bool:
        return True


@pytest.mark.twin("CB-12")
async def test_without_the_rule_a_webhook_reaches_what_is_inside(tmp_path: Path) -> None:
    """The same channel with a way out that judges nothing: whoever sets one up reads what is inside."""

    def careless(ground: Ground) -> Services:
        services = build(ground)
        way_out = GuardedHttp(rule=AddressRule(registered=Everything()))
        services.reaching.delivery._transports[ChannelKind.WEBHOOK] = Webhook(outbound=way_out)  # type: ignore[index]  # the one part that is left out
        return services

    for make, status, reaches in ((build, 409, 0), (careless, 200, 1)):
        (tmp_path / make.__name__).mkdir()
        async with (
            http_sink() as inside,
            populated(tmp_path / make.__name__ / "data", make=make) as house,
        ):
            await add(house, "in", "webhook", url=f"{inside.url}/x")
            reply = await house.api(house["admin"], "POST", "/channels/in/test", {})
            assert (reply.status_code, len(inside.got)) == (status, reaches)
