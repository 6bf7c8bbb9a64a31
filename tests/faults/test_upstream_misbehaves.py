"""F20 through the whole system: a server behind the gateway that is slow, endless, broken or gone."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from remit.app.ground import Ground
from remit.app.services import Services, build
from remit.enforcement.mcp.upstream import MAX_REPLY, Breaker, Timeouts
from remit.kernel.ids import CallId
from remit.ledger.record import Record
from support.clients import Called, Party
from support.composed import beside, populated
from support.house import BOOKING, House
from support.pace import paced
from support.upstreams import Scripted, answer, eventually, respond, scripted

FIRST_BYTE, TOTAL = 1.0, 2.0
SHORT = {
    "gateway.connect_timeout": "30s",
    "gateway.first_byte_timeout": f"{FIRST_BYTE * 1000:.0f}ms",
    "gateway.total_timeout": f"{TOTAL * 1000:.0f}ms",
}
GIB = 1 << 30


class Moody:
    """Answers calls in the way that `mood` says; `served` counts the bytes of an endless answer."""

    mood = ""
    served = 0

    async def __call__(self, receive: Any, send: Any, message: dict[str, Any]) -> None:
        await getattr(self, f"_{self.mood}" if self.mood else "_well")(receive, send, message)

    async def _well(self, receive: Any, send: Any, message: dict[str, Any]) -> None:
        await answer(send, message, {"resultType": "complete", "content": []})

    async def _silent(self, receive: Any, send: Any, message: dict[str, Any]) -> None:
        await asyncio.sleep(120)

    async def _resets(self, receive: Any, send: Any, message: dict[str, Any]) -> None:
        await self._begin(send)
        await send({"type": "http.response.body", "body": b"{", "more_body": True})
        raise ConnectionResetError

    async def _fails(self, receive: Any, send: Any, message: dict[str, Any]) -> None:
        await respond(send, 500, {"oops": True})

    async def _babbles(self, receive: Any, send: Any, message: dict[str, Any]) -> None:
        await respond(send, 200, {"jsonrpc": "2.0", "id": message["id"], "result": "text"})

    async def _trickles(self, receive: Any, send: Any, message: dict[str, Any]) -> None:
        await self._begin(send)
        await self._pour(receive, send, size=1, pause=0.05)

    async def _floods(self, receive: Any, send: Any, message: dict[str, Any]) -> None:
        await self._begin(send)
        await self._pour(receive, send, size=1 << 20, pause=0)

    async def _begin(self, send: Any) -> None:
        lines = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": lines})

    async def _pour(self, receive: Any, send: Any, *, size: int, pause: float) -> None:
        """Blanks until the other side hangs up, at most a gibibyte."""
        gone = asyncio.ensure_future(receive())
        self.served = 0
        while not gone.done() and self.served < GIB:
            await send({"type": "http.response.body", "body": b" " * size, "more_body": True})
            self.served += size
            await asyncio.sleep(pause)
        gone.cancel()


class Scene:
    """calendar-bot, which may call anything of the business and of the moody server."""

    def __init__(self, house: House, upstream: Scripted, moody: Moody, bot: Party, envelope: str) -> None:
        self.house, self.upstream, self.moody, self.bot = house, upstream, moody, bot
        self.envelope = envelope
        self.tokens: dict[str, str] = {}

    async def act(self, *, key: str = "") -> Called:
        how: Any = {"envelope": self.envelope, "server": "slow", "key": key}
        return await self.house.call(self.bot, self.tokens["slow"], "act", {"item": "x"}, **how)

    async def book(self, number: int) -> Called:
        """A call of the server that is well."""
        minute = f"{number % 60:02d}"
        booking = {**BOOKING, "start": f"2026-05-{1 + number // 60:02d}T14:{minute}Z"}
        booking["end"] = f"2026-05-{1 + number // 60:02d}T14:{minute}Z"
        token = self.tokens["business"]
        return await self.house.call(self.bot, token, "rooms_book", booking, envelope=self.envelope)

    async def finished(self) -> list[Record]:
        """How the moody server's calls ended, as the log has it."""
        ends = await self.house.records("enforcement.call.finished")
        return [record for record in ends if record.action == "slow/rooms.read"]

    @asynccontextmanager
    async def beside_honest_work(self) -> AsyncIterator[list[float]]:
        """Meanwhile, somebody works with the other server; how long each call took."""
        took: list[float] = []

        async def work() -> None:
            while True:
                async with paced() as pace:
                    called = await self.book(len(took))
                assert called.status == 200
                took.append(pace.seconds)

        working = asyncio.create_task(work())
        try:
            yield took
        finally:
            working.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await working


