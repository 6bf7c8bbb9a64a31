"""Service accounts at the gateway: by themselves, within a ceiling of their own, without any task (R4)."""

from dataclasses import replace
from typing import Any

import pytest

from remit.authority.rights import Right
from remit.enforcement.mcp.wire import CAPABILITY_HEADER
from remit.kernel.ids import PrincipalId
from remit.oversight.containment.kill import TargetKind
from support.carried import account
from support.clients import Called, Party, Refused
from support.house import BOOKING, House

POLICY = """
@id("sync-books") permit (
  principal == Remit::Workload::"sync", action == Remit::Action::"business/rooms.book", resource);
@id("agents") permit (principal is Remit::Agent, action, resource);
"""


async def furnished(house: House) -> tuple[Party, Party]:
    """Two accounts that may book Room-401, and rules that let one of them."""
    await house.policy(POLICY)
    found = []
    for name in ("sync", "other"):
        party = await account(house, name, serves="")
        right = Right(
            action="business/rooms.book", resource_type="Room", resources=frozenset({"Room-401", "Room-402"})
        )
        await house.services.consent.set_ceiling(
            PrincipalId(party.id),
            replace(house.ceiling(right, calls=2), purpose="serve tools"),
            by=PrincipalId(house["admin"].id),
            at=house.now(),
        )
        found.append(party)
    await house.services.ground.snapshots.catch_up()
    return found[0], found[1]


async def own(house: House, who: Party) -> str:
    return await house.ask_token(
        who, grant_type="client_credentials", resource=f"{house.issuer}/mcp/business"
    )


async def book(house: House, who: Party, room: str = "Room-401", **how: Any) -> Called:
    token = how.pop("token", "") or await own(house, who)
    return await house.call(who, token, "rooms_book", {**BOOKING, "room": room}, **how)


@pytest.mark.req("R4", "R9")
async def test_a_service_account_calls_a_tool_within_its_own_ceiling(house: House) -> None:
    sync, other = await furnished(house)
    assert (await book(house, sync)).ran
    refused = await book(house, sync, "Room-500")
    assert (refused.code, "service_account sync" in str(refused.denial)) == ("resource_outside", True)
    hidden = await book(house, other)
    assert not hidden.ran, "no rule permits it anything"
    assert hidden.body["error"]["message"].startswith("Unknown tool")
    decided = await house.records("decision.action.decided")
    (permitted,) = [
        each for each in decided if each.action.endswith("rooms.book") and each.effect == "permit"
    ]
    assert (permitted.actor, permitted.agent, permitted.user, permitted.task) == (sync.id, sync.id, "", "")
    (finished,) = await house.records("enforcement.call.finished")
    assert (finished.actor, finished.effect) == (sync.id, "done")
    assert CAPABILITY_HEADER.lower() in house.hits[-1]["headers"], "which the business has verified"
    assert (await book(house, sync, "Room-402")).ran
    assert (await book(house, sync, "Room-402")).code == "calls_exhausted"


@pytest.mark.req("R4")
async def test_what_one_account_did_is_never_told_to_another(house: House) -> None:
    """Each is an instance of itself: the key of a call is worth something to whoever used it first."""
    sync, other = await furnished(house)
    await house.policy('@id("all") permit (principal, action, resource);')
    first = await book(house, sync, key="same-key-1")
    again = await book(house, sync, key="same-key-1")
    assert first.ran
    assert again.result.get("structuredContent") == first.result.get("structuredContent")
    foreign = await book(house, other, "Room-402", key="same-key-1")
    assert foreign.ran
    assert [hit["arguments"]["room"] for hit in house.hits] == ["Room-401", "Room-402"]


@pytest.mark.req("R4", "R43")
async def test_an_agent_without_a_task_is_still_refused(house: House) -> None:
    await furnished(house)
    bot = house["calendar-bot"]
    refused = await book(house, bot, token=await own(house, bot))
    assert not refused.ran
    assert house.hits == []


@pytest.mark.req("R4", "R96")
async def test_a_killed_account_is_stopped_and_gets_no_token(house: House) -> None:
    sync, other = await furnished(house)
    token, spared = await own(house, sync), await own(house, other)
    killed = await house.kill(TargetKind.WORKLOAD, "sync")
    assert killed.target.ident == sync.id
    assert (await book(house, sync, token=token)).status == 401
    with pytest.raises(Refused):
        await own(house, sync)
    assert (await house.introspect(other, spared))["active"] is True
    assert (await house.introspect(house["calendar-bot"], token)) == {"active": False}
