"""Inventory, agent, task, ledger, policy, wall, settings: worked with in a real browser, and looked at."""

from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from remit.kernel.ids import PrincipalId
from support.browsers import LOOKS, browser
from support.console import OpenConsole, console_of
from support.house import BOOKING, House, right

pytestmark = pytest.mark.usefixtures("console_built")

STRANGE = (
    "<img src=x onerror=alert(1)> \u202e0001\u202c p\u0430ypal "
    "</script><svg/onload=alert(1)> [a](javascript:alert(1))"
)
PLANTED = "main :is(img, script:not([src]), svg[onload], a[href^=javascript])"
RULE = '\n@id("browser.rule")\nforbid (principal, action == Remit::Action::"business/mail.send", resource);\n'


async def handed_on(house: House, *, purpose: str = "scheduling", room: str = "") -> str:
    """A task in which calendar-bot books, hands part of it to mail-bot, and that tries what it may not."""
    started = await house.task("calendar-bot", purpose=purpose)
    bot, mail, ceiling = house["calendar-bot"], house["mail-bot"], started.task.ceiling
    token = await house.exchange(bot, started.envelope)
    await house.call(bot, token, "rooms_book", {**BOOKING, **({"room": room} if room else {})})
    kept = replace(
        ceiling, rights=frozenset({right("business/rooms.book", "Room-1")}), depth=ceiling.depth - 1
    )
    text = house.hop(started.envelope, ceiling, "calendar-bot", "mail-bot", task=started.task.id, wanted=kept)
    await house.call(mail, await house.exchange(mail, text), "rooms_book", BOOKING, envelope=text)
    return str(started.task.id)


@pytest.mark.req("N42")
async def test_who_acts_through_whom_and_what_is_proven(house: House, tmp_path: Path) -> None:
    """The auditor's way: from a task to its hops, to the record, to a proof that a changed receipt fails."""
    task = await handed_on(house)
    async with AsyncExitStack() as stack:
        started = await stack.enter_async_context(browser())
        console = await stack.enter_async_context(console_of(house, started))
        page = console.page
        await console.open(f"/tasks/{task}", ".react-flow__node")
        assert await page.locator(".react-flow__node").count() == 4
        steps = await page.inner_text(".stages")
        assert "6 rights were not passed on" in steps
        assert "business/rooms.book on Room Room-1" in steps
        decided = (await house.records("decision.action.decided"))[0]
        await console.open(f"/ledger?of={decided.call}")
        await page.wait_for_selector(f"main a:has-text('{decided.decision}')")
        told = await page.inner_text("main")
        assert "acting on behalf of user@company.com" in told
        assert "interactive, begun by the user" in told
        await console.open(f"/ledger/{decided.id}")
        check = page.get_by_role("button", name="Check the proof")
        await check.click()
        await page.wait_for_selector("text=in the log, by the keys that this server names")
        # Keys that somebody kept are believed instead of the server's; a stranger's prove nothing.
        key = house.services.log.known_keys()[0].text()
        await page.get_by_label("Keys that you trust").fill(key)
        await check.click()
        await page.wait_for_selector("text=by keys that you gave")
        answer = await house.api(house["admin"], "GET", f"/ledger/records/{decided.id}/receipt")
        lines = answer.json()["receipt"].split("\n")
        lines[2] = f"index {int(lines[2].split()[1]) + 1}"
        (tmp_path / "changed.txt").write_text("\n".join(lines))
        await page.set_input_files("input[type=file]", str(tmp_path / "changed.txt"))
        await check.click()
        await page.wait_for_selector(".failed:has-text('proves nothing'):has-text('step 3 of 4')")
        assert console.seen.errors == []