@asynccontextmanager
async def scene(folder: Path, **how: Any) -> AsyncIterator[Scene]:
    moody = Moody()
    async with scripted(on_call=moody) as upstream, populated(folder, **{"chosen": SHORT, **how}) as house:
        await beside(house, upstream)
        started = await house.task("calendar-bot")
        found = Scene(house, upstream, moody, house["calendar-bot"], started.envelope)
        for server in ("slow", "business"):
            found.tokens[server] = await house.exchange(found.bot, started.envelope, server=server)
        yield found


async def state_of(house: House, call: str) -> str:
    def work(tx: Any) -> str:
        return str(tx.capabilities.by_call(CallId(call))[1])

    return str(await house.work.read(work))


@pytest.mark.fault("F20")
@pytest.mark.promise("P2", "P13")
async def test_whatever_a_server_does_the_call_ends_in_time_on_record_and_holds_nobody_up(
    tmp_path: Path,
) -> None:
    async with scene(tmp_path / "data") as found:
        house = found.house
        for number, mood in enumerate(("silent", "resets", "fails", "babbles", "trickles", "floods")):
            found.moody.mood, key = mood, f"call-while-{mood}"
            async with found.beside_honest_work() as took, paced() as pace:
                told = await found.act(key=key)
            assert pace.seconds < TOTAL + 2, mood
            assert not told.ran, mood
            assert "unknown" in str(told.body), mood
            assert mood in {"resets", "fails", "babbles", "floods"} or took, f"{mood} held everybody up"
            assert all(each < TOTAL for each in took), mood
            # On record as unknown, and never started again, however often it is asked for.
            finished = (await found.finished())[-1]
            assert finished.effect == "unknown", mood
            assert await state_of(house, finished.call) == "unknown", mood
            again = await found.act(key=key)
            assert "unknown" in str(again.body), mood
            assert len(found.upstream.calls) == 2 * number + 1, mood
            # The server is well again: so is the next call.
            found.moody.mood = ""
            assert (await found.act()).ran, mood
        assert MAX_REPLY <= found.moody.served < 8 * MAX_REPLY


@pytest.mark.fault("F20")
@pytest.mark.promise("P13")
async def test_a_server_that_keeps_failing_is_left_alone_and_the_others_are_not(tmp_path: Path) -> None:
    async with scene(tmp_path / "data") as found:
        found.moody.mood = "fails"
        told = [await found.act() for _ in range(8)]
        assert not any(each.ran for each in told)
        assert len(found.upstream.calls) == 5
        codes = [record.codes for record in await found.finished()]
        assert [code == ("upstream_circuit_open",) for code in codes] == [False] * 5 + [True] * 3
        assert (await found.book(1)).status == 200
        assert len(found.house.hits) == 1


def with_patience(ground: Ground) -> Services:
    """The planted bug: nobody has told the gateway how long to wait."""
    services = build(ground)
    pool: Any = services.upstreams
    pool._timeouts = Timeouts(connect=3600, first_byte=3600, total=3600)
    return services


class Trusting(Breaker):
    """The planted bug: the next call may always be the good one."""

    def failed(self) -> None:
        return


def without_breaker(ground: Ground) -> Services:
    """An installation whose servers have a breaker that never opens."""
    services = build(ground)
    pool: Any = services.upstreams
    of: Callable[[Any], Any] = pool.of

    def unguarded(server: Any) -> Any:
        upstream = of(server)
        upstream._breaker = Trusting()
        return upstream

    pool.of = unguarded
    return services


@pytest.mark.twin("F20")
async def test_without_a_timeout_a_silent_server_would_keep_its_caller(tmp_path: Path) -> None:
    async with scene(tmp_path / "data", make=with_patience) as found:
        found.moody.mood = "silent"
        waiting = asyncio.create_task(found.act())
        await eventually(lambda: bool(found.upstream.calls))
        await asyncio.sleep(TOTAL + 0.5)
        assert not waiting.done()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)


@pytest.mark.twin("F20")
async def test_without_a_breaker_a_failing_server_would_be_asked_for_ever(tmp_path: Path) -> None:
    async with scene(tmp_path / "data", make=without_breaker) as found:
        found.moody.mood = "fails"
        for _ in range(8):
            await found.act()
        assert len(found.upstream.calls) == 8
