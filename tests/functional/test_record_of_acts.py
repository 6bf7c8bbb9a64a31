"""Nothing happens without its record, and what is approved is what runs: read from both ends of a call."""

import asyncio
from datetime import UTC, datetime

import pytest

from support.house import BOOKING, REFUND, House

LIFETIME = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))


@pytest.mark.req("N40", "R142", "R130")
@pytest.mark.promise("P4")
async def test_each_act_at_the_resource_has_its_decision_and_its_actor(house: House) -> None:
    """The journal of the server that acted, against the log: same bytes, same workload, record first."""
    bot = house["calendar-bot"]
    started = await house.task("calendar-bot")
    token = await house.exchange(bot, started.envelope)
    for hour in range(3):
        booked = {**BOOKING, "start": f"2026-05-15T{hour:02}:00Z", "end": f"2026-05-15T{hour:02}:30Z"}
        assert (await house.call(bot, token, "rooms_book", booked)).ran
    placed = await house.work.read(lambda tx: tx.ledger.between(*LIFETIME))
    decided = {
        dict(each.record.digests)["arguments"]: each.record
        for each in placed
        if each.record.kind == "decision.action.decided" and each.record.capability
    }
    assert len(house.hits) == len(decided) == 3
    for hit in house.hits:
        record = decided[hit["args_sha256"]]
        assert record.at.timestamp() <= hit["at"]
        assert record.actor == bot.id  # the one workload that acted, not its user
        assert hit["call_subject"].endswith(f"/agent/calendar-bot/{bot.id}")
        assert (record.user, record.task) == (house["user"].id, started.task.id)
        # Which data the answer rests on: rule, version of the policy, revision, epoch, digests.
        assert record.rules == ("rooms.book",)
        assert record.policy_version
        assert record.revision > 0
        assert dict(record.digests).keys() >= {"arguments", "tool"}


@pytest.mark.req("N15")
@pytest.mark.promise("P8")
async def test_a_yes_runs_the_bytes_it_was_given_for_once(house: House) -> None:
    bot = house["support-bot"]
    started = await house.task("support-bot", purpose="support")
    token = await house.exchange(bot, started.envelope)
    waiting = asyncio.create_task(house.call(bot, token, "refunds_create", REFUND))
    ask = await house.pending()
    assert (await house.answer("lead", ask)).status_code == 200
    assert (await waiting).ran
    for other in ({**REFUND, "amount": "480.01"}, REFUND):  # other bytes, and the same bytes again
        waiting = asyncio.create_task(house.call(bot, token, "refunds_create", other))
        again = await house.pending()
        assert again.id != ask.id
        assert again.digest != ask.digest
        assert (await house.answer("lead", again, "deny")).status_code == 200
        assert not (await waiting).ran
    assert len(house.hits) == 1
