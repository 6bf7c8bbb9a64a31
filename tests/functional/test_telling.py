"""R39 in the running product: what was done reads as one sentence, from the log, wherever it is asked for."""

import asyncio
from pathlib import Path

import pytest

from support.governed import BOOKING, LEAD, USER, denial_of, governed

REFUND = {"order_id": "8812", "amount": "480.00", "currency": "EUR"}


@pytest.mark.req("R39", "R143")
async def test_the_log_tells_an_action_in_one_sentence(tmp_path: Path) -> None:
    async with governed(tmp_path) as here:
        task = await here.start("calendar-bot", "book a room", purpose="scheduling")
        assert not (await here.call(task, "rooms_book", BOOKING)).is_error
        listed = (await here.ask("decision", "list", "--effect", "permit"))["items"]
        line = next(each for each in listed if each["action"] == "business/rooms.book")
        sentence = (
            "Agent calendar-bot, acting on behalf of user@company.com, reserved Room-401 for 2026-05-15 "
            "14:00\u201315:00 UTC; authorized by policy `rooms.book` "
            f"(decision {line['id']}), approved by nobody because its risk is low."
        )
        why = await here.remit("why", line["id"])
        assert why.out.splitlines()[0] == sentence
        by_user = await here.ask("why", line["id"], who=USER)
        assert by_user["told"] == sentence
        who = await here.remit("ledger", "who", by_user["call"])
        assert who.out.splitlines()[0] == sentence
        traced = await here.ask("ledger", "who", line["id"])
        assert traced["answers"][0]["told"] == sentence


@pytest.mark.req("R39")
async def test_the_sentence_names_who_approved_and_nothing_refused_is_told_as_done(tmp_path: Path) -> None:
    async with governed(tmp_path) as here:
        task = await here.start("support-bot", "answer the ticket", purpose="support")
        waiting = asyncio.create_task(here.call(task, "refunds_create", REFUND))
        ask = await here.pending()
        assert (await here.remit("approval", "approve", ask["id"], "--yes", who=LEAD)).code == 0
        assert not (await waiting).is_error
        listed = (await here.ask("decision", "list", "--agent", "support-bot"))["items"]
        done = next(each for each in listed if each["effect"] == "permit" and each.get("approval"))
        told = (await here.ask("why", done["id"]))["told"]
        assert told.startswith(
            "Agent support-bot, acting on behalf of user@company.com, refunded 480.00 EUR of order 8812; "
        )
        assert told.endswith(f"(decision {done['id']}), approved by lead@company.com.")
        refused = await here.call(task, "refunds_create", {**REFUND, "order_id": "1"})
        denial = denial_of(refused)
        assert "told" not in await here.ask("why", denial["decision"])
        first = (await here.remit("why", denial["decision"])).out.splitlines()[0]
        assert first.startswith("deny   support-bot wanted `business/refunds.create` on Order:1")
        erased = await here.services.ground.work.commit(
            lambda tx: tx.ledger.erase(done["user"], at=here.services.ground.clock.now())
        )
        assert erased > 0
        plain = (await here.ask("why", done["id"]))["told"]
        assert "did `business/refunds.create` on `Order:8812`" in plain
