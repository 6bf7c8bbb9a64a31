"""F07: a process that may open no more files: nothing runs without its record, and service comes back."""

import asyncio
import os
import resource
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from support.clients import Called, called
from support.composed import beside, composed, populated
from support.house import House
from support.mortal import Mortals
from support.upstreams import respond, scripted


@pytest.fixture
def mortals() -> Iterator[Mortals]:
    found = Mortals()
    yield found
    found.close()


def allow(pid: int, more: int | None) -> None:
    """Let a process open this many files more than it has, or as many as it ever could."""
    hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]
    used = max(int(name) for name in os.listdir(f"/proc/{pid}/fd")) + 1  # noqa: PTH208 — numbers, no paths
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (hard if more is None else used + more, hard))


async def hang_up(receive: Any, send: Any, message: dict[str, Any]) -> None:
    """Answer, and close: the next call needs a connection, so a file, of its own."""
    result = {"resultType": "complete", "content": []}
    answer = {"jsonrpc": "2.0", "id": message["id"], "result": result}
    await respond(send, 200, answer, (b"connection", b"close"))


@dataclass
class Caller:
    """calendar-bot, on a connection that it has or on a new one."""

    house: House
    held: httpx2.AsyncClient
    request: tuple[Any, ...]
    how: dict[str, Any]

    async def call(self, *, anew: bool = False) -> Called | None:
        """None if there was no connection to be had."""
        url, body, headers = self.house.call_request(*self.request, **self.how)
        patience = 2 if anew else 60
        async with httpx2.AsyncClient(trust_env=False, timeout=patience) as other:
            try:
                return called(await (other if anew else self.held).post(url, content=body, headers=headers))
            except httpx2.TransportError:
                return None


@pytest.mark.fault("F07")
@pytest.mark.promise("P4", "P15")
async def test_without_files_to_open_nothing_runs_unrecorded_and_service_returns(
    tmp_path: Path, mortals: Mortals
) -> None:
    folder = tmp_path / "data"
    async with scripted(on_call=hang_up) as upstream, httpx2.AsyncClient(trust_env=False, timeout=60) as held:
        async with populated(folder) as house:
            await beside(house, upstream)
            started = await house.task("calendar-bot")
            token = await house.exchange(house["calendar-bot"], started.envelope, server="slow")
        how: dict[str, Any] = {"envelope": started.envelope, "server": "slow"}
        caller = Caller(house, held, (house["calendar-bot"], token, "act", {"item": "x"}), how)
        run = await asyncio.to_thread(mortals.run, f"serve {folder} {house.port} never")
        await asyncio.to_thread(run.ready)
        before = await caller.call()
        assert before is not None
        assert before.ran
        allow(run.pid, 0)
        short = [await caller.call() for _ in range(3)]
        assert [each and (each.ran, "can't be reached" in str(each.body)) for each in short] == [
            (False, True)
        ] * 3
        assert await caller.call(anew=True) is None, "no file, no connection"
        assert len(upstream.calls) == 1
        allow(run.pid, None)
        async with asyncio.timeout(60):
            while (last := await caller.call(anew=True)) is None:
                continue
        assert last.ran
        await asyncio.to_thread(run.kill)
        async with composed(folder, port=house.port) as again:
            decided = await again.records("decision.action.decided")
            ends = {each.decision: each for each in await again.records("enforcement.call.finished")}
            permits = {each.decision for each in decided if each.capability}
            assert permits == set(ends), "each permit has its end on record"
            unsent = [each for each in ends.values() if ("sent", "false") in each.detail]
            assert len(unsent) >= 3
            # The one whose caller found no connection may be taken up later, when it is gone.
            assert {each.codes for each in unsent} <= {("upstream_unavailable",), ("cancelled",)}
            assert len(ends) - len(unsent) == len(upstream.calls)
