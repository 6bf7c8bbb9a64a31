"""A candidate policy on decisions that were made: exactly the planted changes, and nothing guessed (N5)."""

import asyncio
from pathlib import Path

import pytest

from support.governed import BOOKING, LEAD, USER, denial_of, governed

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


PAST = (
    '@id("mailed") @remember("mailed by=user for=1h") '
    'permit (principal, action == Remit::Action::"business/mail.send", resource);\n'
    '@id("no-room-after") forbid (principal, action == Remit::Action::"business/rooms.book", resource) '
    "when { context.past.mailed.user.count >= %d };\n"
)
OTHER_WAY = (
    '@id("booked") @remember("booked by=user") '
    'permit (principal, action == Remit::Action::"business/rooms.book", resource);\n'
    '@id("no-mail-after") forbid (principal, action == Remit::Action::"business/mail.send", resource) '
    "when { context.past.booked.user.count >= 1 };\n"
)
MAIL = {"to": USER, "subject": "Room", "body": "It is booked."}


@pytest.mark.req("N5")
async def test_rules_about_the_past_are_replayed_on_the_past_as_each_policy_makes_it(tmp_path: Path) -> None:
    async with governed(tmp_path) as here:
        plain = (await here.ask("policy", "show"))["text"]
        text = tmp_path / "text.cedar"
        text.write_text(plain + PAST % 2)
        await here.ask("policy", "publish", str(text))
        task = await here.start("calendar-bot", "book rooms", purpose="scheduling")
        for number in range(2):
            await here.call(task, "rooms_book", BOOKING | {"start": f"2026-05-1{number}T14:00Z"})
            await here.call(task, "mail_send", MAIL)
        assert denial_of(await here.call(task, "rooms_book", BOOKING))["rule"]["id"] == "no-room-after"

        async def changes(candidate: str) -> dict[tuple[str, str, str], int]:
            text.write_text(plain + candidate)
            ran = await here.remit("policy", "replay", str(text), "--since", "1h", "-o", "json")
            found = ran.json()
            assert not found["lost"], found["lost"]
            assert found["same"] + found["changed"] == found["total"]
            return {
                (row["before"], row["after"], row["largest"]["rule"]): row["count"] for row in found["rows"]
            }

        assert await changes(PAST % 2) == {}
        assert await changes(PAST % 1) == {("permit", "deny", "no-room-after"): 1}
        assert await changes(PAST % 3) == {("deny", "permit", "rooms.book"): 1}
        # Both mails would have been denied, so they would have left no mark: the last room would be free.
        assert await changes(PAST % 2 + OTHER_WAY) == {
            ("permit", "deny", "no-mail-after"): 2,
            ("deny", "permit", "rooms.book"): 1,
        }
        # Seen from the middle, the past that the recorded answer hung on is not there: said, not guessed.
        some = await here.remit("policy", "replay", str(text), "--since", "1h", "--newest", "1", "-o", "json")
        assert some.json()["more"]
        assert {each["why"] for each in some.json()["lost"]} == {
            "its past began before the time that is replayed"
        }
