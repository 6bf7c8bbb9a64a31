"""F21, F22, KS-10: kill -9 anywhere on the way of a call, of a kill, of an answer."""

import asyncio
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from remit.oversight.approvals.approval import ApprovalState
from support.clients import Refused
from support.composed import beside, composed, populated
from support.house import REFUND, House
from support.mortal import Mortals
from support.upstreams import Scripted, answer, scripted

DECIDE = "DecisionService._commit"
FINISH = "CallJournal.finish"
KEY = "call-of-a-test"


@pytest.fixture(scope="module")
def mortals() -> Iterator[Mortals]:
    found = Mortals()
    yield found
    found.close()


async def in_thread(work: Any, *arguments: Any) -> Any:
    return await asyncio.to_thread(work, *arguments)


POINTS = {
    "before consume": (f"before:{DECIDE}", None, 0, "done"),
    "after consume": (f"after:{DECIDE}", "unknown", 0, "unknown"),
    "before send": ("before:send", "unknown", 0, "unknown"),
    "after send": ("never", "unknown", 1, "unknown"),
    "after reply, before record": (f"before:{FINISH}", "unknown", 1, "unknown"),
    "after record": (f"after:{FINISH}", "done", 1, "done"),
}
"""Point → how the process ends, the capability's state after a restart, starts so far, what a retry hears."""


@pytest.mark.fault("F21")
@pytest.mark.attack("CA-15", "CA-14")
@pytest.mark.promise("P2", "P4", "P15")
@pytest.mark.parametrize("point", POINTS)
async def test_a_call_is_started_at_most_once_wherever_the_gateway_dies(
    tmp_path: Path, mortals: Mortals, point: str
) -> None:
    dies, state, starts, retried = POINTS[point]
    folder, arrived, hold = tmp_path / "data", asyncio.Event(), point == "after send"

    async def act(receive: Any, send: Any, message: dict[str, Any]) -> None:
        arrived.set()
        if hold:
            await asyncio.sleep(30)
        await answer(send, message, {"resultType": "complete", "content": []})

    async with scripted(on_call=act) as upstream:
        async with populated(folder) as house:
            await beside(house, upstream)
            started = await house.task("calendar-bot")
            token = await house.exchange(house["calendar-bot"], started.envelope, server="slow")
            parties, port = house.parties, house.port
        bot = parties["calendar-bot"]
        request = (bot, token, "act", {"item": "x"})
        how: Any = {"envelope": started.envelope, "server": "slow", "key": KEY}
        run = await in_thread(mortals.run, f"serve {folder} {port} {dies}")
        await in_thread(run.ready)
        calling = asyncio.create_task(send_once(house, request, how))
        if hold:
            await arrived.wait()
            await in_thread(run.kill)
        else:
            await in_thread(run.end)
        assert await calling is None
        assert len(upstream.calls) == starts
        async with composed(folder, port=port) as again:
            again.parties = {name: replace(party, now=again.now) for name, party in parties.items()}
            assert await capability_state(again) == state
            hold = False
            called = await again.call(again["calendar-bot"], *request[1:], **how)
            assert len(upstream.calls) == max(starts, int(retried == "done" and state is None))
            assert told(called.body) == retried
            # However often it is asked again.
            await again.call(again["calendar-bot"], *request[1:], **how)
            assert len(upstream.calls) <= 1
            assert_each_start_is_on_record(upstream, await again.records("decision.action.decided"))


@pytest.mark.twin("F21", "P4")
async def test_a_gateway_that_acts_before_its_record_is_durable_would_start_a_call_twice(
    tmp_path: Path, mortals: Mortals
) -> None:
    folder = tmp_path / "data"
    async with scripted() as upstream:
        async with populated(folder) as house:
            await beside(house, upstream)
            started = await house.task("calendar-bot")
            token = await house.exchange(house["calendar-bot"], started.envelope, server="slow")
            parties, port = house.parties, house.port
        request = (parties["calendar-bot"], token, "act", {"item": "x"})
        how: Any = {"envelope": started.envelope, "server": "slow", "key": KEY}
        run = await in_thread(mortals.run, f"serve {folder} {port} before:{FINISH} {DECIDE}")
        await in_thread(run.ready)
        calling = asyncio.create_task(send_once(house, request, how))
        await in_thread(run.end)
        assert await calling is None
        async with composed(folder, port=port) as again:
            with pytest.raises(AssertionError):
                assert_each_start_is_on_record(upstream, await again.records("decision.action.decided"))
            again.parties = {name: replace(party, now=again.now) for name, party in parties.items()}
            await again.call(again["calendar-bot"], *request[1:], **how)
            assert len(upstream.calls) == 2


