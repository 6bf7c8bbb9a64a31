"""`remit policy learn` on an installation: proposed, judged by a person, accepted, and in force (N8, R47)."""

from pathlib import Path
from typing import Any

import pytest

from support.governed import BOOKING, USER, Governed, denial_of, governed

SHORT = ("--agent", "calendar-bot", "--since", "1h", "--tasks", "2", "--days", "1")
MAIL = {"to": USER, "subject": "Room", "body": "It is booked."}


async def work(here: Governed) -> None:
    """Three tasks that book a room; in one of them somebody has it write a mail."""
    for number in range(3):
        task = await here.start("calendar-bot", f"book room {number}", purpose="scheduling")
        await here.call(task, "rooms_book", BOOKING | {"start": f"2026-05-1{number}T14:00Z"})
        if number == 1:
            await here.call(task, "mail_send", MAIL)


def question(found: dict[str, Any], action: str) -> dict[str, Any]:
    asked: dict[str, Any] = next(each for each in found["questions"] if each["action"] == action)
    return asked


@pytest.mark.req("N8", "R47", "R111")
async def test_what_was_learned_is_judged_accepted_and_in_force(tmp_path: Path) -> None:
    async with governed(tmp_path) as here:
        await work(here)
        asked = await here.remit("policy", "learn", *SHORT)
        assert asked.code == 4, asked.out + asked.err
        assert "from 4 calls" in asked.out
        assert "your judgement" in asked.out
        found = (await here.remit("policy", "learn", *SHORT, "-o", "json")).json()
        assert question(found, "business/mail.send")["why"] == "too rare to be a habit"
        assert not question(found, "business/mail.send")["taken"]
        refused = await here.remit("policy", "learn", *SHORT, "--accept", "--yes")
        assert refused.code == 4, "questions are open"
        assert (await here.ask("policy", "list"))["items"][0]["version"] == 1

        rest = [each["id"] for each in found["questions"] if each["action"] != "business/mail.send"]
        judged = [*SHORT, "--leave", "all", *(word for each in rest for word in ("--take", each))]
        draft = here.folder / "draft.cedar"
        written = await here.remit("policy", "learn", *judged, "--write", str(draft))
        assert written.code == 0, written.out + written.err
        assert (await here.remit("policy", "check", str(draft))).code == 0
        # Replayed on what was learned from, it denies the mail that was left out, and nothing else.
        replayed = (await here.remit("policy", "replay", str(draft), "--since", "1h", "-o", "json")).json()
        assert [(row["before"], row["after"], row["count"]) for row in replayed["rows"]] == [
            ("permit", "deny", 1)
        ]
        assert replayed["rows"][0]["largest"]["action"] == "business/mail.send"
        assert not replayed["lost"]

        done = await here.remit("policy", "learn", *judged, "--accept", "--yes")
        assert done.code == 0, done.out + done.err
        assert "version 2 is in force" in done.out
        assert "ceiling of agent:calendar-bot is narrowed" in done.out

        task = await here.start("calendar-bot", "book again", purpose="scheduling")
        fine = await here.call(task, "rooms_book", BOOKING | {"start": "2026-05-19T14:00Z"})
        assert not denial_of(fine)
        async with here.client(task) as client:
            shown = {tool.name for tool in (await client.list_tools()).tools}
        assert shown == {"rooms_book"}, "what is denied whatever the arguments is not even shown"
        ceiling = await here.ask("agent", "access", "calendar-bot")
        assert [(each["right"]["action"], each["verdict"]) for each in ceiling["rights"]] == [
            ("business/rooms.book", "used")
        ]
        assert ceiling["rights"][0]["examples"], "an attestation cites calls"

        records = await here.services.ground.work.read(lambda tx: tx.ledger.mentioning("v2"))
        accepted = [each.record for each in records if each.record.kind == "assurance.policy.accepted"]
        assert len(accepted) == 1
        detail = dict(accepted[0].detail)
        assert detail["subjects"] == "agent:calendar-bot"
        assert question(found, "business/mail.send")["id"] in detail["left"]
        assert accepted[0].actor


@pytest.mark.req("N8")
async def test_only_what_was_seen_can_be_accepted(tmp_path: Path) -> None:
    async with governed(tmp_path) as here:
        await work(here)
        wish = ("--since", "1h", "--tasks", "2", "--days", "1", "--leave", "all", "--take", "all")
        found = (await here.remit("policy", "learn", *SHORT, "--take", "all", "-o", "json")).json()
        assert found["digest"]
        nobody = await here.remit("policy", "learn", "--agent", "no-bot", *wish)
        assert nobody.code == 1
        assert "remit agent list" in nobody.err
        reader = await here.remit("policy", "learn", *SHORT, who=USER)
        assert reader.code != 0, "sealed arguments are for administrators"
