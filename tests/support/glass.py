"""Break glass in a house: asked for by one person, opened by another's passkey."""

from typing import Any

import httpx2

from remit.kernel.ids import ApprovalId
from support.house import House
from support.visitors import Browser, field, options_of

USUAL = ("no_permit", "condition_failed", "forbidden", "approval_required")
REASON = "the duty desk is locked out"


async def wanted(house: House, who: str = "admin", **changes: Any) -> httpx2.Response:
    """Ask for one, for calendar-bot unless changed."""
    body = {
        "agent": "calendar-bot",
        "lifts": list(USUAL),
        "minutes": 30,
        "reason": REASON,
        **changes,
    }
    return await house.api(house[who], "POST", "/breakglass", body)


async def say(house: House, one: Browser, approval: str, answer: str, who: str = "lead") -> httpx2.Response:
    """Answer on the page, with the passkey of whoever sits at that browser."""
    asked = await house.services.approvals.get(ApprovalId(approval))
    path = house.link(asked, who).removeprefix(house.issuer)
    page = (await one.open(path)).text
    fields = {"csrf": field(page, "csrf"), "ticket": field(page, "ticket"), "answer": answer}
    return await one.post(path, {**fields, "response": one.device.get(options_of(page, answer))})


async def opened(house: House, one: Browser, **changes: Any) -> str:
    """The id of one that lead has opened; lead has a passkey already."""
    asked = await wanted(house, **changes)
    assert asked.status_code == 201, asked.text
    assert (await say(house, one, asked.json()["approval"], "approve")).status_code == 303
    await house.services.ground.snapshots.catch_up()
    return str(asked.json()["id"])


async def shown(house: House, ident: str) -> dict[str, Any]:
    """One as the API shows it."""
    found: dict[str, Any] = (await house.api(house["admin"], "GET", f"/breakglass/{ident}")).json()
    return found
