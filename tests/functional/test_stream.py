"""The live stream of a whole installation: an agent acts, a reader sees it with chain, task and decision."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from support.clients import Party
from support.composed import composed, populate
from support.house import BOOKING, House
from support.installation import Installation, installation

DECIDED, FINISHED = "decision.action.decided", "enforcement.call.finished"


@dataclass
class Follower:
    """One connection to the stream, as a browser's EventSource reads it."""

    status: int
    lines: AsyncIterator[str]
    place: str = ""
    seen: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    end: dict[str, Any] = field(default_factory=dict)

    async def until(self, *, count: int = 0, kind: str = "") -> list[dict[str, Any]]:
        """Read on to so many events in all, or to one of a kind, or to the end."""
        name = data = ""
        async with asyncio.timeout(20):
            async for line in self.lines:
                word, _, value = line.partition(": ")
                if word == "id":
                    self.place = value
                elif word == "event":
                    name = value
                elif word == "data":
                    data = value
                elif not line and name == "end":
                    self.end = json.loads(data)
                elif not line and name:
                    self.seen.append((self.place, json.loads(data)))
                    name = ""
                    if len(self.seen) == count or self.seen[-1][1]["kind"] == kind:
                        break
        return [event for _, event in self.seen]


@asynccontextmanager
async def following(house: House, who: Party, *, last: str = "", **query: str) -> AsyncIterator[Follower]:
    token = await house.own_token(who)
    url = f"{house.issuer}/api/v1/stream"
    lines = {"Authorization": f"DPoP {token}", "DPoP": who.proof("GET", url, token)}
    if last:
        lines["Last-Event-ID"] = last
    async with house.http.stream("GET", url, params=query, headers=lines) as reply:
        if reply.status_code == httpx2.codes.OK:
            assert reply.headers["content-type"].startswith("text/event-stream")
            assert reply.headers["cache-control"] == "no-store"
        yield Follower(status=reply.status_code, lines=reply.aiter_lines())


async def book(house: House, token: str, hour: int) -> None:
    booked = {**BOOKING, "start": f"2026-05-15T{hour:02}:00Z", "end": f"2026-05-15T{hour:02}:30Z"}
    assert (await house.call(house["calendar-bot"], token, "rooms_book", booked)).ran


@pytest.mark.req("R136", "R137")
async def test_a_reader_sees_each_action_live_with_chain_task_and_decision(house: House) -> None:
    started = await house.task("calendar-bot")
    giver, taker = house["calendar-bot"], house["mail-bot"]
    text = house.chained(started, "calendar-bot", "mail-bot")
    async with following(house, house["admin"], task=started.task.id) as reader:
        token = await house.exchange(taker, text)
        arguments = {"to": "user@company.com", "subject": "Hello", "body": "the secret plan of the board"}
        reply = await house.call(taker, token, "mail_send", arguments, envelope=text)
        assert reply.ran, reply.body
        events = await reader.until(kind=FINISHED)
    found = {event["kind"]: event for event in events}
    decided, finished = found[DECIDED], found[FINISHED]
    for event in (decided, finished):
        assert event["chain"] == [giver.id, taker.id]
        assert event["instance"] == taker.id
        assert event["agent"] == taker.agent
        assert event["user"] == house["user"].id
        assert event["owner"] == house["admin"].id
        assert (event["task"], event["purpose"]) == (started.task.id, "scheduling")
        assert event["action"] == "business/mail.send"
        assert event["decision"] == decided["decision"] != ""
        assert event["call"] == decided["call"] != ""
    assert decided["effect"] == "permit"
    assert decided["rules"]
    assert (finished["outcome"], "effect" in finished) == ("done", False)
    assert decided["at"] <= finished["at"]
    told = json.dumps(events)
    assert "secret plan" not in told
    assert "get it done" not in told  # the goal is a text of a person
    assert "eyJ" not in told


@pytest.mark.req("R136")
async def test_a_denial_is_told_with_its_codes(house: House) -> None:
    started = await house.task("calendar-bot", limit=house.ceiling(days=20, calls=1))
    bot = house["calendar-bot"]
    token = await house.exchange(bot, started.envelope)
    async with following(house, house["admin"], kind=DECIDED, agent=bot.agent) as reader:
        await book(house, token, 9)
        assert not (await house.call(bot, token, "rooms_book", BOOKING)).ran
        events = await reader.until(count=2)
    assert [event["effect"] for event in events] == ["permit", "deny"]
    assert events[1]["codes"]


