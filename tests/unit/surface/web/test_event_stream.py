"""Writing events: to a reader who takes them, one who takes none, and one who hangs up."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from starlette.types import Message

from remit.app.live import LiveLog, StreamTooSlow, Subscription
from remit.ledger.encoding import encode_record
from remit.ledger.repository import Placed
from remit.ledger.stream import Offset
from remit.surface.web.routes.stream import EventStream
from support.ledger import record
from support.upstreams import eventually


@dataclass
class Scripted:
    """A subscription that says what it was told to."""

    turns: list[Any]
    place: Offset = field(default_factory=Offset.start)
    closed: bool = False

    async def next(self, *, seconds: float) -> list[tuple[Offset, Placed]]:
        if not self.turns:
            await asyncio.sleep(seconds)
            return []
        turn = self.turns.pop(0)
        if isinstance(turn, Exception):
            raise turn
        for place, _ in turn:
            self.place = place
        return list(turn)

    def close(self) -> None:
        self.closed = True


def event(index: int) -> tuple[Offset, Placed]:
    one = record(index, kind="enforcement.call.finished", effect="done", actor="a\nb")
    placed = Placed(shard="main", index=index, entry=encode_record(one), record=one)
    return Offset.start().past(placed), placed


@dataclass
class Wire:
    """The two ends of an ASGI connection."""

    stuck_after: int = 1 << 30
    sent: list[Message] = field(default_factory=list)
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    async def receive(self) -> Message:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if len(self.sent) >= self.stuck_after:
            await asyncio.Event().wait()
        self.sent.append(message)

    @property
    def text(self) -> str:
        return b"".join(each.get("body", b"") for each in self.sent).decode()

    async def run(self, subscription: Scripted, *, method: str = "GET", heartbeat: float = 5.0) -> None:
        stream = EventStream(cast("Subscription", subscription), heartbeat=heartbeat, patience=0.05)
        async with asyncio.timeout(60):
            await stream({"type": "http", "method": method}, self.receive, self.send)


async def test_events_then_the_end_each_in_its_frame() -> None:
    wire, told = Wire(), Scripted([[event(0), event(1)], StreamTooSlow("too slow", next_step="resume")])
    await wire.run(told)
    frames = wire.text.split("\n\n")
    assert frames[0] == "retry: 1000\n: \nid: main:0"
    assert [frame.split("\n")[0] for frame in frames[1:3]] == ["id: main:1", "id: main:2"]
    data = json.loads(frames[1].split("data: ")[1])
    assert (data["outcome"], data["instance"]) == ("done", "a\nb")  # a line break never breaks a frame
    end = json.loads(frames[3].split("data: ")[1])
    assert end == {"code": "stream_too_slow", "detail": "too slow", "next": "resume", "after": "main:2"}
    assert wire.sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}
    assert told.closed


async def test_silence_is_broken_by_the_place() -> None:
    wire, told = Wire(), Scripted([])
    running = asyncio.create_task(wire.run(told, heartbeat=0.02))
    await eventually(lambda: wire.text.count(": \nid: main:0\n\n") > 2)
    wire.gone.set()
    await running
    assert told.closed


@pytest.mark.attack("DS-05")
async def test_a_reader_who_takes_nothing_is_left() -> None:
    wire, told = Wire(stuck_after=2), Scripted([[event(0)]])
    await wire.run(told)
    assert told.closed
    assert all(each.get("more_body", True) for each in wire.sent)  # never ended: the connection is closed


async def test_a_reader_who_hangs_up_is_forgotten_at_once() -> None:
    wire, told = Wire(), Scripted([])
    running = asyncio.create_task(wire.run(told))
    await asyncio.sleep(0.02)
    wire.gone.set()
    await running
    assert told.closed


async def test_head_opens_nothing() -> None:
    wire, told = Wire(), Scripted([])
    await wire.run(told, method="HEAD")
    assert [each["type"] for each in wire.sent] == ["http.response.start", "http.response.body"]
    assert told.closed


def test_the_limits_are_named() -> None:
    limits = LiveLog(work=cast("Any", None), clock=cast("Any", None), commits=int, alone=True).limits
    assert (limits.subscribers, limits.per_reader, limits.queue) == (32, 8, 1024)
