"""Screens as people see them: in light, in dark, on a phone, with every text that a stranger could plant."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from remit.kernel.ids import PrincipalId
from remit.oversight.containment.kill import TargetKind
from support.asking import asked
from support.browsers import LOOKS, browser
from support.console import OpenConsole, console_of
from support.house import BOOKING, REFUND, House

pytestmark = pytest.mark.usefixtures("console_built")

PAYLOADS = (
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<script>alert(1)</script>",
    "</title><iframe srcdoc='<script>parent.alert(1)</script>'>",
    "javascript:alert(1)",
    "[click](javascript:alert(1)) ![x](x)",
    "{{constructor.constructor('alert(1)')()}}",
    "\"><b onmouseover=alert(1) style='position:fixed;inset:0'>",
    "<form id=root name=body><input name=attributes></form>",
    "__proto__",
)
HIDDEN = "pay \u202e0001\u202c to p\u0430ypal.com\u200b"
HOSTILE = f"{' '.join(PAYLOADS)} {HIDDEN}"
PLANTED = "main :is(img, iframe, script, form[id=root], b[onmouseover], svg[onload])"


async def plant(house: House) -> str:
    """Have strangers' words wherever a screen shows some; the id of the decision that bears them."""
    admin = PrincipalId(house["admin"].id)
    agent = PrincipalId(house["calendar-bot"].agent)
    await house.services.identity.change(agent, by=admin, at=house.now(), purpose=HOSTILE[:480])
    started = await house.task("calendar-bot", purpose="scheduling")
    token = await house.exchange(house["calendar-bot"], started.envelope)
    await house.call(
        house["calendar-bot"], token, "rooms_book", {**BOOKING, "room": HOSTILE}, envelope=started.envelope
    )
    return str((await house.records("decision.action.decided"))[-1].decision)


SCREENS = {
    "overview": ("/", ".table tbody a"),
    "decisions": ("/decisions", ".table tbody a"),
    "decision": ("/decisions/{decision}", ".policy"),
    "waiting": ("/approvals?state=pending", ".table tbody a"),
    "history": ("/approvals?state=denied", ".empty"),
    "ask": ("/approvals/{approval}", ".facts"),
    "kills": ("/kills", ".table tbody a"),
    "kill": ("/kills/{kill}", ".stages"),
    "agents": ("/agents", ".table tbody a"),
    "agent": ("/agents/{agent}", ".facts"),
    "nowhere": ("/no/such/screen", ".empty"),
}


OTHERS = {name: SCREENS[name] for name in ("overview", "decision", "waiting", "kill")}
"""What is judged in dark and on a phone too: every part that screens are made of is in one of them."""


@pytest.mark.req("N21")
@pytest.mark.attack("CO-01", "CO-02", "CO-03", "CO-04", "CO-19")
async def test_every_screen_in_every_look_with_hostile_words(house: House, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        decision = await plant(house)
        ask = await stack.enter_async_context(asked(house, arguments={**REFUND, "order_id": HOSTILE[:90]}))
        killed = await house.kill(TargetKind.INSTANCE, house["mail-bot"].id)
        ids = {
            "decision": decision,
            "approval": ask.approval.id,
            "kill": killed.id,
            "agent": house["calendar-bot"].agent,
        }
        started = await stack.enter_async_context(browser())
        wrong: dict[str, list[str]] = {}
        for look in LOOKS:
            async with console_of(house, started, look=look) as console:
                for name, (path, until) in (SCREENS if look == "light" else OTHERS).items():
                    await console.open(path.format(**ids), until)
                    wrong[f"{look}-{name}"] = await judged(console, f"{look}-{name}", tmp_path)
                if look == "light":
                    await console.open("/decisions/" + decision, ".policy")
                    # What is left out for its length is announced, and whole on one press.
                    await console.page.click("h1 >> text=/show all \\d+ characters/")
                    assert "⟨U+202E⟩" in await console.page.inner_text("h1")
                    assert "holds invisible" in await console.page.inner_text("h1")
        assert {name: each for name, each in wrong.items() if each} == {}


async def judged(console: OpenConsole, name: str, folder: Path) -> list[str]:
    """Everything that is wrong with the screen as it stands."""
    await console.page.screenshot(path=str(folder / f"{name}.png"), full_page=True)
    found = await console.violations()
    if await console.overflows():
        found.append("wider than its window")
    if await console.page.locator(PLANTED).count():
        found.append("a stranger's words became elements")
    found.extend(console.seen.errors)
    console.seen.errors.clear()
    return found