@pytest.mark.req("R155")
async def test_many_are_stopped_at_once_and_a_rule_is_tried_before_it_holds(house: House) -> None:
    """The operator's way: search, choose, suspend; then a wrong draft, a right one, and back."""
    await handed_on(house)
    async with AsyncExitStack() as stack:
        started = await stack.enter_async_context(browser())
        console = await stack.enter_async_context(console_of(house, started))
        page = console.page
        await console.open("/inventory", "tbody a")
        await page.get_by_role("textbox", name="Search").fill("-bot")
        await page.wait_for_url("**/inventory?*text=-bot*")
        for name in ("mail-bot", "support-bot"):
            await page.get_by_label(f"Choose {name}").check()
        await page.get_by_role("button", name="Suspend…").click()
        await page.get_by_label("Why").fill("an exercise")
        await page.get_by_role("button", name="Suspend", exact=True).click()
        await page.wait_for_selector("text=2 done, 0 refused")
        assert {each.detail for each in await house.records("identity.principal.suspended")}
        await console.open("/wall", ".figure")
        await page.wait_for_selector(".failed:has-text('agents are suspended')")
        await page.keyboard.press("Control+k")
        await page.keyboard.type("calendar")
        await page.click("[role=option]:has-text('calendar-bot')")
        await page.wait_for_selector("text=Effective access")
        await page.wait_for_selector(".tag-permit:has-text('used')")
        # A draft is judged as it is typed, and can't be published while it is wrong.
        await console.open("/policies", ".cm-content")
        publish = page.get_by_role("button", name="Publish as version 2")
        await page.click(".cm-content")
        await page.keyboard.press("Control+End")
        await page.keyboard.insert_text("\nallow everything;")
        await page.wait_for_selector(".failed")
        assert await publish.is_disabled()
        for _ in "\nallow everything;":
            await page.keyboard.press("Backspace")
        await page.keyboard.insert_text(RULE)
        await page.wait_for_selector("text=it could be published")
        await page.get_by_role("button", name="Replay").click()
        await page.wait_for_selector("text=decisions would be others")
        await publish.click()
        await page.wait_for_selector("text=version 2 is in force")
        await page.get_by_role("tab", name="Versions").click()
        await page.get_by_role("button", name="Roll back to it…").click()
        await page.get_by_role("button", name="Roll back", exact=True).click()
        await page.wait_for_selector("text=version 3 is in force, with the text of version 1")
        assert console.seen.errors == []


SCREENS = {
    "inventory": ("/inventory", "tbody a"),
    "agent": ("/agents/{agent}", ".stages .tag-permit"),
    "task": ("/tasks/{task}", ".react-flow__node"),
    "ledger": ("/ledger?of={decision}", ".facts"),
    "record": ("/ledger/{record}", "textarea"),
    "policy": ("/policies", ".panel .tag-permit"),
    "wall": ("/wall", ".figure"),
    "integrations": ("/integrations", ".stages li"),
    "relations": ("/relations", ".empty"),
    "settings": ("/settings", ".stages li"),
}

OTHERS = ("inventory", "agent", "task", "record", "policy", "wall")
"""What is judged in dark and on a phone too: every part that the screens are made of is in one of them."""


@pytest.mark.req("N21")
@pytest.mark.attack("CO-01", "CO-02", "CO-03")
async def test_every_screen_in_every_look_with_strange_words(house: House, tmp_path: Path) -> None:
    admin, agent = PrincipalId(house["admin"].id), PrincipalId(house["calendar-bot"].agent)
    await house.services.identity.change(agent, by=admin, at=house.now(), purpose=STRANGE)
    task = await handed_on(house, room=STRANGE)
    record = (await house.records("decision.action.decided"))[0]
    ids = {"agent": agent, "task": task, "decision": record.decision, "record": record.id}
    wrong: dict[str, list[str]] = {}
    async with AsyncExitStack() as stack:
        started = await stack.enter_async_context(browser())
        for look in LOOKS:
            async with console_of(house, started, look=look) as console:
                for name, (path, until) in SCREENS.items():
                    if look != "light" and name not in OTHERS:
                        continue
                    await console.open(path.format(**ids), until)
                    await console.page.screenshot(path=str(tmp_path / f"{look}-{name}.png"), full_page=True)
                    wrong[f"{look}-{name}"] = await judged(console)
                if look == "light":
                    await console.open(f"/agents/{agent}", ".stages")
                    assert "⟨U+202E⟩" in await console.page.inner_text(".facts")
    assert {name: each for name, each in wrong.items() if each} == {}


async def judged(console: OpenConsole) -> list[str]:
    """Everything that is wrong with the screen as it stands."""
    found = await console.violations()
    if await console.overflows():
        found.append("wider than its window")
    if await console.page.locator(PLANTED).count():
        found.append("a stranger's words became elements")
    found.extend(console.seen.errors)
    console.seen.errors.clear()
    return found
