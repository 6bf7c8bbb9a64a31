"""R34, R139: each delegation has its four fields, and each decision its record, over a run of everything."""

import asyncio
import re
from typing import Any

import pytest

from remit.kernel.ids import UserId
from remit.ledger.record import Record
from support.clients import Refused
from support.house import ASSERTION, BOOKING, REFUND, House

DELEGATION = {
    "authority.grant.given",
    "authority.task.started",
    "authority.token.issued",
    "authority.envelope.extended",
    "authority.token.refused",
    "authority.token.revoked",
    "authority.task.ended",
    "authority.grant.withdrawn",
}
PERMISSIONS = {"permissions", "rights", "request"}
"""Digests of what was allowed, or asked for."""


def lacking(record: Record) -> list[str]:
    """Which of R34's four fields a record does not have."""
    permissions = PERMISSIONS & {name for name, _ in record.digests} or dict(record.detail).get("scope")
    there = {
        "identities": record.actor and (record.agent or record.user),
        "permissions": permissions,
        "timestamp": record.at,
        "task or resource": record.task or record.resource or record.grant,
    }
    return [name for name, found in there.items() if not found]


@pytest.mark.req("R34")
async def test_every_delegation_event_has_identities_permissions_time_and_task_or_resource(
    house: House,
) -> None:
    began = house.now()
    started = await house.task("calendar-bot")
    bot, taker, user = house["calendar-bot"], house["mail-bot"], house["user"]
    await house.exchange(bot, started.envelope)
    handed = house.chained(started, "calendar-bot", "mail-bot")
    token = await house.exchange(taker, handed)
    with pytest.raises(Refused):
        await house.exchange(taker, handed, scope="remit.admin")
    wide = house.hop(
        handed,
        started.task.ceiling,
        "mail-bot",
        "support-bot",
        task=started.task.id,
        wanted=house.ceiling(days=25),
    )
    with pytest.raises(Refused):
        await house.exchange(house["support-bot"], wide)
    url = f"{house.issuer}/revoke"
    form = {"client_assertion_type": ASSERTION, "client_assertion": taker.assertion(), "token": token}
    assert (
        await house.http.post(url, data=form, headers={"DPoP": taker.proof("POST", url)})
    ).status_code == 200
    (grant,) = await house.services.consent.of_user(UserId(user.id))
    await house.services.consent.withdraw(grant.id, by=user.principal.id, at=house.now())
    records = [each for each in await house.log() if each.kind in DELEGATION]
    assert {each.kind for each in records} == DELEGATION
    assert [(each.kind, lacking(each)) for each in records if lacking(each)] == []
    assert all(began.replace(microsecond=0) <= each.at <= house.now() for each in records)
    refused = [each for each in records if each.kind == "authority.token.refused"]
    assert [each.actor for each in refused] == [taker.id, house["support-bot"].id]
    assert {each.resource for each in refused} == {f"{house.issuer}/mcp/business"}
    issued = {each.task for each in records if each.kind == "authority.token.issued" and each.chain}
    assert issued == {started.task.id}


@pytest.mark.req("R139")
async def test_decisions_that_were_asked_for_are_as_many_as_their_records(house: House) -> None:
    """Allow, deny and ask, one to one, over a run with many at a time; the figure counts what was asked."""
    limit = house.ceiling(days=20, calls=12)
    calendar = await house.exchange(
        house["calendar-bot"], (await house.task("calendar-bot", limit=limit)).envelope
    )
    support = await house.exchange(
        house["support-bot"], (await house.task("support-bot", purpose="support")).envelope
    )

    async def book(number: int) -> Any:
        when = {"start": f"2026-06-{1 + number:02}T14:00Z", "end": f"2026-06-{1 + number:02}T15:00Z"}
        return await house.call(house["calendar-bot"], calendar, "rooms_book", {**BOOKING, **when})

    async def other(tool: str, arguments: dict[str, Any]) -> Any:
        return await house.call(house["support-bot"], support, tool, arguments)

    refund = asyncio.create_task(other("refunds_create", REFUND))
    ask = await house.pending()
    await asyncio.gather(
        *(book(number) for number in range(20)),
        *(other("customers_read", {"customer_id": "C-100"}) for _ in range(5)),
        *(other("rooms_book", BOOKING) for _ in range(5)),
    )
    assert (await house.answer("lead", ask)).status_code == 200
    assert (await refund).ran
    records = await house.records("decision.action.decided")
    text = (await house.http.get(f"{house.issuer}/metrics")).text
    counted: dict[str, float] = {}
    for effect, count in re.findall(r'remit_decisions_total\{effect="(\w+)",stage="\w*"\} ([0-9.e+]+)', text):
        counted[effect] = counted.get(effect, 0) + float(count)
    recorded = {effect: sum(each.effect == effect for each in records) for effect in counted}
    assert counted == recorded
    assert sum(recorded.values()) == len(records) == len({each.decision for each in records})
    assert set(counted) == {"permit", "deny", "ask"}
    assert len(house.hits) == recorded["permit"]