def assert_each_start_is_on_record(upstream: Scripted, decided: list[Any]) -> None:
    """P4: as many permits on record as calls that arrived, or more."""
    permits = [record for record in decided if record.capability]
    assert len(permits) >= len(upstream.calls)


async def send_once(house: House, request: Any, how: Any) -> httpx2.Response | None:
    """Send a call to a process that may die over it."""
    url, body, headers = house.call_request(*request, **how)
    async with httpx2.AsyncClient(trust_env=False, timeout=30) as http:
        try:
            return await http.post(url, content=body, headers=headers)
        except httpx2.TransportError:
            return None


async def capability_state(house: House) -> str | None:
    def work(tx: Any) -> str | None:
        calls = [record.call for record in decided if record.capability]
        return str(tx.capabilities.by_call(calls[0])[1]) if calls else None

    decided = await house.records("decision.action.decided")
    found: str | None = await house.work.read(work)
    return found


def told(body: Any) -> str:
    """What a caller hears about a call that was made before."""
    text = str(body)
    return "unknown" if "unknown" in text else "done"


POINTS_OF_A_COMMIT = [("pwrite64", n) for n in (1, 2, 4, 7)] + [("fdatasync", n) for n in (1, 2)]


@pytest.mark.attack("KS-10")
@pytest.mark.fault("F22")
@pytest.mark.promise("P1", "P3", "P15")
async def test_a_kill_that_dies_half_way_has_happened_or_was_not_acknowledged(
    tmp_path: Path, mortals: Mortals
) -> None:
    folder = tmp_path / "data"
    async with populated(folder) as house:
        parties = house.parties
        agent, by, port = parties["calendar-bot"].agent, parties["admin"].id, house.port
    outcomes = set()
    for call, nth in POINTS_OF_A_COMMIT:
        copy = tmp_path / f"{call}{nth}"
        shutil.copytree(folder, copy)
        run = await in_thread(mortals.run, f"kill {copy} {port} {agent} {by}")
        await in_thread(run.ready)
        said = await in_thread(
            run.trace, "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={nth}"
        )
        acknowledged = any(line.startswith("done") for line in said)
        async with composed(copy, port=port) as again:
            bot = replace(parties["calendar-bot"], issuer=again.issuer, now=again.now)
            dead = await is_dead(again, bot)
            kills = await again.services.containment.page(after="", limit=5)
            assert dead == bool(kills)
            assert dead or not acknowledged
            assert await again.services.containment.retry_unfinished() == 0
            outcomes.add((dead, acknowledged))
    assert {dead for dead, _ in outcomes} == {True, False}


async def is_dead(house: House, bot: Any) -> bool:
    try:
        await house.own_token(bot)
    except Refused:
        return True
    return False


@pytest.mark.fault("F22")
@pytest.mark.attack("CB-04")
@pytest.mark.promise("P3")
async def test_an_answer_that_dies_half_way_was_given_or_was_not(tmp_path: Path, mortals: Mortals) -> None:
    folder = tmp_path / "data"
    async with populated(folder) as house:
        started = await house.task("support-bot", purpose="support")
        token = await house.exchange(house["support-bot"], started.envelope)
        waiting = asyncio.create_task(
            house.call(house["support-bot"], token, "refunds_create", REFUND, envelope=started.envelope)
        )
        ask, by, port = await house.pending(), house["lead"].id, house.port
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    for call, nth in [("pwrite64", 1), ("pwrite64", 5), ("fdatasync", 1)]:
        copy = tmp_path / f"{call}{nth}"
        shutil.copytree(folder, copy)
        run = await in_thread(mortals.run, f"answer {copy} {port} {ask.id} {by}")
        await in_thread(run.ready)
        said = await in_thread(
            run.trace, "-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={nth}"
        )
        async with composed(copy, port=port) as again:
            state = (await again.services.approvals.get(ask.id)).state
            recorded = await again.records("oversight.approval.approved")
            assert (state is ApprovalState.APPROVED) == bool(recorded)
            assert state is ApprovalState.APPROVED or not any(line.startswith("done") for line in said)
