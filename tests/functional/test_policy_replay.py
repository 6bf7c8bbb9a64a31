"""A candidate policy on decisions that were made: exactly the planted changes, and nothing guessed (N5)."""

import asyncio
from pathlib import Path

import pytest

from support.governed import BOOKING, LEAD, governed

REFUND = {"order_id": "8812", "amount": "480.00", "currency": "EUR"}


@pytest.mark.req("N5", "N7")
async def test_a_replay_reports_exactly_what_the_candidate_changes(tmp_path: Path) -> None:
    async with governed(tmp_path) as here:
        task = await here.start("calendar-bot", "book a room", purpose="scheduling")
        for _ in range(3):
            await here.call(task, "rooms_book", BOOKING)  # permitted; the server itself may have none left
        helping = await here.start("support-bot", "answer the ticket", purpose="support")
        waiting = asyncio.create_task(here.call(helping, "refunds_create", REFUND))
        ask = await here.pending()
        assert (await here.remit("approval", "approve", ask["id"], "--yes", who=LEAD)).code == 0
        assert not (await waiting).is_error
        present = (await here.ask("policy", "show"))["text"]
        candidate = tmp_path / "candidate.cedar"

        candidate.write_text(present)
        same = await here.ask("policy", "replay", str(candidate), "--since", "1h")
        assert same["changed"] == 0
        assert same["rows"] == []
        assert same["same"] + sum(each["count"] for each in same["lost"]) == same["total"] >= 5
        assert not same["lost"], same["lost"]

        candidate.write_text(
            present
            + '@id("no-booking") forbid(principal, action == Remit::Action::"business/rooms.book", resource);'
            + '@id("no-refund") forbid(principal, action == Remit::Action::"business/refunds.create", '
            + 'resource) when { context.arguments.order_id == "8812" };'
        )
        told = await here.remit("policy", "replay", str(candidate), "--since", "1h")
        assert told.code == 1
        assert "permit → deny      3   calendar-bot 3" in told.out
        assert "largest: business/refunds.create EUR 480.00 (dec_" in told.out
        found = (await here.remit("policy", "replay", str(candidate), "--since", "1h", "-o", "json")).json()
        rows = {(row["before"], row["after"], row["agent"]): row for row in found["rows"]}
        assert set(rows) == {("permit", "deny", "calendar-bot"), ("ask", "deny", "support-bot")}
        assert rows["permit", "deny", "calendar-bot"]["largest"]["rule"] == "no-booking"
        assert (await here.ask("policy", "list"))["items"][0]["version"] == 1, "nothing was published"

        # What was erased is counted as that, not guessed.
        one = (await here.ask("decision", "list", "--agent", "calendar-bot"))["items"][0]
        clock = here.services.ground.clock
        await here.services.ground.work.commit(lambda tx: tx.ledger.erase(one["user"], at=clock.now()))
        less = (await here.remit("policy", "replay", str(candidate), "--since", "1h", "-o", "json")).json()
        assert less["changed"] == 0
        assert {each["why"] for each in less["lost"]} == {"its arguments were erased"}
