"""Being notified in a real Chromium: the page subscribes, the worker shows what came and says so."""

import json
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from remit.kernel.canonical import b64u
from remit.kernel.ids import PrincipalId
from remit.oversight.approvals.approval import ApprovalState
from remit.oversight.notices.message import MessageState
from support.asking import asked
from support.browsers import LOOKS, browser, page_of, virtual
from support.composed import populated
from support.people import ADMIN
from support.sinks import http_sink
from support.telling import PushBrowser, add, carried, told

pytestmark = pytest.mark.usefixtures("chromium")

SUBSCRIBE = """
([endpoint, p256dh, auth]) => {
  const plain = (text) => atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  const bytes = (text) => Uint8Array.from(plain(text), (letter) => letter.charCodeAt(0));
  const made = { endpoint, getKey: (name) => bytes(name === "auth" ? auth : p256dh).buffer };
  PushManager.prototype.getSubscription = async () => null;
  PushManager.prototype.subscribe = async (options) => {
    window.asked = { visible: options.userVisibleOnly, key: options.applicationServerKey.length };
    return made;
  };
}
"""
"""Chromium here reaches no push service: that one call is answered by ours; all else is the browser's own."""


@pytest.mark.req("R71")
@pytest.mark.spec("RFC 8030", "5")
@pytest.mark.parametrize("look", ["phone"])
async def test_a_browser_is_subscribed_notified_and_led_to_the_card(tmp_path: Path, look: str) -> None:
    async with AsyncExitStack() as stack:
        sink = await stack.enter_async_context(http_sink(status=201))
        places = {"channels.private_hosts": [sink.place], "channels.push_hosts": [sink.place]}
        house = await stack.enter_async_context(populated(tmp_path / "data", chosen=places))
        await add(house, "push", "web_push", sender="mailto:user@company.com")
        started = await stack.enter_async_context(browser())
        page, seen = await stack.enter_async_context(
            page_of(started, permissions=["notifications"], **LOOKS[look])
        )
        keys = await virtual(page)
        await keys.add()
        people, device = house.services.people, PushBrowser()
        _, secret = await people.enrolments.issue(
            PrincipalId(house["lead"].id), by=ADMIN, lifetime=timedelta(minutes=10)
        )
        home = people.desk.home
        await page.goto(f"{home}/enrol#{b64u(secret.reveal())}")
        await page.fill("input[name=name]", "laptop")
        await page.click("button.approve")
        await page.wait_for_url("**/me/passkeys")

        await page.goto(f"{home}/me/channels")
        assert not await page.evaluate("document.documentElement.scrollWidth > innerWidth")
        await page.evaluate(SUBSCRIBE, [f"{sink.url}/p/1", b64u(device.public), b64u(device.auth)])
        await page.fill("input[name=name]", '<img src=x onerror="document.title=1">\u202ephone')
        async with page.expect_navigation(url="**/me/channels"):
            await page.click("button.approve")
        await page.wait_for_selector("text=⟨U+202E⟩phone")
        await page.screenshot(path=str(tmp_path / f"channels-{look}.png"), full_page=True)
        assert not await page.evaluate("document.documentElement.scrollWidth > innerWidth")

        async with asked(house) as ask:
            await carried(house)
            (message,) = await told(house, "lead")
            assert message.state is MessageState.HANDED
            plain = device.read(sink.got[0].body).decode()
            worker = await page.context.new_cdp_session(page)
            registrations: list[str] = []
            worker.on(
                "ServiceWorker.workerRegistrationUpdated",
                lambda told: registrations.extend(r["registrationId"] for r in told["registrations"]),
            )
            await worker.send("ServiceWorker.enable")
            await page.evaluate("navigator.serviceWorker.ready.then(() => true)")
            async with page.context.expect_event(
                "request", lambda sent: sent.url.endswith("/me/received"), timeout=10_000
            ) as received:
                await worker.send(
                    "ServiceWorker.deliverPushMessage",
                    {"origin": home, "registrationId": registrations[0], "data": plain},
                )
            reply = await (await received.value).response()
            assert reply is not None
            assert reply.status == 204
            shown = await page.evaluate(
                "navigator.serviceWorker.ready.then((r) => r.getNotifications())"
                ".then((all) => all.map((n) => [n.title, n.body, n.data.link]))"
            )
            assert shown == [[json.loads(plain)[name] for name in ("title", "body", "link")]]
            assert (await told(house, "lead"))[0].state is MessageState.DELIVERED

            await page.goto(f"{home}/me/messages")
            await page.screenshot(path=str(tmp_path / f"messages-{look}.png"), full_page=True)
            await page.goto(f"{home}/me/messages/{message.id}")
            await page.wait_for_selector("text=Exactly this will run")
            assert await ask.state() is ApprovalState.PENDING
        assert seen.errors == []