@pytest.mark.req("R136", "R137")
async def test_a_broken_connection_is_taken_up_again_and_nothing_is_lost_or_doubled(house: House) -> None:
    token = await house.exchange(house["calendar-bot"], (await house.task("calendar-bot")).envelope)
    begin = "0"
    told: list[str] = []
    for hour in range(6):
        await book(house, token, hour)
        # Read a few, then let the connection go without a word, in the middle of what there is.
        async with following(
            house, house["admin"], **({"after": begin} if hour == 0 else {"last": begin})
        ) as one:
            told += [event["record"] for event in await one.until(count=3)]
            begin = one.seen[-1][0]
    async with following(house, house["admin"], last=begin) as one:
        log = [record.id for record in await house.log()]
        told += [event["record"] for event in await one.until(count=len(log) - len(told))]
    assert told == log


@pytest.mark.req("R136")
async def test_the_stream_goes_on_where_it_was_after_a_restart(tmp_path: Path) -> None:
    async with composed(tmp_path / "data") as house:
        await populate(house)
        parties, port = house.parties, house.port
        token = await house.exchange(house["calendar-bot"], (await house.task("calendar-bot")).envelope)
        async with following(house, house["admin"], after="0") as reader:
            before = await reader.until(count=5)
        await book(house, token, 9)
    async with composed(tmp_path / "data", port=port) as again:
        again.parties.update({name: replace(party, now=again.now) for name, party in parties.items()})
        async with following(again, again["admin"], last=reader.place) as reader:
            log = [record.id for record in await again.log()]
            after = await reader.until(count=len(log) - 5)
    assert [event["record"] for event in (*before, *after)] == log
    acted = [event["kind"] for event in after if event["kind"] in {DECIDED, FINISHED}]
    assert acted == [DECIDED, FINISHED]


@pytest.mark.attack("AU-14")
async def test_only_who_may_read_the_log_may_follow_it(house: House) -> None:
    for name, status in (("user", 403), ("lead", 403), ("calendar-bot", 403), ("admin", 200)):
        async with following(house, house[name]) as reader:
            assert reader.status == status, name
    nobody = await house.http.get(f"{house.issuer}/api/v1/stream")
    assert nobody.status_code == 401


@pytest.mark.attack("AU-14", "KS-01")
async def test_the_stream_ends_with_its_readers_authority(house: House) -> None:
    await house.person("auditor@company.com", roles="reader")
    async with following(house, house["auditor"]) as reader:
        await house.services.identity.suspend(
            house["auditor"].principal.id, by=house["admin"].principal.id, because="left", at=house.now()
        )
        events = await reader.until()
    assert reader.end["code"] == "stream_forbidden"
    assert not [event for event in events if event["kind"].startswith("identity.principal")]


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ({"after": "99999"}, 409, "stream_offset_ahead"),
        ({"after": "main:"}, 400, "stream_offset_malformed"),
        ({"after": "x y"}, 400, "invalid_query"),
        ({"kind": "A"}, 400, "invalid_query"),
        ({"until": "1"}, 400, "invalid_query"),
    ],
)
async def test_what_cannot_be_followed_is_refused_at_once(
    house: House, query: dict[str, str], status: int, code: str
) -> None:
    reply = await house.api(house["admin"], "GET", f"/stream?{httpx2.QueryParams(query)}")
    assert (reply.status_code, reply.json()["code"]) == (status, code)


async def test_the_document_tells_of_the_stream(house: House) -> None:
    document = (await house.http.get(f"{house.issuer}/openapi.json")).json()
    entry = document["paths"]["/api/v1/stream"]["get"]
    assert "text/event-stream" in entry["responses"]["200"]["content"]
    assert {each["name"] for each in entry["parameters"]} == {
        "after",
        "kind",
        "agent",
        "task",
        "Last-Event-ID",
    }


@pytest.mark.req("R136")
def test_the_command_line_follows_and_resumes(tmp_path: Path) -> None:
    with installation(tmp_path) as here:
        first = lines(here, "--after", "0", "--count", "2")
        assert [each["kind"].split(".")[0] for each in first] == ["identity", "identity"]
        here.remit("user", "new", "user@company.com")
        rest = lines(here, "--after", first[0]["offset"], "--count", "2")
        assert rest[0] == first[1]
        assert rest[0]["offset"] < rest[1]["offset"]
        table = here.remit("ledger", "follow", "--after", "0", "--count", "1")
        assert first[0]["kind"] in table.out
        refused = here.remit("ledger", "follow", "--after", "99999")
        assert refused.code == 1
        assert "has seen 99999" in refused.err
    gone = here.remit("ledger", "follow")
    assert gone.code == 1
    assert gone.err.startswith("error: ")


def lines(here: Installation, *words: str) -> list[dict[str, Any]]:
    ran = here.remit("ledger", "follow", *words, "-o", "json")
    assert ran.code == 0, ran.err
    return [json.loads(line) for line in ran.out.splitlines()]
